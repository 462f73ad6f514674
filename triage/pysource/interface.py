"""What the failing run's model takes and gives, what was fed to it, and where both differ."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from triage import npy

if TYPE_CHECKING:
    from triage.pysource.calls import CallSite
    from triage.site import Site

Dim = int | str | None

_ORT = re.compile(
    r"Got invalid dimensions for input: (\S+) for the following indices((?:\s+index: \d+ Got: \d+ Expected: \d+)+)"
)
_INDEX = re.compile(r"index: (\d+) Got: (\d+) Expected: (\d+)")
_TRITON = re.compile(
    r"unexpected shape for input '([^'\n]{1,200})' for model '[^'\n]{1,200}'"
    r"\. Expected (\[[-\d, ]{1,200}\]), got (\[[-\d, ]{1,200}\])"
)


class Tensor(NamedTuple):
    """An input or output: a fixed size is a number, a dynamic one its name or None. ``kind`` is NumPy's type name."""

    name: str
    shape: tuple[Dim, ...]
    kind: str = ""


class Interface(NamedTuple):
    """Inputs and outputs of an ONNX model, in its order.

    ``bound`` are (input, place) of the dimensions that weights fix: channels and features.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    bound: frozenset[tuple[str, int]] = frozenset()

    def input(self, name: str) -> Tensor | None:
        """The input of this name."""
        return next((tensor for tensor in self.inputs if tensor.name == name), None)


class Mismatch(NamedTuple):
    """A dimension of an input that is fixed to one size while another is fed."""

    name: str
    place: int
    got: int
    expected: int


def built(site: Site, path: str | None = None, needs: str | None = None) -> Interface | None:
    """The interface of the model that the failing run wrote.

    Args:
        site: the build.
        path: the file that the export names, where that is known.
        needs: an input that it must have.
    """
    for name in _written(site, path):
        found = read(os.path.join(site.built or "", name))
        if found is not None and (needs is None or found.input(needs) is not None):
            return found
    return None


def read(path: str) -> Interface | None:
    """The interface of an ONNX file, without its weights; None where it cannot be read."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except Exception:  # noqa: BLE001 -- whatever is wrong with it, it tells nothing
        return None
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = tuple(_tensor(value) for value in model.graph.input if value.name not in weights)
    outputs = tuple(_tensor(value) for value in model.graph.output)
    return Interface(inputs, outputs, frozenset(_bound(model.graph, inputs, weights)))


_PASSING = ("Identity", "Cast", "Relu", "Neg", "Abs", "Sigmoid", "Tanh", "Clip", "Dropout", "Sqrt", "Exp", "Log")


def _bound(graph: Any, inputs: tuple[Tensor, ...], weights: set[str]) -> Iterator[tuple[str, int]]:
    """Dimensions that meet a weight at once, or behind operators that work value by value."""
    weights = weights | {node.output[0] for node in graph.node if node.op_type == "Constant"}
    origin = {tensor.name: tensor for tensor in inputs}
    for node in graph.node:
        source = origin.get(node.input[0]) if node.input else None
        if source is None:
            continue
        rank, fixed = len(source.shape), len(node.input) > 1 and node.input[1] in weights
        if node.op_type in _PASSING:
            origin[node.output[0]] = source
        elif node.op_type in ("Gemm", "MatMul", "LayerNormalization") and fixed and rank:
            turned = any(one.name == "transA" and one.i for one in node.attribute)
            yield source.name, 0 if turned else rank - 1
        elif node.op_type in ("Conv", "BatchNormalization", "ConvTranspose", "PRelu") and fixed and rank > 1:
            yield source.name, 1


def fed(site: Site, names: Iterator[str] | tuple[str, ...]) -> dict[str, Tensor]:
    """Arrays that lie in the build's folder under these names: what the smoke test or the service feeds."""
    wanted = set(names)
    for path in site.listing:
        if path.endswith(".npz") and path not in site.outputs:
            arrays = _arrays(site.path(path))
            if wanted and wanted <= arrays.keys():
                return {name: arrays[name] for name in wanted}
    return {}


def archives(site: Site) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(path, arrays) of every .npz file that is no output of the build."""
    for path in site.listing:
        if path.endswith(".npz") and path not in site.outputs:
            yield path, _arrays(site.path(path))


def mismatches(site: Site, model: Interface | None) -> list[Mismatch]:
    """Where feeds do not fit, from the log, and from arrays in the folder that have the inputs' names."""
    found = list(dict.fromkeys(in_log(site.log)))
    if model is not None and found:
        feeds = fed(site, tuple(tensor.name for tensor in model.inputs))
        for tensor in model.inputs:
            array = feeds.get(tensor.name)
            if array is not None and len(array.shape) == len(tensor.shape):
                found += [one for one in _differing(tensor, array) if one not in found]
    return found


