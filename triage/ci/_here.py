"""What a CI system takes from a job without any request: a job summary, outputs for later steps, annotations.

Each is a file that the system names in the environment, or lines on standard output; none of them can fail a build.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping

from triage.ingest.text import plain
from triage.records import Job

SUMMARY = 1_000_000  # bytes; GitHub drops a summary above 1 MiB
ANNOTATING = ("github", "gitea", "forgejo")  # their runners read workflow commands


def write_summary(markdown: str, environ: Mapping[str, str] | None = None) -> bool:
    """Adds Markdown to the job's summary page; False where there is none or it is full."""
    environ = os.environ if environ is None else environ
    path = environ.get("GITHUB_STEP_SUMMARY")
    if path:
        return _append(path, markdown + "\n", SUMMARY)
    agent = shutil.which("buildkite-agent") if environ.get("BUILDKITE") else None
    return bool(agent) and _annotated(str(agent), markdown)


def write_outputs(outputs: Mapping[str, str], environ: Mapping[str, str] | None = None) -> bool:
    """Hands values to later steps; False where the system has no such file."""
    path = (os.environ if environ is None else environ).get("GITHUB_OUTPUT")
    if not path:
        return False
    end = f"triage_{secrets.token_hex(16)}"  # nothing in a value can guess where it ends
    return _append(path, "".join(f"{name}<<{end}\n{value}\n{end}\n" for name, value in outputs.items()), 1 << 20)


def as_variables(outputs: Mapping[str, str]) -> str:
    """The outputs as NAME=VALUE lines, as a dotenv report and a properties file take them."""
    return "".join(
        f"TRIAGE_{name.upper().replace('-', '_')}={plain(value)[:1000]}\n" for name, value in outputs.items()
    )


def annotates(job: Job) -> bool:
    """Whether the runner of this job makes annotations of workflow commands."""
    return job.system in ANNOTATING


def _append(path: str, text: str, most: int) -> bool:
    data = text.encode("utf-8", "replace")
    try:
        with open(path, "ab", opener=_unblocked) as stream:
            if os.fstat(stream.fileno()).st_size + len(data) > most:
                return False
            stream.write(data if _ended(path) else b"\n" + data)
    except OSError:
        return False
    return True


def _unblocked(path: str, flags: int) -> int:
    """Opens a file without waiting: a pipe that nobody reads is an error, and holds no build."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)


def _ended(path: str) -> bool:
    """Whether what stands in the file ends its last line: a build may have left it open, and ours would go on there."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return True
    with open(path, "rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"


def _annotated(agent: str, markdown: str) -> bool:
    """Buildkite shows an annotation of the build; one context each job, so that it is replaced."""
    command = [agent, "annotate", "--style", "error", "--context", f"triage-{os.environ.get('BUILDKITE_JOB_ID', '')}"]
    try:
        done = subprocess.run(command, input=markdown.encode(), capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
