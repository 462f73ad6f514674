"""Make a fixed sequence length or image size symbolic.

What it changes: a dimension of the ONNX model's inputs other than the first, where a run needs another size than the
file has, and what bakes the size in: targets of Reshape and Expand, ends of Slice, sizes of Resize, position ids,
causal masks, tables of positions (as far as they go). Outputs get the free dimension too.

When it is wrong: weights belong to the old size (a linear layer behind a flattened picture, a table of positions that
is too short): then it is refused. Where the program chose its structure by the size when it was exported, another
size needs another structure; no file shows that. So without a check of the recipe's own it is tried only with --unsafe.

Proof: the outputs at the old size stay the same; the model takes the wanted size. The recipe's check must compare the
outputs at that size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _relaxing
from triage.onnxgraph import files
from triage.remedy import Proposal, Refusal

CAUSES = ("input-shape-mismatch",)
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each set of inputs that may share the dimensions."""
    for path, model in files.each(site):
        wanted, known = _relaxing.needed(site, model)
        sizes = [each for each in wanted if each.axis > 0]
        if not sizes:
            continue
        if _relaxing.turned(site, model, wanted):
            yield _relaxing.in_other_order(path)
            continue
        safety = None if _relaxing.proven_elsewhere(site) else "unsafe"
        yield from _relaxing.offer(site, path, model, _relaxing.ways(model, sizes, known=known), safety)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Frees the dimension, checks, writes."""
    _relaxing.free(site, parameters)


_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
graph (int64[1, 8] ids) => (float[1, 8, 2] states)
<float[10, 2] words = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, int64[2] range = {0, 8}>
{
    start, end = Split<axis = 0>(range)
    axis = Constant<value_ints = [0]>()
    places = Slice(words, start, end, axis)
    seen = Gather(words, ids)
    states = Add(seen, places)
}
"""


def _before(folder: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(_MODEL), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    ids = np.arange(8)[None] % 10
    (whole,) = session.run(None, {"ids": ids})
    (part,) = session.run(None, {"ids": ids[:, :5]})
    np.testing.assert_allclose(whole[:, :5], part, rtol=1e-5)


def _weights(folder: str) -> None:
    from onnx import parser

    text = _MODEL.replace("seen = Gather(words, ids)", "cut = Cast<to = 1>(ids)\nmade = MatMul(cut, places)")
    text = text.replace("Add(seen, places)", "Identity(made)").replace("float[1, 8, 2]", "float[1, 2]")
    files.save(parser.parse_model(text), f"{folder}/model.onnx")


_LOG = (
    "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: ids for the following indices\n"
    " index: 1 Got: 5 Expected: 8\n Please fix either the inputs/outputs or the model.\n"
)
_FOUND = Found(causes=("input-shape-mismatch",))

EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime")),
    Example(_weights, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx",)),
)
