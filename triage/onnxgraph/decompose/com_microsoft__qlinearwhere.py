"""QLinearWhere of ONNX Runtime."""

from __future__ import annotations

from triage.onnxgraph.decompose import _quantized
from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Dequantize both, Where, quantize."""
    result = work.build.add("Where", work.need(0), _quantized.real(work, 1), _quantized.real(work, 4))
    work.give(0, _quantized.stored(work, result, work.need(7), work.need(8)))
