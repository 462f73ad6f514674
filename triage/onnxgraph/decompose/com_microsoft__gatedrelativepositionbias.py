"""GatedRelativePositionBias of ONNX Runtime: biases of positions, weighed by a gate made from the query."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """As the formula of its description."""
    work.without(6)
    build, heads = work.build, int(work.attribute("num_heads"))
    query = build.add("Add", work.wide(work.need(0)), work.wide(work.need(1)))
    apart = build.add("Transpose", build.reshape(query, [0, 0, heads, -1]), perm=[0, 2, 1, 3])
    gates = build.add("Add", build.add("MatMul", apart, work.wide(work.need(3))), work.wide(work.need(4)))
    half = work.size(work.need(3), 1) // 2
    sums = build.over("ReduceSum", build.reshape(gates, [0, 0, 0, 2, half]), [4], keepdims=0)
    first, second = build.split(build.add("Sigmoid", sums), [1, 1], 3)
    one, two = work.like(1.0, ""), work.like(2.0, "")
    weight = build.add("Sub", build.add("Mul", second, work.wide(work.need(5))), one)
    weight = build.add("Add", build.add("Mul", first, weight), two)
    result = build.add("Mul", weight, work.wide(work.need(2)))
    work.give(0, work.back(result, work.kind(work.need(0))))
