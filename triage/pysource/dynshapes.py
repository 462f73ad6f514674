"""dynamic_shapes of torch.onnx.export and torch.export.export: writing it, adding to it, fitting it to the inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import libcst as cst

from triage.pysource import arguments
from triage.pysource.axes import Axes, dims_text, merge_dims, strings
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite
from triage.pysource.examples import example_arguments, forward_parameters, is_tensor
from triage.pysource.exporters import OLD_ORDER
from triage.pysource.flow import Origin
from triage.pysource.interface import Interface, Tensor, name_of

AUTO, DYNAMIC = "=torch.export.Dim.AUTO", "=torch.export.Dim.DYNAMIC"
_KEYS = re.compile(r"keys must be the arg names (\[[^\]\n]*\]) of")
_COUNTS = re.compile(r"`?inputs`? has (\d+) elements?, but `?dynamic_shapes`? has (\d+) elements?")


def shapes_text(call: CallSite, axes: Axes, model: Interface | None) -> str | None:
    """A value of dynamic_shapes that fits the call's example inputs; None where these cannot be told.

    Args:
        call: the export.
        axes: what is to be dynamic, by name of the model's input.
        model: the interface, whose inputs stand in the order of the tensors among the example inputs.
    """
    if model is None:
        return None
    given = example_arguments(call)
    places, named = given if given is not None else ([], {})
    order: list[str | None] = []
    names = iter(model.inputs)
    for origin in (*places, *named.values()):
        tensor = next(names, None) if is_tensor(call, origin) else None
        order.append(tensor.name if tensor else None)
    if given is None:
        order = [tensor.name for tensor in model.inputs]
    elif len([one for one in order if one]) != len(model.inputs):
        return None
    texts = [dims_text(axes.get(name, {})) if name else "None" for name in order]
    if named and not places:
        return "{" + ", ".join(f'"{key}": {text}' for key, text in zip(named, texts, strict=True)) + "}"
    if named:
        return _by_parameter(call, len(places), list(named), texts)
    return "(" + ", ".join(texts) + ("," if len(texts) == 1 else "") + ")"


def _by_parameter(call: CallSite, count: int, named: Sequence[str], texts: Sequence[str]) -> str | None:
    parameters = forward_parameters(call)
    if parameters is None or len(parameters) < count:
        return None
    keys = [*parameters[:count], *named]
    return "{" + ", ".join(f'"{key}": {text}' for key, text in zip(keys, texts, strict=True)) + "}"


def add_shapes(call: CallSite, axes: Axes, model: Interface | None) -> bool:
    """Adds to dynamic_shapes what is missing there. False: nothing could be written."""
    given = call.argument("dynamic_shapes", 3 if call.name == "torch.export.export" else None)
    inputs = [tensor.name for tensor in model.inputs] if model else []
    wanted = {name: dims for name, dims in axes.items() if name in inputs}
    if given and not given[0].keys:
        origins = call.flow.origins(given[0].source, given[0].value)
        never = any(isinstance(one.node, cst.Name) and one.node.value == "None" for one in origins)
        for origin in origins if not never else ():
            if not origin.keys and call.flow.project.may_change(origin.source) and _merge(origin, wanted, inputs):
                return True
    text = shapes_text(call, wanted, model)
    if text is None:
        return False
    if given:
        if given[0].keys or not call.flow.project.may_change(given[0].source):
            return False
        given[0].source.replace(given[0].value, text)
        return True
    if call.shift or not call.flow.project.may_change(call.source):
        return False
    arguments.add(call.source, call.node, f"dynamic_shapes={text}")
    return True


def _merge(origin: Origin, wanted: Axes, inputs: Sequence[str]) -> bool:
    """Adds places to a literal dynamic_shapes, where each input's entry can be told."""
    node = origin.node
    if isinstance(node, cst.Dict):
        entries = [one for one in node.elements if isinstance(one, cst.DictElement)]
        keys = [literal(one.key) for one in entries]
        by_name = {name: entries[keys.index(name)] for name in wanted if name in keys}
        if len(by_name) < len(wanted) and len(entries) == len(inputs):
            by_name = {name: entries[inputs.index(name)] for name in wanted}
        if len(by_name) < len(wanted):
            return False
        for name, entry in by_name.items():
            _merge_one(origin, entry.value, _as_written(origin, wanted[name]))
        return True
    if isinstance(node, cst.Tuple | cst.List) and len(node.elements) == len(inputs):
        for name, dims in wanted.items():
            _merge_one(origin, node.elements[inputs.index(name)].value, _as_written(origin, dims))
        return True
    return False


