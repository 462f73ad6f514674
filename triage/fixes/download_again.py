"""Fetch a damaged file again.

What it changes: nothing. Where a weights file of the build is cut short, empty, or a web page under the name of a
weights file, it says so: the missing bytes are nowhere in the folder, so nothing can be repaired on a copy.

When it is wrong: where the file was never downloaded but written by an earlier step; then that step failed, and must
run again.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.modelfolder import damage, weights
from triage.remedy import Proposal, Refusal

CAUSES = (
    "checkpoint-corrupt", "model-file-corrupt", "external-data-missing", "engine-corrupt", "adapter-mismatch",
    "tokenizer-mismatch",
)  # fmt: skip
SAFETY = "manual"
EVIDENT = False
_FILES = (*damage.WEIGHTS, ".engine", ".plan", ".trt")
_DAMAGED = ("checkpoint-corrupt", "model-file-corrupt", "external-data-missing", "engine-corrupt")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """Every damaged weights file, those that the log names first, with a way to look at it and to fetch it."""
    found = list(_damaged(site))
    named = [(path, why) for path, why in found if path.rpartition("/")[2] in site.log]
    for path, why in named or (found if set(site.found.causes) & set(_DAMAGED) else []):
        yield Refusal(f"{path} {why}", "Fetch the file again, and compare its size and SHA-256 with the source.")
        yield Proposal(f"fetch {path} again: it {why}", {"commands": list(_commands(site, path))})


def _damaged(site: Site) -> Iterator[tuple[str, str]]:
    for path in site.listing:
        full = site.path(path)
        if not path.endswith(_FILES) or path in site.outputs or not os.path.isfile(full) or damage.pointer(full):
            continue  # for pointers see fetch_lfs_objects
        why = damage.damage(full)
        if why is not None:
            yield path, why


def _commands(site: Site, path: str) -> Iterator[str]:
    """How the file looks now, and, where the folder says of which model it is, how it is fetched."""
    yield f"ls -l {shlex.quote(path)}; head -c 100 {shlex.quote(path)} | xxd | head -4"
    folder, _, name = path.rpartition("/")
    config = weights.json_of(os.path.join(site.path(folder or "."), "config.json"))
    repository = str(config.get("_name_or_path") or "")
    if re.fullmatch(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", repository):
        yield f"hf download {shlex.quote(repository)} {shlex.quote(name)} --local-dir {shlex.quote(folder or '.')}"
    yield f"sha256sum {shlex.quote(path)}"


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person can fetch it."""


def _cut(folder: str) -> None:
    with open(f"{folder}/weights.pt", "wb") as stream:
        stream.write(b"PK\x03\x04" + bytes(100))


def _whole(folder: str) -> None:
    import zipfile

    with zipfile.ZipFile(f"{folder}/weights.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")


EXAMPLES = (
    Example(_cut, None, found=Found(("checkpoint-corrupt",))),
    Example(_whole, None, found=Found(("checkpoint-corrupt",)), applies=False),
)
