"""Hand the quantizer calibration data that nobody has read yet.

What it changes: the script that quantizes. A reader or generator that was counted, shown or used for another model
before is at its end, and the quantizer gets nothing. It is rewound before the call where it has a method for that;
else the call makes it anew, from the same data. A reader that reads its own data to the end while it is made starts
them again.

When it is wrong: where there are no data from the beginning: see find_calibration_data. Data that can be read only
once, such as a stream, cannot be had again.

Proof: the quantizer collects data, and the build's own check compares the quantized model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _edits, _quantizers
from triage.fixes._chain import flow_of
from triage.remedy import Proposal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = ("calibration-failed", "calibration-missing")
SAFETY = "safe"
EVIDENT = False
_EMPTY = re.compile(r"No data is collected|[Cc]alibrat\w* data loader provided no data|[Nn]o calibration data")
_REWINDS = ("rewind", "reset", "restart", "rewind_data", "set_to_start")
_ONCE = (
    "iter", "map", "filter", "zip", "enumerate", "reversed", "glob.iglob", "os.scandir", "os.walk", "csv.reader",
    "itertools.chain", "itertools.islice", "pathlib.Path.glob", "pathlib.Path.rglob",
)  # fmt: skip


def propose(site: Site) -> Iterator[Proposal]:
    """Rewinding first, then a reader of its own for each call, then what a reader does to itself."""
    from triage.pysource import calls

    if not _EMPTY.search(site.log):
        return
    flow = flow_of(site)
    sites = calls.calls(flow, lambda name: name.endswith((".quantize_static", ".create_calibrator", ".quantize")))
    for call in calls.failing(flow, sites):
        for keyword in ("calibration_data_reader", "calibration_data", "data_reader"):
            value = call.value(keyword, 2)
            if value is not None and call.source.span(value)[0] >= call.source.span(call.node)[0]:
                yield from _of_reader(flow, call, value)
                break
    yield from _in_readers(flow)


def _of_reader(flow: Flow, call: CallSite, value: cst.BaseExpression) -> Iterator[Proposal]:
    """The reader was read before the call."""
    import libcst as cst

    from triage.pysource.changes import Changes

    source = call.source
    places = list(_places(flow, source, value))
    read = [text for where, node in places for text in _read_before(flow, where, node)]
    if not read:
        return
    method = _rewind(flow, source, value)
    if method is not None and any(isinstance(node, cst.Name) and node.value in read for _, node in places):
        _edits.insert_before(source, call.node, [f"{source.code(value)}.{method}()"])
        parameters = Changes(flow.project).packed()
        if parameters is not None:
            yield Proposal(f"rewind {read[0]} before it is used in {call.where}: it was read before", parameters)
    for where, node in places:
        fresh = _anew(flow, where, node)
        if fresh is not None and fresh != where.code(node):
            where.replace(node, fresh)
    parameters = Changes(flow.project).packed()
    if parameters is not None:
        yield Proposal(f"make {read[0]} anew for {call.where}: it was read to its end before", parameters, rank=1)


def _places(flow: Flow, source: Source, value: cst.BaseExpression) -> Iterator[tuple[Source, cst.BaseExpression]]:
    """Where the reader is handed over: in the call, or where the function around it is called."""
    import libcst as cst

    function = source.above(value, cst.FunctionDef)
    if not isinstance(value, cst.Name) or function is None:
        yield source, value
        return
    names = [param.name.value for param in (*function.params.params, *function.params.kwonly_params)]
    if value.value not in names:
        yield source, value
        return
    at = names.index(value.value)
    for where, call in flow.calls_of(function):
        plain = [arg.value for arg in call.args if arg.keyword is None]
        named = [arg.value for arg in call.args if arg.keyword is not None and arg.keyword.value == value.value]
        yield from ((where, node) for node in named or plain[at : at + 1])


def _read_before(flow: Flow, source: Source, value: cst.BaseExpression) -> Iterator[str]:
    """Names that the reader is or is made of, and that something else reads before this place."""
    import libcst as cst

    names = [value] if isinstance(value, cst.Name) else []
    made = _bound(source, value) if isinstance(value, cst.Name) else value
    if isinstance(made, cst.Call):
        plain = [arg.value for arg in made.args if isinstance(arg.value, cst.Name)]
        names += [name for name in plain if _is_once(flow, source, name)]
    for name in names:
        if _bound(source, name) is not None and any(_reads(source, name)):
            yield name.value


def _reads(source: Source, name: cst.Name) -> Iterator[bool]:
    """True for each other use of a name that reads it, before this one or around in the same loop."""
    import libcst as cst

    here, bound = source.span(name)[0], _bound(source, name)
    loop = source.above(name, cst.For, cst.While)
    made = source.span(bound)[0] if bound is not None else 0
    if loop is not None and made < source.span(loop)[0]:
        yield True
    scope = source.scope(name)
    for other in source.find(cst.Name):
        if other.value != name.value or other is name or source.scope(other) is not scope:
            continue
        if made < source.span(other)[0] < here and _is_read(source, other):
            yield True


def _is_read(source: Source, name: cst.Name) -> bool:
    import libcst as cst

    up = source.parent(name)
    if isinstance(up, cst.Arg | cst.StarredElement):
        return True
    if isinstance(up, cst.For | cst.CompFor):
        return up.iter is name
    return isinstance(up, cst.Attribute) and up.value is name and up.attr.value in ("get_next", "__next__", "__iter__")


def _bound(source: Source, name: cst.Name) -> cst.BaseExpression | None:
    """The only expression that a name gets in its own scope."""
    from triage.pysource.bindings import bindings, value_of

    found = [value_of(source, each.node) for each in bindings(source, name) if source.scope(each.node) is not None]
    return found[0] if len(found) == 1 else None


def _is_once(flow: Flow, source: Source, name: cst.Name) -> bool:
    """Whether a name is something that can be read only once."""
    import libcst as cst

    value = _bound(source, name)
    if isinstance(value, cst.GeneratorExp):
        return True
    if not isinstance(value, cst.Call):
        return False
    function = flow.definition(source, value.func)
    if function is not None:
        return any(where.above(node, cst.FunctionDef, cst.Lambda) is function[1]
                   for where in (function[0],) for node in where.find(cst.Yield))  # fmt: skip
    names = flow.all_dotted(source, value.func) or [source.code(value.func)]
    return any(each in _ONCE or each.endswith((".glob", ".rglob", ".iterdir")) for each in names)


def _anew(flow: Flow, source: Source, value: cst.BaseExpression) -> str | None:
    """The expression that makes a reader, with what can be read only once made in it."""
    import libcst as cst

    bound = _bound(source, value) if isinstance(value, cst.Name) else value
    if not isinstance(bound, cst.Call | cst.GeneratorExp) or not _is_steady(source, bound):
        return None
    text, start = source.code(bound), source.span(bound)[0]
    for arg in reversed(bound.args if isinstance(bound, cst.Call) else ()):
        if isinstance(arg.value, cst.Name) and _is_once(flow, source, arg.value):
            inner = _anew(flow, source, arg.value)
            first, last = (place - start for place in source.span(arg.value))
            data = text.encode()
            text = (data[:first] + (inner or arg.value.value).encode() + data[last:]).decode()
    return text


def _is_steady(source: Source, value: cst.BaseExpression) -> bool:
    """Whether the names of an expression mean the same wherever it stands: each is bound once."""
    import libcst as cst

    from triage.pysource.bindings import bindings

    start, end = source.span(value)
    inside = [name for name in source.find(cst.Name) if start <= source.span(name)[0] < end]
    return all(len(bindings(source, name)) <= 1 for name in inside)


def _rewind(flow: Flow, source: Source, value: cst.BaseExpression) -> str | None:
    """The method of a reader's class that goes back to the beginning."""
    import libcst as cst

    from triage.pysource.bindings import method_of

    for origin in flow.origins(source, value) if isinstance(value, cst.Name) else ():
        found = flow.definition(origin.source, origin.node.func) if isinstance(origin.node, cst.Call) else None
        if found is not None and isinstance(found[1], cst.ClassDef):
            for name in _REWINDS:
                method = method_of(found[1], name)
                if method is not None and len(method.params.params) == 1:
                    return name
    return None


