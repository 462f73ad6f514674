"""Save large models with external data.

What it changes: calls that write a model above the 2 GiB limit of protobuf: onnx.save, torch.onnx.export, the
quantization of ONNX Runtime and its transformers optimizer get the argument that puts the tensors into a file beside
the model; onnx.checker gets the model's path in place of the loaded model.

When it is wrong: the model is then two files, which must be kept and moved together. Programs that read only one file
cannot use it.

Proof: the same tensors are stored elsewhere; the outputs are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal

if TYPE_CHECKING:
    from triage.pysource.calls import CallSite

CAUSES = ("model-exceeds-protobuf-limit", "model-file-corrupt", "host-out-of-memory", "export-internal-error")
SAFETY = "safe"

_SAID = re.compile(
    r"2 ?Gi?B|exceeds maximum protobuf size|larger than the 2|exceeded maximum protobuf|protobuf size limit"
    r"|too large \(>2GB\)"
    r"|Failed to serialize proto|ByteSize|EncodeError", re.IGNORECASE,
)  # fmt: skip
_SAVING = {
    "onnx.save": "save_as_external_data=True", "onnx.save_model": "save_as_external_data=True",
    "torch.onnx.export": "external_data=True",
    "onnxruntime.quantization.quantize_dynamic": "use_external_data_format=True",
    "onnxruntime.quantization.quantize_static": "use_external_data_format=True",
    "onnxruntime.quantization.quant_pre_process": "save_as_external_data=True",
    "onnxruntime.quantization.shape_inference.quant_pre_process": "save_as_external_data=True",
}  # fmt: skip
_METHODS = {"save_model_to_file": "use_external_data_format=True"}


def propose(site: Site) -> Iterator[Proposal]:
    """All calls that write models at once: each would fail after the other."""
    from triage.pysource import exporters
    from triage.pysource.changes import Changes

    if not _SAID.search(site.log):
        return
    flow = exporters.project_flow(site)
    made, said = Changes(flow.project), []
    for call in _calls(flow):
        if flow.project.may_change(call.source) and _write(call):
            said.append(call.where)
    packed = made.packed()
    if said and packed:
        yield Proposal(f"save the tensors in a file beside the model: {', '.join(said)}", packed)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the arguments."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _calls(flow: Any) -> Iterator[CallSite]:
    import libcst as cst

    from triage.pysource.calls import CallSite, calls

    yield from calls(
        flow, lambda name: name in _SAVING or name in ("onnx.checker.check_model", "onnx.shape_inference.infer_shapes")
    )
    for source in flow.project.sources():
        for node in source.find(cst.Call):
            if isinstance(node.func, cst.Attribute) and node.func.attr.value in _METHODS:
                yield CallSite(flow, source, node, node.func.attr.value)


def _write(call: CallSite) -> bool:
    from triage.pysource import arguments

    if call.name == "onnx.checker.check_model":
        return _by_path(call)
    if arguments.is_open(call.node):
        return False
    if call.name == "torch.onnx.export":
        given = arguments.given(call.node, "external_data")
        if given is None or call.source.code(given.value) != "False":
            return False
        call.source.replace(given.value, "True")
        return True
    return _switch_on(call, _SAVING.get(call.name) or _METHODS[call.name])


def _switch_on(call: CallSite, text: str) -> bool:
    from triage.pysource import arguments

    given = arguments.given(call.node, text.split("=", maxsplit=1)[0])
    if given is None:
        arguments.add(call.source, call.node, text)
        return True
    if call.source.code(given.value) == "False":
        call.source.replace(given.value, "True")
        return True
    return False


def _by_path(call: CallSite) -> bool:
    """check_model of a model that was loaded from a file is given the file."""
    import libcst as cst

    value = call.value("model", 0)
    if value is None:
        return False
    for origin in call.flow.origins(call.source, value):
        node = origin.node
        if not isinstance(node, cst.Call) or origin.source is not call.source or not node.args:
            continue
        if call.flow.dotted(origin.source, node.func) in ("onnx.load", "onnx.load_model"):
            call.source.replace(value, call.source.code(node.args[0].value))
            return True
    return False


_SCRIPT = """import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

weight = numpy_helper.from_array(numpy.ones((4, 512), "float32"), "w")
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 512])], [weight])
onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), "model.onnx")
"""
_LOG = "ValueError: Message onnx.ModelProto exceeds maximum protobuf size of 2GB: 4294967296\n"


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import onnx

    from triage.pysource import samples

    samples.run(site)
    model = onnx.load(site.path("model.onnx"), load_external_data=False)
    assert model.graph.initializer[0].data_location == onnx.TensorProto.EXTERNAL  # noqa: S101


_FOUND = Found(causes=("model-exceeds-protobuf-limit",))
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx",)),
    Example(_before, None, found=_FOUND, log="onnx.checker.ValidationError: graph is not sorted\n", applies=False),
)
