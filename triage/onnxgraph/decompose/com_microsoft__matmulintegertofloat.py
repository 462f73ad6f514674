"""MatMulIntegerToFloat of ONNX Runtime: a product of 8 bit numbers, scaled to float."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Whole numbers are multiplied and added exactly, then scaled."""
    left = _quantized.integers(work, work.need(0), work.input(4), column=False)
    right = _quantized.integers(work, work.need(1), work.input(5))
    product = _quantized.float_of(work, _quantized.exact_matmul(work, left, right))
    scale = work.need(2)
    if (work.facts.rank(scale) or 0) == 1 and work.facts.static(scale) != [1]:
        scale = work.build.over("Unsqueeze", scale, [1])
    result = work.build.add("Mul", product, work.build.add("Mul", work.wide(scale), work.wide(work.need(3))))
    if work.input(6):
        result = work.build.add("Add", result, work.wide(work.input(6)))
    work.give(0, work.back(result, work.kind(work.need(2))))
