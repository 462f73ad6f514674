"""Fetch the files that Git LFS left as pointers.

What it changes: nothing. Where a file of the build is only the pointer that Git LFS leaves in place of the data, it
gives the command that fetches the data. They are nowhere in the folder, so nothing can be repaired on a copy.

When it is wrong: where the repository has no remote at hand, or the file was copied out of its repository. Then take
it from where it was published, and compare the SHA-256 that the pointer holds.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph.external import POINTER, is_pointer
from triage.remedy import Proposal, Refusal

CAUSES = (
    "checkpoint-corrupt", "model-file-corrupt", "external-data-missing", "adapter-mismatch", "tokenizer-mismatch",
    "engine-corrupt", "format-version-unsupported",
)  # fmt: skip
SAFETY = "manual"
EVIDENT = False

_LARGEST = 1024  # bytes of a pointer


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The command for all pointers, and why nothing can be done here."""
    found = [path for path in site.listing if _pointer(site, path)]
    if not found:
        return
    oid = next((line.partition("oid ")[2] for line in site.text(found[0]).split("\n") if line.startswith("oid ")), "")
    yield Refusal(
        f"{found[0]} is a Git LFS pointer: the file itself was never fetched, and it is nowhere in the build's folder"
        + (f" ({oid})" if oid else "")
    )
    command = f"git lfs pull --include {shlex.quote(','.join(found))}"
    yield Proposal(f"fetch {', '.join(found[:3])} from Git LFS", {"commands": [command]})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person can fetch them."""


def _pointer(site: Site, path: str) -> bool:
    import os

    full = site.path(path)
    return os.path.isfile(full) and os.path.getsize(full) <= _LARGEST and is_pointer(full)


def _left_as_pointer(folder: str) -> None:
    with open(f"{folder}/model.safetensors", "wb") as stream:
        stream.write(POINTER + b".github.com/spec/v1\noid sha256:4d7a21\nsize 1234\n")


def _fetched(folder: str) -> None:
    with open(f"{folder}/model.safetensors", "wb") as stream:
        stream.write(bytes(2000))


EXAMPLES = (
    Example(_left_as_pointer, None, found=Found(("checkpoint-corrupt",))),
    Example(_fetched, None, found=Found(("checkpoint-corrupt",)), applies=False),
)
