"""How far outputs may differ: by the precision that a model really computes in, and by the outputs' own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Tolerance(NamedTuple):
    """Allowed: ``|difference| <= rtol * |reference| + atol``.

    ``given`` True: a person wrote it into the recipe, it is used to the letter. Otherwise ``atol`` follows the
    outputs' size (root of the mean square) and what rounding of the inputs does to them, so that small outputs are
    not waved through and large ones not refused; it never passes ``rtol`` times that size.
    ``rounding`` is the share of the outputs' size that rounding alone may make; more shows that something else was
    computed, though it is within the tolerance (0: not looked at).
    ``flips`` is the share of whole-number outputs that may differ, ``step`` by how much 8-bit ones may.
    """

    rtol: float
    atol: float
    precision: str = "fp32"
    given: bool = False
    rounding: float = 0.0
    flips: float = 0.0
    step: int = 0


# of a precision against a finer one: what converting costs
_BY_PRECISION = {
    "fp32": Tolerance(1e-3, 1e-5, "fp32", rounding=2e-5),
    "fp16": Tolerance(1e-2, 5e-3, "fp16", rounding=5e-3, flips=0.01),
    "bf16": Tolerance(3e-2, 2e-2, "bf16", rounding=2e-2, flips=0.02),
    "int8": Tolerance(5e-2, 1e-1, "int8", rounding=3e-2, flips=0.02, step=1),
    "fp8": Tolerance(6e-2, 1e-1, "fp8", rounding=5e-2, flips=0.05, step=1),
    "int4": Tolerance(1e-1, 2e-1, "int4", rounding=8e-2, flips=0.05, step=1),
}
# where both sides compute in it: only what rounds to the other side differs
_KEPT = {
    "int8": Tolerance(2e-2, 2e-2, "int8", rounding=1e-2, flips=0.01, step=1),
    "fp8": Tolerance(3e-2, 3e-2, "fp8", rounding=2e-2, flips=0.02, step=1),
    "int4": Tolerance(1e-2, 1e-2, "int4", rounding=5e-3, flips=0.01, step=1),
}
_COARSEST = tuple(_BY_PRECISION)
_BY_TYPE = {10: "fp16", 16: "bf16", 17: "fp8", 18: "fp8", 19: "fp8", 20: "fp8", 21: "int4", 22: "int4", 23: "int4"}
_QUANTIZED = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger",
              "DynamicQuantizeMatMul", "MatMulIntegerToFloat")  # fmt: skip
_NARROW_WEIGHTS = {"MatMulNBits": "int4", "GatherBlockQuantized": "int4"}


def tolerance_for(
    one: Iterable[str], other: Iterable[str], rtol: float | None = None, atol: float | None = None
) -> Tolerance:
    """The tolerance of the coarsest precision; what a recipe gives stands in its place.

    Args:
        one: precisions that one side uses, such as ``precisions_of`` finds.
        other: those of the other side.
        rtol: the recipe's.
        atol: the recipe's.
    """
    sides = set(one), set(other)
    coarsest = max(sides[0] | sides[1], key=_COARSEST.index, default="fp32")
    kept = coarsest in sides[0] and coarsest in sides[1]
    usual = _KEPT.get(coarsest, _BY_PRECISION[coarsest]) if kept else _BY_PRECISION[coarsest]
    if rtol is None and atol is None:
        return usual
    return usual._replace(
        rtol=usual.rtol if rtol is None else rtol, atol=usual.atol if atol is None else atol, given=True
    )


def precisions_of(model: Any) -> set[str]:
    """Precisions below fp32 in which an ONNX model computes; weights that are only stored in one do not count.

    A weight that goes through a Cast or DequantizeLinear before it is used is the same number on both sides.
    """
    found: set[str] = set()
    for graph in _graphs(model):
        kept = {tensor.name: tensor.data_type for tensor in getattr(graph, "initializer", ())}
        for node in graph.node:
            found.update(_of_node(node, kept))
    values = (*model.graph.input, *model.graph.output)
    return found | {_BY_TYPE[value.type.tensor_type.elem_type] for value in values
                    if value.type.tensor_type.elem_type in _BY_TYPE}  # fmt: skip


def _of_node(node: Any, kept: dict[str, int]) -> Iterator[str]:
    if node.op_type in _QUANTIZED:
        yield "int8"
    elif node.op_type in _NARROW_WEIGHTS:
        yield _NARROW_WEIGHTS[node.op_type]
    elif node.op_type == "Cast":
        target = next((one.i for one in node.attribute if one.name == "to"), 1)
        if target in _BY_TYPE:
            yield _BY_TYPE[target]
    elif node.op_type != "DequantizeLinear":
        for name in node.input:
            if kept.get(name) in _BY_TYPE:
                yield _BY_TYPE[kept[name]]


def _graphs(model: Any) -> Iterator[Any]:
    left = [model.graph, *model.functions]
    while left:
        graph = left.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                left.extend((*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs))
