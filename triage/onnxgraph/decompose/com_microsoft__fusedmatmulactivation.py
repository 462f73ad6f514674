"""FusedMatMulActivation of ONNX Runtime: FusedMatMul and an activation."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Transpose, MatMul, Mul, activation."""
    work.give(0, _products.activation_of(work, _products.matmul(work)))
