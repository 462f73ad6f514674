"""Reading and changing the flags of a build's command lines, also of those in its shell scripts."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from triage.site import Site

_PYTHON = re.compile(r"(?:.*/)?(?:python|pypy)[\d.]*(?:\.exe)?$")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|z|k)?sh$")
_LAUNCHERS = ("env", "time", "nice", "nohup", "exec", "stdbuf", "ionice", "xvfb-run", "unbuffer", "numactl", "taskset")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_WITH_VALUE = ("-W", "-X", "-Q", "--check-hash-based-pycs")  # python's own options that take a word
_STOPS = ("-", "-m", "-c", "-ec", "-lc", "-xc", "-euc")  # behind these stands a module's name or a text
_COMMENT = re.compile(r"""'[^'\n]*'|"(?:[^"\\]|\\.)*"|(?<!\S)#[^\n]*""")
_RULES = re.compile(r"^(?!\t)[^\n]*", re.MULTILINE)  # what is no command in a Makefile
_PART = re.compile(r"(?:\\\n|[^\n;&|'\"]|'[^'\n]*'|\"(?:[^\"\\\n]|\\.)*\"|&(?=>)|(?<=>)&)+")
_NUMBER = re.compile(r"-\d|-\.\d")


class Flag(NamedTuple):
    """An option in a command: where its word stands, where its value stands, and the value itself.

    ``at`` and ``value_at`` are places in ``words``; they are the same in ``--opset=11`` and ``-o11``.
    ``value`` is None for an option without one.
    """

    name: str
    at: int
    value_at: int | None
    value: str | None


class Command(NamedTuple):
    """Words of a command; ``path`` is the shell script that holds it (None: the build's own command).

    ``start`` and ``end`` are places in that script's text, or in the word ``inside`` of ``sh -c TEXT``.
    """

    words: tuple[str, ...]
    path: str | None = None
    start: int = 0
    end: int = 0
    inside: int | None = None

    @property
    def program_at(self) -> int:
        """Where the program stands, behind variables and launchers such as ``env``."""
        at = 0
        while at < len(self.words) - 1:
            word = self.words[at]
            if not (_ASSIGNMENT.match(word) or os.path.basename(word) in _LAUNCHERS):
                break
            at += 1
        return at

    @property
    def program(self) -> str:
        """The name of the program, without its folder."""
        return os.path.basename(self.words[self.program_at]) if self.words else ""

    @property
    def is_python(self) -> bool:
        """Whether it is an interpreter that runs a script or a module."""
        return bool(self.words and _PYTHON.match(self.words[self.program_at]))

    @property
    def is_shell(self) -> bool:
        """Whether it is a shell that runs a script or a text."""
        return bool(self.words and _SHELL.match(self.words[self.program_at]))

    @property
    def script_at(self) -> int | None:
        """Where the script or the module's name stands that an interpreter runs."""
        at = self.program_at + 1
        if not (self.is_python or self.is_shell):
            program = self.words[self.program_at] if self.words else ""
            return self.program_at if program.endswith(".py") else None
        while at < len(self.words) and self.words[at].startswith("-") and self.words[at] not in _STOPS:
            at += 2 if self.words[at] in _WITH_VALUE else 1
        if at < len(self.words) and self.words[at] in _STOPS[1:]:
            at += 1
        return at if at < len(self.words) else None

    @property
    def is_module(self) -> bool:
        """Whether it is ``python -m NAME``."""
        at = self.script_at
        return self.is_python and at is not None and self.words[at - 1] == "-m"

    @property
    def script(self) -> str | None:
        """The script's path or the module's name; None where there is none."""
        at = self.script_at
        return None if at is None or self.words[at - 1] in _STOPS[2:] else self.words[at]

    @property
    def arguments_at(self) -> int:
        """Where the program's own arguments begin (``sys.argv[1]``)."""
        at = self.script_at
        return (self.program_at if at is None else at) + 1

    def flag(self, *names: str) -> Flag | None:
        """The last use of an option under one of its names, with the value that counts.

        Long names may be written with ``=`` and shortened; one-letter names may have the value behind them.
        """
        found = None
        for at in range(self.arguments_at, len(self.words)):
            if self.words[at] == "--":
                break
            found = self._flag_at(at, names) or found
        return found

    def flags(self) -> Iterator[Flag]:
        """Every word that looks like an option."""
        for at in range(self.arguments_at, len(self.words)):
            word = self.words[at]
            if word.startswith("-") and len(word) > 1 and not _NUMBER.match(word):
                found = self._flag_at(at, (word.split("=", 1)[0],))
                if found:
                    yield found

    def _flag_at(self, at: int, names: Sequence[str]) -> Flag | None:
        word = self.words[at]
        head, sign, tail = word.partition("=")
        following = self.words[at + 1] if at + 1 < len(self.words) else None
        has_word = following is not None and (not following.startswith("-") or bool(_NUMBER.match(following)))
        for name in names:
            if head == name or _shortened(head, name):
                if sign:
                    return Flag(name, at, at, tail)
                return Flag(name, at, at + 1, following) if has_word else Flag(name, at, None, None)
            if len(name) == 2 and name != "--" and word.startswith(name) and word[2:3].isdigit():
                return Flag(name, at, at, word[2:])
        return None

    def with_value(self, flag: Flag, value: str) -> Command:
        """The command with another value for an option."""
        words = list(self.words)
        if flag.value_at is None:
            words.insert(flag.at + 1, value)
        elif flag.value_at != flag.at:
            words[flag.value_at] = value
        else:
            word = words[flag.at]
            cut = word.index("=") + 1 if "=" in word else 2
            words[flag.at] = word[:cut] + value
        return self._replace(words=tuple(words))

    def with_name(self, flag: Flag, name: str, value: str | None = None, *, joined: bool = False) -> Command:
        """The command with an option under another name; with another value where one is given.

        ``joined`` writes it as ``--name=value``.
        """
        words = list(self.words)
        last = flag.at if flag.value_at is None else flag.value_at
        kept = flag.value if value is None else value
        if kept is None:
            fresh = [name]
        elif joined or last == flag.at:
            fresh = [f"{name}={kept}"]
        else:
            fresh = [name, kept]
        words[flag.at : last + 1] = fresh
        return self._replace(words=tuple(words))

    def without(self, flag: Flag, *, value: bool = True) -> Command:
        """The command without an option; ``value`` False leaves the word behind it."""
        words = list(self.words)
        last = flag.at if flag.value_at is None or not value else flag.value_at
        del words[flag.at : last + 1]
        return self._replace(words=tuple(words))

    def with_flag(self, name: str, value: str | None = None) -> Command:
        """The command with one more option at its end."""
        words = [*self.words, name, *([value] if value is not None else [])]
        return self._replace(words=tuple(words))

    def with_word(self, at: int, word: str) -> Command:
        """The command with another word at a place."""
        words = list(self.words)
        words[at] = word
        return self._replace(words=tuple(words))


