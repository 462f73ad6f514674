"""Feed the calibration data under the names of the model's inputs.

What it changes: the script that quantizes. The key under which its reader hands out the data becomes the name of the
model's input; what the model has no input for is left out. The data and the model stay as they are.

When it is wrong: where several names could be paired in more than one way, nothing is guessed. An input for which
there are no data at all cannot be filled.

Proof: the quantizer runs over the data, and the build's own check compares the quantized model.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _quantizers
from triage.fixes._chain import flow_of
from triage.fixes._quantizers import Key
from triage.onnxgraph import match
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = ("input-name-mismatch", "calibration-failed")
SAFETY = "safe"
EVIDENT = False
_LISTS = re.compile(r"Required inputs \((\[[^\]]{0,4000}\])\) are missing from input feed \((\[[^\]]{0,4000}\])\)")
_INVALID = re.compile(r"[Ii]nvalid (?:[Ff]eed )?[Ii]nput [Nn]ames?: ?([^\s,]{1,200})")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The keys of the reader's feeds, else what it returns."""
    lists, invalid = _LISTS.search(site.log), _INVALID.search(site.log)
    if not (lists or invalid) or not _quantizers.is_calibrating(site):
        return
    flow = flow_of(site)
    within = _quantizers.sources(flow)
    model = _quantizers.model(site, flow)
    needed = [tensor.name for tensor in model.inputs] if model is not None else []
    fed = _names(lists[2]) if lists else []
    ours = _names(lists[1]) if lists else []
    needed = needed or [*ours, *(name for name in fed if name not in ours)]
    theirs = [name for name in fed if name not in needed] if lists else [invalid[1].strip("'\"")] if invalid else []
    known = {key.name for key in _quantizers.keys(flow, within)}
    if ours and known >= set(ours) and not known & set(theirs):
        return
    if not ours and not site.found.tool.startswith("onnxruntime") and "onnxruntime" not in site.log:
        ours = [name for name in needed if name not in known]  # ONNX Runtime asks for missing names first
    if theirs and not ours:
        yield from _without(flow, within, theirs, needed if model is not None else [])
    elif theirs:
        yield from _ways(flow, within, ours, theirs)


def _without(flow: Flow, within: list[Source], theirs: Sequence[str], needed: Sequence[str]) -> Iterator[Proposal]:
    parameters = _left_out(flow, within, theirs, needed)
    if parameters is not None:
        yield Proposal(f"leave {', '.join(theirs)} out of the calibration feeds: no input of the model", parameters)


def _ways(flow: Flow, within: list[Source], ours: Sequence[str], theirs: Sequence[str]) -> Iterator[Proposal | Refusal]:
    pairs = match.pair(ours, theirs, _alike)
    if pairs is None and len(theirs) > len(ours):
        pairs = _some(ours, theirs)
    if pairs is None:
        todo = f"Feed the calibration data as {', '.join(ours)}."
        yield Refusal(
            f"the calibration feeds {', '.join(theirs)}, and which of it is {', '.join(ours)} is not certain", todo
        )
        return
    names = {other: one for one, other in pairs.pairs.items()}
    told = ", ".join(f"{new} instead of {old}" for old, new in names.items())
    parameters = _renamed(flow, within, names) or _returned(flow, within, names)
    if parameters is not None:
        yield Proposal(f"feed the calibration data as {told}", parameters)


def _some(ours: Sequence[str], theirs: Sequence[str]) -> match.Pairing | None:
    """More is fed than the model takes: only names that agree are paired."""
    found = match.alike(ours, theirs)
    return match.Pairing(found, alike=True) if len(found) == len(ours) else None


def _alike(one: str, other: str) -> bool | None:
    """The words of one name stand in the other."""
    first, second = (set(re.findall(r"[a-z0-9]+", name.lower())) for name in (one, other))
    return True if first <= second or second <= first else None


