"""Fold constants in the graph.

What it changes: nodes of the ONNX file that depend on nothing that is fed are worked out once, and what others read
of them is stored as a weight. An If whose condition is known becomes the branch that is taken. Where the log names
an operator, only what that operator is part of is folded; else everything, as long as the file does not grow much.

When it is wrong: weights that a caller may replace when running (initializers that are also inputs) are left alone,
and so are random numbers. A value is only stored where ONNX Runtime and ONNX's own evaluator agree on it, or where
only one of them can run the node.

Proof: the outputs stay the same; the stored values are what the nodes give.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site, _operators
from triage.onnxgraph import files, walk
from triage.remedy import Proposal

CAUSES = (
    "operator-unsupported", "operator-dtype-unsupported", "node-placement-failed", "custom-op-unregistered",
    "control-flow-unsupported", "data-dependent-shape-unsupported", "initializer-required", "builder-internal-error",
)  # fmt: skip
SAFETY = "safe"
_ANY = (
    "control-flow-unsupported",
    "data-dependent-shape-unsupported",
    "initializer-required",
    "builder-internal-error",
)


def propose(site: Site) -> Iterator[Proposal]:
    """What the log names, where it is constant; then everything, where the cause is of that kind."""
    for path, model in files.each(site):
        named = _operators.blamed(site, model)
        if named and _folded(site, path, model, _among(named)):
            names = ", ".join(name for _, name in named)
            yield Proposal(
                f"fold the constant parts of {path} that hold {names}",
                {"model": path, "only": [list(each) for each in named]},
            )
        if set(site.found.causes) & set(_ANY) and _folded(site, path, model, None):
            yield Proposal(f"fold all constant parts of {path}", {"model": path}, None, 1)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the values stored."""
    path, only = parameters["model"], parameters.get("only")
    with files.edit(site, path) as model:
        wanted = _among([(domain, name) for domain, name in only]) if only else None
        if not _fold(site, path, model, wanted):
            raise CannotApply("nothing of it is constant")


def _among(named: list[tuple[str, str]]) -> Callable[[Any], bool]:
    return lambda node: (walk.domain_of(node.domain), node.op_type) in named


def _fold(site: Site, path: str, model: Any, wanted: Callable[[Any], bool] | None) -> list[str]:
    from triage.onnxgraph.folding import Folder

    return Folder(model, wanted, os.path.dirname(site.path(path))).run()


def _folded(site: Site, path: str, model: Any, wanted: Callable[[Any], bool] | None) -> bool:
    if wanted is not None and not any(wanted(node) for node in walk.nodes(model)):
        return False
    trial = type(model)()
    trial.CopyFrom(model)
    return bool(_fold(site, path, trial, wanted))


_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[N, 3] x) => (float[N, 3] y)
<double[3] steps = {0.5, 1.0, 2.0}>
{
    bent = Erf(steps)
    weights = Cast<to = 1>(bent)
    y = Mul(x, weights)
}
"""
_LOG = "NOT_IMPLEMENTED : Could not find an implementation for Erf(13) node with name '/pos/Erf'\n"
_FOUND = Found(causes=("operator-dtype-unsupported", "operator-unsupported"))


def _write(folder: str, text: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(text), f"{folder}/model.onnx")


def _before(folder: str) -> None:
    _write(folder, _MODEL)


def _fed(folder: str) -> None:
    _write(
        folder,
        _MODEL.replace("Erf(steps)", "Erf(wide)").replace("{\n    bent", "{\n    wide = Cast<to = 11>(x)\n    bent"),
    )


def _after(site: Site) -> None:
    import math

    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": np.ones((2, 3), np.float32)})
    np.testing.assert_allclose(got, [[math.erf(each) for each in (0.5, 1.0, 2.0)]] * 2, rtol=1e-6)


EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime")),
    Example(_fed, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx", "onnxruntime")),
)
