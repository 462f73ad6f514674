"""GemmaRotaryEmbedding of ONNX Runtime: sine and cosine of an angle for each head."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import Work


def rewrite(work: Work) -> None:
    """Q * cos + q_rot * sin, and the same for k, in the type of q."""
    kind, build = work.kind(work.need(1)), work.build
    sine, cosine = (
        build.over("Unsqueeze", build.add("Cast", build.add(op, work.need(0)), to=kind), [1]) for op in ("Sin", "Cos")
    )
    for place, (plain, turned) in enumerate(((1, 2), (3, 4))):
        left = build.add("Mul", work.need(plain), cosine)
        work.give(place, build.add("Add", left, build.add("Mul", work.need(turned), sine)))
