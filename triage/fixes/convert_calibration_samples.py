"""Bring the calibration samples into the type and layout of the model's input.

What it changes: the script that quantizes. Where its reader hands out a sample, the sample is cast to the model's
type, gets the missing batch dimension, or has its channels moved. No value is scaled and nothing is cut.

When it is wrong: images as bytes for a model that expects scaled floats: only who trained the model knows the scale,
so nothing is done. Samples of another size must be resized as in training. Moving channels is tried without --unsafe
only where the recipe compares outputs.

Proof: the quantizer runs over the data, and the build's own check compares the quantized model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _edits, _quantizers
from triage.fixes._chain import flow_of
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    from triage.pysource.flow import Flow
    from triage.pysource.interface import Interface, Tensor
    from triage.pysource.source import Source

CAUSES = ("input-dtype-mismatch", "input-shape-mismatch", "calibration-failed")
SAFETY = "safe"
EVIDENT = False
_TYPES = re.compile(r"Actual: ?\(?tensor\((\w+)\)\)? ?, ?expected: ?\(?tensor\((\w+)\)")
_RANK = re.compile(r"Invalid rank for input: (\S+) Got: (\d+) Expected: (\d+)")
_NUMPY = {"float": "float32", "double": "float64", "float16": "float16"}
_FLOATS = ("float", "double", "float16")
_WIDER = {"int64": ("int32", "int16", "uint8", "int8"), "int32": ("int16", "uint8", "int8"), "float": ("float16",)}


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """What the log says of the samples: another type, another number of dimensions, another order of them."""
    if not _quantizers.is_calibrating(site):
        return
    flow = flow_of(site)
    within = _quantizers.sources(flow)
    model = _quantizers.model(site, flow)
    if model is not None and within:
        yield from _of_type(site, flow, within, model)
        yield from _of_rank(flow, within)
        yield from _of_layout(site, flow, within, model)


def _of_type(site: Site, flow: Flow, within: list[Source], model: Interface) -> Iterator[Proposal | Refusal]:
    found = _TYPES.findall(site.log)
    if not found:
        return
    got, wanted = found[-1]
    if not _is_exact(got, wanted):
        why = (
            f"the calibration samples are {got} and the model expects {wanted}: which scale belongs to it is not known"
        )
        yield Refusal(why, "Convert the samples as it was done in training, such as image / 255.")
        return
    kind = _NUMPY.get(wanted, wanted)
    names = [tensor.name for tensor in model.inputs if tensor.kind == kind]
    parameters = _edited(flow, within, dict.fromkeys(names, f'.astype("{kind}")'))
    if parameters is not None:
        yield Proposal(f"cast the calibration samples from {got} to {wanted}", parameters)


def _is_exact(got: str, wanted: str) -> bool:
    return (got in _FLOATS and wanted in _FLOATS) or got in _WIDER.get(wanted, ())


def _of_rank(flow: Flow, within: list[Source]) -> Iterator[Proposal]:
    for name, got, wanted in _RANK.findall(flow.project.site.log)[-1:]:
        change = {1: ("[None]", "give"), -1: (".squeeze(0)", "take")}.get(int(wanted) - int(got))
        parameters = _edited(flow, within, {name: change[0]}) if change is not None else None
        if change is not None and parameters is not None:
            how = "a batch dimension to" if change[1] == "give" else "the extra first dimension from"
            yield Proposal(f"{change[1]} {how} the calibration samples of {name}", parameters)


def _of_layout(site: Site, flow: Flow, within: list[Source], model: Interface) -> Iterator[Proposal | Refusal]:
    for name, got in _quantizers.fed_sizes(site.log).items():
        tensor = model.input(name)
        order = _order(tensor, got) if tensor is not None else None
        if tensor is None:
            continue
        if order is None:
            sizes = ", ".join(f"{got[at]} where it expects {tensor.shape[at]}" for at in got)
            yield Refusal(f"the calibration samples of {name} have another size than the model's input: {sizes}",
                          "Resize the samples as it was done in training.")  # fmt: skip
            continue
        parameters = _edited(flow, within, {name: f".transpose{order}"})
        if parameters is not None:
            safety = "safe" if site.verify.get("command") or site.verify.get("reference") else "unsafe"
            yield Proposal(f"bring the calibration samples of {name} into the order {order}", parameters, safety)


def _order(tensor: Tensor, got: Mapping[int, int]) -> tuple[int, ...] | None:
    """The order of a sample's dimensions in which its channels stand where the model wants them."""
    rank = len(tensor.shape)
    shape = [got.get(at, size if isinstance(size, int) else -1) for at, size in enumerate(tensor.shape)]
    ways: Sequence[tuple[int, ...]] = {3: ((0, 2, 1),), 4: ((0, 3, 1, 2), (0, 2, 3, 1))}.get(rank, ())
    fitting = [
        way for way in ways
        if all(
            not isinstance(size, int) or at == 0 or shape[way[at]] in (size, -1)
            for at, size in enumerate(tensor.shape)
        )
    ]  # fmt: skip
    return fitting[0] if len(fitting) == 1 else None


def _edited(flow: Flow, within: list[Source], endings: Mapping[str, str]) -> dict[str, Any] | None:
    """Puts an ending behind each sample that is handed out under one of these names."""
    import libcst as cst

    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    seen: set[tuple[str, int]] = set()
    done: set[str] = set()
    for key in _quantizers.keys(flow, within):
        if key.name not in endings or key.value is None:
            continue
        place = (key.source.path, key.source.span(key.value)[0])
        text, ending = key.source.code(key.value), endings[key.name]
        if place in seen or text.endswith(ending):
            continue
        seen.add(place)
        done.add(key.name)
        plain = isinstance(key.value, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
        key.source.replace(key.value, f"{text if plain else f'({text})'}{ending}")
    if done == set(endings):
        return changes.packed()
    flow.project.forget()
    return _returned(flow, within, endings) if not done else None


def _returned(flow: Flow, within: list[Source], endings: Mapping[str, str]) -> dict[str, Any] | None:
    """The samples come whole from files: what get_next returns is changed."""
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    same = set(endings.values())
    if len(same) != 1 or any(True for key in _quantizers.keys(flow, within) if key.name in endings):
        return None
    names = "(" + ", ".join(f'"{name}"' for name in endings) + ",)"
    text = f"{{name: value{same.pop()} if name in {names} else value for name, value in feed.items()}}"
    for source, statement in _quantizers.returned_feeds(within):
        if statement.value is not None and text not in source.data.decode():
            _edits.insert_before(source, statement, [f"feed = {source.code(statement.value)}"])
            source.replace(statement.value, f"feed if feed is None else {text}")
    return changes.packed()


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the conversion into the script."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import numpy as np
from onnxruntime.quantization import CalibrationDataReader, quantize_static


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(np.random.default_rng(0).normal(size=(4, 1, 8)))

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"input": row}


quantize_static("model.onnx", "small.onnx", Reader())
"""


def _before(folder: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)
    assert site.has("small.onnx")  # noqa: S101 -- an example is a test


_LOG = """  File "/lib/onnxruntime/quantization/calibrate.py", line 518, in collect_data
INVALID_ARGUMENT : Unexpected input data type. Actual: (tensor(%s)) , expected: (tensor(float))
"""
EXAMPLES = (
    Example(_before, _after, log=_LOG % "double", needs=("onnxruntime",)),
    Example(_before, None, log=_LOG % "uint8", applies=False, needs=("onnxruntime",)),
)
