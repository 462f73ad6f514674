"""Asking the Python that builds use, also where it is broken, silent or slow."""

import os
import sys

import pytest

from triage.backends import onnxruntime, polygraphy, tensorrt
from triage.backends._asking import Answer, ask


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Gives a function that makes a shell script the ``python`` of builds."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def write(*lines):
        place = tmp_path / "python"
        place.write_text("\n".join(lines) + "\n")
        place.chmod(0o755)
        return place

    return write


def test_what_it_prints_is_the_answer(python):
    python("#!/bin/sh", f'exec {sys.executable} "$@"')
    assert ask("print(2 + 3)", 60) == Answer("5\n")
    assert ask("import sys; sys.exit('no device')", 60) == Answer(why="no device")
    assert ask("raise SystemExit(3)", 60) == Answer(why="the check ended with exit code 3")


def test_why_it_could_not_be_asked(python):
    slow = python("#!/bin/sh", "exec sleep 5")
    assert ask("print()", 0.1) == Answer(why=f"{slow} does not answer within 0.1 s", ran=False)
    broken = python("#!/nowhere/at/all")
    answer = ask("print()", 60)
    assert not answer.ran
    assert answer.why.startswith(f"{broken} does not answer: ")


@pytest.mark.parametrize("backend", [onnxruntime, polygraphy, tensorrt])
def test_a_broken_python_is_told_and_no_package_is_blamed(backend, python):
    python("#!/nowhere/at/all")
    probe = backend.probe()
    assert not probe.can
    assert "does not answer: " in probe.why
    assert "pip install" not in probe.why
