"""What NumPy and torch make of arrays, as far as types and shapes can be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from triage.tritonrepo.pymodel.values import UNKNOWN, Array, Asked, ConfigType, Name, Unknown

_TYPES = {
    "float16": "TYPE_FP16", "half": "TYPE_FP16", "float32": "TYPE_FP32", "single": "TYPE_FP32", "float": "TYPE_FP64",
    "float64": "TYPE_FP64", "double": "TYPE_FP64", "int8": "TYPE_INT8", "int16": "TYPE_INT16", "int32": "TYPE_INT32",
    "int64": "TYPE_INT64", "int": "TYPE_INT64", "int_": "TYPE_INT64", "uint8": "TYPE_UINT8", "uint16": "TYPE_UINT16",
    "uint32": "TYPE_UINT32", "uint64": "TYPE_UINT64", "bool": "TYPE_BOOL", "bool_": "TYPE_BOOL",
    "object": "TYPE_STRING", "object_": "TYPE_STRING", "bytes_": "TYPE_STRING", "bytes": "TYPE_STRING",
    "str": "TYPE_STRING", "str_": "TYPE_STRING",
    "f4": "TYPE_FP32", "f8": "TYPE_FP64", "i4": "TYPE_INT32", "i8": "TYPE_INT64", "f2": "TYPE_FP16", "u1": "TYPE_UINT8",
}  # fmt: skip
_KEEPING = ("asarray", "ascontiguousarray", "from_numpy", "from_dlpack", "as_tensor", "tensor", "array", "squeeze_none")
_FILLED = {"zeros": "TYPE_FP64", "ones": "TYPE_FP64", "empty": "TYPE_FP64", "full": None}
_COUNTING = ("argmax", "argmin", "argsort", "arange")
_CASTS = {"float": "TYPE_FP32", "long": "TYPE_INT64", "int": "TYPE_INT32", "half": "TYPE_FP16", "bool": "TYPE_BOOL"}
_SAME = ("copy", "cpu", "cuda", "detach", "numpy", "contiguous", "clip", "round")


def type_of(value: Any) -> str | None:
    """The data type that a value such as ``np.float32`` or ``"int64"`` names."""
    if isinstance(value, Name):
        return _TYPES.get(value.dotted.rpartition(".")[2])
    if isinstance(value, str):
        return value if value.startswith("TYPE_") else _TYPES.get(value.lstrip("<>=|"))
    return None


def made(head: str, last: str, given: list[Any], named: dict[str, Any]) -> Any:
    """What a function of NumPy or torch gives."""
    if not head.startswith(("numpy", "torch", "cupy")):
        return UNKNOWN
    first = given[0] if given else UNKNOWN
    told = named.get("dtype")
    place = {"full": 2}.get(last, 1)
    if told is None and len(given) > place and last in (*_FILLED, "array", "asarray"):
        told = given[place]
    if last in _KEEPING:
        return _kept(first, told)
    if last in _FILLED:
        return Array(type_of(told) or (_FILLED[last] if told is None else None), _shape(first))
    if last in _TYPES and not isinstance(first, Unknown):
        return Array(_TYPES[last]) if isinstance(first, Array) else UNKNOWN
    return Array("TYPE_INT64" if last in _COUNTING and told is None else type_of(told))


def _kept(first: Any, told: Any) -> Array:
    if isinstance(first, Asked):
        first = Array(source=first.name, like=first.name)
    if isinstance(first, Array):
        return first if told is None else cast(first, told)
    return Array(type_of(told))


def method(on: Array, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    """What a method of an array gives."""
    if name in ("astype", "to", "type"):
        told = given[0] if given else named.get("dtype", UNKNOWN)
        return on if name == "to" and type_of(told) is None else cast(on, told)
    if name in _CASTS:
        return replace(on, data_type=_CASTS[name], source=None)
    if name in _SAME:
        return on
    if name in ("item", "tolist"):
        return UNKNOWN
    return Array("TYPE_INT64" if name in _COUNTING else on.data_type)


def cast(array: Array, told: Any) -> Array:
    """An array in another type; one that config.pbtxt gives is not told."""
    data_type = None if isinstance(told, ConfigType | Unknown) else type_of(told)
    return replace(array, data_type=data_type, source=None)


def _shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list | tuple):
        return tuple(each if isinstance(each, int) else -1 for each in value)
    return (value,) if isinstance(value, int) else None