def _merge_one(origin: Origin, value: cst.BaseExpression, dims: Mapping[int, str]) -> None:
    if not isinstance(value, cst.Tuple | cst.List):
        merge_dims(origin.source, value, dims)
        return
    for index, name in dims.items():  # one entry for each dimension
        if index < len(value.elements) and literal(value.elements[index].value) is None:
            one = value.elements[index].value
            if isinstance(one, cst.Name) and one.value == "None":
                origin.source.replace(one, dims_text({index: name})[1:-1].split(": ", 1)[1])


def _as_written(origin: Origin, dims: Mapping[int, str]) -> dict[int, str]:
    """Names of dimensions as the literal writes them for other inputs: a variable stays that variable."""
    known: dict[int, str] = {}
    for inner in origin.source.find(cst.Dict):
        up = inner
        while up is not None and up is not origin.node:
            up = origin.source.parent(up)  # type: ignore[assignment]
        for one in inner.elements if up is not None and inner is not origin.node else ():
            index = literal(one.key) if isinstance(one, cst.DictElement) else None
            if isinstance(index, int) and isinstance(one.value, cst.Name | cst.Attribute):
                known.setdefault(index, "=" + origin.source.code(one.value))
    return {index: known.get(index, name) for index, name in dims.items()}


def axes_to_shapes(call: CallSite) -> bool:
    """Writes a literal dynamic_axes as dynamic_shapes, for the inputs by their order."""
    given = call.argument("dynamic_axes", OLD_ORDER.index("dynamic_axes"))
    entries = literal_axes(call)
    if not given or entries is None or call.argument("dynamic_shapes"):
        return False
    outputs = set(strings(call, "output_names"))
    names = (
        strings(call, "input_names") or forward_parameters(call) or [name for name in entries if name not in outputs]
    )
    example = example_arguments(call)
    if example is not None:
        count = sum(is_tensor(call, one) for one in (*example[0], *example[1].values()))
        if len(names) < count:
            return False
        names = names[:count]
    unknown = [name for name in entries if name not in names and name not in outputs]
    axes = {name: entries.get(name, {}) for name in names}
    missing = [name for name in names if name not in entries]
    if len(unknown) == len(missing) or (len(unknown) == 1 and len(names) == 1):
        axes |= {right: entries[wrong] for right, wrong in zip(missing, unknown, strict=False)}
    model = Interface(tuple(Tensor(name, ()) for name in names), ())
    text = shapes_text(call, axes, model)
    holder = given[0].holder
    if text is None or not call.flow.project.may_change(given[0].source):
        return False
    if isinstance(holder, cst.Arg) and holder.keyword is not None:
        given[0].source.replace(holder.keyword, "dynamic_shapes")
        given[0].source.replace(given[0].value, text)
        return True
    if isinstance(holder, cst.DictElement):
        given[0].source.replace(holder.key, '"dynamic_shapes"')
        given[0].source.replace(holder.value, text)
        return True
    return False


def literal_axes(call: CallSite) -> dict[str, dict[int, str]] | None:
    """dynamic_axes as a table, where it is a literal; lists of places get usual names."""
    for one in call.argument("dynamic_axes", OLD_ORDER.index("dynamic_axes")):
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            if isinstance(origin.node, cst.Dict) and not origin.keys:
                return _table(call, origin)
    return None


