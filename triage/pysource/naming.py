"""Names of inputs and outputs that an export should give, from what is fed and fetched later."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import libcst as cst

from triage.pysource import arguments, exporters, interface
from triage.pysource.axes import strings
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite
from triage.pysource.examples import example_arguments, forward_parameters, is_tensor
from triage.pysource.interface import Interface, Tensor

if TYPE_CHECKING:
    from triage.site import Site

_MISSING = re.compile(r"Required inputs \((\[[^\n]{0,2000}?\])\) are missing from input feed \((\[[^\n]{0,2000}?\])\)")
_FEED = re.compile(r"Invalid [Ff]eed [Ii]nput [Nn]ames?: ?(\S+)|INVALID_ARGUMENT : Invalid input name: ?(\S+)")
_FETCH = re.compile(r"Invalid [Oo]utput [Nn]ames?: ?(\S+)")
_TOO_MANY = re.compile(r"number of (input|output) names provided \((\d+)\) exceeded number of (?:in|out)puts \((\d+)\)")


class Names(NamedTuple):
    """What the inputs and outputs should be called; None where they stay."""

    inputs: list[str] | None = None
    outputs: list[str] | None = None


def wanted(site: Site, call: CallSite) -> Iterator[Names]:
    """Names that fit what the log says, the surest first."""
    too_many = _TOO_MANY.search(site.log)
    if too_many:
        yield from _fewer(call, too_many[1], int(too_many[3]))
        return
    model = interface.built(site, interface.path_of(call))
    if model is None:
        return
    fed, fetched = _fed(site, call, model), _fetched(site, call, model)
    if fed or fetched:
        yield Names(fed, fetched)


def undecided(site: Site, call: CallSite) -> tuple[list[str], list[str]] | None:
    """(inputs of the model, names fed instead) where several of each are left and nothing tells which is which."""
    model = interface.built(site, interface.path_of(call))
    wrong, free = _left(site, model) if model is not None else ([], [])
    if model is None or len(wrong) < 2 or len(wrong) != len(free) or _paired(site, call, model, wrong, free):
        return None
    return wrong, free


def unfed(log: str) -> list[str]:
    """Inputs that ONNX Runtime misses, where all that is fed is known to the model."""
    missing = _MISSING.search(log)
    return [str(name) for name in _list(missing[1])] if missing else []


def _fewer(call: CallSite, side: str, count: int) -> Iterator[Names]:
    """Names of what is no tensor go; where none is known to be, the last ones."""
    key = f"{side}_names"
    names = strings(call, key)
    if len(names) <= count:
        return
    if side == "input":
        given = example_arguments(call)
        origins = [*given[0], *given[1].values()] if given is not None else []
        kept = [name for name, origin in zip(names, origins, strict=False) if is_tensor(call, origin)]
        if len(origins) == len(names) and len(kept) == count:
            yield Names(inputs=kept)
        yield Names(inputs=names[:count])
    else:
        yield Names(outputs=names[:count])


def _fed(site: Site, call: CallSite, model: Interface) -> list[str] | None:
    """The model's input names with those that are fed in their place; None where they cannot be told apart."""
    wrong, free = _left(site, model)
    if not free or len(free) != len(wrong):
        return None
    pairs = _paired(site, call, model, wrong, free)
    return [pairs.get(tensor.name, tensor.name) for tensor in model.inputs] if pairs else None


def _left(site: Site, model: Interface) -> tuple[list[str], list[str]]:
    """(inputs of the model that get no feed, names fed that are none of its inputs)."""
    now = [tensor.name for tensor in model.inputs]
    missing = _MISSING.search(site.log)
    feed = _FEED.search(site.log)
    if missing:
        given = [str(name) for name in _list(missing[2])]
    elif feed:
        given = _feed_names(site, model, (feed[1] or feed[2]).rstrip("."))
    else:
        return [], []
    return [name for name in now if name not in given], [name for name in given if name not in now]


def _feed_names(site: Site, model: Interface, one: str) -> list[str]:
    """Names that are fed: those of arrays in the folder that include the one of the log, else that one alone."""
    for _, arrays in interface.archives(site):
        if one in arrays and len(arrays) == len(model.inputs):
            return list(arrays)
    return [one]


