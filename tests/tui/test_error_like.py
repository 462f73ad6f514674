"""What looks like an error: rows of the table, and what only has its words."""

import pytest

from triage.tui.document.errorlike import NO_ERROR, STRONG, WEAK, error_lines, looks_like_error
from triage.tui.document.searching import Piece

LOUD = {
    "level letter": "[11/20/2026-10:00:00] [E] [TRT] 4: [network.cpp::validate::3062]",
    "level word": "2026-11-20 10:00:00,123 - vllm - ERROR - engine died",
    "glog": "E1120 10:00:00.123456 1 model_lifecycle.cc:654] cannot load",
    "labelled": "onnxruntime fatal error: model has no graph",
    "exception": "ValueError: shapes do not fit",
    "traceback": "Traceback (most recent call last):",
    "actions": "##[error]Process completed with exit code 1.",
    "pytest": "E   assert 1 == 2",
    "npm": "npm ERR! code 1",
    "rust": "thread 'main' panicked at src/main.rs:1",
    "crash": "Segmentation fault (core dumped)",
    "failed": "Engine build failed",
    "error": "an internal error occurred",
    "error count": "make: 2 errors generated",
    "an error": "got an error from the server",
    "aborted": "Aborted",
    "cross": "✗ build engine",
}
QUIET = {
    "none": "finished with 0 errors and 0 failed tests",
    "count of none": '{"errors": 0, "failed": 0}',
    "quantity": "max error 0.001, mean error: 1e-6",
    "of error": "error_rate=0.1 error-handling on, error tolerance: 1",
    "retry": "will be retried if failed",
    "switch": "--fail-fast --on-error=continue",
}
OTHERS = [
    "[V] [TRT] Tactic 0x0 failed to be timed",
    "[I] 3 layers of 4 failed to fuse, trying on",
    "2026-11-20 WARNING something failed, using the default",
    "I1120 10:00:00.1 1 server.cc:1] failed over",
    "plain text", "", "errorRecorder", "terrors", "stderr is a terminal", "failover",
]  # fmt: skip


@pytest.mark.parametrize(("name", "line"), LOUD.items())
def test_each_row_has_a_line_that_it_sees(name, line):
    assert looks_like_error(line.encode())
    piece = Piece(7, 3, b"first\n" + line.encode() + b"\nlast")
    assert list(error_lines(piece)) == [(8, 6)]


@pytest.mark.parametrize("line", [*QUIET.values(), *OTHERS])
def test_words_of_errors_are_not_errors(line):
    assert not looks_like_error(line.encode())
    assert list(error_lines(Piece(1, 1, line.encode()))) == []


def test_every_row_is_proven():
    assert {name for name, _ in (*STRONG, *WEAK)} == set(LOUD)
    assert {name for name, _ in NO_ERROR} == set(QUIET)
