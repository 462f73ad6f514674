"""Matrix products and convolutions with what ONNX Runtime fuses into them."""

from __future__ import annotations

from triage.onnxgraph.decompose import _activations
from triage.onnxgraph.decompose._work import CannotRewrite, Work

_CONV = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")


def matmul(work: Work) -> str:
    """Alpha * A @ B, each turned as its attributes say."""
    left = _turned(work, work.need(0), "A")
    right = _turned(work, work.need(1), "B")
    product = work.build.add("MatMul", left, right)
    alpha = float(work.attribute("alpha", 1.0))
    return product if alpha == 1.0 else work.build.add("Mul", product, work.like(alpha, work.need(0)))


def _turned(work: Work, name: str, side: str) -> str:
    batch, last = work.attribute(f"transBatch{side}", 0), work.attribute(f"trans{side}", 0)
    if not batch and not last:
        return name
    rank = work.rank(name)
    order = list(range(rank))
    if batch and rank > 2:
        order = [*range(1, rank - 1), 0, rank - 1]
    if last and rank > 1:
        order[-2:] = order[-2:][::-1]
    return name if order == sorted(order) else work.build.add("Transpose", name, perm=order)


def conv(work: Work, *, last: bool) -> str:
    """Conv, plus a tensor where one is given, then the activation; ``last`` says that channels come last."""
    build, data, weights = work.build, work.wide(work.need(0)), work.wide(work.need(1))
    rank = work.facts.rank(work.need(0)) or work.rank(work.need(1))
    if last:
        data = build.add("Transpose", data, perm=[0, rank - 1, *range(1, rank - 1)])
        if _weights_last(work, rank):
            weights = build.add("Transpose", weights, perm=[0, rank - 1, *range(1, rank - 1)])
    inputs = [data, weights] + ([work.wide(work.input(2))] if work.input(2) else [])
    told = {name: work.attribute(name) for name in _CONV}
    result = build.add("Conv", *inputs, **told)
    if last:
        result = build.add("Transpose", result, perm=[0, *range(2, rank), 1])
    if work.input(3):
        result = build.add("Add", result, work.wide(work.input(3)))
    return _activations.apply(work, result, work.attribute("activation"), list(work.attribute("activation_params", [])))


def _weights_last(work: Work, rank: int) -> bool:
    """Whether the weights have their channels last too: writers of NhwcConv do it, its description does not.

    Raises:
        CannotRewrite: the shapes fit both.
    """
    group, kernel = int(work.attribute("group", 1)), list(work.attribute("kernel_shape", []))
    sizes = work.facts.static(work.need(1))
    dims = work.facts.dims(work.need(0)) or [None] * rank
    if sizes is None or len(sizes) != rank:
        raise CannotRewrite("the shape of its weights is not known")
    ways = []
    for last in (True, False):
        channels, picture = (sizes[-1], sizes[1:-1]) if last else (sizes[1], sizes[2:])
        if (dims[-1] in (None, channels * group) or not isinstance(dims[-1], int)) and kernel in ([], picture):
            ways.append(last)
    if len(ways) != 1:
        raise CannotRewrite("the layout of its weights cannot be told from the shapes")
    return ways[0]


def gemm(work: Work) -> str:
    """Alpha * A @ B + beta * C."""
    inputs = [work.need(0), work.need(1)] + ([work.input(2)] if work.input(2) else [])
    told = {name: work.attribute(name) for name in ("alpha", "beta", "transA", "transB")}
    if work.opset < 11 and len(inputs) < 3:
        raise CannotRewrite("Gemm needs three inputs before opset 11")
    return work.build.add("Gemm", *inputs, **told)


def activation_of(work: Work, name: str) -> str:
    """The activation of FusedGemm and FusedMatMulActivation."""
    kind = work.attribute("activation")
    first = {"HardSigmoid": "activation_alpha", "Selu": "activation_alpha"}.get(kind, "activation_alpha")
    second = "activation_gamma" if kind == "Selu" else "activation_beta"
    return _activations.apply(work, name, kind, [work.attribute(first), work.attribute(second)])
