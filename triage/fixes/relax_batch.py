"""Make the batch dimension symbolic.

What it changes: the first dimension of the ONNX model's inputs, where a run needs another size than the file has,
and everything that bakes the size in: targets of Reshape and Expand, ends of Slice, sizes of Resize, parts of Split,
zero states of LSTM and GRU, constants that are repeated for each item. Outputs get the same free dimension, and
shapes that the file tells of tensors in between are dropped.

When it is wrong: the graph removes the batch dimension or mixes the items of a batch (batch statistics, a softmax
over items); then nothing is changed. Where weights fit one batch size only, it is refused.

Proof: before the file is written, the model must give the same at its old size, and at three times that size what
the old model gives for each part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _relaxing
from triage.onnxgraph import files
from triage.remedy import Proposal, Refusal

CAUSES = ("input-shape-mismatch", "max-batch-size-mismatch", "profile-invalid")
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each set of inputs that may share the batch."""
    for path, model in files.each(site):
        wanted, known = _relaxing.needed(site, model)
        batch = [each for each in wanted if each.axis == 0]
        if not batch:
            continue
        if _relaxing.turned(site, model, wanted):
            yield _relaxing.in_other_order(path)
            continue
        sizes = [each for each in wanted if each.axis > 0]
        if sizes:  # all at once: what bakes one in may bake in the other too
            whole = wanted if known else _relaxing.sharing(model, wanted)
            safety = None if _relaxing.proven_elsewhere(site) else "unsafe"
            yield from (
                each for each in _relaxing.offer(site, path, model, [whole], safety) if isinstance(each, Proposal)
            )
        yield from _relaxing.offer(site, path, model, _relaxing.ways(model, batch, known=known), None)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Frees the dimension, checks, writes."""
    _relaxing.free(site, parameters)


_MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
graph (float[1, 2, 4] images) => (float[1, 3] logits)
<int64[2] target = {1, 8}, int64[2] table = {8, 3}>
{
    flat = Reshape(images, target)
    value = Constant<value = float[1] {0.5}>()
    weights = Expand(value, table)
    sums = MatMul(flat, weights)
    logits = Softmax<axis = 1>(sums)
}
"""


def _before(folder: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(_MODEL), f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    data = np.random.default_rng(1).normal(size=(3, 2, 4)).astype(np.float32)
    (whole,) = session.run(None, {"images": data})
    parts = [session.run(None, {"images": data[[item]]})[0] for item in range(3)]
    np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-5)


def _free(folder: str) -> None:
    from onnx import parser

    files.save(
        parser.parse_model(_MODEL.replace("float[1, 2", "float[N, 2").replace("{1, 8}", "{-1, 8}")),
        f"{folder}/model.onnx",
    )


_LOG = (
    "onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : "
    "Got invalid dimensions for input: images for the following indices\n index: 0 Got: 3 Expected: 1\n"
    " Please fix either the inputs/outputs or the model.\n"
)
_FOUND = Found(causes=("input-shape-mismatch",))

EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime")),
    Example(_free, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx",)),
    Example(
        _before,
        None,
        found=_FOUND,
        log=_LOG.replace("index: 0 Got: 3", "index: 2 Got: 3"),
        applies=False,
        needs=("onnx",),
    ),
)