def _in_readers(flow: Flow) -> Iterator[Proposal]:
    """A reader that reads its own data to the end in its constructor."""
    import libcst as cst

    from triage.pysource.changes import Changes

    for source in _quantizers.sources(flow):
        for made in source.find(cst.Assign):
            function = source.above(made, cst.FunctionDef)
            text = source.code(made.targets[0].target)
            if function is None or function.name.value != "__init__" or not text.startswith("self."):
                continue
            if not _is_iterator(flow, source, made.value):
                continue
            last = _last_read(source, function, made, text)
            if last is not None:
                _edits.insert_after(source, last, [source.code(made)])
                parameters = Changes(flow.project).packed()
                if parameters is not None:
                    yield Proposal(f"start {text} again in {source.path} after it was counted", parameters, rank=2)


def _is_iterator(flow: Flow, source: Source, value: cst.BaseExpression) -> bool:
    import libcst as cst

    if isinstance(value, cst.GeneratorExp):
        return True
    if not isinstance(value, cst.Call):
        return False
    return any(name in _ONCE for name in flow.all_dotted(source, value.func) or [source.code(value.func)])


def _last_read(source: Source, function: cst.FunctionDef, made: cst.Assign, text: str) -> cst.CSTNode | None:
    """The last place of a constructor that reads an attribute after it was set, unless it is set again."""
    import libcst as cst

    found: cst.CSTNode | None = None
    for node in source.find(cst.Attribute):
        if source.code(node) != text or source.span(node)[0] <= source.span(made)[1]:
            continue
        if source.above(node, cst.FunctionDef, cst.Lambda) is not function:
            continue
        up = source.parent(node)
        if isinstance(up, cst.AssignTarget):
            return None
        if isinstance(up, cst.Arg | cst.StarredElement) or (isinstance(up, cst.For | cst.CompFor) and up.iter is node):
            found = node
    return found


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the script."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_static


class Reader(CalibrationDataReader):
    def __init__(self, rows):
        self.rows = iter(rows)

    def get_next(self):
        return next(self.rows, None)


rows = ({"input": row} for row in np.ones((4, 1, 8), np.float32))
reader = Reader(rows)
{used}quantize_static("model.onnx", "small.onnx", reader)
"""


def _before(folder: str) -> None:
    _write(folder, 'print(sum(1 for _ in iter(reader.get_next, None)), "samples")\n')


def _write(folder: str, used: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.replace("{used}", used))


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)
    assert site.has("small.onnx")  # noqa: S101 -- an example is a test


def _unread(folder: str) -> None:
    _write(folder, "")


_LOG = 'File "/lib/onnxruntime/quantization/calibrate.py", line 529, in collect_data\nValueError: No data is collected.'
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("onnxruntime",)),
    Example(_unread, None, log=_LOG, applies=False, needs=("onnxruntime",)),
)