def _table(call: CallSite, origin: Origin) -> dict[str, dict[int, str]] | None:
    found: dict[str, dict[int, str]] = {}
    for one in origin.node.elements if isinstance(origin.node, cst.Dict) else ():
        name = literal(one.key) if isinstance(one, cst.DictElement) else None
        values = [literal(each.node) for each in call.flow.origins(origin.source, one.value)]
        value = values[0] if len(values) == 1 else None
        if not isinstance(name, str) or not isinstance(value, dict | list | tuple):
            return None
        pairs = value.items() if isinstance(value, dict) else ((index, name_of(index, 0)) for index in value)
        found[name] = {int(index): str(label) for index, label in pairs}
    return found


def refit_shapes(call: CallSite, log: str) -> bool:
    """Fits a literal dynamic_shapes to the inputs that the log names or counts."""
    given = call.argument("dynamic_shapes", 3 if call.name == "torch.export.export" else None)
    for one in given:
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            if origin.keys or not call.flow.project.may_change(origin.source):
                continue
            text = _refitted(origin, log)
            if text is not None:
                origin.source.replace(origin.node, text)
                return True
    return False


def _refitted(origin: Origin, log: str) -> str | None:
    node, names = origin.node, _KEYS.search(log)
    if isinstance(node, cst.Dict) and names:
        right = re.findall(r"'(\w+)'", names[1])
        entries = {
            literal(one.key): origin.source.code(one.value) for one in node.elements if isinstance(one, cst.DictElement)
        }
        free = [name for name in right if name not in entries]
        for wrong in [key for key in entries if key not in right]:
            if not free:
                return None
            entries[free.pop(0)] = entries.pop(wrong)
        return "{" + ", ".join(f'"{name}": {entries.get(name, "None")}' for name in right) + "}"
    counts = _COUNTS.search(log)
    if isinstance(node, cst.Tuple | cst.List) and counts and len(node.elements) == int(counts[2]):
        texts = [origin.source.code(one.value) for one in node.elements]
        wanted = int(counts[1])
        if len(texts) > wanted and any(text != "None" for text in texts[wanted:]):
            return None if wanted == 0 else _sequence(texts[:wanted])
        return _sequence([*texts, *["None"] * (wanted - len(texts))][:wanted])
    return None


def _sequence(texts: Sequence[str]) -> str:
    return "(" + ", ".join(texts) + ("," if len(texts) == 1 else "") + ")"


def spread(call: CallSite, places: Sequence[int], label: str | None = None) -> bool:
    """Makes these places of every input dynamic, under the name that some input has for them, or under a label."""
    given = call.argument("dynamic_shapes", 3 if call.name == "torch.export.export" else None)
    for one in given:
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            if origin.keys or not call.flow.project.may_change(origin.source):
                continue
            values = _entry_values(origin.node)
            if values and _spread(origin, values, places, label):
                return True
    return False


def _entry_values(node: cst.CSTNode) -> list[cst.BaseExpression]:
    if isinstance(node, cst.Dict):
        return [one.value for one in node.elements if isinstance(one, cst.DictElement)]
    return [one.value for one in node.elements] if isinstance(node, cst.Tuple | cst.List) else []


def _spread(origin: Origin, values: Sequence[cst.BaseExpression], places: Sequence[int], label: str | None) -> bool:
    names = {index: label or name_of(index, 0) for index in places}
    for value in values if label is None else ():
        for one in value.elements if isinstance(value, cst.Dict) else ():
            index = literal(one.key) if isinstance(one, cst.DictElement) else None
            if index in names and isinstance(index, int):
                names[index] = "=" + origin.source.code(one.value)
    before = len(origin.source.edits)
    for value in values:
        if label is not None and isinstance(value, cst.Dict):
            for one in value.elements:
                if isinstance(one, cst.DictElement) and literal(one.key) in places:
                    origin.source.replace(one.value, label[1:])
        _merge_one(origin, value, names)
    return len(origin.source.edits) > before