def commands(site: Site) -> list[Command]:
    """The build's command, and those in the shell scripts that it runs."""
    found = [Command(site.command)]
    seen: set[str] = set()
    for command in found:  # grows while it is gone through
        at = command.script_at
        if command.is_shell and at is not None and command.words[at - 1] in _STOPS[2:]:
            if command.path is None and command.inside is None:
                found += [one._replace(path=None, inside=at) for one in in_script(command.words[at], "")]
            continue
        path = _shell_script(site, command) or _makefile(site, command)
        if path and path not in seen:
            seen.add(path)
            text = site.text(path)
            found += in_script(text if command.program != "make" else _RULES.sub(_blank, text), path)
    return found


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _makefile(site: Site, command: Command) -> str | None:
    if command.program != "make":
        return None
    told = command.flag("-f", "--file", "--makefile")
    names = [told.value] if told is not None and told.value else ["GNUmakefile", "makefile", "Makefile"]
    return next((name for name in names if site.has(name) and os.path.isfile(site.path(name))), None)


def in_script(text: str, path: str) -> Iterator[Command]:
    """The commands of a shell script that are plain words; those with expansions keep them as they are written."""
    bare = _without_comments(text)
    for match in _PART.finditer(bare):
        part = match[0]
        try:
            words = tuple(shlex.split(part.replace("\\\n", " ")))
        except ValueError:
            continue
        if words and words[0] not in ("if", "for", "while", "case", "function", "set", "cd", "echo", "export"):
            yield Command(words, path, match.start(), match.end())


def _without_comments(text: str) -> str:
    """Blanks in place of comments, so that every other character stays where it is."""
    return _COMMENT.sub(lambda found: " " * len(found[0]) if found[0][0] == "#" else found[0], text)


def with_all(text: str, changed: Mapping[Command, Command]) -> str:
    """A script's text with commands in place of others."""
    for old, new in sorted(changed.items(), key=lambda pair: -pair[0].start):
        text = text[: old.start] + rewritten(text[old.start : old.end], old, new) + text[old.end :]
    return text


def with_inside(words: Sequence[str], changed: Mapping[Command, Command]) -> tuple[str, ...]:
    """A command's words with the changes of what stands inside ``sh -c TEXT``."""
    fresh = list(words)
    for at in dict.fromkeys(old.inside for old in changed if old.inside is not None):
        fresh[at] = with_all(fresh[at], {old: new for old, new in changed.items() if old.inside == at})
    return tuple(fresh)


def rewritten(text: str, old: Command, new: Command) -> str:
    """A command's text in a script with the words that changed, the rest as it is written."""
    from difflib import SequenceMatcher

    places = _places(_without_comments(text))
    if len(places) != len(old.words):
        raise ValueError(f"cannot tell the words of {text.strip()!r} apart")
    for kind, start, end, first, last in reversed(SequenceMatcher(None, old.words, new.words, False).get_opcodes()):
        if kind == "equal":
            continue
        fresh = " ".join(shlex.quote(word) if not re.fullmatch(r"[\w$@%+=:,./{}-]+", word) else word
                         for word in new.words[first:last])  # fmt: skip
        if kind == "insert":
            at = places[start - 1][1]
            text = f"{text[:at]} {fresh}{text[at:]}"
        elif kind == "delete":
            text = text[: places[start - 1][1]] + text[places[end - 1][1] :]
        else:
            text = text[: places[start][0]] + fresh + text[places[end - 1][1] :]
    return text


def _places(text: str) -> list[tuple[int, int]]:
    word = re.compile(r"(?:\\[^\n]|[^\s'\"\\]|'[^']*'|\"(?:[^\"\\]|\\.)*\")+")
    return [match.span() for match in word.finditer(text)]


def _shortened(head: str, name: str) -> bool:
    """Argparse takes a long option by any beginning of it; four letters are enough to tell ours."""
    return head.startswith("--") and len(head) >= 6 and name.startswith(head)


def _shell_script(site: Site, command: Command) -> str | None:
    if not command.words:
        return None
    first = command.words[command.program_at]
    path = command.script if command.is_shell else first
    if not path:
        return None
    path = os.path.normpath(path.replace(site.workspace.origin + "/", "")).replace(os.sep, "/")
    if os.path.isabs(path) or path.startswith("..") or not os.path.isfile(site.path(path)):
        return None
    if command.is_shell or path.endswith((".sh", ".bash")):
        return path
    with open(site.path(path), "rb") as stream:
        return path if re.match(rb"#!.{0,60}\b(?:ba|da|z)?sh\b", stream.read(100)) else None
