"""Put the model in eval mode before export.

What it changes: the script calls eval() on the exported model, before its first run that follows any training, and
exports with TrainingMode.EVAL. Dropout then passes values on, and batch normalization uses its trained statistics.
Functional dropout that is on in every mode gets training=self.training.

When it is wrong: where a model is exported to be trained further, training mode is wanted; then its outputs must not be
compared with those for inference. Dropout that is always on may be meant (Monte-Carlo dropout): without a check of the
outputs by the recipe that change needs --unsafe.

Proof: outputs differ from those of the failing build on purpose; they are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow

CAUSES = (
    "export-trace-mismatch", "output-mismatch", "operator-unsupported", "export-data-dependent-control-flow",
    "export-op-unsupported",
    "unknown",
)  # fmt: skip
SAFETY = "safe"

_SAID = re.compile(
    r"in training mode|training mode|nondeterministic nodes|Did you forget call \.eval|train(?:ing)?_mode|dropout",
    re.IGNORECASE,
)
_ANYWAY = ("export-trace-mismatch", "output-mismatch")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each exported model that was not put in eval mode, or that is exported for training."""
    from triage.pysource import evalmode, exporters

    compared = site.found.causes[:1] and site.found.causes[0] in _ANYWAY
    if not (compared or "AssertionError" in site.log or _SAID.search(site.log)):
        return
    flow = exporters.project_flow(site)
    for call in exporters.torch_calls(flow):
        if evalmode.training_mode(call) is not None or evalmode.is_in_eval(call) is False:
            yield from _with_eval(flow, call)
    yield from _functional(site, flow)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the call of eval()."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _functional(site: Site, flow: Flow) -> Iterator[Proposal | Refusal]:
    """Dropout that the model's code never switches off: eval() changes nothing, so the code has to."""
    from triage.pysource import evalmode
    from triage.pysource.changes import Changes

    found = evalmode.always_on(flow)
    if not found:
        return
    made = Changes(flow.project)
    done = all(evalmode.follow_mode(call) for call in found)
    packed = made.packed()
    where = ", ".join(call.where for call in found)
    if done and packed:
        what = f"switch the dropout off outside training (training=self.training), in {where}"
        yield Proposal(what, packed, safety=None if site.verify else "unsafe", rank=1, keeps=False)
    yield Refusal(
        f"the model's code leaves dropout on in every mode ({where}), so its outputs are random",
        "give it training=self.training, unless the outputs are meant to be random",
    )


def _with_eval(flow: Flow, call: CallSite) -> Iterator[Proposal]:
    from triage.pysource import evalmode, statements
    from triage.pysource.changes import Changes

    made, done = Changes(flow.project), False
    training = evalmode.training_mode(call)
    if training is not None:
        text = call.source.code(training)
        call.source.replace(training, re.sub(r"(?:TRAINING|PRESERVE)$", "EVAL", text) if "." in text else "None")
        done = True
    if evalmode.is_in_eval(call) is False:
        for place in evalmode.places(call):
            if place.inline:
                place.source.replace(place.node, f"{place.text}.eval()")
            else:
                statements.insert_before(place.source, place.node, f"{place.text}.eval()")
            done = True
    packed = made.packed()
    if done and packed:
        yield Proposal(f"put the model in eval mode before {call.where}", packed, keeps=False)


_SCRIPT = """import numpy, onnxruntime, torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Dropout(0.5), torch.nn.Linear(64, 2))
x = torch.ones(1, 4)
want = model(x).detach().numpy()
torch.onnx.export(model, (x,), "model.onnx", dynamo=False, input_names=["x"])
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
numpy.testing.assert_allclose(session.run(None, {"x": x.numpy()})[0], want, rtol=1e-3, atol=1e-5)
"""
_LOG = "AssertionError: \nNot equal to tolerance rtol=0.001, atol=1e-05\nMismatched elements: 2 / 2 (100%)\n"


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)
    assert site.text("build.py").index("model.eval()") < site.text("build.py").index("want =")  # noqa: S101


def _evaluated(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT.replace("x = torch", "model.eval()\nx = torch")})


_FOUND = Found(causes=("output-mismatch",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnxruntime")),
    Example(_evaluated, None, found=_FOUND, log=_LOG, applies=False),
)