def wrong_feed(found: list[Mismatch], model: Interface | None) -> str | None:
    """Why the feed is wrong, and not the model: another layout, or another number of channels or features."""
    for one in found:
        if model is not None and (one.name, one.place) in model.bound:
            return f"{one.name} is fed with {one.got} in dimension {one.place}; the model's weights take {one.expected}"
    by_name: dict[str, list[Mismatch]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    for name, group in by_name.items():
        if len(group) > 1 and sorted(one.got for one in group) == sorted(one.expected for one in group):
            return f"{name} is fed in another layout: the same sizes in another order"
    return None


def in_log(log: str) -> Iterator[Mismatch]:
    """What ONNX Runtime and Triton say of dimensions that do not fit."""
    for match in _ORT.finditer(log):
        for index in _INDEX.finditer(match[2]):
            yield Mismatch(match[1], int(index[1]), int(index[2]), int(index[3]))
    for match in _TRITON.finditer(log):
        wanted, got = (
            [int(part) for part in each.strip("[]").split(",") if part.strip()] for each in match.groups()[1:]
        )
        if len(wanted) == len(got):
            for at, (one, other) in enumerate(zip(wanted, got, strict=True)):
                if one not in (other, -1):
                    yield Mismatch(match[1], at, other, one)


def to_relax(model: Interface | None, found: list[Mismatch]) -> dict[str, dict[int, str]]:
    """Input or output -> {index: name} of the dimensions to make dynamic.

    With those that do not fit go all that have the same place and fixed size: they are one dimension of the data.
    """
    relaxed: dict[str, dict[int, str]] = {}
    for one in found:
        tensor = model.input(one.name) if model else None
        label = name_of(one.place, len(tensor.shape) if tensor else 0)
        relaxed.setdefault(one.name, {})[one.place] = label
        for other in (*model.inputs, *model.outputs) if model else ():
            if len(other.shape) > one.place and other.shape[one.place] == one.expected:
                relaxed.setdefault(other.name, {}).setdefault(one.place, label)
    return relaxed


def name_of(index: int, rank: int) -> str:
    """A usual name of a dimension."""
    if index == 0:
        return "batch"
    if rank == 4 and index in (2, 3):
        return ("height", "width")[index - 2]
    if index == 1 and rank in (2, 3):
        return "sequence"
    return f"dim_{index}"


def _written(site: Site, path: str | None) -> list[str]:
    if not site.built:
        return []
    names = [path] if path and not os.path.isabs(path) else []
    fresh = []
    for base, folders, files in os.walk(site.built):
        folders[:] = [folder for folder in folders if not folder.startswith(".")]
        for name in files:
            full = os.path.join(base, name)
            if name.endswith(".onnx"):
                fresh.append((-os.path.getmtime(full), os.path.relpath(full, site.built)))
    return [*names, *(name for _, name in sorted(fresh)[:20])]


def _tensor(value: Any) -> Tensor:
    import onnx

    kind = value.type.tensor_type
    dims = tuple(
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None) for dim in kind.shape.dim
    )  # fmt: skip
    try:
        return Tensor(value.name, dims, str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))
    except (KeyError, ValueError):
        return Tensor(value.name, dims)


def _arrays(path: str) -> dict[str, Tensor]:
    """Names, shapes and types of the arrays of an .npz file; only their headers are read."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as stream:
                    shape, dtype = npy.header(stream)
                key = name.removesuffix(".npy")
                found[key] = Tensor(key, shape, str(dtype))
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}
    return found


def _differing(tensor: Tensor, array: Tensor) -> Iterator[Mismatch]:
    for at, (wanted, got) in enumerate(zip(tensor.shape, array.shape, strict=True)):
        if isinstance(wanted, int) and isinstance(got, int) and wanted != got:
            yield Mismatch(tensor.name, at, got, wanted)


def path_of(call: CallSite) -> str | None:
    """The file that an export writes, where its name can be told."""
    told = call.literal("f", 2)
    return told if isinstance(told, str) else None


def of_call(site: Site, call: CallSite) -> Interface | None:
    """The interface of the model that this export wrote in the failing run."""
    needs = next((one.name for one in in_log(site.log)), None)
    return built(site, path_of(call), needs)
