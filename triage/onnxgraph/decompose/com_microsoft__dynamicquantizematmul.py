"""DynamicQuantizeMatMul of ONNX Runtime: quantizes A as it comes, multiplies, scales to float."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """DynamicQuantizeLinear of A, an exact product, the scales."""
    build = work.build
    parts = [build.fresh("DynamicQuantizeLinear") for _ in range(3)]
    build.add("DynamicQuantizeLinear", work.need(0), outputs=parts)
    left = _quantized.integers(work, parts[0], parts[2])
    right = _quantized.integers(work, work.need(1), work.input(3))
    product = _quantized.float_of(work, _quantized.exact_matmul(work, left, right))
    result = build.add("Mul", product, build.add("Mul", parts[1], work.need(2)))
    if work.input(4):
        result = build.add("Add", result, work.input(4))
    work.give(0, result)
