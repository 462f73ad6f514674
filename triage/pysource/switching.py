"""Turning a call of torch.onnx.export from one exporter to the other, with all that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from triage.pysource import arguments, exporters, places
from triage.pysource.axes import axes_text, strings
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite
from triage.pysource.changes import Changes
from triage.pysource.dynshapes import axes_to_shapes
from triage.pysource.examples import constructions, example_arguments, forward_parameters, is_tensor
from triage.pysource.flow import Origin
from triage.pysource.interface import name_of
from triage.pysource.opsets import number


def to_dynamo(call: CallSite, made: Changes) -> bool:
    """Export through torch.export. False: this call cannot be turned."""
    if is_scripted(call) or exporters.release_of("onnxscript") is None or not _may(call):
        return False
    if not _set_dynamo(call, made, dynamo=True):
        return False
    if call.argument("dynamic_axes", exporters.OLD_ORDER.index("dynamic_axes")):
        axes_to_shapes(call)
    if not call.argument("external_data") and not arguments.is_open(call.node):
        arguments.add(call.source, call.node, "external_data=False")  # one file, as before
    return True


def to_torchscript(call: CallSite, made: Changes) -> bool:
    """Export by tracing. False: this call cannot be turned."""
    if not _may(call) or call.argument("custom_translation_table") or not _result_is_unused(call):
        return False
    texts = _axes_for(call)
    if texts is None or not _take_back_program(call):
        return False
    if not _set_dynamo(call, made, dynamo=False):
        return False
    if texts:
        arguments.add(call.source, call.node, *texts)
    _lower_opset(call, made)
    return True


def shapes_to_axes(call: CallSite) -> bool:
    """Writes dynamic_shapes as dynamic_axes, for the exporter that traces."""
    texts = _axes_for(call)
    if not texts or not _may(call):
        return False
    arguments.add(call.source, call.node, *texts)
    return True


def is_scripted(call: CallSite) -> bool:
    """Whether the model is a ScriptModule, which torch.export does not take."""
    for origin in constructions(call):
        if isinstance(origin.node, cst.Call):
            names = call.flow.all_dotted(origin.source, origin.node.func)
            if any(name.startswith("torch.jit.") for name in names):
                return True
    return False


def _may(call: CallSite) -> bool:
    return not call.shift and call.flow.project.may_change(call.source)


def _set_dynamo(call: CallSite, made: Changes, *, dynamo: bool) -> bool:
    given = call.argument("dynamo")
    if not given:
        arguments.add(call.source, call.node, f"dynamo={dynamo}")
        return True
    done = False
    for one in given:
        for place in places.of_argument(call.flow, one):
            if place.value is (not dynamo) and places.may_change(call.flow, place):
                made.set(place, dynamo)
                done = True
        if not done and not one.keys and call.flow.project.may_change(one.source):
            one.source.replace(one.value, str(dynamo))
            done = True
    return done


def _result_is_unused(call: CallSite) -> bool:
    """Tracing returns None: what is returned must not be used, but for saving it."""
    up = call.source.parent(call.node)
    if isinstance(up, cst.Expr):
        return True
    if isinstance(up, cst.Attribute):
        return up.attr.value == "save" and _path_given_to(call, up) is not None
    if isinstance(up, cst.Assign) and len(up.targets) == 1 and isinstance(up.targets[0].target, cst.Name):
        return all(_is_saving(call, name) for name in _later(call, up.targets[0].target))
    return False


def _later(call: CallSite, target: cst.Name) -> list[cst.Name]:
    scope = call.source.scope(target)
    return [
        node for node in call.source.find(cst.Name)
        if node.value == target.value and node is not target and call.source.scope(node) is scope
    ]  # fmt: skip


def _is_saving(call: CallSite, name: cst.Name) -> bool:
    up = call.source.parent(name)
    if not isinstance(up, cst.Attribute) or up.value is not name or up.attr.value not in ("save", "optimize"):
        return False
    outer = call.source.parent(up)
    return isinstance(outer, cst.Call) and isinstance(call.source.parent(outer), cst.Expr)


def _path_given_to(call: CallSite, attribute: cst.Attribute) -> str | None:
    outer = call.source.parent(attribute)
    if isinstance(outer, cst.Call) and outer.func is attribute and outer.args:
        return call.source.code(outer.args[0].value)
    return None


def _take_back_program(call: CallSite) -> bool:
    """``program.save("m.onnx")`` becomes the path of the export itself."""
    source, up = call.source, call.source.parent(call.node)
    path: str | None = None
    if isinstance(up, cst.Attribute):
        path = _path_given_to(call, up)
        outer = source.parent(up)
        if outer is None or path is None:
            return False
        source.remove(source.span(call.node)[1], source.span(outer)[1])
    elif isinstance(up, cst.Assign) and isinstance(up.targets[0].target, cst.Name):
        for name in _later(call, up.targets[0].target):
            attribute = source.parent(name)
            if isinstance(attribute, cst.Attribute) and attribute.attr.value == "save":
                path = _path_given_to(call, attribute)
            arguments.remove_statement(source, source.statement(name))
        source.remove(source.span(up)[0], source.span(call.node)[0])
    if path is not None and not call.argument("f", exporters.PATH):
        arguments.add(source, call.node, f"f={path}")
    return bool(path or call.argument("f", exporters.PATH))


def _axes_for(call: CallSite) -> list[str] | None:
    """dynamic_shapes taken out, and what stands for it: dynamic_axes and the names it needs. None: cannot be told."""
    given = call.argument("dynamic_shapes")
    names = strings(call, "input_names")
    texts = []
    if not names and not call.argument("input_names"):
        names = _names_of_inputs(call) or []
        if names:
            texts.append(f"input_names={_list(names)}")
    if not given or (isinstance(given[0].value, cst.Name) and given[0].value.value == "None"):
        return texts
    if given[0].keys or not call.flow.project.may_change(given[0].source):
        return None
    for origin in call.flow.origins(given[0].source, given[0].value):
        entries = _entries(call, origin, names)
        if entries is not None:
            arguments.remove(given[0].source, given[0].holder)
            outputs = strings(call, "output_names")
            batch = {index: label for dims in entries.values() for index, label in dims.items() if index == 0}
            entries |= {name: dict(batch) for name in outputs if batch}
            return [*texts, f"dynamic_axes={axes_text({key: dims for key, dims in entries.items() if dims})}"]
    return None


def _names_of_inputs(call: CallSite) -> list[str] | None:
    """Names that the dynamo exporter gives to inputs: those of forward()'s parameters, for tensors."""
    given, parameters = example_arguments(call), forward_parameters(call)
    if given is None or parameters is None:
        return None
    places_, named = given
    names = [name for name, origin in zip(parameters, places_, strict=False) if is_tensor(call, origin)]
    return names + [name for name, origin in named.items() if is_tensor(call, origin)]


