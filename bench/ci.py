"""What ``triage ci`` costs: a wrapped build against the same build run bare, and how long a comment takes.

usage: python -m bench.ci [ROUNDS]

The builds print 100 MB, computing a little for each line as builds do. The comment is of a verbose log of 50 MB, in a
process of its own, to a server on this machine that speaks GitHub's API.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.runner import BUILD, LINE, SIZE

TESTS = Path(__file__).parents[1] / "tests"
FAILURE = (
    "[E] 4: [network.cpp::validate::3047] Error Code 4: Internal Error "
    "(Network has dynamic or shape inputs, but no optimization profile has been defined.)"
)
FAILING = BUILD + "write(sys.argv[4] + chr(10))\nsys.exit(1)\n"


def seconds(command: list[str], **where: object) -> float:
    """Wall time of a whole process, its output thrown away."""
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        subprocess.run(command, stdout=out, stderr=subprocess.DEVNULL, check=False, **where)  # type: ignore[call-overload]
        return time.perf_counter() - began


def wrapped(name: str, script: str, rounds: int) -> None:
    """Prints both times, the median of the ratios of neighbours, and the ratio of the fastest."""
    count = SIZE // (len(LINE.format(1, 1.0)) + 1)
    build = [sys.executable, "-c", script, LINE, str(count), "60", FAILURE]
    ours = [sys.executable, "-m", "triage", "ci", "wrap", "--", *build]
    bare, with_us = [], []
    for number in range(rounds):
        pair = [(bare, build), (with_us, ours)]
        for times, command in pair if number % 2 else pair[::-1]:
            times.append(seconds(command))
    ratio = statistics.median(ours / bare for ours, bare in zip(with_us, bare, strict=True))
    print(
        f"{name}: bare {min(bare):.2f} s, wrapped {min(with_us):.2f} s; "
        f"median ratio {ratio:.3f}, ratio of the fastest {min(with_us) / min(bare):.3f}"
    )


def commented(folder: str, rounds: int) -> None:
    """Prints how long it takes from a log of 50 MB to its comment."""
    sys.path.insert(0, str(TESTS))
    from ci_servers import GitHubServer
    from ci_servers.world import SHA

    log = os.path.join(folder, "build.log")
    with open(log, "w", encoding="utf-8") as stream:
        count = 50_000_000 // (len(LINE.format(1, 1.0)) + 1)
        stream.writelines(LINE.format(number * 7919, number * 0.5) + "\n" for number in range(count))
        stream.write(FAILURE + "\n")
    with GitHubServer() as host:
        told = {
            "TRIAGE_HOST": "github", "TRIAGE_API_URL": host.url, "TRIAGE_REPOSITORY": "octo/models",
            "TRIAGE_CHANGE": "5", "TRIAGE_COMMIT": SHA, "TRIAGE_GITHUB_TOKEN": host.token,
        }  # fmt: skip
        command = [sys.executable, "-m", "triage", "ci", "comment", "--status", "failure", log]
        times = []
        for number in range(rounds):
            name = {"TRIAGE_JOB_NAME": f"job {number}"}
            times.append(seconds(command, env={**os.environ, **told, **name}))
        assert len(host.comments) == rounds
    print(
        f"50 MB log, from the end of the job to its comment: median {statistics.median(times):.2f} s, {rounds} comments"
    )


if __name__ == "__main__":
    many = int(sys.argv[1]) if sys.argv[1:] else 5
    with tempfile.TemporaryDirectory() as place:
        os.environ["TRIAGE_DATA_DIR"] = os.path.join(place, "data")
        commented(place, many)
        wrapped("a failing build", FAILING, many)
        wrapped("a good build", BUILD, many)
