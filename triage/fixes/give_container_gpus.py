"""Start the container with GPUs.

What it changes: nothing. Where no GPU can be seen inside a container, it gives the command that starts it with GPUs:
the build's own `docker run` with `--gpus all` where it has one.

When it is wrong: where the machine has no GPU, or the NVIDIA Container Toolkit is not installed on the host:
`nvidia-smi` on the host tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _manual
from triage.remedy import Proposal

CAUSES = ("cuda-unavailable", "execution-provider-unavailable", "backend-init-failed")
SAFETY = "manual"
EVIDENT = False
_SEEN = re.compile(
    r"(?i)container|docker|libcuda\.so\.1|no CUDA-capable device|could not select device driver"
    r"|NVIDIA Driver was not detected|Failed to initialize NVML|no NVIDIA driver on your system|nvidia-container"
    r"|unable to find.{0,20}GPU"
)
_NO_GPU = "Failed to initialize NVML"


def propose(site: Site) -> Iterator[Proposal]:
    """The container's command with GPUs."""
    first = site.found.causes[:1]
    if not _SEEN.search(site.log) or (first and first[0] not in CAUSES):
        return
    if first == ("backend-init-failed",) and not _SEEN.search(site.log.replace(_NO_GPU, "")):
        return  # what a server without a GPU prints, whatever fails
    commands = [
        _manual.with_option(words, "--gpus all")
        for words in _manual.containers(site)
        if "--gpus" not in " ".join(words)
    ]
    if not commands and any(True for _ in _manual.containers(site)):
        return
    if re.search(r"could not select device driver|nvidia-container", site.log):
        setup = "sudo nvidia-ctk runtime configure --runtime=docker"
        install = "sudo apt-get install -y nvidia-container-toolkit"
        commands = [install, setup, "sudo systemctl restart docker", *commands]
    what = "start the container with GPUs" if commands else "if this runs in a container, start it with GPUs"
    yield Proposal(what, {"commands": commands or ["nvidia-smi", "docker run --gpus all IMAGE COMMAND"]})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person starts containers."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


_LOG = "RuntimeError: Found no NVIDIA driver on your system.\n"
_RUN = ("docker", "run", "--rm", "acme/build", "python", "build.py")
_FOUND = Found(("cuda-unavailable",))
EXAMPLES = (
    Example(_nothing, None, command=_RUN, found=_FOUND, log=_LOG),
    Example(_nothing, None, command=(*_RUN[:2], "--gpus", "all", *_RUN[2:]), found=_FOUND, log=_LOG, applies=False),
)
