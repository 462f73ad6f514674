"""The README speaks of what is there: commands, screen, folders."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from broken import broken_build
from support import REPO

from triage import discovery

README = (REPO / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^triage ([a-z]+[^#\n]*?)(?:\s+#.*)?$", README, re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def _archive():
    """Commands that look at the archive find one."""
    subprocess.run([sys.executable, "-m", "triage", "db", "upgrade"], check=True, capture_output=True)


@pytest.mark.parametrize("name", discovery.names("triage.cli"))
def test_every_command_is_shown(name):
    assert f"triage {name}" in README


@pytest.mark.parametrize(
    "command", [c for c in COMMANDS if not re.search(r"build\.log|logs/|model\.onnx|^fix |^tui|^ci ", c)]
)
def test_shown_commands_run(command):
    done = subprocess.run(
        [sys.executable, "-m", "triage", *command.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("fix ") and "FOLDER" not in c])
def test_shown_repairs_run(command, tmp_path):
    broken_build(tmp_path / "project")
    shutil.copy(tmp_path / "project" / "gate.py", tmp_path / "project" / "export.py")
    done = subprocess.run(
        [sys.executable, "-m", "triage", *command.split()], capture_output=True, text=True, check=False,
        cwd=tmp_path / "project", env={**os.environ, "TRIAGE_DATA_DIR": str(tmp_path / "data")},
    )  # fmt: skip
    assert done.returncode in (0, 5, 6), done.stderr
    assert "Left there" in done.stdout


def test_the_screen_is_the_present_one():
    done = subprocess.run(
        [sys.executable, "-m", "bench.screen", "--check"], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_folders_of_the_picture_exist():
    for folder in ("rules", "kb", "triage", "fixtures/logs", "tests", "bench", "migrations"):
        assert f"`{folder}/`" in README
        assert (REPO / folder).is_dir()
