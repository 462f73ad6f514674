"""Element types of ONNX tensors: names, kinds, and what a value loses when its type changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL, FLOAT16, DOUBLE, UINT32, UINT64 = range(1, 14)
BFLOAT16 = 16
FLOATS = (DOUBLE, FLOAT, BFLOAT16, FLOAT16)  # widest first
INTEGERS = (INT64, UINT64, INT32, UINT32, INT16, UINT16, INT8, UINT8)
WIDEST = (*FLOATS, *INTEGERS, BOOL)
_RELEVANT = 0.01  # share of small numbers in a large tensor that may vanish
_SMALL = 16  # up to here every single number counts


@cache
def _numbers() -> dict[str, int]:
    from onnx import TensorProto

    return {name.lower(): number for name, number in TensorProto.DataType.items()}


def number(text: str) -> int | None:
    """The number of a type as tools write it: ``tensor(int64)``, ``INT64``, ``float32``, ``FP16``, ``double``."""
    bare = text.strip().lower().removeprefix("tensor(").removesuffix(")").removeprefix("np.").removeprefix("numpy.")
    aliases = {"float32": "float", "fp32": "float", "float64": "double", "fp64": "double", "fp16": "float16"}
    aliases |= {"half": "float16", "bf16": "bfloat16", "str": "string", "boolean": "bool", "long": "int64"}
    aliases |= {"<class 'numpy.float32'>": "float", "object": "string"}
    return _numbers().get(aliases.get(bare, bare))


def name(element: int) -> str:
    """A type as people write it: ``float32``, ``int64``."""
    common = {FLOAT: "float32", DOUBLE: "float64"}
    told = next((text for text, each in _numbers().items() if each == element), str(element))
    return common.get(element, told)


def is_float(element: int) -> bool:
    """Says whether it is a floating point type of 16 bits or more."""
    return element in FLOATS


def is_integer(element: int) -> bool:
    """Says whether it is an integer type."""
    return element in INTEGERS


def loss(values: Any, to: int) -> str | None:
    """What an array would lose by becoming another type, in words; None where every number keeps its meaning.

    Rounding of fractions is no loss; an overflow, an integer that turns into another one, a fraction cut
    off, a small number that becomes zero are. The largest number of a float type stands for infinity
    (masks are filled with it): it may become the largest of the new type.
    """
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind in "OUS" or to == STRING:
        return "texts are no numbers"
    if array.size == 0 or element_of(array) == to:
        return None
    if to == BOOL:
        return None if bool(np.isin(array, (0, 1)).all()) else "some values are neither 0 nor 1"
    if array.dtype.kind in "biu":
        return _loss_of_integers(array, to)
    return _loss_of_floats(np.asarray(array, dtype=np.float64), element_of(array), to)


def overflow(values: Any, to: int) -> str | None:
    """Which finite number of an array is too large for a float type, in words; None where none is."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or not array.size:
        return None
    wide = array.astype(np.float64)
    return _overflow(wide[np.isfinite(wide) & (np.abs(wide) < largest(element_of(array)))], to)


def _loss_of_integers(array: Any, to: int) -> str | None:
    import numpy as np

    if array.dtype.kind == "b":
        return None
    if is_integer(to):
        limits = np.iinfo(dtype(to))
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            return f"{int(array.min())} … {int(array.max())} does not fit into {name(to)}"
        return None
    changed = array.astype(dtype(to)).astype(np.float64)
    with np.errstate(invalid="ignore"):  # what is too large comes back as another number
        exact = np.isfinite(changed) & (changed.astype(array.dtype) == array)
    if bool(exact.all()):
        return None
    return f"the integer {array[~exact].flat[0]} has no exact {name(to)}"


def _loss_of_floats(array: Any, own: int, to: int) -> str | None:
    import numpy as np

    finite = array[np.isfinite(array) & (np.abs(array) < largest(own))]
    if is_integer(to):
        if finite.size != array.size or bool((finite != np.trunc(finite)).any()):
            return "some values are no whole numbers"
        limits = np.iinfo(dtype(to))
        if float(finite.min()) < limits.min or float(finite.max()) > limits.max:
            return f"{finite.min():g} … {finite.max():g} does not fit into {name(to)}"
        return None
    if finite.size == 0 or FLOATS.index(own) > FLOATS.index(to):
        return _overflow(finite, to)
    return _overflow(finite, to) or _whole_lost(finite, own, to) or _vanished(finite, to)


def _overflow(finite: Any, to: int) -> str | None:
    import numpy as np

    worst = float(np.abs(finite).max()) if finite.size else 0.0
    return f"{worst:g} is beyond the range of {name(to)}" if worst > largest(to) else None


def _whole_lost(finite: Any, own: int, to: int) -> str | None:
    """Large whole numbers (ids, times) of a double that a float cannot hold."""
    import numpy as np

    if own != DOUBLE or to != FLOAT:
        return None
    whole = finite[(finite == np.trunc(finite)) & (np.abs(finite) > 1 << 24) & (np.abs(finite) < 1 << 53)]
    lost = whole[whole.astype(np.float32).astype(np.float64) != whole]
    lost = np.array([each for each in lost.flat if float(f"{each:.7g}") != each])  # 1e15 is a size, 16777217 is an id
    return f"the whole number {lost.flat[0]:.0f} has no exact {name(to)}" if lost.size else None


def _vanished(finite: Any, to: int) -> str | None:
    import numpy as np

    some = finite[finite != 0]
    gone = some[np.abs(some) < smallest(to)]
    if gone.size == 0 or (finite.size > _SMALL and gone.size <= _RELEVANT * some.size):
        return None
    return f"{gone.flat[0]:g} becomes 0 in {name(to)}"


def largest(element: int) -> float:
    """The largest finite number of a float type."""
    return {FLOAT16: 65504.0, BFLOAT16: 3.3895313892515355e38, FLOAT: 3.4028234663852886e38}.get(
        element, 1.7976931348623157e308
    )


def smallest(element: int) -> float:
    """Numbers below half of this become zero in a float type."""
    return {FLOAT16: 2.0**-25, BFLOAT16: 2.0**-134, FLOAT: 2.0**-150}.get(element, 2.0**-1075)


def dtype(element: int) -> Any:
    """The numpy type of an element type."""
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(element)


def element_of(array: Any) -> int:
    """The element type of a numpy array."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(array.dtype))


def converted(values: Any, to: int) -> Any:
    """An array in another type; numbers beyond the range of a smaller type become its largest or smallest."""
    import numpy as np

    array = np.asarray(values)
    own = element_of(array)
    if is_float(own) and is_float(to) and largest(own) > largest(to):
        wide = np.asarray(array, dtype=np.float64)
        clipped = np.clip(wide, -largest(to), largest(to))
        array = np.where(np.isfinite(wide), clipped, wide)
    if is_integer(own) and is_integer(to):
        limits, old = np.iinfo(dtype(to)), np.iinfo(array.dtype)
        array = np.clip(array, max(limits.min, old.min), min(limits.max, old.max))
    return np.asarray(array).astype(dtype(to))


def widest(elements: Sequence[int]) -> int:
    """The type that holds all: floats before integers, wide before narrow; float32 for float16 with bfloat16."""
    if {FLOAT16, BFLOAT16} <= set(elements) and not {FLOAT, DOUBLE} & set(elements):
        return FLOAT
    known = [each for each in elements if each in WIDEST]
    return min(known, key=WIDEST.index) if len(known) == len(elements) else elements[0]
