"""Arguments of a command, parsed without argparse where they are plain.

Importing argparse costs as much as a whole diagnosis. A command describes its
arguments once, by ``add_argument`` calls; plain use (known long options, file
names) is parsed here, and everything else (help, errors, abbreviations, sub-commands)
is handed to a real ArgumentParser that gets the same calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class _NotPlain(Exception):
    """The real parser must look at this."""


class Recorder:
    """Takes ``add_argument`` calls and replays them."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def add_argument(self, *names: str, **options: Any) -> None:
        """As ``ArgumentParser.add_argument``."""
        self.calls.append((names, options))

    def add_subparsers(self, **_: Any) -> Any:
        """Sub-commands are never plain."""
        raise _NotPlain


def parse(add_arguments: Callable[[Any], None], values: Sequence[str], real: Callable[[], Any]) -> Any:
    """The parsed arguments; ``real`` makes the ArgumentParser for all that is not plain."""
    recorder = Recorder()
    given = list(values)
    rest: list[str] = []
    try:
        add_arguments(recorder)
        given, rest = _split(recorder, given)
        result = _plain(recorder, given)
    except _NotPlain:
        parser = real()
        add_arguments(parser)
        result = parser.parse_args(given)
    if rest:
        getattr(result, _last_place(recorder)[0]).extend(rest)
    return result


def _split(recorder: Recorder, values: list[str]) -> tuple[list[str], list[str]]:
    """What stands after ``--`` is taken as it is, where the command's last place takes any number of words."""
    if "--" not in values or _last_place(recorder)[1].get("nargs") != "*":
        return values, []
    place = values.index("--")
    return values[:place], values[place + 1 :]


def _last_place(recorder: Recorder) -> tuple[str, dict[str, Any]]:
    places = [(names[0], spec) for names, spec in recorder.calls if not names[0].startswith("-")]
    return places[-1] if places else ("", {})


def _plain(recorder: Recorder, values: list[str]) -> SimpleNamespace:
    options = {name: spec for names, spec in recorder.calls for name in names if name.startswith("-")}
    places = [(names[0], spec) for names, spec in recorder.calls if not names[0].startswith("-")]
    result = SimpleNamespace(**{_key(names[0]): _default(spec) for names, spec in recorder.calls})
    free: list[str] = []
    rest = iter(values)
    for value in rest:
        if not value.startswith("-") or value == "-":
            free.append(value)
            continue
        name, equals, given = value.partition("=")
        spec = options.get(name)
        if spec is None:
            raise _NotPlain
        if spec.get("action") == "store_true" and not equals:
            setattr(result, _key(name), True)
        elif "action" not in spec:
            setattr(result, _key(name), _converted(spec, given if equals else next(rest, None)))
        else:
            raise _NotPlain
    _place(result, places, free)
    return result


def _place(result: SimpleNamespace, places: Sequence[tuple[str, dict[str, Any]]], free: list[str]) -> None:
    for name, spec in places:
        if spec.get("nargs") == "*" or (spec.get("nargs") == "+" and free):
            setattr(result, _key(name), list(free))
            free = []
        elif free:
            setattr(result, _key(name), _converted(spec, free.pop(0)))
        elif spec.get("nargs") != "?":
            raise _NotPlain
    if free:
        raise _NotPlain


def _converted(spec: dict[str, Any], value: str | None) -> Any:
    if value is None or (value.startswith("-") and value != "-"):
        raise _NotPlain
    if spec.get("choices") and value not in spec["choices"]:
        raise _NotPlain
    try:
        return spec["type"](value) if "type" in spec else value
    except ValueError:
        raise _NotPlain from None


def _default(spec: dict[str, Any]) -> Any:
    return spec.get("default", False if spec.get("action") == "store_true" else None)


def _key(name: str) -> str:
    return name.lstrip("-").replace("-", "_")
