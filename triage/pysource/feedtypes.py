"""Types of the arrays that are fed against those that an exported model takes, and the casts between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.pysource import interface
from triage.pysource.axes import strings
from triage.pysource.calls import CallSite
from triage.pysource.wrapping import Cast, is_cast, tensor_names

if TYPE_CHECKING:
    from triage.site import Site

_TOLD = re.compile(r"Unexpected input data type\. Actual: ?\(tensor\((\w+)\)\) ?, ?expected: ?\(tensor\((\w+)\)\)")
_KINDS = {"float": "float32", "double": "float64"}
_WIDER = ("int8", "int16", "int32", "int64")
_FLOATS = ("float16", "float32", "float64")


class Types(NamedTuple):
    """What is fed and what the model takes, as NumPy and PyTorch both name it."""

    got: str
    want: str


def told(log: str) -> Types | None:
    """What ONNX Runtime says of an input's type, where a cast changes no number but its precision."""
    types = said(log)
    return types if types is not None and is_harmless(types) else None


def said(log: str) -> Types | None:
    """What ONNX Runtime says of an input's type, whatever a cast would do to the numbers."""
    found = _TOLD.search(log)
    return Types(*(_KINDS.get(name, name) for name in found.groups())) if found else None


def is_harmless(types: Types) -> bool:
    """Fractions stay fractions; whole numbers go into a type that holds them all."""
    if types.got in _FLOATS and types.want in _FLOATS:
        return True
    if types.got == "uint8":
        return types.want in _WIDER[1:]
    return types.got in _WIDER and types.want in _WIDER and _WIDER.index(types.got) < _WIDER.index(types.want)


def casts(site: Site, call: CallSite) -> Iterator[dict[str, Cast]]:
    """{parameter of the wrapper: cast} of each way that fits the log, those that stored feeds show first."""
    types, model, names = told(site.log), interface.built(site, interface.path_of(call)), tensor_names(call)
    if types is None or names is None or is_cast(call, types.got):
        return
    given = strings(call, "input_names")[: len(names)]
    if model is None and len(names) == 1 and given:  # nothing was kept of the failing run
        yield {names[0]: Cast(*types)}
    if model is None or len(names) != len(model.inputs):
        return
    if [tensor.name for tensor in model.inputs] not in (given, names):
        return
    pairs = list(zip(names, model.inputs, strict=True))
    feeds = interface.fed(site, tuple(tensor.name for tensor in model.inputs))
    known = {
        name: Types(feeds[tensor.name].kind, tensor.kind)
        for name, tensor in pairs if tensor.name in feeds and feeds[tensor.name].kind != tensor.kind
    }  # fmt: skip
    if known:
        if types in known.values() and all(is_harmless(one) for one in known.values()):
            yield {name: Cast(*one) for name, one in known.items()}
        return
    fitting = [name for name, tensor in pairs if tensor.kind == types.want]
    if fitting:
        yield {name: Cast(*types) for name in fitting}
    if len(fitting) > 1:
        yield from ({name: Cast(*types)} for name in fitting[:4])
