"""Changing the opset of an export: in the call, where its value comes from, or among the options of a command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import libcst as cst

from triage import commandline
from triage.commandline import Command
from triage.pysource import arguments, exporters, places
from triage.pysource.calls import CallSite
from triage.pysource.changes import Changes
from triage.pysource.flow import Flow
from triage.pysource.places import Place
from triage.pysource.project import dotted_text

_TOOLS = re.compile(
    r"(?:^|[/.])(?:optimum-cli|yolo|tf2onnx|transformers\.onnx|optimum\.exporters\.onnx|paddle2onnx|onnxmltools)"
)


DECLARING = ("onnx.helper.make_opsetid", "onnx.helper.make_operatorsetid")  # say the opset, and convert nothing


class Changed(NamedTuple):
    """What a proposal changes, in words and as parameters."""

    what: str
    parameters: dict[str, Any]


def proposals(flow: Flow, wanted: Sequence[int], *, higher: bool) -> Iterator[tuple[int, Changed]]:
    """(opset, changes) for each wanted opset that can be written and is higher (or lower) than what is asked for."""
    for opset in wanted:
        made = _in_calls(flow, opset, higher=higher) or _in_command(flow, opset, higher=higher)
        if made is not None:
            yield opset, made


def _in_calls(flow: Flow, opset: int, *, higher: bool) -> Changed | None:
    made, said = Changes(flow.project), []
    for call in exporters.opset_calls(flow):
        said += _in_call(flow, call, opset, made, higher=higher)
    packed = made.packed()
    return Changed(", ".join(dict.fromkeys(said)), packed) if packed and said else None


def _in_call(flow: Flow, call: CallSite, opset: int, made: Changes, *, higher: bool) -> list[str]:
    known = exporters.opset_argument(call.name)
    if known is None or (call.name in exporters.TORCH and not _writes(call, opset)):
        return []
    if call.name in DECLARING and (higher or call.literal("domain", 0) not in ("", "ai.onnx")):
        return []
    given = call.argument(*known)
    if not given:
        return _as_new(flow, call, known[0], opset, made, higher=higher)
    said = []
    for one in given:
        found = places.of_argument(flow, one)
        numbers = [place for place in found if number(place.value) is not None]
        wrong_ones = [place for place in numbers if wrong(place, opset, higher=higher)]
        within = [place for place in wrong_ones if places.may_change(flow, place)]
        for place in within:
            made.set(place, opset)
            said.append(place.name)
        bounded = isinstance(one.value, cst.Call) and dotted_text(one.value.func) in ("max", "min")
        if bounded and any(not wrong(place, opset, higher=higher) for place in numbers):
            continue
        if (not numbers or len(within) < len(wrong_ones)) and not one.keys and flow.project.may_change(one.source):
            text = one.source.code(one.value)
            one.source.replace(one.value, f"{'max' if higher else 'min'}({text}, {opset})")
            said.append(f"line {one.source.line(one.value)} of {one.source.path}")
    return said


def _as_new(flow: Flow, call: CallSite, keyword: str, opset: int, made: Changes, *, higher: bool) -> list[str]:
    """An export without an opset gets one, where its default is known to be on the other side."""
    default = default_opset(call)
    if default is None or (default >= opset if higher else default <= opset) or call.name not in exporters.TORCH:
        return []
    if not flow.project.may_change(call.source) or call.shift:
        return []
    arguments.add(call.source, call.node, f"{keyword}={opset}")
    return [call.where]


def _in_command(flow: Flow, opset: int, *, higher: bool) -> Changed | None:
    """Options of known tools, and of scripts whose source does not tell."""
    made, said = Changes(flow.project), []
    for command in commandline.commands(flow.project.site):
        names = tool_flags(command)
        flag = command.flag(*names) if names else None
        if flag is not None and flag.value is not None:
            place = Place(flag.value, command=command, flag=flag)
            if wrong(place, opset, higher=higher) and places.may_change(flow, place):
                made.set(place, opset)
                said.append(place.name)
        elif names and _TOOLS.search(" ".join(command.words[:4])) and higher and "=" not in names[0]:
            made.command(command, command.with_flag(names[0], str(opset)))
            said.append(f"{names[0]} {opset} in the command")
    packed = made.packed()
    return Changed(", ".join(said), packed) if packed and said else None


def tool_flags(command: Command) -> tuple[str, ...]:
    """Names under which a command takes the opset."""
    if command.is_shell or not command.words:
        return ()
    if command.program == "yolo":
        return ("opset",)
    return exporters.OPSET_FLAGS


def wrong(place: Place, opset: int, *, higher: bool) -> bool:
    """Whether the number there is on the wrong side of the one that is needed."""
    now = number(place.value)
    return now is not None and (now < opset if higher else now > opset)


def number(value: Any) -> int | None:
    """A whole number that stands as a number or a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if re.fullmatch(r"\d{1,3}", text) else None


def default_opset(call: CallSite) -> int | None:
    """The opset that torch writes when none is asked for."""
    release = exporters.torch_release()
    if call.name not in exporters.TORCH or release is None:
        return None
    return 20 if release >= (2, 9) else 18 if release == (2, 8) else 17 if release >= (2, 1) else 14


def _writes(call: CallSite, opset: int) -> bool:
    dynamo = exporters.is_dynamo(call)
    return opset <= (exporters.HIGHEST_TORCHSCRIPT if dynamo is False else exporters.HIGHEST_DYNAMO)
