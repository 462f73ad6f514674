"""What the operator schemas of ONNX say of a node's inputs and outputs: which types, and which must agree."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from triage.onnxgraph import elements, schemas
from triage.onnxgraph.walk import domain_of


class Slot(NamedTuple):
    """One input or output: the type variable it shares (empty: none), and the element types that it takes."""

    variable: str
    allowed: frozenset[int]

    @property
    def counts(self) -> bool:
        """It takes indices, sizes or counts: int32 and int64 only."""
        return bool(self.allowed) and self.allowed <= {elements.INT32, elements.INT64}


class Signature(NamedTuple):
    """The slots of an operator; ``rest`` stands for all inputs beyond, ``outputs_rest`` for outputs beyond."""

    inputs: tuple[Slot, ...]
    rest: Slot | None
    outputs: tuple[Slot, ...]
    outputs_rest: Slot | None

    def of_input(self, place: int) -> Slot | None:
        """The slot of an input."""
        return self.inputs[place] if place < len(self.inputs) else self.rest

    def of_output(self, place: int) -> Slot | None:
        """The slot of an output."""
        return self.outputs[place] if place < len(self.outputs) else self.outputs_rest


def versions(holder: Any) -> dict[str, int]:
    """Domain -> opset of a model or function; the standard domain is empty."""
    return {domain_of(each.domain): each.version for each in holder.opset_import}


def signature(node: Any, opsets: Mapping[str, int]) -> Signature | None:
    """The signature of a node; None where ONNX has no schema for it."""
    domain = domain_of(node.domain)
    return _signature(node.op_type, domain, opsets[domain]) if domain in opsets else None


def schema(node: Any, opsets: Mapping[str, int]) -> Any:
    """The schema of a node's operator, ONNX's or ONNX Runtime's own; or None."""
    domain = domain_of(node.domain)
    return _schema(node.op_type, domain, opsets[domain]) if domain in opsets else None


@cache
def _schema(operator: str, domain: str, version: int) -> Any:
    return schemas.schema(operator, version, domain) or _contributed().get((domain, operator))


@cache
def _contributed() -> dict[tuple[str, str], Any]:
    """Operators that only ONNX Runtime defines (com.microsoft), where a release that tells them is installed."""
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime

        told = runtime.get_all_operator_schema()
    except (ImportError, AttributeError):
        return {}
    return {(each.domain, each.name): each for each in told if schemas.newest(each.domain) == 0}


@cache
def _signature(operator: str, domain: str, version: int) -> Signature | None:
    found = _schema(operator, domain, version)
    if found is None:
        return None
    variables = {constraint.type_param_str for constraint in found.type_constraints}
    inputs, rest = _slots(found.inputs, variables)
    outputs, outputs_rest = _slots(found.outputs, variables)
    return Signature(inputs, rest, outputs, outputs_rest)


def _slots(parameters: Any, variables: set[str]) -> tuple[tuple[Slot, ...], Slot | None]:
    slots, rest = [], None
    for parameter in parameters:
        slot = _slot(parameter, variables)
        slots.append(slot)
        if str(parameter.option).rpartition(".")[2] == "Variadic":
            rest = slot
    return tuple(slots), rest


def _slot(parameter: Any, variables: set[str]) -> Slot:
    """Releases of onnx spell the fields of a parameter differently."""
    variable = parameter.type_str if hasattr(parameter, "type_str") else parameter.typeStr
    same = parameter.is_homogeneous if hasattr(parameter, "is_homogeneous") else parameter.isHomogeneous
    shared = variable if variable in variables and same else ""
    allowed = {elements.number(each) for each in parameter.types if each.startswith("tensor(")}
    return Slot(shared, frozenset(each for each in allowed if each is not None))
