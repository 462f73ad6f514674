"""Point the calibration at the data that are there.

What it changes: the pattern, folder or file of calibration data, where it stands: in the command, as a default or
constant of the script, or in its configuration. It then matches files of the build that the script can load and
that fit the model's input: another ending, another folder name, one folder deeper.

When it is wrong: data of the check, labels and other arrays of the build are no calibration data; a file is taken
only where its kind and shape fit and there is one choice. Where no such files are in the folder, nothing is done:
calibration data are never made up.

Proof: the quantizer collects data from the files, and the build's own check compares the quantized model.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.fixes import Example, Site, _paths, _quantizers, _samples
from triage.fixes._chain import flow_of
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.changes import Changes
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source

CAUSES = (
    "calibration-failed", "calibration-missing", "configuration-error", "model-file-missing", "index-out-of-range",
    "model-code-error", "external-data-missing",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True
_GLOBS = ("glob.glob", "glob.iglob")
_LISTS = ("os.listdir", "os.scandir", "os.walk", "pathlib.Path.iterdir")
_OTHERS = re.compile(
    r"(?i)label|target|expect|referen|golden|truth|output|result|masks?\b|predict|logit|annotation|feeds?\b|test|verif|"
    r"weight|answer"
)
_LOADS = ("numpy.load", "numpy.fromfile", "PIL.Image.open", "cv2.imread", "numpy.genfromtxt", "numpy.loadtxt")


class Look(NamedTuple):
    """Where a script looks for data: ``folder``/``pattern``, and what can be changed: each, or both as one."""

    folder: str
    pattern: str
    whole: _paths.Named | None = None
    folder_at: _paths.Named | None = None
    pattern_at: _paths.Named | None = None
    kind: str = "glob"

    @property
    def text(self) -> str:
        """What is looked for, as one path."""
        return _paths.join(self.folder, self.pattern) if self.pattern else self.folder


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each place that finds nothing: the files that fit."""
    flow = flow_of(site)
    within = _quantizers.sources(flow)
    if not within:
        return
    kinds = _samples.kinds(within)
    model = _quantizers.model(site, flow)
    shapes = model.inputs if model is not None else ()
    for look in _looks(site, flow, within):
        if _matches(site, look):
            yield from _hollow(site, look)
            continue
        found = list(_samples.groups(site, kinds, shapes, taken=_named(site, flow, within)))
        ways = list(_ways(look, found))
        for what, parameters in _changed(flow, look, ways):
            safety = "safe" if len(ways) == 1 else "unsafe"
            yield Proposal(f"calibrate with {what}: {look.text} matches nothing", parameters, safety)
        if not ways and _is_missed(site, look):
            why = f"{look.text} matches nothing, and the build's folder holds no data that fit the model's input"
            yield Refusal(why, "Put representative inputs there; they cannot be made up.")


def _looks(site: Site, flow: Flow, within: list[Source]) -> Iterator[Look]:
    import libcst as cst

    for source in within:
        for call in source.find(cst.Call):
            name = flow.dotted(source, call.func) or ""
            first = call.args[0].value if call.args and call.args[0].keyword is None else None
            if name in _GLOBS and first is not None:
                yield from _of_pattern(site, _paths.resolve(flow, source, first))
            elif (
                isinstance(call.func, cst.Attribute) and call.func.attr.value in ("glob", "rglob") and first is not None
            ):
                yield from _of_method(site, flow, source, call, first)
            elif name in _LISTS and first is not None:
                for named in _paths.resolve(flow, source, first):
                    folder = _paths.inside(named.text, site.workspace.origin)
                    if folder is not None:
                        yield Look(folder, "", folder_at=named, kind="list")
            elif name in _LOADS and first is not None:
                for named in _paths.resolve(flow, source, first):
                    path = _paths.inside(named.text, site.workspace.origin)
                    if path is not None:
                        look = Look(os.path.dirname(path) or ".", os.path.basename(path), whole=named, kind="file")
                        yield _split(look, site)


def _of_pattern(site: Site, named: list[_paths.Named]) -> Iterator[Look]:
    for one in named:
        path = _paths.inside(one.text, site.workspace.origin)
        if path is not None and re.search(r"[*?\[]", path):
            yield _split(Look(os.path.dirname(path) or ".", os.path.basename(path), whole=one), site)


def _split(look: Look, site: Site) -> Look:
    """The same with folder and file apart, where the script puts them together."""
    named = look.whole
    head = named.head if named is not None else None
    if named is None or head is None or _paths.inside(head.text, site.workspace.origin) != look.folder:
        return look
    name = named._replace(text=look.pattern, before=named.before.removeprefix(head.text).lstrip("/"), head=None)
    return look._replace(folder_at=head, pattern_at=name)


def _of_method(site: Site, flow: Flow, source: Source, call: cst.Call, first: cst.BaseExpression) -> Iterator[Look]:
    import libcst as cst

    if not isinstance(call.func, cst.Attribute):
        return
    patterns = _paths.resolve(flow, source, first)
    for folder in _paths.resolve(flow, source, call.func.value):
        for pattern in patterns:
            path = _paths.inside(folder.text, site.workspace.origin)
            if path is not None:
                yield Look(path, pattern.text, folder_at=folder, pattern_at=pattern, kind=call.func.attr.value)


def _matches(site: Site, look: Look) -> bool:
    return any(_matches_in(site, look, root) for root in (site.root, site.built) if root)


def _matches_in(site: Site, look: Look, root: str) -> bool:
    folder = os.path.join(root, look.folder)
    if look.kind == "list":
        return os.path.isdir(folder) and bool(os.listdir(folder))
    if look.kind == "file":
        return os.path.exists(os.path.join(root, look.text))
    if look.kind == "rglob":
        inside = "" if look.folder == "." else look.folder + "/"
        return any(
            path.startswith(inside) and fnmatch.fnmatch(path.rpartition("/")[2], look.pattern) for path in site.listing
        )
    return bool(glob.glob(os.path.join(folder, look.pattern), recursive=True))


