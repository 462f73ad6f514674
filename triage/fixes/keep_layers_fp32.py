"""Keep the layers that overflow in half precision in FP32.

What it changes: layers whose inputs, weights or outputs are larger than half precision holds (65504) get the precision
FP32, and the builder must obey that. Which layers these are is found by running the model in FP32 on the data of the
folder, or on generated data. All other layers stay in the precision that was asked for.

When it is wrong: where FP16 differs for another reason than its range, such as long sums of small numbers; then other
layers must stay in FP32. With data unlike the real ones a layer can be missed.

Proof: the outputs of the engine are compared with those of the reference. FP32 is what the model was trained in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal
from triage.trtbuild import feeds, look, overflow, ranges

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("fp16-overflow", "nan-or-inf-output", "output-mismatch")
SAFETY = "safe"
_MARGIN = 0.25  # a fused layer adds up more than single tensors show
_OBEY = "obey_precision_constraints"


def propose(site: Site) -> Iterator[Proposal]:
    """The layers that overflow; then also those that come near to it."""
    for view in look.views(site):
        if "fp16" not in view.settings.flags or view.settings.typed or not view.inputs or not view.builds:
            continue
        seen: list[dict[str, Any]] = []
        for rank, limit in enumerate((overflow.LARGEST, overflow.LARGEST * _MARGIN)):
            for proposal in _kept(view, limit, rank):
                if proposal.parameters not in seen:
                    seen.append(dict(proposal.parameters))
                    yield proposal


def _kept(view: View, limit: float, rank: int) -> Iterator[Proposal]:
    found = overflow.overflowing(view.site.path(view.model or ""), _data(view), limit) or []
    layers = {**view.settings.layers, **{tensor: "fp32" for tensor, _, _ in found}}
    if not found or layers == dict(view.settings.layers):
        return
    if view.carrier.kind in ("trtexec", "polygraphy"):  # these name layers, not tensors
        layers = {**view.settings.layers, **{node: "fp32" for _, node, _ in found}}
        if layers == dict(view.settings.layers):
            return
    _, node, worst = max(found, key=lambda one: one[2])
    few = ", ".join(node for _, node, _ in found[:4]) + (" …" if len(found) > 4 else "")
    flags = sorted({*view.settings.flags, _OBEY})
    count = f"{len(found)} layer{'s' if len(found) > 1 else ''}"
    what = f"{view.carrier.name}: keep {count} in FP32 ({few}): {node} reaches {worst:.3g}"
    yield Proposal(what, view.change(layers=layers, flags=flags), rank=rank)


def _data(view: View) -> list[dict[str, Any]]:
    """What the folder holds for the inputs, else generated data of fitting sizes."""
    given = [one for _, sets in feeds.stored(view.site, view.inputs) for one in sets[:4]]
    if given:
        return given[:8]
    profile = next(iter(view.settings.profiles), None) or ranges.fresh(
        view.inputs, view.asked, view.hinted, view.trial.fits
    )
    shapes = {name: found.opt for name, found in (profile or {}).items()}
    return [feeds.made(view.inputs, shapes, seed) for seed in range(3)]


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the precisions."""
    look.apply(site, parameters)


_SCRIPT = """import tensorrt as trt

LOGGER = trt.Logger(trt.Logger.WARNING)


def build(path):
    builder = trt.Builder(LOGGER)
    network = builder.create_network(1)
    parser = trt.OnnxParser(network, LOGGER)
    parser.parse_from_file(path)
    config = builder.create_builder_config()
    config.set_flag(trt.BuilderFlag.FP16)
    return builder.build_serialized_network(network, config)


open("model.plan", "wb").write(build("model.onnx"))
"""


def _model(folder: str, large: float) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Mul", ["x", "large"], ["blown"], "blow"),
        helper.make_node("Div", ["blown", "large"], ["shrunk"], "shrink"),
        helper.make_node("Tanh", ["shrunk"], ["y"], "end"),
    ]
    graph = helper.make_graph(
        nodes, "overflow", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 64])],
        [numpy_helper.from_array(np.array(large, np.float32), "large")],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/model.onnx"
    )
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _before(folder: str) -> None:
    _model(folder, 60000.0)


def _in_range(folder: str) -> None:
    _model(folder, 2.0)


def _after(site: Site) -> None:
    text = site.text("build.py")
    assert 'KEEP_FP32 = {"blown", "shrunk"}' in text  # noqa: S101
    assert "config.set_flag(trt.BuilderFlag.OBEY_PRECISION_CONSTRAINTS)" in text  # noqa: S101
    assert text.index("KEEP_FP32 =") < text.index("build_serialized_network")  # noqa: S101
    compile(text, "build.py", "exec")


_FOUND = Found(causes=("fp16-overflow",))
_NEEDS = ("onnx", "onnxruntime", "libcst")
EXAMPLES = (
    Example(_before, _after, found=_FOUND, needs=_NEEDS),
    Example(_in_range, None, found=_FOUND, applies=False, needs=_NEEDS),
)
