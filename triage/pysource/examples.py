"""Example inputs of an export, and the module that is exported."""

from __future__ import annotations

import libcst as cst

from triage.pysource.bindings import literal, method_of
from triage.pysource.calls import CallSite
from triage.pysource.flow import Origin
from triage.pysource.source import Source

_SAME = ("eval", "train", "to", "cuda", "cpu", "float", "half", "double", "bfloat16", "requires_grad_", "share_memory")


def example_arguments(call: CallSite) -> tuple[list[Origin], dict[str, Origin]] | None:
    """The example inputs of an export, by place and by keyword; None where the source does not tell their number."""
    flow = call.flow
    named: dict[str, Origin] = {}
    places: list[Origin] = []
    for one in call.argument("kwargs", 2 if call.name == "torch.export.export" else None):
        for origin in flow.origins(one.source, one.value) if not one.keys else ():
            named |= _entries(origin)
    for one in call.argument("args", 1):
        found = flow.origins(one.source, one.value) if not one.keys else []
        if len(found) != 1 or found[0].keys:
            return (places, named) if named else None
        origin = found[0]
        if isinstance(origin.node, cst.Tuple | cst.List):
            if any(isinstance(each, cst.StarredElement) for each in origin.node.elements):
                return None
            places = [Origin(origin.source, each.value) for each in origin.node.elements]
        elif isinstance(origin.node, cst.Name) or (
            isinstance(origin.node, cst.Call)
            and (
                call.name == "torch.export.export"
                or call.flow.dotted(origin.source, origin.node.func) in ("tuple", "list")
            )
        ):
            return None
        else:
            places = [origin]
    if places:
        last = flow.origins(*places[-1][:2])
        if len(last) == 1 and isinstance(last[0].node, cst.Dict) and not named:
            return places[:-1], _entries(last[0])
    return places, named


def _entries(origin: Origin) -> dict[str, Origin]:
    node = origin.node
    if isinstance(node, cst.Dict):
        pairs = [(literal(one.key), one.value) for one in node.elements if isinstance(one, cst.DictElement)]
        return {key: Origin(origin.source, value) for key, value in pairs if isinstance(key, str)}
    if isinstance(node, cst.Call):
        return {arg.keyword.value: Origin(origin.source, arg.value) for arg in node.args if arg.keyword is not None}
    return {}


def is_tensor(call: CallSite, origin: Origin) -> bool:
    """May an example input be a tensor? Literals are none."""
    return not any(
        isinstance(one.node, cst.BaseNumber | cst.BaseString) or literal(one.node) is not None or _is_constant(one.node)
        for one in call.flow.origins(*origin[:2])
    )


def _is_constant(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value in ("None", "True", "False")


def forward_parameters(call: CallSite) -> list[str] | None:
    """Names of the parameters of the exported module's forward(), where its class stands in the build's files."""
    found = module_class(call)
    if found is None:
        return None
    forward = method_of(found[1], "forward")
    if forward is None:
        return None
    return [param.name.value for param in (*forward.params.posonly_params, *forward.params.params)][1:]


def module_class(call: CallSite) -> tuple[Source, cst.ClassDef] | None:
    """The class of the module that is exported, where it stands in the build's files."""
    for origin in constructions(call):
        if isinstance(origin.node, cst.Call):
            defined = call.flow.definition(origin.source, origin.node.func)
            if defined is not None and isinstance(defined[1], cst.ClassDef):
                return defined[0], defined[1]
    return None


def constructions(call: CallSite) -> list[Origin]:
    """The calls that made the exported module, without ``.eval()``, ``.to(…)`` and the like behind them."""
    found: list[Origin] = []
    wanted = [
        Origin(one.source, one.value) for one in (call.argument("model", 0) or call.argument("mod", 0)) if not one.keys
    ]
    for _ in range(12):
        if not wanted:
            break
        origin = wanted.pop(0)
        for each in call.flow.origins(*origin[:2]):
            node = each.node
            if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value in _SAME:
                wanted.append(Origin(each.source, node.func.value))
            else:
                found.append(each)
    return found
