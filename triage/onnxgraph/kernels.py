"""Which operators ONNX Runtime computes in which element types, as the installed release tells it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from triage.onnxgraph import elements
from triage.onnxgraph.signatures import schema
from triage.onnxgraph.walk import domain_of

_CPU = "CPUExecutionProvider"


class Kernel(NamedTuple):
    """One kernel: the opsets of the operator's definition that it serves, and the types by type variable."""

    first: int
    last: int
    types: Mapping[str, frozenset[int]]


def known() -> bool:
    """Says whether there is an ONNX Runtime here that tells its kernels."""
    return bool(_table())


def serves(node: Any, opsets: Mapping[str, int], bound: Mapping[str, int]) -> bool:
    """Says whether the CPU provider has a kernel for a node with these types of its type variables."""
    found = schema(node, opsets)
    if found is None:
        return False
    return any(
        kernel.first <= found.since_version <= kernel.last and _fits(kernel, bound)
        for kernel in _table().get((domain_of(node.domain), node.op_type), ())
    )


def composed(node: Any, opsets: Mapping[str, int]) -> bool:
    """Says whether ONNX defines the operator by simpler ones, which the runtime then takes instead."""
    found = schema(node, opsets)
    kinds = ("has_function", "has_context_dependent_function")
    return found is not None and any(getattr(found, kind, False) for kind in kinds)


def _fits(kernel: Kernel, bound: Mapping[str, int]) -> bool:
    return all(element in kernel.types[name] for name, element in bound.items() if name in kernel.types)


@cache
def _table() -> dict[tuple[str, str], list[Kernel]]:
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime

        told = runtime.get_all_opkernel_def()
    except (ImportError, AttributeError):
        return {}
    found: dict[tuple[str, str], list[Kernel]] = {}
    for each in told:
        if each.provider == _CPU:
            first, last = each.version_range
            kernel = Kernel(first, last, {name: _elements(types) for name, types in each.type_constraints.items()})
            found.setdefault((domain_of(each.domain), each.op_name), []).append(kernel)
    return found


def _elements(types: Any) -> frozenset[int]:
    return frozenset(each for each in map(elements.number, types) if each is not None)
