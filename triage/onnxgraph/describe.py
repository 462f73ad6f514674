"""What changed in an ONNX file, in words: lines with ``-`` and ``+``, few enough to read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triage.onnxgraph import external

_MOST = 60  # lines in all
_WIDE = 160  # characters of a line
_SHARE = 20  # lines of one kind before the rest is counted
_LARGEST = 16 << 20  # bytes of a tensor whose values are compared
_SHOWN = 8  # values that are shown


def difference(old: str | None, new: str | None) -> str:
    """Lines of a readable difference of two ONNX files, each with ``-`` or ``+``; empty where they cannot be read.

    Args:
        old: the file before; None where there was none.
        new: the file now; None where it is gone.
    """
    try:
        before, after = (_read(path) for path in (old, new))
        if before is None and after is None:
            return ""
        lines = list(_lines(before, after))
    except Exception:  # noqa: BLE001 -- a file that cannot be read has no readable difference, whatever is wrong with it
        return ""
    if len(lines) > _MOST:
        lines = [*lines[: _MOST - 1], f"+ … and {len(lines) - _MOST + 1} more lines"]
    return "".join(_short(line) + "\n" for line in lines)


def _read(path: str | None) -> Any:
    import onnx

    return None if path is None else onnx.load(path, load_external_data=False)


def _short(line: str) -> str:
    plain = "".join(sign if sign.isprintable() else "?" for sign in line)
    return plain if len(plain) <= _WIDE else plain[: _WIDE - 1] + "…"


def _lines(before: Any, after: Any) -> Iterator[str]:
    yield from _pairs(_head(before), _head(after))
    for kind in ("input", "output"):
        yield from _pairs(_values(before, kind), _values(after, kind))
    yield from _limited(list(_nodes(before, after)), "nodes")
    yield from _limited(list(_initializers(before, after)), "initializers")
    yield from _limited(list(_pairs(_declared(before), _declared(after))), "declared types")
    yield from _limited(list(_pairs(_functions(before), _functions(after))), "functions")
    yield from _limited(list(_pairs(_metadata(before), _metadata(after))), "metadata")


def _limited(lines: list[str], what: str) -> Iterator[str]:
    """The first lines of a kind, and how many more there are."""
    if len(lines) <= _SHARE:
        yield from lines
        return
    yield from lines[: _SHARE - 1]
    rest = lines[_SHARE - 1 :]
    gone, come = (sum(line.startswith(sign) for line in rest) for sign in "-+")
    if gone:
        yield f"- … {gone} more lines on {what}"
    if come:
        yield f"+ … {come} more lines on {what}"


def _pairs(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """What is gone, new or changed, in the order of the names before."""
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            if name in before:
                yield f"- {before[name]}"
            if name in after:
                yield f"+ {after[name]}"


def _head(model: Any) -> dict[str, str]:
    if model is None:
        return {}
    opsets = ", ".join(sorted(f"{each.domain or 'ai.onnx'} {each.version}" for each in model.opset_import))
    made = " ".join(filter(None, (model.producer_name, model.producer_version)))
    found = {"ir": f"IR version {model.ir_version}", "opset": f"opset {opsets}", "producer": f"producer {made or '?'}"}
    found["name"] = f"graph {model.graph.name}"
    return found


def _values(model: Any, kind: str) -> dict[str, str]:
    if model is None:
        return {}
    return {value.name: f"{kind} {value.name}: {_type(value.type)}" for value in getattr(model.graph, kind)}


def _declared(model: Any) -> dict[str, str]:
    if model is None:
        return {}
    return {value.name: f"declared {value.name}: {_type(value.type)}" for value in model.graph.value_info}


def _type(type_: Any) -> str:
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        held = getattr(type_, kind)
        shape = "[" + ", ".join(_dim(dim) for dim in held.shape.dim) + "]" if held.HasField("shape") else "of any shape"
        return f"{_element(held.elem_type)} {shape}"
    if kind in ("sequence_type", "optional_type"):
        return f"{kind.partition('_')[0]} of {_type(getattr(type_, kind).elem_type)}"
    return "of no type" if kind is None else str(kind)


def _dim(dim: Any) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"


def _element(number: int) -> str:
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(number).lower())
    except ValueError:
        return f"type {number}"


def _functions(model: Any) -> dict[str, str]:
    if model is None:
        return {}
    return {
        f"{each.domain}::{each.name}::{getattr(each, 'overload', '')}":
        f"function {each.domain}::{each.name} of {len(each.node)} nodes, "
        f"opset {', '.join(str(one.version) for one in each.opset_import)}"
        for each in model.functions
    }  # fmt: skip


def _metadata(model: Any) -> dict[str, str]:
    if model is None:
        return {}
    return {each.key: f"metadata {each.key} = {each.value}" for each in model.metadata_props}


def _nodes(before: Any, after: Any) -> Iterator[str]:
    """Nodes that are gone, new or changed; in their order where only that changed."""
    old, new = (_named_nodes(model) for model in (before, after))
    changed = list(_pairs({key: text for key, (text, _) in old.items()}, {key: text for key, (text, _) in new.items()}))
    yield from changed
    inside = [key for key in old if key in new and old[key][0] == new[key][0] and old[key][1] != new[key][1]]
    for key in inside:
        yield f"- {old[key][0]} (its nested graphs or constants)"
        yield f"+ {new[key][0]} (its nested graphs or constants)"
    if not changed and not inside and list(old) != list(new):
        yield f"- nodes in the order {_order(old)}"
        yield f"+ nodes in the order {_order(new)}"


def _order(nodes: Mapping[str, tuple[str, bytes]]) -> str:
    shown = [text.split("(")[0].removeprefix("node ").strip() for text, _ in list(nodes.values())[:_SHOWN]]
    return ", ".join(shown) + (" …" if len(nodes) > _SHOWN else "")


def _named_nodes(model: Any) -> dict[str, tuple[str, bytes]]:
    """What tells a node (its name, else its first output) -> (line, everything in it)."""
    found: dict[str, tuple[str, bytes]] = {}
    for place, node in enumerate(model.graph.node if model is not None else ()):
        key = node.name or (node.output[0] if node.output else f"{node.op_type} {place}")
        while key in found:
            key += "'"
        found[key] = (_node(node), _content(node))
    return found


def _content(node: Any) -> bytes:
    return b"" if node.ByteSize() > _LARGEST else bytes(node.SerializeToString(deterministic=True))


def _node(node: Any) -> str:
    domain = f"{node.domain}::" if node.domain not in ("", "ai.onnx") else ""
    attributes = ", ".join(_attribute(each) for each in node.attribute)
    told = f" {{{attributes}}}" if attributes else ""
    return f"node {node.name} {domain}{node.op_type}({', '.join(node.input)}) -> {', '.join(node.output)}{told}"


def _attribute(attribute: Any) -> str:
    import onnx

    if attribute.ref_attr_name:
        return f"{attribute.name} = @{attribute.ref_attr_name}"
    kinds: dict[int, Callable[[], str]] = {
        onnx.AttributeProto.TENSOR: lambda: f"{_element(attribute.t.data_type)} {list(attribute.t.dims)}",
        onnx.AttributeProto.GRAPH: lambda: f"graph of {len(attribute.g.node)} nodes",
        onnx.AttributeProto.INTS: lambda: _some(attribute.ints),
        onnx.AttributeProto.FLOATS: lambda: _some(attribute.floats),
        onnx.AttributeProto.INT: lambda: str(attribute.i), onnx.AttributeProto.FLOAT: lambda: f"{attribute.f:g}",
        onnx.AttributeProto.STRING: lambda: attribute.s.decode(errors="replace"),
    }  # fmt: skip
    return f"{attribute.name} = {kinds.get(attribute.type, lambda: '…')()}"


def _some(values: Any) -> str:
    shown = ", ".join(f"{value:g}" for value in list(values)[:_SHOWN])
    return f"[{shown}{', …' if len(values) > _SHOWN else ''}]"


def _initializers(before: Any, after: Any) -> Iterator[str]:
    old, new = ({tensor.name: tensor for tensor in model.graph.initializer} if model is not None else {}
                for model in (before, after))  # fmt: skip
    for name in dict.fromkeys((*old, *new)):
        one, other = old.get(name), new.get(name)
        if one is not None and other is not None:
            yield from _changed(one, other)
        elif one is not None:
            yield f"- initializer {_tensor(one)}"
        elif other is not None:
            yield f"+ initializer {_tensor(other)}{_shown(other)}"


def _changed(old: Any, new: Any) -> Iterator[str]:
    """A tensor that is in both: its type, shape, place or values."""
    if old == new:
        return
    one, other = _tensor(old), _tensor(new)
    told = _values_differ(old, new) if list(old.dims) == list(new.dims) else ""
    if one != other or told:
        yield f"- initializer {one}{_shown(old)}"
        yield f"+ initializer {other}{_shown(new)}{told}"


def _tensor(tensor: Any) -> str:
    place = {entry.key: entry.value for entry in tensor.external_data}
    where = ""
    if tensor.data_location == tensor.EXTERNAL:
        where = f" in {place.get('location', '?')} at {place.get('offset', '0')}"
        where += f", {place['length']} bytes" if "length" in place else ""
    return f"{tensor.name}: {_element(tensor.data_type)} {list(tensor.dims)}{where}"


def _shown(tensor: Any) -> str:
    """The values of a small tensor."""
    from onnx import numpy_helper

    count = math.prod(tensor.dims)
    if tensor.data_location == tensor.EXTERNAL or count > _SHOWN or tensor.data_type == tensor.STRING:
        return ""
    return f" = {numpy_helper.to_array(tensor).tolist()}"


def _values_differ(old: Any, new: Any) -> str:
    """How far the values of two tensors of one shape lie apart; nothing where that cannot be told from the file."""
    import hashlib

    import numpy as np
    from onnx import numpy_helper

    if external.is_external(old) or external.is_external(new):
        return ""
    if max(old.ByteSize(), new.ByteSize()) > _LARGEST or old.data_type == old.STRING or new.data_type == new.STRING:
        digests = [hashlib.sha256(each.SerializeToString()).hexdigest()[:12] for each in (old, new)]
        return "" if digests[0] == digests[1] else f" (hash {digests[0]} -> {digests[1]})"
    with np.errstate(all="ignore"):
        one, other = (numpy_helper.to_array(each).astype(np.float64) for each in (old, new))
        if np.array_equal(one, other, equal_nan=True):
            return " (the same values)" if old.data_type != new.data_type else ""
        return f" (largest difference {np.nanmax(np.abs(one - other)):.6g})"
