"""Install a newer NVIDIA driver on the host.

What it changes: nothing. It gives the commands that install a driver which runs the CUDA release at hand. Drivers
belong to the host, never to a container.

When it is wrong: on a machine without a GPU. On servers for data centres, a package cuda-compat inside the container
may do instead of a new driver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal

CAUSES = ("cuda-driver-too-old", "cuda-unavailable", "cuda-execution-failed", "accelerator-execution-failed")
SAFETY = "manual"
EVIDENT = False
_OLD = re.compile(
    r"(?i)driver version is insufficient|driver on your system is too old|driver is too old|unsupported display driver"
    r"|requires? (?:an? )?(?:NVIDIA )?driver|cuda driver.{0,40}(?:older|too old)|system has unsupported"
)
_RELEASE = re.compile(r"(?i)cuda[ _-]?(?:runtime )?(?:version )?(?:release )?(\d{2}\.\d)|cu(\d{2})(\d)\b")
_DRIVERS = ((13.0, 580), (12.8, 570), (12.6, 560), (12.4, 550), (12.0, 525), (11.0, 450))  # CUDA -> least branch, Linux


def propose(site: Site) -> Iterator[Proposal]:
    """The driver that the release of CUDA in the log needs, else a present one."""
    if not _OLD.search(site.log):
        return
    match = _RELEASE.search(site.log)
    release = float(match[1] or f"{match[2]}.{match[3]}") if match else None
    branch = next((driver for least, driver in _DRIVERS if release is not None and release >= least), 580)
    needs = f"CUDA {release} needs driver {branch} or newer" if release else f"driver {branch} runs every present CUDA"
    commands = [
        "nvidia-smi",
        f"sudo apt-get update && sudo apt-get install -y nvidia-driver-{max(branch, 570)}",
        "sudo reboot",
    ]
    yield Proposal(f"install a newer NVIDIA driver on the host: {needs}", {"commands": commands})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person installs drivers."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


_FOUND = Found(("cuda-driver-too-old",))
EXAMPLES = (
    Example(_nothing, None, found=_FOUND, log="CUDA driver version is insufficient for CUDA runtime version\n"),
    Example(_nothing, None, found=_FOUND, log="CUDA error: out of memory\n", applies=False),
)
