"""Convert the model to the opset that its quantization needs.

What it changes: the float model that the script quantizes is converted to opset 13, in place or as a new file that
the script then names. Scales per channel (an axis of QuantizeLinear) exist from opset 13 on, scales per block and
types of 16 and 4 bits from opset 21 on; an older model is quantized into a file that no runtime accepts.

When it is wrong: operators that have no equal at the higher opset: then the reason is said. Quantizing per tensor
also gets rid of the message, and costs accuracy.

Proof: on random inputs the converted model gives the same outputs as the given one, and the build's own check
compares the quantized model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import CannotApply, Example, Site, _paths, _quantizers
from triage.fixes._chain import flow_of
from triage.onnxgraph import evaluate, files, versions, walk
from triage.remedy import Proposal, Refusal

CAUSES = ("model-invalid", "opset-unsupported", "qdq-invalid", "configuration-error", "operator-unsupported")
SAFETY = "safe"
EVIDENT = False
_AXIS = re.compile(
    r"Unrecognized attribute: axis for operator (?:Dequantize|Quantize)Linear"
    r"|requires onnx opset version (?P<opset>\d+)"
)
_BLOCK = re.compile(r"Unrecognized attribute: block_size for operator (?:Dequantize|Quantize)Linear")


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The model that the script hands to the quantizer, where its opset is too low."""
    axis, block = _AXIS.search(site.log), _BLOCK.search(site.log)
    if not (axis or block):
        return
    wanted = 21 if block else int((axis and axis["opset"]) or 13)
    flow = flow_of(site)
    for named, path in _quantizers.model_paths(site, flow):
        model = files.load(site.path(path), weights=False)
        opset = walk.version_of(model.opset_import, "")
        if opset is None or opset >= wanted:
            continue
        try:
            versions.convert(model, wanted, folder=os.path.dirname(site.path(path)))
        except versions.Unconvertible as reason:
            yield Refusal(f"{path} is at opset {opset} and cannot be brought to {wanted}: {reason}",
                          f"Export the model at opset {wanted}.")  # fmt: skip
            continue
        target, parameters = path, {"model": path, "opset": wanted, "target": path}
        if not site.may_change(path):
            target = f"{path.removesuffix('.onnx')}-opset{wanted}.onnx"
            pointed = _pointed(flow, named, target)
            if pointed is None or site.has(target):
                continue
            parameters = {**pointed, "model": path, "opset": wanted, "target": target}
        where = "" if target == path else f" as {target}"
        yield Proposal(f"convert {path} from opset {opset} to {wanted}{where} before it is quantized", parameters)


def _pointed(flow: Any, named: _paths.Named, target: str) -> dict[str, Any] | None:
    from triage.pysource.changes import Changes

    changes = Changes(flow.project)
    return changes.packed() if _paths.set_path(changes, named, target) else None


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Converts, compares with the given model, and writes."""
    from triage.pysource import changes

    path, folder = parameters["model"], os.path.dirname(site.path(parameters["model"]))
    old, new = (files.load(site.path(path)) for _ in range(2))
    try:
        versions.convert(new, parameters["opset"], folder=folder)
    except versions.Unconvertible as reason:
        raise CannotApply(f"{path}: {reason}") from None
    told = evaluate.differs(old, new, folder)
    if told:
        raise CannotApply(f"converted, {path} does not answer like before: {told}")
    files.save(new, site.writable(parameters["target"]))
    changes.apply(site, parameters)


_SCRIPT = """import numpy as np
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, quantize_static


class Reader(CalibrationDataReader):
    def __init__(self):
        self.rows = iter(np.random.default_rng(0).normal(size=(4, 1, 8)).astype(np.float32))

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {"input": row}


quantize_static("model.onnx", "small.onnx", Reader(), per_channel=True)
InferenceSession("small.onnx")
"""


def _before(folder: str) -> None:
    _write(folder, 11)


def _write(folder: str, opset: int) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(opset=opset), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)


def _new_enough(folder: str) -> None:
    _write(folder, 17)


_LOG = (
    'InvalidGraph: In Node, ("b", DequantizeLinear), Error Unrecognized attribute: axis for operator DequantizeLinear\n'
)
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("onnxruntime",)),
    Example(_new_enough, None, log=_LOG, applies=False, needs=("onnxruntime",)),
)
