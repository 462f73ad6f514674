"""Feeds for a model: made from its input types, symbolic dimensions and the values that its graph allows."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.onnxgraph.ranges import Range, ranges_of

if TYPE_CHECKING:
    import numpy as np

    Feed = dict[str, np.ndarray[Any, Any]]

Dimension = int | str
_SUM = re.compile(r"[\w.]+(?:\s*[-+*]\s*[\w.]+)+")
_LARGEST = 1 << 28  # values of one array
_KINDS = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip


class Input(NamedTuple):
    """One input of a model.

    ``kind`` is the type's name in NumPy, or ``bfloat16``, ``string``, or None where no feed can be made.
    ``dims`` are numbers and symbols, None where even the rank is unknown.
    """

    name: str
    kind: str | None
    dims: tuple[Dimension, ...] | None
    range: Range = Range()


class Draw(NamedTuple):
    """One way to make a feed: sizes of symbols (first axis, other axes), what values, and the seed.

    ``values`` is ``normal``, ``uniform`` (from 0 to 1), ``large`` (a hundred times normal) or ``tiny`` (whole numbers
    0 and 1). ``apart`` gives each symbol a size of its own.
    """

    first: int
    other: int
    values: str
    seed: int
    apart: bool = False

    def label(self) -> str:
        """What it is, in words."""
        return f"{self.values} values, seed {self.seed}"


# two seeds at one size, then other sizes and values
USUAL = (
    Draw(2, 8, "normal", 0), Draw(2, 8, "normal", 1), Draw(3, 5, "normal", 2, apart=True),
    Draw(1, 16, "uniform", 3), Draw(2, 8, "large", 4), Draw(5, 8, "uniform", 5),
)  # fmt: skip
# where the model takes none of those
SPARE = tuple(
    Draw(first, other, values, seed)
    for seed, (first, other) in enumerate(
        ((2, 32), (1, 32), (2, 64), (1, 224), (1, 128), (1, 256), (2, 4), (4, 4), (1, 1), (1, 7), (8, 8), (1, 512)), 10
    )
    for values in ("normal", "tiny")
)


def inputs_of(model: Any) -> list[Input]:
    """The inputs of an ONNX model that must be fed, with what its graph says of their values."""
    held = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in held]
    allowed = ranges_of(model, [value.name for value in given])
    return [
        Input(value.name, _kind(value), _dims(value), allowed.get(value.name, Range())) for value in given
    ]  # fmt: skip


def alike(feed: Feed, seed: int) -> Feed:
    """A feed of the same shapes with values like a given one's: whole numbers from its range, floats of its spread."""
    import numpy as np

    random = np.random.default_rng(seed)

    def one(array: Any) -> Any:
        if not array.size or array.dtype.kind not in "biuf":
            return array
        if array.dtype.kind == "f":
            return random.normal(array.mean(), array.std() or 1.0, array.shape).astype(array.dtype)
        return random.integers(int(array.min()), int(array.max()) + 1, array.shape).astype(array.dtype)

    return {name: one(array) for name, array in feed.items()}


def together(first: Sequence[Input], second: Sequence[Input]) -> list[Input]:
    """Inputs that two models of the same thing both take: the narrower type, the fixed size, the smaller range.

    Args:
        first: of the model whose names and sizes are used.
        second: of the other one; an input that it lacks, or names otherwise, is left as the first has it.
    """
    other = {each.name: each for each in second}
    return [_joined(each, other[each.name]) if each.name in other else each for each in first]


def _joined(one: Input, two: Input) -> Input:
    dims = one.dims if one.dims is not None else two.dims
    if one.dims is not None and two.dims is not None and len(one.dims) == len(two.dims):
        dims = tuple(
            a if isinstance(a, int) or isinstance(b, str) else b for a, b in zip(one.dims, two.dims, strict=True)
        )
    highs = [each.range.high for each in (one, two) if each.range.high is not None]
    span = one.range._replace(high=min(highs)) if highs else one.range
    kind = min((one.kind, two.kind), key=_width) if one.kind and two.kind else one.kind
    return Input(one.name, kind, dims, span)


def _width(kind: str | None) -> int:
    """Narrow types first; of two kinds of numbers the whole ones, which both can hold."""
    order = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bfloat16", "float16")
    return order.index(kind) if kind in order else len(order) + (kind == "float64")


