"""Take precision flags out of a strongly typed network.

What it changes: in a build whose network is strongly typed, the flags for FP16, BF16, INT8 and precision constraints
are dropped: there the types in the model decide. A second way, tried after it, makes the network weakly typed and keeps
the flags.

When it is wrong: where the speed of the lower precision was wanted and the model holds FP32 only. Then put the types
into the model (ModelOpt AutoCast) and keep the network strongly typed.

Proof: the engine is built; outputs are compared as the recipe says. Without the flags the engine computes in the
model's own types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look
from triage.trtbuild.settings import PRECISIONS

CAUSES = ("precision-unsupported", "configuration-error", "api-removed")
SAFETY = "safe"
_LOOSE = frozenset(name for name in PRECISIONS if name != "tf32") | {
    "obey_precision_constraints",
    "prefer_precision_constraints",
}


def propose(site: Site) -> Iterator[Proposal]:
    """Without the flags; then without strong typing."""
    for view in look.views(site):
        flags = view.settings.flags & _LOOSE
        if not view.settings.typed or not flags:
            continue
        names = ", ".join(sorted(flags))
        left = sorted(view.settings.flags - flags)
        what = f"{view.carrier.name}: drop {names}: in a strongly typed network the model's types decide"
        yield Proposal(what, view.change(flags=left))
        yield Proposal(
            f"{view.carrier.name}: make the network weakly typed and keep {names}", view.change(typed=False), rank=1
        )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the flags, or the kind of network."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

builder = trt.Builder(trt.Logger())
network = builder.create_network({flag})
config = builder.create_builder_config()
if builder.platform_has_fast_fp16:
    config.set_flag(trt.BuilderFlag.FP16)
plan = builder.build_serialized_network(network, config)
"""


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(flag="1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)"))


def _loose(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.format(flag="0"))


def _after(site: Site) -> None:
    text = site.text("build.py")
    assert "FP16" not in text  # noqa: S101
    assert "STRONGLY_TYPED" in text  # noqa: S101
    compile(text, "build.py", "exec")


_LOG = "[TRT] [E] Cannot set FP16 builder flag with a strongly typed network."
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("libcst",)),
    Example(_loose, None, log=_LOG, applies=False, needs=("libcst",)),
)
