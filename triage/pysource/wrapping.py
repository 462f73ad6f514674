"""A module round the exported one that takes and returns plain tensors, and example inputs in the wanted form."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import libcst as cst

from triage.pysource import arguments, names, statements
from triage.pysource.axes import strings
from triage.pysource.bindings import literal, method_of
from triage.pysource.calls import CallSite
from triage.pysource.examples import example_arguments, forward_parameters, is_tensor
from triage.pysource.flow import Origin
from triage.pysource.project import dotted_text
from triage.pysource.source import Source

OUTPUTS = re.compile(
    r"Only tensors, lists,? (?:and )?tuples|received an input of unsupported type: (?!.*Tensor)"
    r"|in output, which is not a known type|'(?:int|float|bool|NoneType|str)' object has no attribute 'name'"
    r"|can be output from traced functions|DynamicCache|EncoderDecoderCache"
    r"|Unsupported input type|It looks like one of the (?:inputs|outputs) with type"
)
CACHE = re.compile(r"DynamicCache|EncoderDecoderCache|past_key_values|StaticCache")
MISSING = re.compile(
    r"missing (?:\d+|a) required (?:positional |keyword-only )?arguments?: "
    r"|in _get_torch_export_args\n[^\n]*\n?[^\n]*\n?KeyError"
    r"|got multiple values for argument|must be Tensor, not dict|'dict' object has no attribute"
)
_GENERATED = re.compile(r"onnx::\w+$|\d+$|[a-z]\w*\.\d+$")  # names that the tracing exporter makes up
LIST = re.compile(r"Expecting `?args`? to be a tuple|must be Tensor, not list|'list' object has no attribute")

_CLASS = """class {name}({module}):
    \"\"\"Takes and returns plain tensors.\"\"\"

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, {parameters}):
        return {collect}(self.model({given}))
"""
_COLLECT = """def {collect}(value):
    \"\"\"Every tensor of an output, in its order.\"\"\"
    if isinstance(value, {tensor}):
        return (value,)
    if isinstance(value, (bool, int, float)):
        return ({torch}.tensor(value),)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        value = getattr(value, "__dict__", {{}}).values()
    return tuple(tensor for each in value for tensor in {collect}(each))
"""


class Input(NamedTuple):
    """A parameter of the wrapper, what is handed on for it, and the example for it (None: it is fixed in the text)."""

    parameter: str
    given: str
    example: str


class Cast(NamedTuple):
    """The type in which an input comes, and the one that the model is made for, as PyTorch names them."""

    got: str
    want: str


def tensor_names(call: CallSite) -> list[str] | None:
    """The wrapper's parameters, which are the tensors among the example inputs; None where these cannot be told."""
    inputs = _inputs(call)
    return None if inputs is None else [one.parameter for one in inputs if one.parameter]


def is_cast(call: CallSite, kind: str) -> bool:
    """Whether an example input is already brought to this type as ``wrap`` writes it."""
    return any(one.example.endswith(f"torch.{kind})") for one in _inputs(call) or () if ").to(" in one.example)


def with_tuple(call: CallSite) -> bool:
    """Example inputs that stand in a list become a tuple."""
    for one in call.argument("args", 1):
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            if isinstance(origin.node, cst.List) and call.flow.project.may_change(origin.source):
                inner = origin.source.code(origin.node)[1:-1].strip().rstrip(",")
                origin.source.replace(origin.node, f"({inner},)")
                return True
    return False


def with_empty_keywords(call: CallSite) -> bool:
    """A dictionary at the end of the example inputs is taken for keywords; an empty one behind it keeps it an input."""
    for one in call.argument("args", 1):
        if one.keys or call.argument("kwargs"):
            return False
        for origin in call.flow.origins(one.source, one.value):
            node = origin.node
            if not call.flow.project.may_change(origin.source):
                continue
            if isinstance(node, cst.Tuple) and node.elements and _is_dict(call, origin, node.elements[-1].value):
                end = origin.source.span(node.elements[-1].value)[1]
                origin.source.insert(end, ", {}")
                return True
        if _is_whole_input(call, one.source, one.value) and call.flow.project.may_change(one.source):
            one.source.replace(one.value, f"({one.source.code(one.value)}, {{}})")
            return True
    return False


