"""Dropout operators when nothing is trained: they hand on what they get."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def refuse_training(work: Work, place: int) -> None:
    """Only a model that does not train can be rewritten.

    Raises:
        CannotRewrite: training is on, or decided at run time.
    """
    name = work.input(place)
    if name and bool(work.value(name).reshape(-1)[0]):
        raise CannotRewrite("it drops at random (training mode)")


def with_bias(work: Work) -> str:
    """Data + bias + residual."""
    result = work.build.add("Add", work.need(0), work.need(1))
    return work.build.add("Add", result, work.input(2)) if work.input(2) else result
