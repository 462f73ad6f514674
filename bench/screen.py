"""Writes the real screen into the README: runs the command that its marker names.

usage: python -m bench.screen [--check]
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"<!-- screen: (?P<command>[^\n]+) -->\n```text\n(?P<screen>.*?)```", re.DOTALL)


def drawn(text: str) -> str:
    """The README with the present output of its command."""

    def run(match: re.Match[str]) -> str:
        command = [sys.executable, "-m", *match["command"].split()]
        output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=README.parent).stdout
        return f"<!-- screen: {match['command']} -->\n```text\n$ {match['command']}\n{output}```"

    return _BLOCK.sub(run, text)


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = drawn(old)
    if "--check" in sys.argv:
        sys.exit(0 if new == old else "README.md shows an old screen: run python -m bench.screen")
    README.write_text(new, encoding="utf-8")
