"""Calls in a model's code: functions of the file, of Triton, ONNX Runtime and NumPy, and methods of plain values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from triage.tritonrepo import onnxmodel
from triage.tritonrepo.interface import Tensor
from triage.tritonrepo.pymodel import arrays
from triage.tritonrepo.pymodel.values import (
    UNKNOWN,
    Array,
    Asked,
    Bound,
    Class,
    ConfigEntry,
    ConfigType,
    Function,
    Marked,
    Name,
    Session,
    Thing,
    Unknown,
    node_argument,
)

if TYPE_CHECKING:
    from triage.tritonrepo.pymodel.walk import Walk

_TEXT = (
    "upper", "lower", "strip", "lstrip", "rstrip", "replace", "split", "format", "startswith", "endswith", "join",
    "removeprefix", "removesuffix", "title", "capitalize", "isdigit", "isnumeric", "isdecimal",
)  # fmt: skip
_PATH_SAME = ("resolve", "absolute", "as_posix", "expanduser", "__str__", "__fspath__")
_SAME = ("list", "tuple", "sorted", "reversed", "set", "iter")
_LONGEST = 4096


def call(walk: Walk, function: Any, given: list[Any], named: dict[str, Any]) -> Any:
    """The value of a call."""
    if isinstance(function, Function):
        return walk.run(function, given, named)
    if isinstance(function, Class):
        made = Thing(function)
        maker = function.held.get("__init__")
        if isinstance(maker, Function):
            walk.run(Function(maker.node, maker.around, made), given, named)
        return made
    if isinstance(function, Name):
        return _of_name(walk, function.dotted, given, named)
    return _of_method(walk, function, given, named) if isinstance(function, Bound) else UNKNOWN


def item(walk: Walk, value: Any, key: Any) -> Any:
    """``value[key]``."""
    if isinstance(value, Marked) and value.what == "args" and isinstance(key, str):
        return Marked("model_config") if key == "model_config" else walk.place.get(key, UNKNOWN)
    if isinstance(value, ConfigEntry):
        return ConfigType(value.output) if key == "data_type" else UNKNOWN
    if isinstance(value, list | tuple | dict | str) and isinstance(key, str | int):
        try:
            return value[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return UNKNOWN
    return Array(value.data_type) if isinstance(value, Array) else UNKNOWN


def stem(path: str) -> str:
    """A file's name without its ending."""
    return os.path.splitext(os.path.basename(path))[0]


def _of_name(walk: Walk, dotted: str, given: list[Any], named: dict[str, Any]) -> Any:
    head, _, last = dotted.rpartition(".")
    if "triton_python_backend_utils" in head or last in _TRITON:
        found = _TRITON.get(last)
        return found(walk, given, named) if found else UNKNOWN
    if last == "InferenceSession":
        return _session(walk, given[0] if given else named.get("path_or_bytes"))
    if dotted == "json.loads" and given and isinstance(given[0], Marked):
        return given[0]
    if last == "Path" or head.endswith("path") or last in ("fspath", "str", "abspath"):
        return _path(last, given)
    if head == "builtins":
        return _builtin(walk, last, given, named)
    return arrays.made(head, last, given, named)


def _session(walk: Walk, path: Any) -> Any:
    values = onnxmodel.values(path) if isinstance(path, str) and os.path.isfile(path) else None
    walk.seen.reached.append(path if isinstance(path, str) else "")
    return Session(values) if values is not None else UNKNOWN


def _path(last: str, given: list[Any]) -> Any:
    if not given or not all(isinstance(each, str) for each in given):
        return str(given[0]) if last == "str" and given and isinstance(given[0], int | float) else UNKNOWN
    if last in ("join", "Path"):
        return os.path.join(*given)
    if last in ("abspath", "realpath", "fspath", "str", "normpath", "expanduser"):
        return given[0]
    return {"dirname": os.path.dirname, "basename": os.path.basename}.get(last, lambda _: UNKNOWN)(given[0])


