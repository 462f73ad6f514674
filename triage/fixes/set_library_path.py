"""Put the folder of the library on the search path.

What it changes: nothing. Where a shared library that the log misses lies on this machine, it gives the line that
tells the loader its folder.

When it is wrong: where a library of the same name belongs to another release of CUDA or TensorRT. A library that is
nowhere must be installed first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _manual
from triage.remedy import Proposal

CAUSES = (
    "cuda-library-missing", "cuda-library-mismatch", "tensorrt-library-missing", "shared-library-load-failed",
    "plugin-missing", "execution-provider-unavailable", "backend-init-failed",
)  # fmt: skip
SAFETY = "manual"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal]:
    """One line for each folder that holds a missing library."""
    found: dict[str, list[str]] = {}
    for library in _manual.libraries(site.log):
        for folder in list(_manual.places(site, library))[:1]:
            found.setdefault(folder, []).append(library)
    for folder, held in found.items():
        line = f'export LD_LIBRARY_PATH={shlex.quote(folder)}"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"'
        yield Proposal(f"let the loader find {', '.join(held)} in {folder}", {"commands": [line]})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person changes the environment."""


def _here(folder: str) -> None:
    with open(f"{folder}/libmyops.so", "wb") as stream:
        stream.write(b"\x7fELF")


_LOG = "OSError: libmyops.so: cannot open shared object file: No such file or directory\n"
_FOUND = Found(("shared-library-load-failed",))
EXAMPLES = (
    Example(_here, None, found=_FOUND, log=_LOG),
    Example(_here, None, found=_FOUND, log=_LOG.replace("libmyops", "libothers"), applies=False),
)
