"""Writes the real screens that the README shows: runs the command that its marker names, and opens the desk.

They run beside an archive that holds the starter cases and nothing else.

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
DESK = README.parent / "kb" / "guides" / "desk.svg"
LOG = "fixtures/logs/trt86-profile-missing-bert-mask/log.txt"
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)
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


def desk() -> str:
    """The desk with the same log, as SVG; fonts are the reader's own, for a picture fetches nothing."""
    import asyncio

    async def look() -> str:
        from triage.tui.app import Desk

        app = Desk([LOG])
        async with app.run_test(size=(132, 38)) as pilot:
            while not (app.logs.current and app.logs.current.sheet.state == "done"):
                await pilot.pause(0.1)
            await pilot.pause(0.5)
            return app.export_screenshot(title="triage")

    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"TRIAGE_DATA_DIR": folder, "TRIAGE_CONFIG_DIR": folder}
        words = [sys.executable, "-m", "triage", "archive", "import", "starter"]
        subprocess.run(words, check=True, capture_output=True)
        os.chdir(README.parent)
        picture = asyncio.run(look())
    return "\n".join(line.rstrip() for line in _FONTS.sub("", picture).split("\n"))


if __name__ == "__main__":
    old = README.read_text(encoding="utf-8")
    new = drawn(old)
    if "--check" in sys.argv:
        sys.exit(0 if new == old else "README.md shows an old screen: run python -m bench.screen")
    README.write_text(new, encoding="utf-8")
    DESK.write_text(desk(), encoding="utf-8")
