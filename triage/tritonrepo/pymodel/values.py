"""What is known of a value in a model's code: plain Python values are themselves, the rest stands here."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triage.tritonrepo.onnxmodel import Value, Values


class Unknown:
    """Anything: nothing is known of it."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Name:
    """Something imported, by its dotted name: ``numpy.float32``."""

    dotted: str


@dataclass(frozen=True, slots=True)
class Array:
    """A tensor's values: ``source`` is the input that it is, untouched; ``like`` the input that it has the shape of."""

    data_type: str | None = None
    dims: tuple[int, ...] | None = None
    source: str | None = None
    like: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``get_input_tensor_by_name`` gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """An ONNX Runtime session on a file."""

    values: Values


@dataclass(frozen=True, slots=True)
class ConfigType:
    """The data type that config.pbtxt gives to an output."""

    output: str


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """The entry of an output in config.pbtxt."""

    output: str


@dataclass(frozen=True, slots=True)
class Marked:
    """One of the values that Triton hands over: config, requests, request, args or model_config."""

    what: str


@dataclass
class Function:
    """A function of the file with the names around it."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    around: dict[str, Any]
    bound: Any = None


@dataclass
class Class:
    """A class of the file: what its body defines."""

    name: str
    held: dict[str, Any] = field(default_factory=dict)


@dataclass
class Thing:
    """An object of one of the file's classes."""

    of: Class
    held: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of something that is known."""

    on: Any
    name: str


def node_argument(value: Value) -> Mapping[str, Any]:
    """What ONNX Runtime tells of an input or output."""
    return {"name": value.name, "type": value.word, "shape": list(value.shape or ())}
