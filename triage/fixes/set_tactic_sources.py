"""Change the tactic sources of the builder.

What it changes: from which libraries the builder may take kernels. Where the build restricts them, the restriction is
dropped; where the log names cuBLAS or cuDNN, these are left out; else only TensorRT's own kernels are left.

When it is wrong: where a node has no kernel in any source; then the failure stays. Fewer sources can make the engine
slower.

Proof: the engine is built; outputs are compared as the recipe says. The sources change which kernels are chosen, not
what they compute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look
from triage.trtbuild.settings import SOURCES

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("kernel-implementation-missing", "builder-internal-error", "cuda-library-mismatch")
SAFETY = "safe"
_OWN = ("edge_mask_convolutions", "jit_convolutions")
_BROKEN = re.compile(
    r"(?i)\b(cublas_?lt|cublas|cudnn)\w*?(?:_STATUS_|[^\n]{0,80}(?:fail|error|not initialized|mismatch|could not))"
)


def propose(site: Site) -> Iterator[Proposal]:
    """Other sources for each place that builds."""
    for view in look.views(site):
        if view.builds and view.carrier.kind not in ("words", "data"):
            for rank, (what, sources) in enumerate(_ways(site, view)):
                yield Proposal(f"{view.carrier.name}: {what}", view.change(tactics=sources), rank=rank)


def _ways(site: Site, view: View) -> Iterator[tuple[str, list[str] | None]]:
    now = view.settings.tactics
    broken = {match[1].lower().replace("cublaslt", "cublas_lt") for match in _BROKEN.finditer(site.log)}
    if broken:
        left = [name for name in SOURCES if name not in broken]
        if now is None or set(now) & broken:
            yield f"take no kernels from {', '.join(sorted(broken))}", left
    if "cuda-library-mismatch" in site.found.causes[:1]:
        return
    if now is not None:
        yield "take kernels from every source", None
    else:
        yield "take only TensorRT's own kernels", list(_OWN)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the sources."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt

builder = tensorrt.Builder(tensorrt.Logger())
network = builder.create_network(1)
config = builder.create_builder_config()
config.set_tactic_sources(1 << int(tensorrt.TacticSource.CUDNN))
plan = builder.build_serialized_network(network, config)
"""


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    (view,) = look.views(site)
    assert view.settings.tactics is None or "cudnn" not in view.settings.tactics  # noqa: S101
    compile(site.text("build.py"), "build.py", "exec")


def _loads(folder: str) -> None:
    with open(f"{folder}/run.py", "w", encoding="utf-8") as stream:
        stream.write("import tensorrt as trt\nengine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(b'')\n")


EXAMPLES = (
    Example(_before, _after, log="[TRT] [E] 9: CUDNN_STATUS_NOT_INITIALIZED", needs=("libcst",)),
    Example(_before, _after, log="Could not find any implementation for node fc", needs=("libcst",)),
    Example(_loads, None, command=("python", "run.py"), applies=False, needs=("libcst",)),
)
