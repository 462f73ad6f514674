"""FusedMatMul of ONNX Runtime: alpha * A @ B with turned operands."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Transpose, MatMul, Mul."""
    work.give(0, _products.matmul(work))
