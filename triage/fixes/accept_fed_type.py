"""Take the type that the caller sends, and cast it behind the input.

What it changes: the declared type of inputs of the ONNX model, with a Cast behind each that gives the graph the
type it is made for. The caller and the rest of the graph stay as they are.

When it is wrong: an image sent as bytes to a model that expects scaled floats is only cast, not scaled. Fractions
sent to an integer input would be cut off; where the stored feeds hold such numbers, nothing is done.

Proof: the outputs are compared. Whether a lossy direction is right, only a comparison tells; without a check in the
recipe such a cast is unsafe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import CannotApply, Example, Site
from triage.onnxgraph import elements, feeds, files, proving, recast
from triage.onnxgraph.flow import declared_type
from triage.remedy import Proposal, Refusal

CAUSES = ("input-dtype-mismatch",)
SAFETY = "safe"
_TOLD = re.compile(r"Actual: ?\(?(?P<got>[\w()]+?)\)? ?, ?expected: ?\(?(?P<expected>tensor\(\w+\)|\w+)")
_NAMED = re.compile(r"Input tensor: (?P<input>[^\n|]{1,200}) \| Received unexpected dtype: (?P<got>[\w.]{1,40}?)\.?\s")
_CODES = {
    "f": elements.FLOAT, "d": elements.DOUBLE, "i": elements.INT32, "l": elements.INT64, "x": elements.INT64,
    "h": elements.UINT8, "a": elements.INT8, "b": elements.BOOL, "s": elements.INT16, "t": elements.UINT16,
    "j": elements.UINT32, "m": elements.UINT64, "y": elements.UINT64,
}  # fmt: skip
_CODE = re.compile(r"PrimitiveDataTypeI(?:NS_9(?P<half>MLFloat16)E|NS_8(?P<bf>BFloat16)E|(?P<code>\w))EE")
_SINGLE = 3
_SCALE = "convert the input before it is sent as it was done in training, such as image / 255"


class Need(NamedTuple):
    """An input that gets ``got`` and is declared as ``want``; ``array`` is what is fed, where a file tells."""

    name: str
    got: int
    want: int
    array: Any = None


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The inputs whose stored feeds have another type; else those of the type that the log says is expected."""
    got, expected = _from_log(site)
    for path, model in files.each(site):
        known = feeds.inputs(model)
        needs = _by_feeds(site, known) or _by_name(site, known)
        if got and expected and (got, expected) not in [need[1:3] for need in needs]:  # the file is not what is sent
            needs = [Need(name, got, expected) for name, value in known.items() if declared_type(value) == expected]
        lost = next((f"{need.name}: {why}" for need in needs if (why := _lost(need))), None)
        if lost:
            yield Refusal(f"{path} cannot take what is sent: {lost}", "send the type that the model expects")
            continue
        if not all(_harmless(need) for need in needs):
            yield Refusal(f"whether {path} should only cast what is sent, or scale it too, stands nowhere", _SCALE)
        groups = [needs] + ([[need] for need in needs[:_SINGLE]] if len(needs) > 1 else [])
        yield from (_proposal(site, path, group) for group in groups if group)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with its inputs as they are fed."""
    with files.edit(site, parameters["model"]) as model:
        known = feeds.inputs(model)
        for name, element in parameters["inputs"].items():
            if name not in known or name in {value.name for value in model.graph.output}:
                raise CannotApply(f"{name} is no input of its own")
            recast.accept(model, name, element)


def _proposal(site: Site, path: str, needs: list[Need]) -> Proposal:
    told = ", ".join(f"{need.name} as {elements.name(need.got)} (cast to {elements.name(need.want)})" for need in needs)
    safe = proving.compared(site) or all(_harmless(need) for need in needs)
    parameters = {"model": path, "inputs": {need.name: need.got for need in needs}}
    return Proposal(f"let {path} take {told}", parameters, None if safe else "unsafe")


def _by_feeds(site: Site, known: Mapping[str, Any]) -> list[Need]:
    found = []
    for name, array in feeds.sent(site, known).items():
        got, want = feeds.element_of(array), declared_type(known[name])
        if got and want and got != want:
            found.append(Need(name, got, want, array))
    return found


def _by_name(site: Site, known: Mapping[str, Any]) -> list[Need]:
    """What a log says that names the input (Polygraphy)."""
    found = []
    for match in _NAMED.finditer(site.log):
        got, value = elements.number(match["got"]), known.get(match["input"])
        want = declared_type(value) if value is not None else None
        if got and want and got != want:
            found.append(Need(match["input"], got, want))
    return found


def _from_log(site: Site) -> tuple[int | None, int | None]:
    """(type sent, type expected) as the log tells it."""
    codes = [_code(found) for found in _CODE.finditer(site.log)]
    if len(codes) > 1:
        return codes[0], codes[1]
    told: Mapping[str, str | None] = site.found.captures
    if not (told.get("got") and told.get("expected")):
        match = _TOLD.search(site.log)
        told = match.groupdict() if match else {}
    return elements.number(told.get("got") or ""), elements.number(told.get("expected") or "")


def _code(found: re.Match[str]) -> int | None:
    if found["half"]:
        return elements.FLOAT16
    return elements.BFLOAT16 if found["bf"] else _CODES.get(found["code"])


def _lost(need: Need) -> str | None:
    """What the numbers that are really fed would lose."""
    if elements.STRING in (need.got, need.want):
        return "texts are no numbers"
    if need.array is None:
        return None
    if elements.is_float(need.want):
        return elements.overflow(need.array, need.want)
    return elements.loss(need.array, need.want)


def _harmless(need: Need) -> bool:
    """Every number that the model could have taken before means the same after the cast."""
    if elements.BOOL in {need.got, need.want}:
        return not elements.is_float(need.got)
    return elements.is_float(need.got) == elements.is_float(need.want)


def _before(folder: str) -> None:
    import numpy as np

    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    np.savez(f"{folder}/feeds.npz", input=np.linspace(-1, 1, 16).reshape(2, 8))


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    from triage.onnxgraph.samples import two_layers

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)
    rows = np.load(site.path("feeds.npz"))["input"]
    got: Any = next(iter(ReferenceEvaluator(site.path("model.onnx")).run(None, {"input": rows})))
    want: Any = next(iter(ReferenceEvaluator(two_layers()).run(None, {"input": rows.astype(np.float32)})))
    np.testing.assert_allclose(got, want, rtol=1e-6)


def _fractions(folder: str) -> None:
    import numpy as np
    from onnx import TensorProto

    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    files.save(model, f"{folder}/model.onnx")
    np.savez(f"{folder}/feeds.npz", input=np.full((2, 8), 0.5, dtype=np.float32))


def _fitting(folder: str) -> None:
    import numpy as np

    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    np.savez(f"{folder}/feeds.npz", input=np.zeros((2, 8), dtype=np.float32))


_SENT = "INVALID_ARGUMENT : Unexpected input data type. Actual: (tensor({})) , expected: (tensor({}))"
EXAMPLES = (
    Example(_before, _after, log=_SENT.format("double", "float"), needs=("onnx",)),
    Example(_fractions, None, log=_SENT.format("float", "int64"), applies=False, needs=("onnx",)),
    Example(_fitting, None, applies=False, needs=("onnx",)),
)
