"""Writes the real screen into the README: runs the command that its marker names.

It runs beside an archive that holds the starter cases and nothing else.

usage: python -m bench.screen [--check]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
_BLOCK = re.compile(r"<!-- screen: (?P<command>[^\n]+) -->\n```text\n(?P<screen>.*?)```", re.DOTALL)


# where the README is drawn must not show in it
_ELSEWHERE = ("GITHUB_", "GITLAB_", "CI_", "BUILDKITE", "JENKINS_", "GITEA_", "FORGEJO_", "TRIAGE_DATABASE")


def drawn(text: str) -> str:
    """The README with the present output of its command."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(_ELSEWHERE)}
        environment |= {"TRIAGE_DATA_DIR": folder, "GIT_DIR": os.path.join(folder, "none")}

        def output(command: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True,
                cwd=README.parent, env=environment,
            )  # fmt: skip
            return done.stdout

        def run(match: re.Match[str]) -> str:
            screen = output(match["command"])
            return f"<!-- screen: {match['command']} -->\n```text\n$ {match['command']}\n{screen}```"

        output("triage archive import starter")
        return _BLOCK.sub(run, text)


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = drawn(old)
    if "--check" in sys.argv:
        sys.exit(0 if new == old else "README.md shows an old screen: run python -m bench.screen")
    README.write_text(new, encoding="utf-8")
