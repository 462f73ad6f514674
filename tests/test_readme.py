"""The README speaks of what is there: commands, screen, folders."""

import re
import subprocess
import sys

import pytest
from support import REPO

from triage import discovery

README = (REPO / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^triage ([a-z]+[^#\n]*?)(?:\s+#.*)?$", README, re.MULTILINE)


@pytest.mark.parametrize("name", discovery.names("triage.cli"))
def test_every_command_is_shown(name):
    assert f"triage {name}" in README


@pytest.mark.parametrize("command", [c for c in COMMANDS if not re.search(r"build\.log|logs/|model\.onnx", c)])
def test_shown_commands_run(command):
    done = subprocess.run(
        [sys.executable, "-m", "triage", *command.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_screen_is_the_present_one():
    done = subprocess.run(
        [sys.executable, "-m", "bench.screen", "--check"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_folders_of_the_picture_exist():
    for folder in ("rules", "kb", "triage", "fixtures/logs", "tests", "bench", "migrations"):
        assert f"`{folder}/`" in README
        assert (REPO / folder).is_dir()
