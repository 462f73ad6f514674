"""Files that a CI system names: they may be anything, and none of them holds or fails a build."""

import os
import subprocess
import sys

import pytest

from triage.ci._here import write_outputs, write_summary


def test_what_a_build_left_open_is_ended_first(tmp_path):
    path = tmp_path / "outputs"
    path.write_bytes(b"mine=1")
    assert write_outputs({"cause": "x"}, {"GITHUB_OUTPUT": str(path)})
    assert path.read_text(encoding="utf-8").startswith("mine=1\ncause<<triage_")
    assert write_outputs({"fix": "y"}, {"GITHUB_OUTPUT": str(path)})
    assert "\n\n" not in path.read_text(encoding="utf-8")


def test_a_pipe_that_nobody_reads_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert not write_summary("x", {"GITHUB_STEP_SUMMARY": str(path)})


@pytest.mark.parametrize("path", ["/no/such/folder/x", "/dev/full", "/"])
def test_a_file_that_cannot_be_written_is_no_fault(path):
    assert not write_summary("x", {"GITHUB_STEP_SUMMARY": path})


def test_a_build_may_remove_the_folder_that_it_runs_in(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "triage", "ci", "wrap", "--no-archive", "--out", "left", "--",
         "sh", "-c", f"rm -r {folder}; echo RuntimeError: x; exit 7"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert "UNKNOWN" in done.stderr
    assert (folder / "left" / "triage-job.json").is_file()
