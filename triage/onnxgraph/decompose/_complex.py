"""Complex numbers as pairs of real and imaginary part in a last dimension of 2, and Fourier transforms of them."""

from __future__ import annotations

from triage.onnxgraph.decompose._work import CannotRewrite, Work


def multiply(work: Work, *, conjugate: bool) -> None:
    """A * B, or A * conj(B)."""
    build = work.build
    (a, b), (c, d) = (build.split(work.wide(work.need(place)), [1, 1], -1) for place in (0, 1))
    first, second = ("Add", "Sub") if conjugate else ("Sub", "Add")
    real = build.add(first, build.add("Mul", a, c), build.add("Mul", b, d))
    imaginary = build.add(second, build.add("Mul", b, c), build.add("Mul", a, d))
    work.give(0, work.back(build.add("Concat", real, imaginary, axis=-1), work.kind(work.need(0))))


def plain_only(work: Work) -> None:
    """Refuses forms that ONNX Runtime's description rules out, and more than one dimension."""
    work.only(onesided=1, normalized=0)
    if int(work.attribute("signal_ndim", 1)) != 1:
        raise CannotRewrite("it transforms more than one dimension")


def forward(work: Work) -> None:
    """The half spectrum of real numbers: a product with cosines and sines."""
    import numpy as np

    plain_only(work)
    size = work.size(work.need(0), -1)
    angles = 2 * np.pi * np.outer(np.arange(size), np.arange(size // 2 + 1)) / size
    table = np.stack([np.cos(angles), -np.sin(angles)], axis=-1).reshape(size, -1)
    _product(work, table, [size // 2 + 1, 2], dropped=1)


def backward(work: Work) -> None:
    """Real numbers from their half spectrum."""
    import numpy as np

    plain_only(work)
    half = work.size(work.need(0), -2)
    size = 2 * (half - 1)
    angles = 2 * np.pi * np.outer(np.arange(half), np.arange(size)) / size
    weight = np.full((half, 1), 2.0)
    weight[0] = weight[-1] = 1.0
    table = np.stack([weight * np.cos(angles), -weight * np.sin(angles)], axis=1).reshape(2 * half, size) / size
    _product(work, table, [size], dropped=2)


def _product(work: Work, table: object, last: list[int], dropped: int) -> None:
    """Rows times the table; the rows' own dimensions stay."""
    from onnx import helper

    build, data = work.build, work.need(0)
    rank = work.rank(data)
    kind = 11 if work.kind(data) == 11 else 1
    rows = work.wide(data)
    if dropped == 2:
        rows = build.reshape(rows, [*([0] * (rank - 2)), -1])
    product = build.add("MatMul", rows, build.constant(table, helper.tensor_dtype_to_np_dtype(kind)))
    result = build.reshape(product, [*([0] * (rank - dropped)), *last]) if len(last) > 1 else product
    work.give(0, work.back(result, work.kind(data)))
