"""The inputs of an ONNX model as TensorRT sees them: names, dimensions, types, and which hold sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from triage.trtbuild.settings import Range

# input positions whose values decide a shape, by operator
_SHAPE_INPUTS = {
    "Reshape": (1,), "Expand": (1,), "ConstantOfShape": (0,), "Tile": (1,), "Resize": (2, 3), "Upsample": (1,),
    "Slice": (1, 2), "Range": (0, 1, 2), "OneHot": (1,), "TopK": (1,), "Pad": (1,), "Split": (1,),
    "CenterCropPad": (1,),
}  # fmt: skip
# operators that only pass sizes on
_PASSES = frozenset({
    "Add", "Cast", "Concat", "Div", "Gather", "Identity", "Max", "Min", "Mod", "Mul", "Neg", "ReduceMax", "ReduceMin",
    "ReduceProd", "Reshape", "Slice", "Squeeze", "Sub", "Unsqueeze",
})  # fmt: skip


class Input(NamedTuple):
    """One input. A dimension is a size, a name that others may share, or None where nothing is known of it.

    ``values`` is True where the network reads sizes from it (a shape tensor).
    """

    name: str
    dims: tuple[int | str | None, ...]
    dtype: str
    values: bool = False

    @property
    def dynamic(self) -> bool:
        """Whether it needs a range in a profile."""
        return self.values or not all(isinstance(size, int) for size in self.dims)

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.dims)

    @property
    def length(self) -> int:
        """How many numbers a range of it has: its rank, or how many values a shape tensor holds."""
        if not self.values:
            return self.rank
        return self.dims[0] if self.dims and isinstance(self.dims[0], int) else 1

    def fits(self, dims: Sequence[int]) -> bool:
        """Whether a tensor of this shape could be fed."""
        if self.values:
            return len(dims) == self.length
        return len(dims) == self.rank and all(
            not isinstance(size, int) or size == given for size, given in zip(self.dims, dims, strict=True)
        )

    def fits_range(self, found: Range) -> bool:
        """Whether all three shapes of a range fit, in order."""
        return found.ordered and all(self.fits(dims) for dims in (found.least, found.opt, found.most))

    def __str__(self) -> str:
        return f"{self.name} [{', '.join('?' if size is None else str(size) for size in self.dims)}]"


def inputs_of(model: Any) -> list[Input]:
    """The inputs of a ModelProto that are fed (those that are weights too are left out)."""
    given = {tensor.name for tensor in model.graph.initializer}
    sizes = _read_as_sizes(model.graph)
    return [
        _input(value, value.name in sizes)
        for value in model.graph.input
        if value.name not in given and value.type.HasField("tensor_type")
    ]


def _input(value: Any, sizes: bool) -> Input:
    from onnx import TensorProto, helper

    tensor = value.type.tensor_type
    dims: list[int | str | None] = []
    for dim in tensor.shape.dim:
        if dim.HasField("dim_value"):
            dims.append(dim.dim_value if dim.dim_value >= 0 else None)
        else:
            dims.append(dim.dim_param or None)
    if tensor.elem_type == TensorProto.STRING:
        kind = "str"
    else:
        kind = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)) if tensor.elem_type else "float32"
    return Input(value.name, tuple(dims), kind, sizes and kind in ("int32", "int64") and len(dims) <= 1)


def _read_as_sizes(graph: Any) -> set[str]:
    """Tensors whose values become sizes, found from the readers back to the inputs."""
    wanted: set[str] = set()
    for node in reversed(graph.node):
        for place in _SHAPE_INPUTS.get(node.op_type, ()):
            if place < len(node.input) and node.input[place]:
                wanted.add(node.input[place])
        if node.op_type in _PASSES and wanted.intersection(node.output):
            wanted.update(name for name in node.input if name)
    return wanted
