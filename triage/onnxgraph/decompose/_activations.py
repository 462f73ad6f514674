"""Activation functions, written with operators that every consumer has."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def sigmoid_times(work: Work, name: str, factor: float = 1.0) -> str:
    """X * sigmoid(factor * x): SiLU, Swish, QuickGelu."""
    scaled = name if factor == 1.0 else work.build.add("Mul", name, work.like(factor, name))
    return work.build.add("Mul", name, work.build.add("Sigmoid", scaled))


def gelu(work: Work, name: str) -> str:
    """x/2 * (1 + erf(x / sqrt 2))."""
    build = work.build
    inner = build.add("Erf", build.add("Div", name, work.like(sqrt(2.0), name)))
    half = build.add("Mul", name, work.like(0.5, name))
    return build.add("Mul", half, build.add("Add", inner, work.like(1.0, name)))


def gelu_tanh(work: Work, name: str) -> str:
    """x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x³)))."""
    build = work.build
    cube = build.add("Mul", build.add("Mul", name, name), name)
    inner = build.add("Add", name, build.add("Mul", cube, work.like(0.044715, name)))
    bent = build.add("Tanh", build.add("Mul", inner, work.like(sqrt(2.0 / pi), name)))
    half = build.add("Mul", name, work.like(0.5, name))
    return build.add("Mul", half, build.add("Add", bent, work.like(1.0, name)))


def apply(work: Work, name: str, activation: str | None, parameters: Sequence[float | None]) -> str:
    """The activation that fused operators name, with up to two parameters.

    Raises:
        CannotRewrite: it is another one.
    """
    first, second = [*parameters, None, None][:2]
    if not activation:
        return name
    if activation in ("Relu", "Tanh", "Sigmoid", "Softplus", "Softsign"):
        return work.build.add(activation, name)
    if activation in ("LeakyRelu", "Elu", "ThresholdedRelu"):
        return work.build.add(activation, name, alpha=first)
    if activation in ("HardSigmoid", "Selu"):
        gamma, beta = (second, None) if activation == "Selu" else (None, second)
        return work.build.add(activation, name, alpha=first, gamma=gamma, beta=beta)
    if activation == "HardSwish":
        gate = work.build.add("HardSigmoid", name, alpha=1.0 / 6.0, beta=0.5)
        return work.build.add("Mul", name, gate)
    if activation == "Clip" and first is not None and second is not None:
        return work.build.add("Min", work.build.add("Max", name, work.like(first, name)), work.like(second, name))
    raise CannotRewrite(f"its activation is {activation}")
