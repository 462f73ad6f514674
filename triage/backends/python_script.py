"""Python programs: which script or module a command runs, and whether it exports with torch.onnx.export."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from triage.backends import Probe
from triage.backends._child import interpreter

NEEDS = {"memory": 0, "disk": 0, "gpu_memory": 0}
_PYTHON = re.compile(r"python(w)?(\d(\.\d+)?)?(\.exe)?")
_TAKES_WORD = ("-W", "-X", "--check-hash-based-pycs")
_LARGEST = 4 << 20  # bytes of a script


class Program(NamedTuple):
    """A Python program in a command: words before it (interpreter and flags), and how it is named.

    ``words`` begin with the script, or with ``-m`` and the module; arguments follow.
    """

    interpreter: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def script(self) -> str | None:
        """The script's path as the command gives it; None for a module."""
        return None if self.words[0] == "-m" else self.words[0]


def probe() -> Probe:
    """A Python is always there: at least the one that runs this."""
    program = interpreter()
    return Probe(True, facts={"python": program})


def understands(command: Sequence[str]) -> bool:
    """A command that runs a Python script or module."""
    return program_of(command) is not None


def program_of(command: Sequence[str]) -> Program | None:
    """The Python program that a command runs, None where it runs something else, or code from ``-c``.

    ``env NAME=value`` and assignments before it are kept with the interpreter.
    """
    words = list(command)
    place = 0
    while place < len(words) and (words[place] == "env" or re.fullmatch(r"[A-Za-z_]\w*=.*", words[place], re.DOTALL)):
        place += 1
    if place >= len(words) or not _PYTHON.fullmatch(os.path.basename(words[place])):
        return None
    place += 1
    while place < len(words):
        word = words[place]
        if word == "-m" and place + 1 < len(words):
            return Program(tuple(words[:place]), tuple(words[place:]))
        if word.startswith("-m") and len(word) > 2:
            return Program(tuple(words[:place]), ("-m", word[2:], *words[place + 1 :]))
        if word in ("-c", "-") or word.startswith("-c"):
            return None
        if not word.startswith("-"):
            return Program(tuple(words[:place]), tuple(words[place:]))
        place += 2 if word in _TAKES_WORD else 1
    return None


def exports_onnx(path: str) -> bool:
    """Whether a Python file calls ``torch.onnx.export``, under whatever name it was imported."""
    try:
        if os.path.getsize(path) > _LARGEST:
            return False
        with open(path, encoding="utf-8", errors="replace") as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return False
    modules, functions = _names(tree)
    return any(
        _called(node.func) in functions or _called(node.func) in {f"{module}.export" for module in modules}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )


def _names(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Names under which a file knows torch.onnx, and its export function."""
    modules, functions = {"torch.onnx", "torch.onnx.utils"}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in ("torch.onnx", "torch.onnx.utils") and alias.asname:
                    modules.add(alias.asname)
                elif alias.name == "torch" and alias.asname:
                    modules |= {f"{alias.asname}.onnx", f"{alias.asname}.onnx.utils"}
        elif isinstance(node, ast.ImportFrom) and node.module in ("torch", "torch.onnx", "torch.onnx.utils"):
            for alias in node.names:
                known = alias.asname or alias.name
                if alias.name == "export" and node.module != "torch":
                    functions.add(known)
                elif alias.name in ("onnx", "utils"):
                    modules |= {known, f"{known}.utils"}
    return modules, functions


def _called(node: ast.expr) -> str:
    """A dotted name, empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
