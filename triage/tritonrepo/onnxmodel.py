"""The tensors of an ONNX file as Triton names them; weights are not read."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, NamedTuple

from triage.tritonrepo.interface import Interface, Tensor

# numbers of onnx.TensorProto.DataType
_TYPES = {
    1: "TYPE_FP32", 2: "TYPE_UINT8", 3: "TYPE_INT8", 4: "TYPE_UINT16", 5: "TYPE_INT16", 6: "TYPE_INT32",
    7: "TYPE_INT64", 8: "TYPE_STRING", 9: "TYPE_BOOL", 10: "TYPE_FP16", 11: "TYPE_FP64", 12: "TYPE_UINT32",
    13: "TYPE_UINT64", 16: "TYPE_BF16",
}  # fmt: skip
# what ONNX Runtime calls them
_WORDS = {
    "TYPE_FP32": "float", "TYPE_FP64": "double", "TYPE_FP16": "float16", "TYPE_BF16": "bfloat16", "TYPE_BOOL": "bool",
    "TYPE_STRING": "string",
}  # fmt: skip


class Value(NamedTuple):
    """An input or output of the file: its shape holds numbers, names, or None where nothing is said."""

    name: str
    data_type: str | None
    shape: tuple[int | str | None, ...] | None

    @property
    def word(self) -> str:
        """Its type as ONNX Runtime prints it: ``tensor(float)``."""
        type_ = self.data_type or "TYPE_FP32"
        return f"tensor({_WORDS.get(type_, type_.removeprefix('TYPE_').lower())})"


class Values(NamedTuple):
    """The inputs that must be fed and the outputs of a file."""

    input: tuple[Value, ...]
    output: tuple[Value, ...]


def values(path: str) -> Values | None:
    """Inputs and outputs of a file; None where it cannot be read."""
    try:
        told = os.stat(path)
    except OSError:
        return None
    return _values(path, told.st_mtime_ns, told.st_size)


@lru_cache(maxsize=64)
def _values(path: str, changed: int, size: int) -> Values | None:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        return None
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except (OSError, ValueError, DecodeError):
        return None
    stored = {tensor.name for tensor in graph.initializer}
    given = tuple(_value(each) for each in graph.input if each.name not in stored)
    return Values(given, tuple(_value(each) for each in graph.output)) if graph.output else None


def interface(path: str, source: str) -> Interface | None:
    """What an ONNX model has; its first dimension counts as the batch where it varies in every tensor."""
    read = values(path)
    if read is None:
        return None
    made = Interface(
        source, tuple(tensor(each) for each in read.input), tuple(tensor(each) for each in read.output),
        ("input", "output"), batch=True,
    )  # fmt: skip
    return made if made.takes_batches else made._replace(batch=False, most=0)


def external_files(path: str) -> list[str]:
    """Files that hold weights of this one, relative to its folder and inside it."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        stored = onnx.load(path, load_external_data=False).graph.initializer
    except (OSError, ValueError, DecodeError):
        return []
    told = [entry.value for tensor_ in stored for entry in tensor_.external_data if entry.key == "location"]
    names = dict.fromkeys(os.path.normpath(each) for each in told)
    folder = os.path.dirname(path)
    inside = [name for name in names if not os.path.isabs(name) and not name.startswith("..")]
    return [name for name in inside if os.path.isfile(os.path.join(folder, name))]


def tensor(value: Value) -> Tensor:
    """A value as Triton sees it."""
    shape = None if value.shape is None else tuple(each if isinstance(each, int) else -1 for each in value.shape)
    return Tensor(value.name, value.data_type, shape)


def _value(value: Any) -> Value:
    held = value.type.tensor_type
    shape = None
    if held.HasField("shape"):
        shape = tuple(
            each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else each.dim_param or None
            for each in held.shape.dim
        )
    return Value(value.name, _TYPES.get(held.elem_type), shape)