def feeds_for(inputs: Sequence[Input], draws: Sequence[Draw]) -> Iterator[tuple[str, Feed]]:
    """(label, feed) for each way; those that come out the same are given once.

    Raises:
        ValueError: no value of some input's type can be made.
    """
    bad = next((each for each in inputs if each.kind is None or each.dims is None), None)
    if bad is not None:
        what = "type" if bad.kind is None else "rank"
        raise ValueError(f"no feed can be made for input {bad.name}, whose {what} is not known")
    seen = set()
    for draw in draws:
        shapes = {each.name: _shape(each, sizes_of(inputs, draw)) for each in inputs}
        key = (tuple(shapes.values()), draw.values, draw.seed)
        if key not in seen and all(_count(shape) <= _LARGEST for shape in shapes.values()):
            seen.add(key)
            yield draw.label(), {each.name: _array(each, shapes[each.name], draw) for each in inputs}


def shaped(inputs: Sequence[Input], shapes: Mapping[str, Sequence[int]]) -> list[Input]:
    """The inputs with the shapes that a recipe gives."""
    return [each._replace(dims=tuple(shapes[each.name])) if each.name in shapes else each for each in inputs]


def sizes_of(inputs: Sequence[Input], draw: Draw) -> dict[str, int]:
    """A size for each symbol: the same symbol has the same size everywhere."""
    sizes: dict[str, int] = {}
    for each in inputs:
        for axis, dim in enumerate(each.dims or ()):
            if isinstance(dim, str) and dim not in sizes and not _SUM.fullmatch(dim):
                others = len(sizes) if draw.apart else 0
                sizes[dim] = draw.first if axis == 0 else draw.other + others
    return sizes


def _shape(each: Input, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(dim if isinstance(dim, int) else _size(dim, sizes) for dim in each.dims or ())


def _size(symbol: str, sizes: Mapping[str, int]) -> int:
    """The size of a symbol, or of a sum such as ``past_length + sequence_length``, from left to right."""
    if symbol in sizes:
        return sizes[symbol]
    parts = re.split(r"\s*([-+*])\s*", symbol)
    total = _term(parts[0], sizes)
    for sign, part in zip(parts[1::2], parts[2::2], strict=True):
        value = _term(part, sizes)
        total = total + value if sign == "+" else total - value if sign == "-" else total * value
    return max(1, total)


def _term(part: str, sizes: Mapping[str, int]) -> int:
    return int(part) if part.isdigit() else sizes.get(part, 1)


def _count(shape: Sequence[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def _kind(value: Any) -> str | None:
    return _KINDS.get(value.type.tensor_type.elem_type) if value.type.HasField("tensor_type") else None


def _dims(value: Any) -> tuple[Dimension, ...] | None:
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0
        # a first axis without a name is the batch, everywhere
        else dim.dim_param or ("?" if axis == 0 else f"{value.name}.{axis}")
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
    )  # fmt: skip


def _array(each: Input, shape: tuple[int, ...], draw: Draw) -> Any:
    import numpy as np

    random = np.random.default_rng([draw.seed, zlib.crc32(each.name.encode())])
    kind, span = str(each.kind), each.range
    if kind == "string":
        return random.choice(np.array(["a", "b", "the", "10"]), size=shape)
    if kind == "bool":
        return random.integers(0, 2, size=shape).astype(bool)
    if span.mask:
        return _mask(random, shape).astype(_stored(kind))
    if span.high is not None or not kind.startswith(("float", "bfloat")):
        low, high = _span(kind, span, draw)
        return random.integers(low, high + 1, size=shape).astype(_stored(kind))
    return _floats(random, shape, draw, half=kind in ("float16", "bfloat16")).astype(_stored(kind))


def _stored(kind: str) -> str:
    """Feeds are kept as what every reader knows; a runner casts them to what the model wants."""
    return "float32" if kind in ("bfloat16", "float16") else kind


def _span(kind: str, span: Range, draw: Draw) -> tuple[int, int]:
    high = span.high if span.high is not None else {"uint8": 255, "int8": 127}.get(kind, 9)
    low = -high - 1 if kind == "int8" and span.high is None else span.low
    return (0, min(high, 1)) if draw.values == "tiny" else (min(low, high), high)


def _mask(random: Any, shape: tuple[int, ...]) -> Any:
    """Zeros and ones; at the end of each row zeros, as padding is, and never a row without a one."""
    import numpy as np

    if not shape:
        return np.ones(shape)
    length = shape[-1]
    kept = random.integers(max(1, length // 2), length + 1, size=(*shape[:-1], 1))
    return (np.arange(length) < kept).astype(np.int64)


def _floats(random: Any, shape: tuple[int, ...], draw: Draw, *, half: bool) -> Any:
    """Values that the type holds exactly; half-precision ones have few digits, so that either kind holds them."""
    import numpy as np

    if draw.values == "uniform":
        values = random.random(size=shape)
    else:
        values = random.normal(size=shape) * ((8.0 if half else 100.0) if draw.values == "large" else 1.0)
    exact = np.asarray(values, np.float32)
    return (exact.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) if half else exact
