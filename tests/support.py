"""What several test files need: where things are, how to call the program, real messages."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

from triage.records import Report
from triage.reports._shape import as_dict
from triage.service import diagnose

REPO = Path(__file__).resolve().parent.parent
PACKAGE = REPO / "triage"
RULES = REPO / "rules"
KB = REPO / "kb"
FIXTURES = REPO / "fixtures" / "logs"
CORPUS = REPO.parent / "shared" / "corpus"
CATALOGUE = REPO.parent / "shared" / "spec" / "causes.yaml"

# one real failure of several tools: (cause, log)
PROFILE_MISSING = (
    "[11/20/2026-10:26:19] [E] [TRT] 4: [network.cpp::validate::3062] Error Code 4: Internal Error "
    "(Network has dynamic or shape inputs, but no optimization profile has been defined.)"
)
MESSAGES = (
    ("profile-missing", PROFILE_MISSING),
    ("python-dependency-missing", "ModuleNotFoundError: No module named 'onnx'"),
    ("gpu-out-of-memory", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"),
    (
        "input-dtype-mismatch",
        (
            "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : "
            "Unexpected input data type. Actual: (tensor(uint8)) , expected: (tensor(float))"
        ),
    ),
)


def run_cli(*arguments, stdin=b"", env=None, cwd=None, timeout=120):
    """The program in a process of its own; output and errors stay bytes."""
    surroundings = {**os.environ, **(env or {})}
    return subprocess.run(
        [sys.executable, "-m", "triage", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env=surroundings,
        cwd=cwd,
        timeout=timeout,
        check=False,
    )


_COUNTED = """
import os, signal
steps = 0
def counted(function):
    def wrapper(*words, **named):
        global steps
        steps += 1
        if steps == {stop}:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*words, **named)
    return wrapper
{imports}
for name in ("rename", "replace", "unlink", "fsync", "makedirs", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
{call}
"""


def killed_at(stop, imports, call):
    """Runs a call in a process of its own, which is killed before the step of this number that changes a disk."""
    code = _COUNTED.format(stop=stop, imports=imports, call=call)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def first_cause(report):
    """Id of the best cause of a report, ``no-failure`` where there is none."""
    if isinstance(report, Report):
        report = as_dict(report)
    if not report["failure"] or report["primary"] is None:
        return "no-failure"
    return report["incidents"][report["primary"]]["causes"][0]["id"]


def evidence_lines(report):
    """Line numbers that the best cause of a report points to."""
    report = as_dict(report)
    if report["primary"] is None:
        return []
    return [line["line"] for line in report["incidents"][report["primary"]]["causes"][0]["evidence"]]


def cause_of(log):
    """Id of the best cause of some bytes or text."""
    return first_cause(diagnose(log))


def fixture_cases():
    """Folders of fixtures/logs that are complete, by name."""
    if not FIXTURES.is_dir():
        return []
    return sorted(p for p in FIXTURES.iterdir() if (p / "log.txt").is_file() and (p / "expect.yaml").is_file())


def lab_cases():
    """Folders of the lab corpus, where it is present."""
    lab = CORPUS / "lab"
    return sorted(p for p in lab.iterdir() if (p / "case.yaml").is_file()) if lab.is_dir() else []


def read_yaml(path):
    """One YAML file as plain data."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
