"""Whether an exported model is in eval mode, and where to put it there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from triage.pysource import arguments, statements
from triage.pysource.calls import CallSite, calls
from triage.pysource.flow import Flow, Origin
from triage.pysource.project import dotted_text
from triage.pysource.source import Source

_TRAINING = ("backward", "step", "train")  # calls that show that the model is being trained up to there


class Place(NamedTuple):
    """Where ``eval()`` can be called: before a node, on an expression; or the expression that is exported itself."""

    source: Source
    node: cst.CSTNode
    text: str
    inline: bool = False


def is_in_eval(call: CallSite) -> bool | None:
    """Whether the exported model was put in eval mode; None where the source does not tell."""
    model = call.value("model", 0)
    if model is None:
        return None
    told: list[bool] = []
    for one in call.argument("model", 0):
        text = dotted_text(one.value)
        if text and _mode_before(
            one.source, text, one.source.span(call.node)[0] if one.source is call.source else None
        ):
            return True
        for origin in call.flow.origins(one.source, one.value):
            told.append(_of_origin(call, origin))
    return all(told) if told else None


def training_mode(call: CallSite) -> cst.BaseExpression | None:
    """The argument ``training=`` of an export that does not export for inference."""
    value = call.value("training", 5)
    if value is None:
        return None
    name = (call.flow.dotted(call.source, value) or dotted_text(value)).rpartition(".")[2]
    return value if name in ("TRAINING", "PRESERVE", "True") else None


_FUNCTIONAL = re.compile(
    r"^torch\.nn\.functional\.(?:dropout|dropout[123]d|alpha_dropout|feature_alpha_dropout|feature_dropout|rrelu)$"
)


def always_on(flow: Flow) -> list[CallSite]:
    """Functional dropout in methods of modules that no mode switches off."""
    return [
        call for call in calls(flow, lambda name: bool(_FUNCTIONAL.match(name)))
        if not call.shift and not arguments.is_open(call.node) and _in_module(call) and _is_on(call)
    ]  # fmt: skip


def _in_module(call: CallSite) -> bool:
    """In a method of a class, so that self.training is at hand."""
    method = call.source.above(call.node, cst.FunctionDef, cst.Lambda)
    if not isinstance(method, cst.FunctionDef) or not method.params.params:
        return False
    owner = call.source.above(method, cst.FunctionDef, cst.ClassDef)
    return isinstance(owner, cst.ClassDef) and method.params.params[0].name.value == "self"


def _training(call: CallSite) -> cst.Arg | None:
    return arguments.given(call.node, "training", 3 if call.name.endswith("rrelu") else 2)


def _is_on(call: CallSite) -> bool:
    """Dropout is on unless told; rrelu is off unless told."""
    given = _training(call)
    return not call.name.endswith("rrelu") if given is None else call.source.code(given.value) == "True"


def follow_mode(call: CallSite) -> bool:
    """Functional dropout that follows the mode of its module: training=self.training."""
    if not call.flow.project.may_change(call.source):
        return False
    given = _training(call)
    if given is not None:
        call.source.replace(given.value, "self.training")
    else:
        arguments.add(call.source, call.node, "training=self.training")
    return True


def places(call: CallSite) -> Iterator[Place]:
    """Where the model can be put in eval mode: before the first use that follows any training, else at the export."""
    for one in call.argument("model", 0):
        text = dotted_text(one.value)
        if one.keys or not call.flow.project.may_change(one.source):
            continue
        if not text:
            yield Place(one.source, one.value, one.source.code(one.value), inline=True)
            continue
        yield Place(call.source, _first_use(call, text) or call.node, text)


def _first_use(call: CallSite, text: str) -> cst.CSTNode | None:
    """The first run of the model in the same function that comes after it was made and trained."""
    source = call.source
    end = source.span(call.node)[0]
    inside = source.above(call.node, cst.FunctionDef)
    start = 0
    for node in source.find(cst.Call):
        last = dotted_text(node.func).rpartition(".")[2] or (
            node.func.attr.value if isinstance(node.func, cst.Attribute) else ""
        )
        if last in _TRAINING and source.span(node)[0] < end:
            start = max(start, source.span(node)[1])
    for target in source.find(cst.AssignTarget):
        if dotted_text(target.target) == text and source.span(target)[0] < end:
            start = max(start, source.span(source.statement(target))[1])
    for node in statements.calls_of_object(source, text):
        if start <= source.span(node)[0] < end and source.above(node, cst.FunctionDef) is inside:
            return node
    return None


def _mode_before(source: Source, text: str, end: int | None) -> bool:
    """Whether ``text.eval()`` comes last among the calls that set the mode."""
    last: tuple[int, bool] | None = None
    for call in source.find(cst.Call):
        name = dotted_text(call.func)
        if name in (f"{text}.eval", f"{text}.train") and (end is None or source.span(call)[0] < end):
            evaluating = name.endswith(".eval") or any(source.code(arg.value) == "False" for arg in call.args)
            last = (source.span(call)[0], evaluating)
    return bool(last and last[1])


def _of_origin(call: CallSite, origin: Origin) -> bool:
    methods = statements.chain(call.flow, origin)
    modes = [method for method in methods if method in ("eval", "train", "from_pretrained")]
    return bool(modes) and modes[-1] != "train"  # from_pretrained gives a model in eval mode