def _paired(site: Site, call: CallSite, model: Interface, wrong: Sequence[str], free: Sequence[str]) -> dict[str, str]:
    """{name now: name fed}: by forward()'s parameters, by shape and type, by spelling, or the only one left."""
    if len(wrong) == 1:
        return {wrong[0]: free[0]}
    parameters = forward_parameters(call) or []
    if set(free) <= set(parameters) and len(parameters) >= len(model.inputs):
        order = [name for name in parameters if name in free]
        if [name for name in parameters[: len(model.inputs)] if name in free] == order:
            return dict(zip(wrong, order, strict=True))
    plain = {_plain(name): name for name in free}
    if len(plain) == len(free) and {_plain(name) for name in wrong} == set(plain):
        return {name: plain[_plain(name)] for name in wrong}
    arrays = next((found for _, found in interface.archives(site) if set(free) <= found.keys()), {})
    return _by_shape(
        [tensor for tensor in model.inputs if tensor.name in wrong], [arrays[n] for n in free if n in arrays]
    )


def _by_shape(now: Sequence[Tensor], fed: Sequence[Tensor]) -> dict[str, str]:
    if len(now) != len(fed):
        return {}
    pairs = {}
    for tensor in now:
        fits = [one.name for one in fed if _fits(tensor, one)]
        if len(fits) != 1:
            return {}
        pairs[tensor.name] = fits[0]
    return pairs if len(set(pairs.values())) == len(now) else {}


def _fits(tensor: Tensor, array: Tensor) -> bool:
    if len(tensor.shape) != len(array.shape) or (tensor.kind and tensor.kind != array.kind):
        return False
    return all(not isinstance(one, int) or one == other for one, other in zip(tensor.shape, array.shape, strict=True))


def _fetched(site: Site, call: CallSite, model: Interface) -> list[str] | None:
    """The model's output names with the one that is asked for."""
    match = _FETCH.search(site.log)
    now = [tensor.name for tensor in model.outputs]
    if not match:
        return None
    asked = match[1].rstrip(".,")
    if len(now) == 1:
        return [asked]
    for _, arrays in interface.archives(site):
        if asked in arrays and len(arrays) == len(now):
            free = [name for name in arrays if name not in now]
            wrong = [tensor for tensor in model.outputs if tensor.name not in arrays]
            pairs = _by_shape(wrong, [arrays[name] for name in free])
            if pairs:
                return [pairs.get(name, name) for name in now]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]|^onnx::", "", name.lower())


def _list(text: str) -> list[object]:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return []
    return list(found) if isinstance(found, list) else []


def write(call: CallSite, names: Names) -> bool:
    """Puts names into the call; keys of dynamic_axes follow. False: they cannot be written."""
    done = False
    for key, fresh in (("input_names", names.inputs), ("output_names", names.outputs)):
        if fresh is None:
            continue
        given = call.argument(key, exporters.OLD_ORDER.index(key))
        text = "[" + ", ".join(f'"{name}"' for name in fresh) + "]"
        if not given:
            if call.shift or not call.flow.project.may_change(call.source):
                return False
            arguments.add(call.source, call.node, f"{key}={text}")
        elif not _replace(call, given[0], key, fresh, text):
            return False
        done = True
    return done


def _replace(call: CallSite, given: arguments.Argument, key: str, fresh: Sequence[str], text: str) -> bool:
    old = strings(call, key)
    if given.keys:
        return False
    for origin in call.flow.origins(given.source, given.value):
        if isinstance(literal(origin.node), list | tuple) and call.flow.project.may_change(origin.source):
            origin.source.replace(origin.node, text)
            break
    else:
        if not call.flow.project.may_change(given.source):
            return False
        given.source.replace(given.value, text)
    if len(old) == len(fresh):
        _rename_axes(call, dict(zip(old, fresh, strict=True)))
    return True


def _rename_axes(call: CallSite, renamed: dict[str, str]) -> None:
    for one in call.argument("dynamic_axes", exporters.OLD_ORDER.index("dynamic_axes")):
        for origin in call.flow.origins(one.source, one.value) if not one.keys else ():
            for entry in origin.node.elements if isinstance(origin.node, cst.Dict) else ():
                name = literal(entry.key) if isinstance(entry, cst.DictElement) else None
                if isinstance(entry, cst.DictElement) and name in renamed and renamed[name] != name:
                    origin.source.replace(entry.key, f'"{renamed[name]}"')
