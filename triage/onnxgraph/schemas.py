"""What the operators of ONNX were at each opset, as the installed onnx package tells it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from triage.onnxgraph.walk import domain_of, value_of

REVIEWED = 28  # up to this opset every change of meaning is known here
_ONNX_ML = "ai.onnx.ml"


@cache
def newest(domain: str = "") -> int:
    """The highest opset of a domain that the installed onnx package defines; 0 where it knows none."""
    import onnx

    known = {"": onnx.defs.onnx_opset_version, _ONNX_ML: onnx.defs.onnx_ml_opset_version}
    return int(known[domain_of(domain)]()) if domain_of(domain) in known else 0


@cache
def _history(domain: str) -> dict[str, dict[int, Any]]:
    import onnx

    found: dict[str, dict[int, Any]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == domain:
            found.setdefault(schema.name, {})[schema.since_version] = schema
    return found


def editions(name: str, domain: str = "") -> list[int]:
    """The opsets in which an operator's definition began or changed, ascending."""
    return sorted(_history(domain_of(domain)).get(name, {}))


def successor(name: str, version: int) -> int | None:
    """The next opset above one at which an operator has a definition that is not deprecated."""
    return next((since for since in editions(name) if since > version and not schema(name, since).deprecated), None)


def schema(name: str, version: int, domain: str = "") -> Any:
    """The definition of an operator at an opset; None where it has none."""
    known = _history(domain_of(domain)).get(name, {})
    held = [since for since in known if since <= version]
    return known[max(held)] if held else None


def fault(node: Any, version: int) -> str | None:
    """What makes a node illegal at an opset, in words; None where it is legal as it stands."""
    told = schema(node.op_type, version, node.domain)
    if told is None:
        return f"{node.op_type} does not exist at opset {version}"
    if told.deprecated and told.since_version != editions(node.op_type, node.domain)[0]:
        return f"{node.op_type} is deprecated at opset {version}"
    return _form_fault(node, told, version) or _value_fault(node, version)


def _form_fault(node: Any, told: Any, version: int) -> str | None:
    """Attributes, inputs and outputs that a definition does not take."""
    unknown = [each.name for each in node.attribute if each.name not in told.attributes]
    if unknown:
        return f"{node.op_type} has no attribute {unknown[0]} at opset {version}"
    given = {each.name for each in node.attribute}
    missing = [name for name, each in told.attributes.items() if each.required and name not in given]
    if missing:
        return f"{node.op_type} needs the attribute {missing[0]} at opset {version}"
    if not told.min_input <= len(node.input) <= told.max_input:
        return f"{node.op_type} does not take {len(node.input)} inputs at opset {version}"
    if not told.min_output <= len(node.output) <= told.max_output:
        return f"{node.op_type} does not give {len(node.output)} outputs at opset {version}"
    return None


def legal(node: Any) -> list[tuple[int, int]]:
    """Spans of opsets (first, last) at which a node is legal as it stands; empty for operators of no known standard."""
    domain = domain_of(node.domain)
    marks = sorted({*editions(node.op_type, domain), *(since for _, _, since in _VALUES.get(node.op_type, ()))})
    spans: list[tuple[int, int]] = []
    if not marks:
        return spans
    for since, following in zip(marks, [*marks[1:], newest(domain) + 1], strict=True):
        if fault(node, since) is None:
            joined = bool(spans) and spans[-1][1] == since - 1
            spans = [*spans[:-1], (spans[-1][0], following - 1)] if joined else [*spans, (since, following - 1)]
    return spans


def allowed(told: Any, place: int, *, output: bool = False) -> tuple[str, frozenset[str]] | None:
    """(type parameter, types) of an input or output of a definition; None where it has none there."""
    formal = told.outputs if output else told.inputs
    if place >= len(formal):
        if not formal or "variadic" not in str(formal[-1].option).lower():
            return None
        parameter = formal[-1]
        name = parameter.type_str if parameter.is_homogeneous else f"{parameter.type_str}{place}"
        return name, frozenset(parameter.types)
    parameter = formal[place]
    loose = "variadic" in str(parameter.option).lower() and not parameter.is_homogeneous
    return (f"{parameter.type_str}{place}" if loose else parameter.type_str), frozenset(parameter.types)


# operator -> (attribute, value, first opset that has the value; negative: first opset that lacks it)
_WORDS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "GridSample": (("mode", "linear", 20), ("mode", "cubic", 20), ("mode", "bilinear", -20), ("mode", "bicubic", -20)),
    "Pad": (("mode", "wrap", 19),),
    "ScatterElements": (("reduction", "max", 18), ("reduction", "min", 18)),
    "ScatterND": (("reduction", "max", 18), ("reduction", "min", 18)),
    "Resize": (
        ("coordinate_transformation_mode", "tf_half_pixel_for_nn", -13),
        ("coordinate_transformation_mode", "half_pixel_symmetric", 19),
    ),
}
_VALUES = {name: tuple((key, value, abs(since)) for key, value, since in words) for name, words in _WORDS.items()}


def _value_fault(node: Any, version: int) -> str | None:
    """Words that an attribute has only from, or only before, some opset."""
    for key, word, since in _WORDS.get(node.op_type, ()):
        there = version >= since if since > 0 else version < -since
        if not there and value_of(node, key) == word:
            return f"{node.op_type} has no {key} {word} at opset {version}"
    return None


def meeting(spans: Iterator[list[tuple[int, int]]], last: int) -> list[int]:
    """Opsets that lie in one span of every list."""
    common = set(range(1, last + 1))
    for each in spans:
        common &= {version for first, end in each for version in range(first, end + 1)}
    return sorted(common)
