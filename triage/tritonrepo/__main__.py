"""Checks a model repository: ``python -m triage.tritonrepo REPOSITORY``. Exit code 1 where something is wrong."""

from __future__ import annotations

import os
import sys

from triage.tritonrepo.checks import check


def main(words: list[str]) -> int:
    """Prints what is wrong, a line each."""
    if len(words) != 1 or not os.path.isdir(words[0]):
        print("usage: python -m triage.tritonrepo REPOSITORY", file=sys.stderr)
        return 2
    found = list(dict.fromkeys(check(words[0])))
    for finding in found:
        cure = f" ({finding.cure})" if finding.cure else ""
        print(f"Poll failed for model directory '{finding.model}': {finding.what}{cure}")
    print(f"{len(found)} finding{'s' if len(found) != 1 else ''} in {words[0]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
