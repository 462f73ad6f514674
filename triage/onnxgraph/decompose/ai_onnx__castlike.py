"""CastLike: a Cast to the type of another tensor."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def rewrite(work: Work) -> None:
    """Cast, where the type is known."""
    kind = work.facts.dtype(work.need(1))
    if not kind:
        raise CannotRewrite(f"the type of {work.need(1)} is not known")
    work.give(0, work.build.add("Cast", work.need(0), to=kind))
