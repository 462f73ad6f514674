"""What a proposal changes, as JSON: pieces of files with their old and new text, and the command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triage import commandline
from triage.commandline import Command
from triage.pysource import datafile
from triage.pysource.places import Place
from triage.pysource.project import Project
from triage.site import CannotApply

if TYPE_CHECKING:
    from triage.site import Site


class Changes:
    """Collects changes of one proposal; ``packed`` gives its parameters."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._texts: dict[str, str] = {}
        self._commands: dict[Command, Command] = {}

    def set(self, place: Place, value: Any) -> None:
        """Puts another value where one comes from."""
        if place.source is not None and place.node is not None:
            fresh = repr(str(value)) if isinstance(place.value, str) else repr(value)
            place.source.replace(place.node, fresh)
        elif place.path is not None:
            old = self._texts.get(place.path) or self.project.site.text(place.path)
            new = datafile.with_value(old, place.path, place.keys, value)
            if new is None:
                raise CannotApply(f"{place.name} cannot be rewritten in place")
            self._texts[place.path] = new
        elif place.command is not None:
            now = self._commands.get(place.command, place.command)
            if place.flag is not None:
                self._commands[place.command] = now.with_value(place.flag, str(value))
            elif place.at is not None:
                word = f"{place.keys[0]}={value}" if place.keys else str(value)
                self._commands[place.command] = now.with_word(place.at, word)

    def drop(self, place: Place) -> None:
        """Takes a key out of a data file, where that can be written."""
        if place.path is not None:
            old = self._texts.get(place.path) or self.project.site.text(place.path)
            self._texts[place.path] = datafile.without(old, place.path, place.keys) or old

    def command(self, old: Command, new: Command) -> None:
        """Puts a command in place of another."""
        self._commands[old] = new

    def text(self, path: str, new: str) -> None:
        """Puts a whole text in place of a file's."""
        self._texts[path] = new

    def packed(self) -> dict[str, Any] | None:
        """Parameters that ``apply`` takes; None where nothing changes or a file may not be changed."""
        site = self.project.site
        try:
            texts = {**self._texts, **self.project.changed()}
            texts |= self._scripts()
        except (CannotApply, ValueError):
            return None
        finally:
            self.project.forget()
        files = {path: [_piece(site.text(path), new)] for path, new in texts.items() if new != site.text(path)}
        if not all(site.may_change(path) for path in files):
            return None
        packed: dict[str, Any] = {"files": files} if files else {}
        words = self._words()
        if words != site.command:
            packed["command"] = list(words)
        return packed or None

    def _scripts(self) -> dict[str, str]:
        paths = dict.fromkeys(old.path for old in self._commands if old.path)
        return {path: commandline.with_all(self.project.site.text(path), _of(self._commands, path)) for path in paths}

    def _words(self) -> tuple[str, ...]:
        site = self.project.site
        words = site.command
        for old, new in self._commands.items():
            if old.path is None and old.inside is None:
                words = new.words
        return commandline.with_inside(words, self._commands)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Makes the changes that a proposal holds; nothing where a file is no longer what it was.

    Raises:
        CannotApply: a file differs from what was looked at.
    """
    texts = {}
    for path, pieces in parameters.get("files", {}).items():
        data = site.text(path).encode("utf-8", "surrogateescape")
        for piece in sorted(pieces, key=lambda each: -each["at"]):
            old, new = piece["old"].encode("utf-8", "surrogateescape"), piece["new"].encode("utf-8", "surrogateescape")
            if data[piece["at"] : piece["at"] + len(old)] != old:
                raise CannotApply(f"{path} is not what it was when this was proposed")
            data = data[: piece["at"]] + new + data[piece["at"] + len(old) :]
        texts[path] = data.decode("utf-8", "surrogateescape")
    for path, text in texts.items():
        site.write_text(path, text)
    if "command" in parameters:
        site.set_command(parameters["command"])


def _of(changed: Mapping[Command, Command], path: str) -> dict[Command, Command]:
    return {old: new for old, new in changed.items() if old.path == path}


def _piece(old: str, new: str) -> dict[str, Any]:
    """The part of a text that differs: where it begins (in bytes), what it is, what it becomes."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    at = len(old[:start].encode("utf-8", "surrogateescape"))
    return {"at": at, "old": old[start : len(old) - end], "new": new[start : len(new) - end]}