def _names(text: str) -> list[str]:
    try:
        return [str(each) for each in ast.literal_eval(text)]
    except (ValueError, SyntaxError):
        return []


def _renamed(flow: Flow, within: list[Source], names: Mapping[str, str]) -> dict[str, Any] | None:
    """Each wrong name where it becomes a key; None where one becomes none."""
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    seen: set[tuple[str, int]] = set()
    found: set[str] = set()
    for key in _quantizers.keys(flow, within):
        place = (key.source.path, key.source.span(key.node)[0])
        if key.name not in names or place in seen:
            continue
        seen.add(place)
        found.add(key.name)
        _rename(key, names[key.name])
    packed = changes.packed()
    return packed if found == set(names) else None


def _rename(key: Key, name: str) -> None:
    import libcst as cst

    if not key.keyword:
        key.source.replace(key.node, _quoted(name))
        return
    if name.isidentifier():
        key.source.replace(key.node, name)
        return
    call = key.source.above(key.node, cst.Call)
    if call is not None:
        items = [(arg.keyword.value if arg.keyword else "", key.source.code(arg.value)) for arg in call.args]
        text = ", ".join(f"{_quoted(name if old == key.name else old)}: {value}" for old, value in items)
        key.source.replace(call, "{" + text + "}")


def _returned(flow: Flow, within: list[Source], names: Mapping[str, str]) -> dict[str, Any] | None:
    """The names come from files: what get_next returns is renamed."""
    table = "{" + ", ".join(f"{_quoted(old)}: {_quoted(new)}" for old, new in names.items()) + "}"
    return _wrapped(flow, within, f"{{{table}.get(name, name): value for name, value in feed.items()}}")


def _left_out(flow: Flow, within: list[Source], names: Sequence[str], needed: Sequence[str]) -> dict[str, Any] | None:
    """Without what the model has no input for: the entry itself where it is written out, else what is returned."""
    import libcst as cst

    from triage.pysource import arguments
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    holders: dict[tuple[str, int], tuple[str, Any, Any]] = {}
    for key in _quantizers.keys(flow, within):
        if key.name in names:
            holder = key.source.parent(key.node)
            if isinstance(holder, cst.DictElement | cst.Arg):
                holders[key.source.path, key.source.span(key.node)[0]] = (key.name, key.source, holder)
    for _, source, holder in holders.values():
        arguments.remove(source, holder)
    packed = changes.packed()
    if packed is not None and {name for name, _, _ in holders.values()} == set(names):
        return packed
    some = "{" + ", ".join(map(_quoted, needed or names)) + "}"
    test = f"name {'in' if needed else 'not in'} {some}"
    return _wrapped(flow, within, f"{{name: value for name, value in feed.items() if {test}}}")


def _wrapped(flow: Flow, within: list[Source], text: str) -> dict[str, Any] | None:
    from triage.fixes import _edits
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    for source, statement in _quantizers.returned_feeds(within):
        if statement.value is None or text in source.data.decode():
            continue
        _edits.insert_before(source, statement, [f"feed = {source.code(statement.value)}"])
        source.replace(statement.value, f"feed if feed is None else {text}")
    return changes.packed()


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the other names into the script."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_static


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(np.load("calibration.npz")["x"])

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"x": row[None]}


quantize_static("model.onnx", "small.onnx", Reader())
"""


def _before(folder: str) -> None:
    import numpy as np

    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    np.savez(f"{folder}/calibration.npz", x=np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32))
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)
    assert site.has("small.onnx")  # noqa: S101 -- an example is a test


_LOG = """  File "/lib/onnxruntime/quantization/quantize.py", line 859, in quantize_static
ValueError: Required inputs (%s) are missing from input feed (%s).
"""
EXAMPLES = (
    Example(_before, _after, log=_LOG % (["input"], ["x"]), needs=("onnxruntime",)),
    Example(_before, None, log=_LOG % (["attention_mask"], ["token_type_ids"]), applies=False, needs=("onnxruntime",)),
)
