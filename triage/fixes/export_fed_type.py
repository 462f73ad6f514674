"""Export the model so that it takes the type that is sent.

What it changes: the script exports a small module round the model whose inputs have the type that the caller sends, and
that casts each to the type the model is made for. The caller, the weights and the numbers inside stay as they are.

When it is wrong: where the caller should have sent the other type. Then its own line has to change, which is not for a
repair to decide. Between whole numbers and fractions nothing is done: a cast might lack a scale, or cut numbers off.

Proof: the build runs with what is sent, and its outputs are compared with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal

CAUSES = ("input-dtype-mismatch",)
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each export: the inputs whose stored feeds differ, else all of the type that was not met, then each alone."""
    from triage.pysource import exporters, feedtypes, wrapping
    from triage.pysource.changes import Changes

    types = feedtypes.said(site.log)
    flow = exporters.project_flow(site) if types else None
    calls = exporters.torch_calls(flow) if flow is not None else []
    if types and flow and calls and not feedtypes.is_harmless(types):
        yield Refusal(
            f"{types.got} is sent where the model takes {types.want}: whether to cast or to scale it stands nowhere",
            f"send {types.want}, made from the {types.got} as it was done in training",
        )
        return
    for call in calls:
        for rank, casts in enumerate(feedtypes.casts(site, call)):
            made = Changes(call.flow.project)
            done = wrapping.wrap(call, casts)
            packed = made.packed()
            if done and packed:
                said = " and ".join(f"{name} as {cast.got}" for name, cast in casts.items())
                yield Proposal(f"export so that it takes {said}, in {call.where}", packed, rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the wrapper and the call."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import numpy, onnxruntime, torch

torch.manual_seed(0)
model = torch.nn.Embedding(9, 4).eval()
torch.onnx.export(model, (torch.ones(1, 3, dtype=torch.long),), "model.onnx", dynamo=False, input_names=["ids"])
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
got = session.run(None, {"ids": numpy.array([[1, 8, 2]], KIND)})[0]
assert numpy.allclose(got, model(torch.tensor([[1, 8, 2]])).detach())
"""
_LOG = """onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : \
Unexpected input data type. Actual: (tensor(int32)) , expected: (tensor(int64))
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT.replace("KIND", '"int32"')})


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)


EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("torch", "onnxruntime")),
    Example(_before, None, log=_LOG.replace("int32", "float"), applies=False),
)
