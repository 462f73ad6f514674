"""Raise the limit of the workspace pool.

What it changes: the number of bytes that the builder may use as workspace, in the settings, the command or the
script: at least what the log asks for, at most nine tenths of the device memory that is free.

When it is wrong: where the device is full (gpu-out-of-memory); then a larger limit does not help. Without any limit
in the build TensorRT may use all of the memory already, and nothing is proposed.

Proof: the engine is built; the limit changes which kernels are chosen, not what they compute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import gpu, look

CAUSES = ("workspace-insufficient", "kernel-implementation-missing", "builder-internal-error")
SAFETY = "safe"
_NEEDED = re.compile(
    r"(?i)(?:requested size of|requested|requires?|needs?|insufficient memory on requested size of)\s*:?\s*(\d{6,15})"
)
_USUAL = 4 << 30
_LEAST = 256 << 20


def propose(site: Site) -> Iterator[Proposal]:
    """More workspace wherever a limit is set."""
    for view in look.views(site):
        now = view.settings.pools.get("workspace")
        if now is None:
            continue
        needed = max((int(size) for size in _NEEDED.findall(site.log)), default=0)
        free = gpu.free_memory(site.log)
        for rank, size in enumerate(_sizes(now, needed, free)):
            what = f"{view.carrier.name}: let the workspace take {_words(size)} in place of {_words(now)}"
            yield Proposal(what, view.change(pools={**view.settings.pools, "workspace": size}), rank=rank)


def _sizes(now: int, needed: int, free: int | None) -> list[int]:
    """Sizes to try, in whole MiB: what is asked for with some room, then much more."""
    most = (free or 1 << 40) * 9 // 10
    wanted = [max(needed * 5 // 4, now * 4, _LEAST), max(needed * 2, now * 16, _USUAL)]
    sizes = [min(size, most) >> 20 << 20 for size in wanted]
    return [size for size in dict.fromkeys(sizes) if size > now]


def _words(size: int) -> str:
    return (
        f"{size / (1 << 30):.1f} GiB"
        if size >= 1 << 30
        else f"{size >> 20} MiB"
        if size >= 1 << 20
        else f"{size} bytes"
    )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the limit."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

builder = trt.Builder(trt.Logger())
network = builder.create_network(1)
config = builder.create_builder_config()
{limit}
plan = builder.build_serialized_network(network, config)
"""


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(limit="config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 16 * (1 << 20))"))


def _without(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(limit="print(config)"))


def _after(site: Site) -> None:
    (view,) = look.views(site)
    assert view.settings.pools["workspace"] >= 1 << 30  # noqa: S101
    compile(site.text("build.py"), "build.py", "exec")


def _empty(folder: str) -> None:
    with open(f"{folder}/model.onnx", "wb"):
        pass


def _of_command(site: Site) -> None:
    (view,) = look.views(site)
    assert view.settings.pools["workspace"] >= 256 << 20  # noqa: S101
    assert not any(word.startswith("--workspace") for word in site.command)  # noqa: S101


_LOG = (
    "[TRT] [W] Skipping tactic 0x02 due to insufficient memory on requested size of 1073741824 detected for tactic 2.\n"
    "[TRT] [E] 10: Could not find any implementation for node conv."
)
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("libcst",)),
    Example(
        _empty, _of_command, command=("trtexec", "--onnx=model.onnx", "--workspace=16"), log="| 1024MiB / 16384MiB |"
    ),
    Example(_without, None, log=_LOG, applies=False, needs=("libcst",)),
)
