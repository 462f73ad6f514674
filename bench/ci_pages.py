"""Writes the comments that the pages below examples/ show: triage diagnoses a log as in a job of that host.

usage: python -m bench.ci_pages [--check]
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
LOG = "fixtures/logs/trt86-profile-missing-bert-mask/log.txt"
SHA = "8d2ab7c4f1e09b35d6a7c8e9f00112233445566a"
JOBS = {
    "github": {
        "GITHUB_ACTIONS": "true", "GITHUB_WORKFLOW": "CI", "GITHUB_JOB": "engine", "GITHUB_RUN_ID": "123456789",
        "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "octo/models", "GITHUB_SHA": SHA,
        "GITHUB_EVENT_NAME": "pull_request",
    },
    "gitlab": {
        "GITLAB_CI": "true", "CI_JOB_NAME": "triage", "CI_SERVER_URL": "https://gitlab.com", "CI_COMMIT_SHA": SHA,
        "CI_PROJECT_PATH": "octo/models", "CI_JOB_URL": "https://gitlab.com/octo/models/-/jobs/501",
        "CI_MERGE_REQUEST_IID": "5", "CI_PIPELINE_ID": "123456789", "CI_DEFAULT_BRANCH": "main",
    },
}  # fmt: skip
_BLOCK = re.compile(r"<!-- comment: (?P<host>\w+) -->\n````markdown\n.*?````", re.DOTALL)


def drawn(text: str) -> str:
    """A page with the present comment."""

    def comment(found: re.Match[str]) -> str:
        return f"<!-- comment: {found['host']} -->\n````markdown\n{comment_on(found['host']).strip()}\n````"

    return _BLOCK.sub(comment, text)


def comment_on(host: str) -> str:
    """The comment of a job that is the first of its archive."""
    with tempfile.TemporaryDirectory() as folder:
        head = {"sha": SHA, "ref": "feature", "repo": {"full_name": "octo/models"}}
        pull = {"number": 5, "head": head, "base": {"ref": "main"}}
        event = Path(folder) / "event.json"
        repository = {"full_name": "octo/models", "default_branch": "main"}
        event.write_text(json.dumps({"number": 5, "pull_request": pull, "repository": repository}), encoding="utf-8")
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TRIAGE_CACHE_DIR") if name in os.environ}
        environment = kept | JOBS[host] | {"TRIAGE_DATA_DIR": folder, "GITHUB_EVENT_PATH": str(event)}
        words = [sys.executable, "-m", "triage", "ci", "report", LOG, "--status", "failure", "--out", f"{folder}/out"]
        subprocess.run(words, cwd=REPO, env=environment, check=True, capture_output=True)
        return (Path(folder) / "out" / "comment.md").read_text("utf-8")


def main(arguments: list[str]) -> int:
    """Writes the pages, or says which of them are old."""
    old = []
    for page in sorted(REPO.glob("examples/*/README.md")):
        text = page.read_text("utf-8")
        new = drawn(text)
        if new != text:
            old.append(str(page.relative_to(REPO)))
            if "--check" not in arguments:
                page.write_text(new, encoding="utf-8")
    print("\n".join(old))
    return int(bool(old) and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
