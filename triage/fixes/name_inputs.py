"""Give inputs and outputs the names that are fed and fetched.

What it changes: input_names and output_names of the call that exports the model, so that they are what the service or
the smoke test uses; keys of dynamic_axes follow. Where more names are given than the graph has inputs, those of what is
no tensor are left out.

When it is wrong: where it cannot be told which name belongs to which of several inputs, nothing is proposed: exchanged
inputs would give wrong numbers. Where the feed's name is a slip, the feed should be corrected.

Proof: the build runs with the names that failed, and its outputs are compared with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

CAUSES = ("input-name-mismatch", "export-input-type-unsupported", "model-config-mismatch", "configuration-error")
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each export, the names that fit what the log says."""
    from triage.pysource import exporters, naming
    from triage.pysource.changes import Changes

    flow = exporters.project_flow(site)
    for call in exporters.torch_calls(flow):
        for rank, names in enumerate(naming.wanted(site, call)):
            made = Changes(flow.project)
            done = naming.write(call, names)
            packed = made.packed()
            if done and packed:
                said = [f"{side} {', '.join(given)}" for side, given in names._asdict().items() if given is not None]
                yield Proposal(f"name the {' and '.join(said)} in {call.where}", packed, rank=rank)
        unclear = naming.undecided(site, call)
        if unclear is not None:
            yield Refusal(
                f"nothing tells which of the inputs {', '.join(unclear[0])} is meant by {', '.join(unclear[1])}",
                f"give input_names in {call.where}, in the order in which forward() takes them",
            )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the names."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import torch


class Pick(torch.nn.Module):
    def forward(self, x, scale, flag):
        return x * scale if flag else x


torch.onnx.export(Pick().eval(), (torch.ones(1, 4), torch.ones(1), True), "model.onnx", dynamo=False,
                  input_names=["x", "flag", "scale"][:3], output_names=["y", "mask"])
"""
_LOG = """Traceback (most recent call last):
  File "build.py", line 9, in <module>
    torch.onnx.export(Pick().eval(), (torch.ones(1, 4), torch.ones(1), True), "model.onnx", dynamo=False,
RuntimeError: number of output names provided (2) exceeded number of outputs (1)
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import onnx

    from triage.pysource import samples

    samples.run(site)
    assert [value.name for value in onnx.load(site.path("model.onnx")).graph.output] == ["y"]  # noqa: S101


def _fitting(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT.replace('"y", "mask"', '"y"')})


_FOUND = Found(causes=("export-input-type-unsupported",), captures={"got": "2", "expected": "1"})
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnx")),
    Example(_fitting, None, found=_FOUND, log=_LOG, applies=False),
)
