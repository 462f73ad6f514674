"""Calls that write ONNX: which exporter they use, and which arguments hold opset, names and shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import libcst as cst

from triage.pysource.arguments import given
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite, calls, failing
from triage.pysource.flow import Flow

if TYPE_CHECKING:
    from triage.site import Site

TORCH = ("torch.onnx.export", "torch.onnx.utils.export", "torch.onnx._export")
PATH = 2  # the place of the file among the arguments of torch.onnx.export
OLD_ORDER = (
    "model",
    "args",
    "f",
    "export_params",
    "verbose",
    "training",
    "input_names",
    "output_names",
    "operator_export_type",
    "opset_version",
    "do_constant_folding",
    "dynamic_axes",
    "keep_initializers_as_inputs",
    "custom_opsets",
    "export_modules_as_functions",
    "autograd_inlining",
)  # fmt: skip -- of torch 1.13 to 2.4
HIGHEST_TORCHSCRIPT, HIGHEST_DYNAMO = 20, 23

_OPSETS = {  # full name, or .method -> (keyword, place)
    **dict.fromkeys(TORCH, ("opset_version", OLD_ORDER.index("opset_version"))),
    ".to_onnx": ("opset_version", None),
    ".export": ("opset", None),
    "torch.onnx.ExportOptions": ("opset_version", None),
    "tf2onnx.convert.from_keras": ("opset", 2),
    "tf2onnx.convert.from_function": ("opset", 2),
    "tf2onnx.convert.from_graph_def": ("opset", None),
    "tf2onnx.convert.from_tflite": ("opset", None),
    "tf2onnx.tfonnx.process_tf_graph": ("opset", None),
    "keras2onnx.convert_keras": ("target_opset", 3),
    "skl2onnx.convert_sklearn": ("target_opset", 4),
    "skl2onnx.to_onnx": ("target_opset", None),
    "skl2onnx.convert.convert_sklearn": ("target_opset", 4),
    "optimum.exporters.onnx.main_export": ("opset", None),
    "optimum.exporters.onnx.export": ("opset", 3),
    "optimum.exporters.onnx.onnx_export_from_model": ("opset", None),
    "transformers.onnx.export": ("opset", 3),
    "paddle.onnx.export": ("opset_version", None),
    "paddle2onnx.export": ("opset_version", None),
    "onnx.version_converter.convert_version": ("target_version", 1),
    "onnx.helper.make_opsetid": ("version", 1),
    "onnx.helper.make_operatorsetid": ("version", 1),
}
_CONVERTERS = re.compile(r"onnxmltools\.(?:convert\.)?convert_\w+$")
OPSET_FLAGS = (
    "--opset", "--opset_version", "--opset-version", "--target-opset", "--target_opset", "--onnx-opset", "--onnx_opset",
)  # fmt: skip


def opset_argument(name: str) -> tuple[str, int | None] | None:
    """(keyword, place) of the opset in a call of this full name."""
    if name in _OPSETS:
        return _OPSETS[name]
    if _CONVERTERS.match(name):
        return "target_opset", None
    return None


def torch_calls(flow: Flow) -> list[CallSite]:
    """Calls of torch.onnx.export, those of the failing traceback where it names some."""
    return failing(flow, calls(flow, TORCH.__contains__))


def opset_calls(flow: Flow) -> list[CallSite]:
    """Calls that take an opset, those of the failing traceback where it names some."""
    found = calls(flow, lambda name: opset_argument(name) is not None)
    return failing(flow, found + list(_by_method(flow, {id(site.node) for site in found})))


def _by_method(flow: Flow, known: set[int]) -> Iterator[CallSite]:
    """``model.to_onnx(…)`` and ``model.export(format="onnx", opset=…)`` of libraries whose objects are not followed."""
    for source in flow.project.sources():
        for call in source.find(cst.Call):
            if id(call) in known or not isinstance(call.func, cst.Attribute):
                continue
            method = call.func.attr.value
            if method == "to_onnx":
                yield CallSite(flow, source, call, ".to_onnx")
            elif method == "export" and (form := given(call, "format")) and literal(form.value) == "onnx":
                yield CallSite(flow, source, call, ".export")


def is_dynamo(call: CallSite) -> bool | None:
    """Does this call of torch.onnx.export use torch.export? None where nothing tells."""
    told = call.literal("dynamo")
    if isinstance(told, bool):
        return told
    if told is None and call.argument("dynamo"):
        return exporter_in(call.flow.project.site.log)
    said = exporter_in(call.flow.project.site.log)
    if said is not None:
        return said
    release = torch_release()
    return release >= (2, 9) if release else None


def exporter_in(log: str) -> bool | None:
    """Whether the log shows the dynamo exporter at work (True), the TorchScript one (False), or neither or both."""
    dynamo = "[torch.onnx]" in log or re.search(r"torch[/\\]onnx[/\\]_internal[/\\](?:exporter|_exporter|fx)[/\\]", log)
    script = "TorchScript-based ONNX export" in log or re.search(
        r"torch[/\\]onnx[/\\](?:_internal[/\\]torchscript_exporter[/\\]|utils\.py)", log
    )
    if bool(dynamo) == bool(script):
        return None
    return bool(dynamo)


def torch_release() -> tuple[int, int] | None:
    """Major and minor number of the installed torch, which is the build's where both share an environment."""
    return release_of("torch")


def release_of(package: str) -> tuple[int, int] | None:
    """Major and minor number of an installed package; None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = re.match(r"(\d+)\.(\d+)", version(package))
    except PackageNotFoundError:
        return None
    return (int(found[1]), int(found[2])) if found else None


def project_flow(site: Site) -> Flow:
    """Values of a build's Python files."""
    from triage.pysource.project import Project

    return Flow(Project(site))
