"""What a person set for the desk, and what the desk remembers from one time to the next. No Textual in here.

Settings stand in ``desk.toml`` in the configuration folder (TRIAGE_CONFIG_DIR, else the platform's)::

    theme = "triage-dark"      # triage-light, triage-contrast, or any of Textual's
    keys = "plain"             # or "vim"
    read_only = false          # nothing is filed, decided or applied
    [remap]
    "log.search" = "ctrl+f"    # id of a key binding = keys, with commas between them

The desk itself never writes that file. What it remembers (open logs, marks, recent files, saved filters) stands in
``desk.json`` beside the archive.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from triage.errors import UsageError
from triage.folders import data_home

PLAIN, VIM = "plain", "vim"
MOST_RECENT = 30
MOST_MARKED = 200
# what differs from the plain keys: id of a binding -> keys
VIM_KEYS: Mapping[str, str] = {
    "log.page_down": "ctrl+f,ctrl+d,space", "log.page_up": "ctrl+b,ctrl+u", "desk.close": "ctrl+w",
    "desk.next_log": "greater_than_sign", "desk.previous_log": "less_than_sign", "log.wrap": "z",
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What ``desk.toml`` says."""

    theme: str = "triage-dark"
    keys: str = PLAIN
    read_only: bool = False
    remap: Mapping[str, str] = field(default_factory=dict)

    @property
    def keymap(self) -> dict[str, str]:
        """Binding ids and the keys that stand for them."""
        return {**(VIM_KEYS if self.keys == VIM else {}), **self.remap}


def config_folder() -> str:
    """Folder of ``desk.toml``."""
    chosen = os.environ.get("TRIAGE_CONFIG_DIR")
    if chosen:
        return chosen
    from platformdirs import user_config_dir

    return user_config_dir("triage", appauthor=False)


def read_settings() -> Settings:
    """What is set; the defaults where there is no file.

    Raises:
        UsageError: the file cannot be read, or says something that is not known.
    """
    path = os.path.join(config_folder(), "desk.toml")
    try:
        with open(path, "rb") as stream:
            body = tomllib.load(stream)
    except FileNotFoundError:
        return Settings()
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}") from None
    _check(path, body)
    return Settings(**body)


def _check(path: str, body: Mapping[str, Any]) -> None:
    kinds = {"theme": str, "keys": str, "read_only": bool, "remap": dict}
    for name, value in body.items():
        if name not in kinds:
            raise UsageError(f"{path}: {name} is not known; known are {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise UsageError(f"{path}: {name} must be a {kinds[name].__name__}, not {value!r}")
    if body.get("keys", PLAIN) not in (PLAIN, VIM):
        raise UsageError(f"{path}: keys must be {PLAIN} or {VIM}, not {body['keys']!r}")
    wrong = [f"{name} = {value!r}" for name, value in body.get("remap", {}).items() if not isinstance(value, str)]
    if wrong:
        raise UsageError(f'{path}: remap takes texts such as "ctrl+f": {", ".join(wrong)}')


@dataclass
class Memory:
    """What the desk remembers: files, their marked lines, filters of the archive, columns of tables, the theme."""

    recent: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    marks: dict[str, list[int]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    theme: str = ""

    def opened(self, path: str) -> None:
        """A file was opened: it is the most recent."""
        self.recent = [path, *(each for each in self.recent if each != path)][:MOST_RECENT]

    def left(self, path: str, line: int, marks: Sequence[int]) -> None:
        """Where a person was in a file, and what was marked."""
        for table in (self.lines, self.marks):
            table.pop(path, None)
            while len(table) >= MOST_MARKED:
                del table[next(iter(table))]
        self.lines[path] = line
        if marks:
            self.marks[path] = sorted(marks)


def _memory_path() -> str:
    return os.path.join(data_home(), "desk.json")


def recall() -> Memory:
    """What was remembered; nothing where the file is missing or damaged."""
    try:
        with open(_memory_path(), encoding="utf-8") as stream:
            body = json.load(stream)
        fresh = Memory()
        for name, value in body.items():
            if hasattr(fresh, name) and isinstance(value, type(getattr(fresh, name))):
                setattr(fresh, name, value)
    except (OSError, ValueError, AttributeError):
        return Memory()
    return fresh


def remember(memory: Memory) -> str:
    """Stores it whole or not at all; gives the fault in words, empty where there is none."""
    path = _memory_path()
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        spare = f"{path}.{os.getpid()}"
        with open(spare, "w", encoding="utf-8") as stream:
            json.dump(asdict(memory), stream, indent=1)
        os.replace(spare, path)
    except OSError as fault:
        return f"what is open could not be remembered: {fault}"
    return ""
