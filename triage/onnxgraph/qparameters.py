"""Scales and zero points whose form breaks the rules, and the form that says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from triage.onnxgraph import quantized, walk
from triage.onnxgraph.quantized import Scope, Slot
from triage.onnxgraph.rewrite import label

_FLOAT, _UINT8, _INT8 = 1, 2, 3
_BYTES = (2, 3, 4, 5)  # what QuantizeLinear writes: 8 and 16 bits
_MOST = 8  # mends of one node
_FREE_SCALE_TYPE = 19  # from this opset on the scale may be half or bfloat
_AXIS = 13  # from this opset on there is an axis
_PREFERRED = {"Conv": 0, "ConvTranspose": 1, "Gather": 0}


class Choice(NamedTuple):
    """One way to mend a parameter: in words, and the change of the scope."""

    what: str
    make: Callable[[Scope], object]


class Mend(NamedTuple):
    """A parameter that breaks the rules. ``choices``: ways, the likeliest first; ``exact``: the meaning is certain."""

    why: str
    choices: list[Choice]
    exact: bool = True


class Broken(NamedTuple):
    """A parameter that cannot be mended. ``fatal``: with it no output is right, whatever else is mended."""

    why: str
    fatal: bool = False


class Outcome(NamedTuple):
    """What mending a model came to: what was done, what cannot be mended, how many ways there were at most."""

    done: list[str]
    broken: list[str]
    ways: int
    exact: bool
    fatal: bool


def mend(model: Any, folder: str, way: int = 0, *, strict: bool = False) -> Outcome:
    """Mends every parameter of a model that breaks the rules, in place.

    Args:
        model: the ModelProto.
        folder: where its external data lie.
        way: where there are several choices, which one is taken (the last where there are fewer).
        strict: also mend what only some tools refuse.
    """
    done: list[str] = []
    broken: list[str] = []
    ways, exact, fatal = 1, True, False
    for scope in list(quantized.scopes(model, folder)):
        for node in list(scope.body.node):
            for _ in range(_MOST):
                found = list(faults(scope, node, strict=strict))
                broken += [each.why for each in found if isinstance(each, Broken)]
                fatal = fatal or any(each.fatal for each in found if isinstance(each, Broken))
                first = next((each for each in found if isinstance(each, Mend)), None)
                if first is None:
                    break
                choice = first.choices[min(way, len(first.choices) - 1)]
                choice.make(scope)
                done.append(f"{first.why}; {choice.what}")
                ways, exact = max(ways, len(first.choices)), exact and first.exact
        scope.close()
    return Outcome(done, list(dict.fromkeys(broken)), ways, exact, fatal)


def faults(scope: Scope, node: Any, *, strict: bool = False) -> Iterator[Mend | Broken]:
    """What is wrong with the parameters of a node, in the order in which it is to be mended."""
    for slot in quantized.slots(node):
        yield from _scale_type(scope, slot)
        yield from _scale_value(scope, slot, strict=strict)
        yield from _shape(scope, slot)
        yield from _zero_type(scope, slot)


def _scale_type(scope: Scope, slot: Slot) -> Iterator[Mend | Broken]:
    """Scales of a type that the operator does not take, or that its neighbours do not share."""
    scale = scope.value(slot.node, slot.scale)
    if scale is None or slot.scale is None or scale.dtype == "float32":
        return
    import numpy as np

    name, place = slot.node.input[slot.scale], slot.scale
    half = scale.dtype.name in ("float16", "bfloat16")
    if half and scope.opset >= _FREE_SCALE_TYPE and not _wants_float(scope, slot):
        return
    if scale.dtype.kind in "iu" or half or scale.dtype == np.float64:
        cast = scale.astype(np.float32)
        exact = bool((cast.astype(scale.dtype) == scale).all()) or scale.dtype == np.float64
        yield Mend(
            f"the scale {name} of {slot.label} is {scale.dtype}",
            [Choice(f"make {name} float32", lambda inner: inner.put(slot.node, place, cast, f"{name}_float32"))], exact,
        )  # fmt: skip
    else:
        yield Broken(f"the scale {name} of {slot.label} is {scale.dtype}")


def _wants_float(scope: Scope, slot: Slot) -> bool:
    """Whether the float tensor beside the quantized one is, or must be, float32."""
    if slot.node.op_type == "QuantizeLinear":
        return scope.rewrite.element(slot.node.input[0]) == _FLOAT
    for reader in scope.readers(slot.node.output[0]) if slot.node.op_type == "DequantizeLinear" else []:
        others = [name for name in reader.input if name and name != slot.node.output[0]]
        if any(scope.rewrite.element(name) == _FLOAT for name in others) and reader.op_type not in quantized.PAIR:
            return True
    return slot.node.op_type not in quantized.PAIR


def _scale_value(scope: Scope, slot: Slot, *, strict: bool) -> Iterator[Mend | Broken]:
    """Scales that are no numbers, or not above zero."""
    import numpy as np

    scale = scope.value(slot.node, slot.scale)
    if scale is None or scale.dtype.kind != "f" or slot.scale is None:
        return
    name, place = slot.node.input[slot.scale], slot.scale
    if not np.isfinite(scale.astype(np.float64)).all():
        yield Broken(f"the scale {name} of {slot.label} holds values that are no numbers", fatal=True)
    elif not strict:
        return
    elif (scale < 0).any():
        yield Broken(f"the scale {name} of {slot.label} is negative")
    elif (scale == 0).any():
        mended = _dead_channels(scope, slot, scale)
        if mended is None:
            yield Broken(f"the scale {name} of {slot.label} is 0, and its values are not all at the zero point")
        else:
            yield Mend(
                f"the scale {name} of {slot.label} is 0 where every value is at the zero point",
                [Choice(f"make it 1 there, which gives the same 0 ({name})",
                        lambda inner: inner.put(slot.node, place, mended, f"{name}_positive"))],
            )  # fmt: skip


def _dead_channels(scope: Scope, slot: Slot, scale: Any) -> Any:
    """The scale with 1 for 0 where all values of a channel are at the zero point; None where some are not."""
    import numpy as np

    values = scope.value(slot.node, slot.data) if slot.data is not None else None
    if values is None or scale.ndim > 1:
        return None
    zero = scope.value(slot.node, slot.zero)
    centred = values.astype(np.int64)
    if scale.ndim == 1 and scale.size > 1:
        axis = quantized.axis_of(slot) % values.ndim
        if values.shape[axis] != scale.size:
            return None
        form = [1] * values.ndim
        form[axis] = scale.size
        centred = centred - (0 if zero is None else zero.astype(np.int64).reshape(form if zero.size > 1 else ()))
        idle = (np.moveaxis(centred, axis, 0).reshape(scale.size, -1) == 0).all(axis=1)
    else:
        centred = centred - (0 if zero is None else int(zero.ravel()[0]))
        idle = np.array(bool((centred == 0).all())).reshape(scale.shape)
    return np.where((scale == 0) & idle, np.ones_like(scale), scale) if idle[scale == 0].all() else None


def _shape(scope: Scope, slot: Slot) -> Iterator[Mend | Broken]:
    """Scale and zero point that are neither one value nor one for each channel."""
    scale = scope.value(slot.node, slot.scale)
    if scale is None or slot.scale is None or walk.value_of(slot.node, "block_size", 0):
        return
    if scale.ndim > 1 and sum(size != 1 for size in scale.shape) > 1:
        if scope.opset < 21 or scope.rewrite.rank(slot.name) != scale.ndim:
            yield Broken(f"the scale {slot.node.input[slot.scale]} of {slot.label} has the shape {list(scale.shape)}")
        return
    flat = scale.reshape(()) if scale.ndim > 1 and scale.size == 1 else scale.ravel() if scale.ndim > 1 else scale
    hint = next((place for place, size in enumerate(scale.shape) if size != 1), None) if scale.ndim > 1 else None
    yield from _flat(scope, slot, scale, flat)
    yield from _zero_shape(scope, slot, flat)
    if flat.size > 1 and slot.node.op_type in quantized.PAIR:
        yield from _axis(scope, slot, flat.size, hint if scale.ndim == scope.rewrite.rank(slot.name) else None)


def _flat(scope: Scope, slot: Slot, scale: Any, flat: Any) -> Iterator[Mend]:
    if flat.shape == scale.shape or slot.scale is None:
        return
    name, place = slot.node.input[slot.scale], slot.scale
    yield Mend(
        f"the scale {name} of {slot.label} has the shape {list(scale.shape)}",
        [Choice(f"make it {list(flat.shape)}", lambda inner: inner.put(slot.node, place, flat, f"{name}_flat"))],
    )


def _zero_shape(scope: Scope, slot: Slot, scale: Any) -> Iterator[Mend | Broken]:
    import numpy as np

    zero = scope.value(slot.node, slot.zero)
    if (
        zero is None
        or slot.zero is None
        or zero.shape == scale.shape
        or (zero.size == scale.size == 1 and zero.ndim <= 1)
    ):
        return
    name, place = slot.node.input[slot.zero], slot.zero
    if slot.node.op_type == "QLinearConv" and zero.size == 1 and zero.ndim <= 1:
        return  # one zero point for all channels is right there
    if zero.size == scale.size:
        mended = zero.reshape(scale.shape)
    elif len(set(zero.ravel().tolist())) == 1:
        mended = np.full(scale.shape, zero.ravel()[0], zero.dtype)
    else:
        yield Broken(f"{slot.label} has {scale.size} scales and {zero.size} different zero points")
        return
    yield Mend(
        f"the zero point {name} of {slot.label} has the shape {list(zero.shape)}, its scale {list(scale.shape)}",
        [Choice(f"make it {list(mended.shape)}", lambda inner: inner.put(slot.node, place, mended, f"{name}_shaped"))],
    )


def _axis(scope: Scope, slot: Slot, count: int, hint: int | None) -> Iterator[Mend | Broken]:
    """The axis of the scales: the one whose length is their number."""
    sizes = scope.rewrite.sizes(slot.name) or (scope.rewrite.sizes(slot.node.input[0]) if slot.data is None else None)
    if sizes is None or None in sizes or scope.opset < _AXIS:
        return
    now, rank = quantized.axis_of(slot), len(sizes)
    fits = [place for place, size in enumerate(sizes) if size == count]
    if -rank <= now < rank and sizes[now] == count and (hint is None or hint == now % rank):
        return
    if not fits:
        yield Broken(f"{slot.label} has {count} scales, and its tensor has the shape {sizes}: no axis has that length")
        return
    first = hint if hint in fits else _preferred(scope, slot, rank, fits)
    order = [*([first] if first is not None else []), *(place for place in fits if place != first)]
    yield Mend(
        f"{slot.label} has {count} scales along axis {now} of a tensor of the shape {sizes}",
        [Choice(f"set its axis to {place}", lambda _, place=place: walk.set_value(slot.node, "axis", place))  # type: ignore[misc]
         for place in order],
        exact=len(fits) == 1,
    )  # fmt: skip


def _preferred(scope: Scope, slot: Slot, rank: int, fits: list[int]) -> int | None:
    """The axis that the operator behind has its channels on."""
    for reader in scope.readers(slot.node.output[0]):
        wanted = _PREFERRED.get(reader.op_type)
        if reader.op_type == "MatMul" and reader.input[1] == slot.node.output[0]:
            wanted = rank - 1
        if reader.op_type == "Gemm" and reader.input[1] == slot.node.output[0]:
            wanted = 0 if walk.value_of(reader, "transB", 0) else 1
        if wanted in fits:
            return wanted
    return None


def _zero_type(scope: Scope, slot: Slot) -> Iterator[Mend | Broken]:
    """A zero point of another type than the tensor that it belongs to."""
    zero = scope.value(slot.node, slot.zero)
    if zero is None or slot.zero is None:
        return
    if slot.data is None:
        yield from _made_type(scope, slot, zero)
        return
    writer, wanted = scope.writer(slot.name), scope.rewrite.element(slot.name)
    if writer is not None and writer.op_type == "QuantizeLinear":
        given = scope.value(writer, 2)
        wanted = element_of(given) if given is not None else wanted
        if given is not None and element_of(given) != element_of(zero) and quantized.span(wanted or 0):
            yield from _pair(scope, slot, writer, given, zero)
            return
    if wanted is None or wanted == element_of(zero) or quantized.span(wanted) is None:
        return
    yield _cast_zero(slot, zero, wanted)


def _cast_zero(slot: Slot, zero: Any, wanted: int) -> Mend | Broken:
    from onnx import TensorProto, helper

    assert slot.zero is not None  # noqa: S101 -- for the type checker
    name, place, kind = slot.node.input[slot.zero], slot.zero, TensorProto.DataType.Name(wanted).lower()
    low, high = quantized.span(wanted) or (0, 0)
    if ((zero < low) | (zero > high) | (zero != zero.astype("int64"))).any():
        return Broken(f"the zero point {name} of {slot.label} is {zero.dtype} with a value that {kind} does not have")
    mended = zero.astype(helper.tensor_dtype_to_np_dtype(wanted))
    return Mend(
        f"the zero point {name} of {slot.label} is {zero.dtype}, its tensor {kind}",
        [Choice(f"make it {kind}", lambda inner: inner.put(slot.node, place, mended, f"{name}_{kind}"))],
    )


def _pair(scope: Scope, slot: Slot, writer: Any, given: Any, zero: Any) -> Iterator[Mend | Broken]:
    """QuantizeLinear and DequantizeLinear of one tensor with zero points of two types."""
    import numpy as np

    first, second = quantized.span(element_of(given)), quantized.span(element_of(zero))
    assert slot.zero is not None  # noqa: S101 -- for the type checker
    place = slot.zero
    name, other = slot.node.input[place], writer.input[2]
    formed = given.reshape(zero.shape) if given.size == zero.size else given
    one = Choice(
        f"give {slot.label} the zero point of {label(writer)}",
        lambda inner: inner.put(slot.node, place, formed, f"{name}_{given.dtype}"),
    )
    two = Choice(
        f"give {label(writer)} the zero point of {slot.label}",
        lambda inner: inner.put(writer, 2, zero, f"{other}_{zero.dtype}"),
    )
    why = f"{label(writer)} writes {given.dtype}, {slot.label} has a zero point of {zero.dtype}"
    if first is None or second is None:
        yield Mend(why, [two if first is None else one], exact=(first or second) is not None)
        return
    if element_of(zero) not in _BYTES:
        yield Mend(why, [one])
        return
    shifted = np.array_equal(given.astype(np.int64) - first[0], zero.astype(np.int64) - second[0])
    yield Mend(why, [one] if shifted else [one, two], exact=shifted)


def _made_type(scope: Scope, slot: Slot, zero: Any) -> Iterator[Mend | Broken]:
    """The zero point of a tensor that the node writes decides on its type; it must be one that exists."""
    node = slot.node
    told = walk.value_of(node, "output_dtype", 0)
    if node.op_type == "QuantizeLinear" and told and told != element_of(zero) and quantized.span(element_of(zero)):
        readers = [each for each in scope.readers(node.output[0]) if each.op_type == "DequantizeLinear"]
        agree = [value for each in readers if (value := scope.value(each, 2)) is not None]
        sure = bool(agree) and all(element_of(value) == element_of(zero) for value in agree)
        yield Mend(
            f"output_dtype of {slot.label} is not the type of its zero point ({zero.dtype})",
            [Choice("drop output_dtype", lambda _: walk.set_value(node, "output_dtype", None))], exact=sure,
        )  # fmt: skip
        return
    if element_of(zero) in (1, 6, 7, 10, 11, 12, 13, 16):
        yield from _unheard_of(scope, slot, zero)


def _unheard_of(scope: Scope, slot: Slot, zero: Any) -> Iterator[Mend | Broken]:
    """A zero point of a type that no quantized tensor has: the tensor's readers or its declared type decide."""
    node = slot.node
    readers = [each for each in scope.readers(node.output[0]) if each.op_type == "DequantizeLinear"]
    kinds = {element_of(value) for each in readers if (value := scope.value(each, 2)) is not None}
    kinds = {kind for kind in kinds if kind in _BYTES} or {scope.rewrite.element(node.output[0]) or 0}
    known = [kind for kind in sorted(kinds) if kind in _BYTES]
    mends = [_cast_zero(slot, zero, kind) for kind in known[:1] or (_UINT8, _INT8)]
    choices = [choice for each in mends if isinstance(each, Mend) for choice in each.choices]
    if choices:
        why = f"the zero point {node.input[slot.zero or 0]} of {slot.label} is {zero.dtype}, which is no quantized type"
        yield Mend(why, choices, exact=len(choices) == 1)
    else:
        yield from mends


def element_of(array: Any) -> int:
    """The element type of an array."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))