def _hollow(site: Site, look: Look) -> Iterator[Refusal]:
    """A file that is there and holds no samples."""
    path = look.text
    if look.kind == "file" and _quantizers.is_calibrating(site) and os.path.isfile(site.path(path)):
        for shape in _samples.shapes(site.path(path)):
            if 0 in shape and "No data is collected" in site.log:
                yield Refusal(f"{path} holds no samples: its shape is {shape}", "Store representative inputs in it.")
                return


def _is_missed(site: Site, look: Look) -> bool:
    """Whether the failure is about these data, and not about something before."""
    if look.kind == "file":
        return look.pattern in site.log
    told = {"calibration-failed", "calibration-missing"} & set(site.found.causes)
    return bool(told) or look.folder in site.log or _quantizers.is_calibrating(site)


def _named(site: Site, flow: Flow, within: list[Source]) -> set[str]:
    """Files that the scripts name for something else: loaded by name, or read by the check."""
    found = set(site.protected)
    import libcst as cst

    for source in flow.project.sources():
        for node in source.find(cst.SimpleString):
            text = node.evaluated_value
            path = _paths.inside(text, site.workspace.origin) if isinstance(text, str) and text else None
            if path is not None and os.path.isfile(site.path(path)):
                found.add(path)
    return found


def _ways(look: Look, found: list[_samples.Group]) -> Iterator[_samples.Group]:
    """The groups of files that a look may mean; one where the likeliest is clear."""
    found = [group for group in found if not _is_other(look, group)]
    if look.kind == "file":
        found = [group for group in found if len(group.files) == 1]
    else:
        found = [group for group in found if group.folder != "." or look.folder == "."]
    ending = os.path.splitext(look.pattern)[1].lower()
    ranked = [
        [group for group in found if group.folder == look.folder],
        [group for group in found if group.folder.startswith(look.folder + "/")],
        [group for group in found if _same_name(group.folder, look.folder)],
        [
            group
            for group in found
            if "calib" in group.folder.lower() or any("calib" in each.lower() for each in group.files)
        ],
        [group for group in found if group.ending == ending],
        found,
    ]
    for groups in ranked:
        if groups:
            same = [group for group in groups if group.ending == ending]
            yield from same if len(same) == 1 else groups
            return


def _is_other(look: Look, group: _samples.Group) -> bool:
    """Files that call themselves labels, outputs or data of a check."""
    name = group.files[0] if look.kind == "file" else group.folder
    return bool(_OTHERS.search(os.path.basename(name))) and not _OTHERS.search(look.text)


def _same_name(one: str, other: str) -> bool:
    first, second = (os.path.basename(path).lower() for path in (one, other))
    return bool(first and second) and (first.startswith(second[:5]) or second.startswith(first[:5]))


def _changed(flow: Flow, look: Look, groups: list[_samples.Group]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(files, parameters) for each group that the place can be made to mean."""
    from triage.pysource.changes import Changes

    for group in groups:
        changes = Changes(flow.project)
        text = group.files[0] if look.kind == "file" else _paths.join(group.folder, group.pattern)
        done = _apart(changes, look, group)
        if not done and look.whole is not None:
            flow.project.forget()
            changes = Changes(flow.project)
            around = look.whole.before and not os.path.isdir(flow.project.site.path(look.whole.before))
            done = not (around and group.folder != look.folder) and _paths.set_path(changes, look.whole, text)
        parameters = changes.packed()
        if done and parameters is not None:
            count = f"the {len(group.files)} files of {text}" if len(group.files) > 1 else group.files[0]
            yield count, parameters


def _apart(changes: Changes, look: Look, group: _samples.Group) -> bool:
    """Changes folder and file each where it stands; False where one of them stands nowhere by itself."""
    name = os.path.basename(group.files[0])
    done = group.folder == look.folder or (
        look.folder_at is not None and _paths.set_path(changes, look.folder_at, group.folder)
    )
    if look.kind == "list" or (look.kind != "file" and fnmatch.fnmatch(name, look.pattern)):
        return done
    wanted = name if look.kind == "file" else group.pattern
    return done and look.pattern_at is not None and _paths.set_path(changes, look.pattern_at, wanted)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the other path."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import glob
import sys

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_static

PATHS = sorted(glob.glob(sys.argv[1]))


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(PATHS)

    def get_next(self):
        path = next(self.rows, None)
        return None if path is None else {"input": np.load(path)}


quantize_static("model.onnx", "small.onnx", Reader())
"""


def _before(folder: str) -> None:
    _write(folder, "samples", (1, 8))


def _write(folder: str, name: str, shape: tuple[int, ...]) -> None:
    import numpy as np

    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    os.makedirs(f"{folder}/{name}")
    for number in range(4):
        rows = np.random.default_rng(number).normal(size=shape).astype(np.float32)
        np.save(f"{folder}/{name}/{number}.npy", rows)
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert site.command[-1] == "samples/*.npy"  # noqa: S101 -- an example is a test
    samples.run(site)


def _other_shape(folder: str) -> None:
    _write(folder, "labels", (3,))


_LOG = 'File "/lib/onnxruntime/quantization/calibrate.py", line 529, in collect_data\nValueError: No data is collected.'
_COMMAND = ("python", "build.py", "calib/*.npy")
EXAMPLES = (
    Example(_before, _after, command=_COMMAND, log=_LOG, needs=("onnxruntime",)),
    Example(_other_shape, None, command=_COMMAND, log=_LOG, applies=False, needs=("onnxruntime",)),
)