def _is_whole_input(call: CallSite, source: Source, value: cst.BaseExpression) -> bool:
    """A bare dictionary that is the one input which forward() needs: its keys are none of the parameters."""
    parameters = forward_parameters(call)
    found = call.flow.origins(source, value)
    if parameters is None or not found or not _is_dict(call, Origin(source, value), value):
        return False
    return all((keys := _keys(each)) and not set(keys) & set(parameters) for each in found)


def with_keywords(call: CallSite) -> bool:
    """A bare dictionary of example inputs, whose keys are forward()'s parameters, is handed over as keywords."""
    parameters = forward_parameters(call) or []
    given = arguments.given(call.node, "args", 1)
    if given is None or call.argument("kwargs") or not call.flow.project.may_change(call.source):
        return False
    for origin in call.flow.origins(call.source, given.value):
        keys = _keys(origin)
        if keys and (set(keys) <= set(parameters) or not parameters):
            text = call.source.code(given.value)
            call.source.replace(given.value, "()")
            arguments.add(call.source, call.node, f"kwargs={text}")
            return True
    return False


def are_constants(call: CallSite, wanted: Collection[str]) -> bool:
    """Whether all of these parameters of forward() get no tensor in the example, but a number, flag or text."""
    given, parameters = example_arguments(call), forward_parameters(call)
    if given is None or parameters is None:
        return False
    origins = dict(zip(parameters, given[0], strict=False)) | given[1]
    constants = {name for name, origin in origins.items() if not is_tensor(call, origin)}
    named = all(name in constants or _GENERATED.match(name) for name in wanted)
    return bool(wanted) and named and len(wanted) <= len(constants)


def without_cache(call: CallSite) -> bool:
    """The model is told to return no cache of keys and values."""
    for one in call.argument("model", 0):
        text = dotted_text(one.value)
        if text and not one.keys and one.source is call.source and call.flow.project.may_change(call.source):
            statements.insert_before(call.source, call.node, f"{text}.config.use_cache = False")
            return True
    return False


def wrap(call: CallSite, casts: Mapping[str, Cast] | None = None) -> bool:
    """Defines a wrapper before the export and exports it; ``casts`` are those of its parameters.

    False: inputs cannot be told apart.
    """
    found = call.argument("model", 0)
    inputs = _with_casts(call, list(_inputs(call) or ()), casts or {})
    if not found or found[0].keys or found[0].source is not call.source or not inputs:
        return False
    if call.shift or not call.flow.project.may_change(call.source) or arguments.given(call.node, "args", 1) is None:
        return False
    source = call.source
    name, collect = names.free(source, "PlainTensors"), names.free(source, "plain_tensors")
    torch = names.spelled(source, "torch.x")[0].removesuffix(".x")
    parameters = [one for one in inputs if one.parameter]
    collecting = _COLLECT.format(collect=collect, tensor=f"{torch}.Tensor", torch=torch)
    text = f"{collecting}\n\n" + _CLASS.format(
        name=name,
        module=names.spelled(source, "torch.nn.Module")[0],
        collect=collect,
        parameters=", ".join(one.parameter for one in parameters),
        given=", ".join(one.given for one in inputs if one.given),
    )
    statements.insert_top(source, call.node, text)
    model = source.code(found[0].value)
    source.replace(
        found[0].value,
        f"{name}({model}).train({model}.training)" if dotted_text(found[0].value) else f"{name}({model}).eval()",
    )
    _replace_examples(call, parameters)
    return True


