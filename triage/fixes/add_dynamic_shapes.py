"""Declare the dynamic dimensions at export.

What it changes: dynamic_axes or dynamic_shapes of the call that exports the model, so that the dimensions whose sizes
differ between the example input and what is fed later are no longer fixed. Wrong names and a wrong number of entries in
them are put right; dimension bounds become what torch.export suggests.

When it is wrong: where the feed has another layout or number of features than the model was trained on, the feed is
wrong and not the export; then that is said. Code of the model that fixes a size (a constant in view(), int() of
a size) is not changed: the other exporter may follow it.

Proof: the build runs with the sizes that failed, and its outputs are compared with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

CAUSES = (
    "input-shape-mismatch", "export-dynamic-shape-conflict", "runtime-shape-conflict", "shape-inference-conflict",
    "configuration-error",
)  # fmt: skip
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """What the log says of dimensions first: sizes that were fed, then entries that the exporter refused."""
    from triage.pysource import dimensions

    for rank, (what, parameters) in enumerate(dimensions.proposals(site)):
        yield Refusal(what, parameters) if isinstance(parameters, str) else Proposal(what, parameters, rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the arguments as they were proposed."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import numpy, onnxruntime, torch

model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2)).eval()
torch.onnx.export(model, (torch.zeros(1, 3, 4),), "model.onnx", dynamo=False, input_names=["x"], output_names=["y"])
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
print(session.run(None, {"x": numpy.zeros((3, 3, 4), "float32")})[0].shape)
"""
_LOG = """onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : \
Got invalid dimensions for input: x for the following indices
 index: 0 Got: 3 Expected: 1
 Please fix either the inputs/outputs or the model.
"""
_LAYOUT = _LOG.replace(" index: 0 Got: 3 Expected: 1", " index: 1 Got: 4 Expected: 3\n index: 2 Got: 3 Expected: 4")


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).endswith("(3, 2)\n")  # noqa: S101


_FOUND = Found(causes=("input-shape-mismatch",), captures={"input": "x"})
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnxruntime")),
    Example(_before, None, found=_FOUND, log=_LAYOUT, applies=False),
)
