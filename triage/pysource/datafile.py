"""One value in a JSON, YAML, TOML or INI text, changed in place: every other character stays."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

ENDINGS = (".json", ".yaml", ".yml", ".toml", ".ini", ".cfg")


def read(text: str, path: str) -> Any:
    """The content of a data file; None where it cannot be read."""
    try:
        if path.endswith(".json"):
            return json.loads(text)
        if path.endswith((".yaml", ".yml")):
            import yaml

            return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if path.endswith(".toml"):
            import tomllib

            return tomllib.loads(text)
        if path.endswith((".ini", ".cfg")):
            return _ini(text)
    except Exception:  # noqa: BLE001 -- whatever a parser says, it is no such file
        return None
    return None


def value_at(content: Any, keys: Sequence[str | int]) -> Any:
    """What stands under a path of keys; None where nothing does."""
    for key in keys:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def with_value(text: str, path: str, keys: Sequence[str | int], new: Any) -> str | None:
    """The text with another number, word or truth value under a path of keys; None where that cannot be written."""
    before = read(text, path)
    if before is None or value_at(before, keys) is None or not keys:
        return None
    wanted = _changed(before, keys, str(new) if path.endswith((".ini", ".cfg")) else new)
    for match in re.finditer(_pattern(str(keys[-1]), path), text, re.MULTILINE):
        fresh = text[: match.start(1)] + _written(new, match[1], path) + text[match.end(1) :]
        if read(fresh, path) == wanted:
            return fresh
    return None


def without(text: str, path: str, keys: Sequence[str | int]) -> str | None:
    """The text without one key and its plain value; None where that cannot be written."""
    before = read(text, path)
    if before is None or not keys:
        return None
    wanted = _without(before, keys)
    for match in re.finditer(_pattern(str(keys[-1]), path), text, re.MULTILINE):
        for fresh in _cuts(text, match.start(), match.end()):
            if read(fresh, path) == wanted:
                return fresh
    return None


def _cuts(text: str, start: int, end: int) -> Iterator[str]:
    """The text without a span: with its whole line, with the comma behind it, with the comma before it, and bare."""
    line, stop = text.rfind("\n", 0, start + 1) + 1, text.find("\n", end)
    if not text[line:start].strip(" \"'{,\n"):
        yield text[:line] + ("" if stop < 0 else text[stop + 1 :])
    behind = re.match(r"\s*,[ \t]*", text[end:])
    if behind:
        yield text[:start] + text[end + behind.end() :]
    before = re.search(r",\s*$", text[:start])
    if before:
        yield text[: before.start()] + text[end:]
    yield text[:start] + text[end:]


def _without(content: Any, keys: Sequence[str | int]) -> Any:
    import copy

    made = copy.deepcopy(content)
    del value_at(made, keys[:-1])[keys[-1]]
    return made


def _pattern(key: str, path: str) -> str:
    name = re.escape(key)
    value = r"""("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,}\]#]+)"""
    if path.endswith(".json"):
        return rf'"{name}"\s*:\s*{value}'
    sign = ":" if path.endswith((".yaml", ".yml")) else "[=:]"
    return rf"""(?:^|[\s{{,])["']?{name}["']?\s*{sign}\s*{value}"""


def _written(new: Any, old: str, path: str) -> str:
    if old[:1] in ("'", '"'):
        return f"{old[0]}{new}{old[0]}"
    if isinstance(new, bool):
        return str(new) if path.endswith((".ini", ".cfg")) else str(new).lower()
    return str(new)


def _changed(content: Any, keys: Sequence[str | int], new: Any) -> Any:
    """A copy of the content with another value; texts stay texts."""
    import copy

    made = copy.deepcopy(content)
    inner = value_at(made, keys[:-1])
    inner[keys[-1]] = str(new) if isinstance(inner[keys[-1]], str) else new
    return made


def _ini(text: str) -> dict[str, dict[str, str]]:
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser}
