"""Run shape inference and store the result.

What it changes: declarations of tensors inside the ONNX file that contradict the nodes that write them are dropped,
outputs get the shape that they have. Where the log asks for shapes that the file does not tell, the inferred ones are
stored. Nodes and weights stay as they are.

When it is wrong: two nodes contradict each other. Then no declaration is at fault, and nothing is proposed.

Proof: declarations change no number; the outputs stay the same bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import declarations, files
from triage.remedy import Proposal

CAUSES = (
    "shape-inference-conflict", "type-inference-conflict", "model-invalid", "data-dependent-shape-unsupported",
    "node-placement-failed", "control-flow-unsupported", "graph-optimization-failed",
)  # fmt: skip
SAFETY = "safe"
_ASKED = (
    "run shape inference",
    "shape inference on the onnx model first",
    "please run symbolic_shape_infer",
    "shape infer",
)


def propose(site: Site) -> Iterator[Proposal]:
    """Wrong declarations; then missing ones, where the log asks for them."""
    for path, model in files.each(site):
        folder = os.path.dirname(site.path(path))
        bad = declarations.wrong(model, folder)
        if bad:
            name, why = next(iter(bad.items()))
            more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
            yield Proposal(f"correct what {path} tells of {name} ({why}){more}", {"model": path})
        elif any(phrase in site.log.lower() for phrase in _ASKED) and _adds(model):
            yield Proposal(f"store the inferred shapes in {path}", {"model": path, "store": True})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with its declarations put right."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        declarations.correct(model, os.path.dirname(site.path(path)))
        if parameters.get("store"):
            declarations.store(model)


def _adds(model: Any) -> bool:
    trial = type(model)()
    trial.CopyFrom(model)
    declarations.store(trial)
    return declarations.missing(trial) < declarations.missing(model)


_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[N, 4, 2] x) => (float[N, 9] y)
<int64[2] target = {-1, 8}, float[N, 4, 2] flat>
{
    flat = Reshape(x, target)
    y = Relu(flat)
}
"""
_LOG = "Inferred shape and existing shape differ in rank: (2) vs (3)\n"
_FOUND = Found(causes=("shape-inference-conflict",))


def _write(folder: str, text: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(text), f"{folder}/model.onnx")


def _before(folder: str) -> None:
    _write(folder, _MODEL)


def _right(folder: str) -> None:
    _write(folder, _MODEL.replace("[N, 9]", "[N, 8]").replace(", float[N, 4, 2] flat", ", float[N, 8] flat"))


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)


EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx",)),
    Example(_right, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx",)),
)
