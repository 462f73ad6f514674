"""NhwcMaxPool of ONNX Runtime: MaxPool on data with channels last."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Transpose, MaxPool, Transpose."""
    rank = len(work.attribute("kernel_shape")) + 2
    turned = work.build.add("Transpose", work.need(0), perm=[0, rank - 1, *range(1, rank - 1)])
    told = {
        name: work.attribute(name) for name in ("auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides")
    }
    pooled = work.build.add("MaxPool", turned, **told)
    work.give(0, work.build.add("Transpose", pooled, perm=[0, *range(2, rank), 1]))