def _builtin(walk: Walk, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if name == "dict":
        return {**(given[0] if given and isinstance(given[0], dict) else {}), **named}
    if name in ("list", "tuple") and not given:
        return [] if name == "list" else ()
    found = _BUILTINS.get(name)
    return found(walk, name, given) if found and given else UNKNOWN


def _items(walk: Walk, name: str, given: list[Any]) -> Any:
    items = walk.turns(given[0])
    return tuple(items) if name == "tuple" else items[::-1] if name == "reversed" else items


def _zip(walk: Walk, name: str, given: list[Any]) -> Any:
    return [tuple(row) for row in zip(*(walk.turns(each) for each in given), strict=False)]


def _enumerate(walk: Walk, name: str, given: list[Any]) -> Any:
    return list(enumerate(walk.turns(given[0])))


def _length(walk: Walk, name: str, given: list[Any]) -> Any:
    return len(given[0]) if isinstance(given[0], list | tuple | dict | str | set) else UNKNOWN


def _range(walk: Walk, name: str, given: list[Any]) -> Any:
    return list(range(*given)[:_LONGEST]) if all(isinstance(each, int) for each in given) else UNKNOWN


def _number(walk: Walk, name: str, given: list[Any]) -> Any:
    try:
        return int(given[0]) if name == "int" else float(given[0])
    except (TypeError, ValueError, OverflowError):
        return UNKNOWN


def _map(walk: Walk, name: str, given: list[Any]) -> Any:
    return [call(walk, given[0], [each], {}) for each in walk.turns(given[1])] if len(given) == 2 else UNKNOWN


def _is_instance(walk: Walk, name: str, given: list[Any]) -> Any:
    """Only of plain values; what ONNX Runtime calls a dimension is an int, a str or None."""
    if len(given) != 2 or not isinstance(given[0], str | int | float | list | dict | type(None)):
        return UNKNOWN
    kinds = given[1] if isinstance(given[1], list | tuple) else [given[1]]
    names = [each.dotted.rpartition(".")[2] for each in kinds if isinstance(each, Name)]
    if len(names) != len(kinds):
        return UNKNOWN
    own = {each.__name__ for each in type(given[0]).__mro__}
    return bool(own & set(names)) or ("Integral" in names and isinstance(given[0], int))


_BUILTINS: dict[str, Callable[[Any, str, list[Any]], Any]] = {
    **dict.fromkeys(_SAME, _items), "zip": _zip, "enumerate": _enumerate, "len": _length, "range": _range,
    "int": _number, "float": _number, "map": _map, "isinstance": _is_instance,
}  # fmt: skip


def _asked(walk: Walk, given: list[Any], named: dict[str, Any]) -> Any:
    name = given[1] if len(given) > 1 else named.get("name", named.get("tensor_name"))
    if not isinstance(name, str):
        walk.seen.unclear.add("input")
        return UNKNOWN
    walk.seen.used["input"].setdefault(name, Tensor(name))
    return Asked(name)


def _answered(walk: Walk, given: list[Any], named: dict[str, Any]) -> Any:
    name = given[0] if given else named.get("name")
    value = given[1] if len(given) > 1 else named.get("numpy_array")
    if not isinstance(name, str):
        walk.seen.unclear.add("output")
        return Marked("tensor")
    array = value if isinstance(value, Array) else Array()
    walk.seen.used["output"][name] = Tensor(name, array.data_type, array.dims)
    return Marked("tensor")


def _entry(walk: Walk, given: list[Any], named: dict[str, Any]) -> Any:
    name = given[1] if len(given) > 1 else named.get("name")
    if not isinstance(name, str):
        return UNKNOWN
    walk.seen.read_config.append(name)
    return ConfigEntry(name)


def _same(walk: Walk, given: list[Any], named: dict[str, Any]) -> Any:
    return given[0] if given else UNKNOWN


def _response(walk: Walk, given: list[Any], named: dict[str, Any]) -> Any:
    return Marked("response")


_TRITON: dict[str, Callable[[Any, list[Any], dict[str, Any]], Any]] = {
    "get_input_tensor_by_name": _asked, "Tensor": _answered, "get_output_config_by_name": _entry,
    "get_input_config_by_name": _entry, "triton_string_to_numpy": _same,
    "InferenceResponse": _response,
}  # fmt: skip


def _of_method(walk: Walk, method: Bound, given: list[Any], named: dict[str, Any]) -> Any:
    for kind, found in _METHODS:
        if isinstance(method.on, kind):
            return found(walk, method.on, method.name, given, named)
    return UNKNOWN


def _of_asked(walk: Walk, on: Asked, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if name in ("as_numpy", "to_dlpack"):
        return Array(source=on.name, like=on.name)
    return on.name if name == "name" else UNKNOWN


def _of_array(walk: Walk, on: Array, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    return arrays.method(on, name, given, named)


def _of_config(walk: Walk, on: Marked, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if on.what != "config":
        return UNKNOWN
    value = given[0] if given else next(iter(named.values()), None)
    if name in ("add_input", "add_output"):
        direction = name.removeprefix("add_")
        tensor = _declared(value)
        if tensor is None:
            walk.seen.unclear.add(direction)
        elif tensor.name not in {each.name for each in walk.seen.declared[direction]}:
            walk.seen.declared[direction].append(tensor)
    elif name == "set_max_batch_size":
        walk.seen.most = value if isinstance(value, int) else None
    return UNKNOWN if name == "as_dict" else None


def _declared(value: Any) -> Tensor | None:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    data_type, dims = value.get("data_type"), value.get("dims")
    whole = isinstance(dims, list | tuple) and all(isinstance(each, int) for each in dims)
    return Tensor(
        value["name"], data_type if isinstance(data_type, str) else None,
        tuple(dims) if whole and dims is not None else None, value.get("optional") is True,
    )  # fmt: skip


def _of_session(walk: Walk, on: Session, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if name in ("get_inputs", "get_outputs"):
        return [node_argument(each) for each in (on.values.input if name == "get_inputs" else on.values.output)]
    if name != "run":
        return UNKNOWN
    wanted = given[0] if given else named.get("output_names")
    feeds = given[1] if len(given) > 1 else named.get("input_feed")
    for value in on.values.input:
        fed = feeds.get(value.name) if isinstance(feeds, dict) else None
        if isinstance(fed, Array) and (fed.source or fed.like):
            meant = onnxmodel.tensor(value)
            name_ = fed.source or fed.like or ""
            walk.seen.used["input"][name_] = Tensor(name_, meant.data_type if fed.source else None, meant.dims)
    names = wanted if isinstance(wanted, list | tuple) else [each.name for each in on.values.output]
    by_name = {each.name: onnxmodel.tensor(each) for each in on.values.output}
    found = [by_name.get(each) if isinstance(each, str) else None for each in names]
    return [Array(each.data_type, each.dims) if each else Array() for each in found]


def _of_text(walk: Walk, on: str, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if name in _PATH_SAME:
        return on
    if name == "joinpath" and all(isinstance(each, str) for each in given):
        return os.path.join(on, *given)
    wide = name == "format" and re.search(r"\d{4}", on)
    if (
        name in _TEXT
        and len(on) < _LONGEST
        and not wide
        and all(isinstance(each, str | int | list | tuple) for each in given)
    ):
        try:
            return getattr(on, name)(*given)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            return UNKNOWN
    return UNKNOWN


def _of_container(walk: Walk, on: Any, name: str, given: list[Any], named: dict[str, Any]) -> Any:
    if isinstance(on, list) and given and len(on) < _LONGEST:
        if name == "append":
            on.append(given[0])
        elif name == "extend":
            on.extend(given[0] if isinstance(given[0], list | tuple) else [UNKNOWN])
        return None
    if isinstance(on, dict):
        if name in ("items", "keys", "values"):
            return [tuple(each) if name == "items" else each for each in getattr(on, name)()]
        if name == "get" and given:
            return UNKNOWN if isinstance(given[0], Unknown) else on.get(given[0], given[1] if len(given) > 1 else None)
        if name == "update":
            on.update(given[0] if given and isinstance(given[0], dict) else named)
            return None
        if name == "copy":
            return dict(on)
    return UNKNOWN


_METHODS: tuple[tuple[Any, Callable[[Any, Any, str, list[Any], dict[str, Any]], Any]], ...] = (
    (Marked, _of_config), (Session, _of_session), (Asked, _of_asked), (Array, _of_array), (str, _of_text),
    ((dict, list), _of_container),
)  # fmt: skip
