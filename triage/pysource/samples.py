"""Running what a fix changed, for the examples of fixes."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.site import Site


def run(site: Site) -> str:
    """Runs the build's command in its folder with this interpreter; gives what it printed.

    Raises:
        RuntimeError: it did not end with 0.
    """
    words = [sys.executable if word in ("python", "python3") else word for word in site.command]
    done = subprocess.run(
        words, cwd=site.root, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{words} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def write(folder: str, files: dict[str, str]) -> None:
    """Writes text files into a folder."""
    for path, text in files.items():
        full = os.path.join(folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as stream:
            stream.write(text)
