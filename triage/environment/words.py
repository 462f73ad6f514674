"""The command inside a command: without ``env``, ``timeout``, shells and the like."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PYTHON = re.compile(r"(?:python|pypy)\d?(?:\.\d+)?(?:\.exe)?")
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ksh"))
# program, words of its own that follow its options
_BEFORE = {"env": 0, "nice": 0, "nohup": 0, "time": 0, "stdbuf": 0, "sudo": 0, "setsid": 0, "exec": 0, "timeout": 1}
_WITH_VALUE = frozenset(("-n", "-u", "-k", "-s", "-S", "-C", "-i", "-o", "-e"))
_PYTHON_WITH_VALUE = frozenset(("-W", "-X"))


def inner(command: Sequence[str]) -> list[str]:
    """Words of the program that does the work; of a shell's line the last command, or the one that runs Python."""
    words = list(command)
    while words:
        if _ASSIGNMENT.match(words[0]):
            words.pop(0)
            continue
        name = os.path.basename(words[0])
        if name in _SHELLS and len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
            return _of_line(words[2])
        if name not in _BEFORE:
            break
        words = _after_options(words, _BEFORE[name])
    return words


def _after_options(words: list[str], own: int) -> list[str]:
    place = 1
    while place < len(words) and words[place].startswith("-"):
        takes_value = words[place] in _WITH_VALUE and not (words[0].endswith("env") and words[place] == "-i")
        place += 2 if takes_value else 1
    return words[place + own :]


def _of_line(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word.strip("();<>|&"):
                commands[-1].append(word)
            else:
                commands.append([])
    except ValueError:  # a quote that is never closed
        return []
    found = [words for words in (inner(words) for words in commands if words) if words]
    pythons = [words for words in found if is_python(words[0])]
    return (pythons or found or [[]])[-1]


def is_python(word: str) -> bool:
    """Whether this word starts a Python interpreter."""
    return bool(_PYTHON.fullmatch(os.path.basename(word)))


def arguments(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The script or module that an interpreter runs, and the arguments that are for it."""
    if not words:
        return None, []
    if not is_python(words[0]):
        script = words[1] if os.path.basename(words[0]) in _SHELLS and len(words) > 1 else words[0]
        return script, list(words[2:] if script is not words[0] else words[1:])
    place = 1
    while place < len(words) and words[place].startswith("-"):
        if words[place] in ("-m", "-c"):
            return None, list(words[place:])
        place += 2 if words[place] in _PYTHON_WITH_VALUE else 1
    return (words[place] if place < len(words) else None), list(words[place + 1 :])


def interpreter(command: Sequence[str], cwd: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Path of the Python whose packages count, and whose it is: ``command``, ``path`` or ``triage``."""
    from shutil import which

    words = inner(command)
    search = environ.get("PATH")
    if words:
        found = which(os.path.join(cwd, words[0]) if os.path.dirname(words[0]) else words[0], path=search)
        if found and not is_python(words[0]):
            found = _first_line(found)
        if found:
            return found, "command"
    found = which("python3", path=search) or which("python", path=search)
    return found, "path" if found else "triage"


def _first_line(path: str) -> str | None:
    """The Python that a script's first line names; None for other programs."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(256)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    from shutil import which

    words = head[2:].split(b"\n")[0].decode("utf-8", "replace").split()
    words = words[1:] if words and os.path.basename(words[0]) == "env" else words
    return which(words[0]) if words and is_python(words[0]) else None
