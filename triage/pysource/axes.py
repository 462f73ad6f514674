"""dynamic_axes of torch.onnx.export: adding to it, mending its names."""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from triage.pysource import arguments, exporters
from triage.pysource.arguments import Argument
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite
from triage.pysource.interface import Interface
from triage.pysource.source import Source

Axes = Mapping[str, Mapping[int, str]]


def axes_text(axes: Axes) -> str:
    """A value of dynamic_axes: ``{"x": {0: "batch"}}``."""
    return "{" + ", ".join(f'"{name}": {dims_text(dims)}' for name, dims in axes.items()) + "}"


def dims_text(dims: Mapping[int, str]) -> str:
    """Dimensions of one tensor: ``{0: "batch"}``. A name that begins with ``=`` is an expression."""
    if not dims:
        return "None"
    inner = (f"{index}: {name[1:]}" if name[0] == "=" else f'{index}: "{name}"' for index, name in sorted(dims.items()))
    return "{" + ", ".join(inner) + "}"


def add_axes(call: CallSite, axes: Axes, model: Interface | None) -> bool:
    """Adds to dynamic_axes what is missing there, and names where the call gives none. False: it cannot be written."""
    given = call.argument("dynamic_axes", exporters.OLD_ORDER.index("dynamic_axes"))
    texts = missing_names(call, model)
    if texts is None:
        return False
    if not given:
        if call.shift or not call.flow.project.may_change(call.source):
            return False
        arguments.add(call.source, call.node, *texts, f"dynamic_axes={axes_text(axes)}")
        return True
    if texts:
        arguments.add(call.source, call.node, *texts)
    return _merge_axes(call, given[0], axes, known_names(call, model))


def missing_names(call: CallSite, model: Interface | None) -> list[str] | None:
    """``input_names=…`` and ``output_names=…`` for a call without them: those that its model has now.

    None where they are needed and not known.
    """
    texts = []
    for key, tensors in (
        ("input_names", model.inputs if model else ()),
        ("output_names", model.outputs if model else ()),
    ):
        if call.argument(key, exporters.OLD_ORDER.index(key)):
            continue
        if not tensors:
            return None
        texts.append(f"{key}=[{', '.join(f'{chr(34)}{tensor.name}{chr(34)}' for tensor in tensors)}]")
    return texts


def known_names(call: CallSite, model: Interface | None) -> list[str]:
    """Names that dynamic_axes may use, as the call and its model tell."""
    names = [tensor.name for tensor in (*model.inputs, *model.outputs)] if model else []
    for key in ("input_names", "output_names"):
        names += [name for name in strings(call, key) if name not in names]
    return names


def strings(call: CallSite, key: str) -> list[str]:
    """The texts of a literal list argument; empty where it cannot be followed."""
    for one in call.argument(key, exporters.OLD_ORDER.index(key)):
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            value = literal(origin.node) if not origin.keys else None
            if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
                return list(value)
    return []


def _merge_axes(call: CallSite, given: Argument, axes: Axes, known: list[str]) -> bool:
    origins = call.flow.origins(given.source, given.value) if not given.keys else []
    never = any(isinstance(one.node, cst.Name) and one.node.value == "None" for one in origins)
    for origin in origins if not never else ():
        if isinstance(origin.node, cst.Dict) and not origin.keys and call.flow.project.may_change(origin.source):
            _merge_into(origin.source, origin.node, axes, known)
            return True
    if given.keys or not call.flow.project.may_change(given.source):
        return False
    text = given.source.code(given.value)
    fresh = axes_text(axes)
    given.source.replace(given.value, fresh if text == "None" else "{**(" + text + " or {}), " + fresh[1:])
    return True


def _merge_into(source: Source, node: cst.Dict, axes: Axes, known: list[str]) -> None:
    entries = {literal(one.key): one for one in node.elements if isinstance(one, cst.DictElement)}
    unknown = [key for key in entries if isinstance(key, str) and known and key not in known]
    fresh = []
    for name, dims in axes.items():
        if name in entries:
            merge_dims(source, entries[name].value, dims)
            continue
        wrong = next((key for key in unknown if covers(literal(entries[key].value), dims)), None)
        if wrong is not None:
            unknown.remove(wrong)
            source.replace(entries[wrong].key, f'"{name}"')
        else:
            fresh.append(f'"{name}": {dims_text(dims)}')
    if fresh:
        arguments.add_entry(source, node, *fresh)


def covers(value: object, dims: Mapping[int, str]) -> bool:
    """Whether an entry of dynamic_axes holds all these places."""
    return isinstance(value, dict | list | tuple) and all(index in value for index in dims)


def merge_dims(source: Source, value: cst.BaseExpression, dims: Mapping[int, str]) -> None:
    """Adds places to what one tensor has in dynamic_axes or dynamic_shapes."""
    if isinstance(value, cst.Dict):
        there = {literal(one.key) for one in value.elements if isinstance(one, cst.DictElement)}
        more = [dims_text({index: name})[1:-1] for index, name in sorted(dims.items()) if index not in there]
        if more:
            arguments.add_entry(source, value, *more)
    elif isinstance(value, cst.List | cst.Tuple):
        there = {literal(one.value) for one in value.elements}
        indices = sorted({index for index in (*there, *dims) if isinstance(index, int)})
        source.replace(value, f"[{', '.join(map(str, indices))}]")
    else:
        source.replace(value, dims_text(dims))
