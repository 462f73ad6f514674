"""Change the optimization level of the builder.

What it changes: how hard the builder searches (0 to 5, TensorRT's own is 3): a lower level leaves out fusions that can
fail, the highest one tries kernels that the usual search leaves out.

When it is wrong: where no kernel exists at all; then the failure stays. A lower level can make the engine slower, a
higher one makes the build slower. trtexec and Polygraphy commands are changed by lower_optimization_level.

Proof: the engine is built; outputs are compared as the recipe says. The level changes which kernels are chosen, not
what they compute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look

CAUSES = ("kernel-implementation-missing", "builder-internal-error")
SAFETY = "safe"
_USUAL = 3


def propose(site: Site) -> Iterator[Proposal]:
    """Level 2, then 5, then 0, where the build does not say so already."""
    for view in look.views(site):
        if not view.builds or view.carrier.kind not in ("script", "json"):
            continue  # commands are lower_optimization_level's
        now = _USUAL if view.settings.level is None else view.settings.level
        for rank, level in enumerate(each for each in (2, 5, 0) if each != now):
            yield Proposal(
                f"{view.carrier.name}: build at optimization level {level}, not {now}",
                view.change(level=level),
                rank=rank,
            )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the level."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

builder = trt.Builder(trt.Logger())
network = builder.create_network(1)
config = builder.create_builder_config()
config.builder_optimization_level = 4
plan = builder.build_serialized_network(network, config)
"""


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    assert "config.builder_optimization_level = 2\n" in site.text("build.py")  # noqa: S101
    assert site.text("build.py").count("optimization_level") == 1  # noqa: S101


def _loads(folder: str) -> None:
    with open(f"{folder}/run.py", "w", encoding="utf-8") as stream:
        stream.write("import tensorrt as trt\nengine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(b'')\n")


EXAMPLES = (
    Example(_before, _after, needs=("libcst",)),
    Example(_loads, None, command=("python", "run.py"), applies=False, needs=("libcst",)),
)