def _with_casts(call: CallSite, inputs: list[Input], casts: Mapping[str, Cast]) -> list[Input]:
    """Inputs that come in another type and are cast; none at all where one of them is part of an object."""
    torch = names.spelled(call.source, "torch.x")[0].removesuffix(".x")
    wanted = [one for one in inputs if one.parameter in casts]
    if any(one.given.rpartition("=")[2] != one.parameter for one in wanted):
        return []
    return [_cast(one, casts[one.parameter], torch) if one in wanted else one for one in inputs]


def _cast(one: Input, cast: Cast, torch: str) -> Input:
    return Input(one.parameter, f"{one.given}.to({torch}.{cast.want})", f"({one.example}).to({torch}.{cast.got})")


def _replace_examples(call: CallSite, parameters: list[Input]) -> None:
    given = arguments.given(call.node, "args", 1)
    texts = [one.example for one in parameters]
    if given is not None:
        call.source.replace(given.value, "(" + ", ".join(texts) + ("," if len(texts) == 1 else "") + ")")
    arguments.remove(call.source, *(one.holder for one in call.argument("kwargs") if one.source is call.source))


def _inputs(call: CallSite) -> list[Input] | None:
    given = example_arguments(call)
    if given is None:
        return None
    places, named = given
    known = forward_parameters(call) or strings(call, "input_names")
    found: list[Input] = []
    for at, origin in enumerate(places):
        name = known[at] if at < len(known) else f"input_{at}"
        found += list(_input(call, origin, name, ""))
    for key, origin in named.items():
        found += list(_input(call, origin, key, f"{key}="))
    taken = [one.parameter for one in found if one.parameter]
    return found if len(set(taken)) == len(taken) else None


def _input(call: CallSite, origin: Origin, name: str, prefix: str) -> Iterator[Input]:
    """One example input: a tensor, a constant, or an object that is made of tensors."""
    text = origin.source.code(origin.node)
    made = _construction(call, origin)
    if made is not None:
        source, node = made
        parts, keys = [], []
        for at, arg in enumerate(node.args):
            key = arg.keyword.value if arg.keyword is not None else f"{name}_{at}"
            constant = not is_tensor(call, Origin(source, arg.value))
            told = source.code(arg.value) if constant else key
            parts.append((f"{arg.keyword.value}=" if arg.keyword is not None else "") + told)
            keys += [] if constant else [(key, source.code(arg.value))]
        whole = f"{prefix}{source.code(node.func)}({', '.join(parts)})"
        for at, (key, example) in enumerate(keys or [("", "")]):
            yield Input(key, whole if at == 0 else "", example)
    elif is_tensor(call, origin):
        yield Input(name, prefix + name, text)
    else:
        yield Input("", prefix + text, "")


def _construction(call: CallSite, origin: Origin) -> tuple[Source, cst.Call] | None:
    """``Batch(ids, mask=…)`` of a class of the build that is no module: its parts are what is traced."""
    for each in call.flow.origins(*origin[:2]):
        if isinstance(each.node, cst.Call) and not each.keys and each.node.args:
            found = call.flow.definition(each.source, each.node.func)
            starred = any(arg.star for arg in each.node.args)
            if found and isinstance(found[1], cst.ClassDef) and not method_of(found[1], "forward") and not starred:
                return each.source, each.node
    return None


def _is_dict(call: CallSite, origin: Origin, value: cst.BaseExpression) -> bool:
    found = call.flow.origins(origin.source, value)
    return bool(found) and all(
        isinstance(one.node, cst.Dict) or (isinstance(one.node, cst.Call) and dotted_text(one.node.func) == "dict")
        for one in found
    )


def _keys(origin: Origin) -> list[str]:
    if isinstance(origin.node, cst.Dict):
        found = [literal(one.key) for one in origin.node.elements if isinstance(one, cst.DictElement)]
        return [key for key in found if isinstance(key, str)]
    if isinstance(origin.node, cst.Call) and dotted_text(origin.node.func) == "dict":
        return [arg.keyword.value for arg in origin.node.args if arg.keyword is not None]
    return []
