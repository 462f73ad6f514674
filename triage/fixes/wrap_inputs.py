"""Wrap the model so that it takes and returns plain tensors.

What it changes: the script exports a small module round the model that takes tensors, hands them on as the model wants
them, and returns every tensor of its output in order. Example inputs get the form that the exporter takes: a tuple,
with an empty dictionary behind one that is an input itself. A model that returns a cache of keys and values is told not
to. A number or flag that tracing made an input which nobody feeds is fixed in the graph.

When it is wrong: what is no tensor (a text, a flag) is fixed in the graph, as every exporter fixes it. Outputs keep
their order, but a dictionary loses its keys: give output_names. Where inputs cannot be told apart nothing is
proposed.

Proof: the outputs of the exported model are compared with the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal

CAUSES = (
    "export-input-type-unsupported",
    "export-internal-error",
    "export-untracked-tensor",
    "model-code-error",
    "input-name-mismatch",
    "unknown",
)
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal]:
    """The smallest change first: the form of the example inputs, the cache, then a wrapper."""
    from triage.pysource import exporters, naming, wrapping
    from triage.pysource.calls import CallSite
    from triage.pysource.changes import Changes

    ways: list[tuple[str, Callable[[CallSite], bool]]] = []
    if wrapping.LIST.search(site.log):
        ways.append(("give the example inputs as a tuple", wrapping.with_tuple))
    if wrapping.MISSING.search(site.log):
        ways.append(("keep the dictionary of example inputs an input of its own", wrapping.with_empty_keywords))
        ways.append(("hand the example inputs over by name", wrapping.with_keywords))
    if wrapping.CACHE.search(site.log):
        ways.append(("have the model return no cache", wrapping.without_cache))
    if wrapping.OUTPUTS.search(site.log):
        ways.append(("wrap the model so that it takes and returns plain tensors", wrapping.wrap))
    unfed = naming.unfed(site.log)
    flow = exporters.project_flow(site) if ways or unfed else None
    for call in exporters.torch_calls(flow) if flow is not None else ():
        fixed = [(f"fix {', '.join(unfed)} in the graph", wrapping.wrap)] if wrapping.are_constants(call, unfed) else []
        for rank, (what, change) in enumerate([*ways, *fixed]):
            made = Changes(call.flow.project)
            done = change(call)
            packed = made.packed()
            if done and packed:
                yield Proposal(f"{what}, in {call.where}", packed, rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the wrapper and the call."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """from dataclasses import dataclass

import torch


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


class Net(torch.nn.Module):
    def forward(self, x, double: bool):
        return Output(x * 2 if double else x, x + 1)


model = Net().eval()
torch.onnx.export(model, (torch.ones(1, 4), True), "model.onnx", dynamo=False, input_names=["x"],
                  output_names=["logits", "hidden"])
"""
_LOG = """Traceback (most recent call last):
  File "build.py", line 18, in <module>
    torch.onnx.export(model, (torch.ones(1, 4), True), "model.onnx", dynamo=False, input_names=["x"],
RuntimeError: Only tuples, lists and Variables are supported as JIT inputs/outputs. Dictionaries and strings are also \
accepted, but their usage is not recommended. Here, received an input of unsupported type: Output
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    from triage.pysource import samples

    samples.run(site)
    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    logits, hidden = session.run(["logits", "hidden"], {"x": np.ones((1, 4), np.float32)})
    assert (logits == 2).all()  # noqa: S101
    assert (hidden == 2).all()  # noqa: S101


def _other_error(folder: str) -> None:
    from triage.pysource import samples

    samples.write(
        folder, {"build.py": _SCRIPT.replace("return Output(", "return tuple((").replace("x + 1)", "x + 1))")}
    )


_FOUND = Found(causes=("export-input-type-unsupported",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnxruntime")),
    Example(_other_error, None, found=_FOUND, log="RuntimeError: mat1 and mat2 shapes differ", applies=False),
)
