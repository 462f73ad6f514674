"""Which nodes of a model compute what half precision cannot hold: found by running it in FP32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LARGEST = 65504.0
_MOST_TENSORS = 4000
_LARGEST_MODEL = 1 << 30


def overflowing(
    path: str, feeds: Sequence[Mapping[str, Any]], limit: float = LARGEST
) -> list[tuple[str, str, float]] | None:
    """(tensor that the node writes, node, largest value) of nodes that read or write more than half precision holds.

    None where the model cannot be run here.

    Args:
        path: the ONNX file.
        feeds: sets of arrays to run it on.
        limit: what is too large.
    """
    import os

    import onnx

    if os.path.getsize(path) > _LARGEST_MODEL:
        return None
    model = onnx.load(path)
    peaks = _peaks(model, path, feeds)
    if peaks is None:
        return None
    peaks |= _weights(model)
    found = []
    for node in model.graph.node:
        around = [*node.input, *node.output]
        worst = max((peaks.get(name, 0.0) for name in around), default=0.0)
        if worst > limit and node.op_type not in ("Constant", "Shape", "Cast") and node.output:
            found.append((node.output[0], node.name or node.op_type, worst))
    return found


def _peaks(model: Any, path: str, feeds: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """The largest absolute value of each floating-point tensor."""
    import numpy as np

    names, session = _session(model, path)
    if session is None:
        return None
    peaks: dict[str, float] = {}
    for feed in feeds:
        try:
            got = session.run(names, dict(feed))
        except Exception:  # noqa: BLE001 -- feeds that do not fit say nothing of the model
            return None
        for name, array in zip(names, got, strict=True):
            if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.size:
                finite = np.abs(array[np.isfinite(array)].astype(np.float64))
                peaks[name] = max(peaks.get(name, 0.0), float(finite.max(initial=0.0)))
    return peaks


def _session(model: Any, path: str) -> tuple[list[str], Any]:
    import os
    import tempfile

    try:
        import onnxruntime
    except ImportError:
        return [], None
    import onnx

    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    known = {value.name for value in wide.graph.output}
    inner = [name for node in wide.graph.node for name in node.output if name and name not in known][:_MOST_TENSORS]
    wide.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory() as scratch:
        spare = os.path.join(scratch, os.path.basename(path))
        try:
            onnx.save(wide, spare)
            return [*known, *inner], onnxruntime.InferenceSession(spare, options, providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001 -- a model that does not load here is told nothing of
            return [], None


def _weights(model: Any) -> dict[str, float]:
    import numpy as np
    from onnx import numpy_helper

    found = {}
    for tensor in _tensors(model):
        if tensor.data_type in (1, 11):
            array = numpy_helper.to_array(tensor)
            found[tensor.name] = float(np.max(np.abs(array), initial=0.0))
    return found


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value" and attribute.HasField("t"):
                tensor = type(attribute.t)()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                yield tensor
