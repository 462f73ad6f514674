"""Allow INT8 for a model that holds quantized tensors.

What it changes: the builder flag INT8 is set, where the model holds QuantizeLinear and DequantizeLinear nodes and the
network is weakly typed. Their scales are in the model; nothing is calibrated.

When it is wrong: where the model was meant to run in floating point; then the Q/DQ nodes should not be there.

Proof: the engine is built; outputs are compared as the recipe says. The model itself says what is quantized, and how.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.trtbuild import look

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("precision-unsupported", "qdq-invalid", "calibration-missing", "configuration-error")
SAFETY = "safe"
_SAID = "int8 is not configured in the builder"


def propose(site: Site) -> Iterator[Proposal]:
    """The flag, where the model is quantized and the log says that it is missing."""
    if _SAID not in site.log.lower():
        return
    for view in look.views(site):
        settings, builds = view.settings, view.builds and view.carrier.kind not in ("words", "data")
        if builds and "int8" not in settings.flags and not settings.typed and _is_quantized(view):
            what = f"{view.carrier.name}: allow INT8, which {view.model} asks for"
            yield Proposal(what, view.change(flags=sorted({*settings.flags, "int8"})))


def _is_quantized(view: View) -> bool:
    from triage.onnxgraph import files

    if view.model is None:
        return False
    try:
        model = files.load(view.site.path(view.model), weights=False)
    except (OSError, ValueError):
        return False
    return any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the flag."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

with trt.Builder(trt.Logger()) as builder, builder.create_builder_config() as config:
    network = builder.create_network(1)
    trt.OnnxParser(network, trt.Logger()).parse_from_file("model.onnx")
    plan = builder.build_serialized_network(network, config)
"""


def _write(folder: str, *, quantized: bool) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    scale, zero = numpy_helper.from_array(np.array(0.1, np.float32), "scale"), np.array(0, np.int8)
    graph = helper.make_graph(
        nodes if quantized else [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
        [scale, numpy_helper.from_array(zero, "zero")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{folder}/model.onnx"
    )
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _before(folder: str) -> None:
    _write(folder, quantized=True)


def _floats(folder: str) -> None:
    _write(folder, quantized=False)


def _after(site: Site) -> None:
    text = site.text("build.py")
    assert "    config.set_flag(trt.BuilderFlag.INT8)\n    network =" in text  # noqa: S101
    compile(text, "build.py", "exec")


_LOG = "[TRT] [E] 4: Int8 precision has been set for a layer, but int8 is not configured in the builder"
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("onnx", "libcst")),
    Example(_floats, None, log=_LOG, applies=False, needs=("onnx", "libcst")),
)