def _entries(call: CallSite, origin: Origin, names: Sequence[str]) -> dict[str, dict[int, str]] | None:
    node = origin.node
    if isinstance(node, cst.Dict):
        pairs = [(literal(one.key), one.value) for one in node.elements if isinstance(one, cst.DictElement)]
        if len(names) == len(pairs):
            pairs = list(zip(names, (value for _, value in pairs), strict=True))
    elif isinstance(node, cst.Tuple | cst.List) and len(names) >= len(node.elements):
        pairs = list(zip(names, (one.value for one in node.elements), strict=False))
    else:
        return None
    found = {}
    for key, value in pairs:
        dims = _dims(call, origin, value)
        if not isinstance(key, str) or dims is None:
            return None
        found[key] = dims
    return found


def _dims(call: CallSite, origin: Origin, value: cst.BaseExpression) -> dict[int, str] | None:
    """{index: name} of one input's entry; dimensions that stay fixed are left out."""
    if isinstance(value, cst.Dict):
        pairs = [(literal(one.key), one.value) for one in value.elements if isinstance(one, cst.DictElement)]
    elif isinstance(value, cst.Tuple | cst.List):
        pairs = [(at, one.value) for at, one in enumerate(value.elements)]
    else:
        return {} if isinstance(value, cst.Name) and value.value == "None" else None
    found = {}
    for index, one in pairs:
        label = _label(call, origin, one, index)
        if isinstance(index, int) and label:
            found[index] = label
    return found


def _label(call: CallSite, origin: Origin, node: cst.BaseExpression, index: object) -> str | None:
    """The name of a Dim; a usual one where it has none; None where the dimension is fixed."""
    told = literal(node)
    if isinstance(told, str):
        return told
    if isinstance(told, int) or (isinstance(node, cst.Name) and node.value == "None"):
        return None
    for each in call.flow.origins(origin.source, node):
        if isinstance(each.node, cst.Call) and each.node.args:
            name = literal(each.node.args[0].value)
            if isinstance(name, str):
                return name
    if origin.source.code(node).endswith(".STATIC"):
        return None
    return name_of(index, 0) if isinstance(index, int) else None


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _lower_opset(call: CallSite, made: Changes) -> None:
    for one in call.argument("opset_version"):
        for place in places.of_argument(call.flow, one):
            now = number(place.value)
            if now is not None and now > exporters.HIGHEST_TORCHSCRIPT and places.may_change(call.flow, place):
                made.set(place, exporters.HIGHEST_TORCHSCRIPT)
