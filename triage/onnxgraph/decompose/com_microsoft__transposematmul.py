"""TransposeMatMul of ONNX Runtime: the older name of FusedMatMul."""

from __future__ import annotations

from triage.onnxgraph.decompose import _products
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Transpose, MatMul, Mul."""
    work.give(0, _products.matmul(work))
