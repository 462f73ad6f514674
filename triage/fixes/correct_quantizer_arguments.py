"""Call the quantizer with the arguments that this version has.

What it changes: the call of `quantize_static`, `quantize_dynamic` or `quant_pre_process` of ONNX Runtime in the
script. An argument that was renamed gets its present name, one that moved goes into `extra_options`, one that no
longer does anything is left out, a misspelt one is spelt right.

When it is wrong: an argument that means something that this version cannot do any more is not touched. Leaving out
`optimize_model=True` leaves out an optimization before quantizing: the numbers may differ in the last digits.

Proof: the quantizer runs, and the build's own check compares the quantized model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site
from triage.fixes._chain import flow_of
from triage.remedy import Proposal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow

CAUSES = ("api-removed", "configuration-error", "python-dependency-conflict", "model-code-error")
SAFETY = "safe"
EVIDENT = False
_REFUSED = re.compile(
    r"(quantize_static|quantize_dynamic|quant_pre_process)\(\) got an unexpected keyword argument '(\w+)'"
)
_COMMON = (
    "model_input", "model_output", "op_types_to_quantize", "per_channel", "reduce_range", "weight_type",
    "nodes_to_quantize", "nodes_to_exclude", "use_external_data_format", "extra_options",
)  # fmt: skip
_KNOWN = {
    "quantize_static": (
        *_COMMON, "calibration_data_reader", "quant_format", "activation_type", "calibrate_method",
        "calibration_providers", "calibration_cache_path",
    ),
    "quantize_dynamic": _COMMON,
    "quant_pre_process": (
        "input_model", "output_model_path", "skip_optimization", "skip_onnx_shape", "skip_symbolic_shape",
        "auto_merge", "int_max", "guess_output_rank", "verbose", "save_as_external_data",
        "all_tensors_to_one_file", "external_data_location", "external_data_size_threshold",
    ),
}  # fmt: skip
_RENAMED = {
    "activation_qType": "activation_type", "activation_qtype": "activation_type", "input_qType": "activation_type",
    "weight_qType": "weight_type", "weight_qtype": "weight_type", "data_reader": "calibration_data_reader",
    "calibration_reader": "calibration_data_reader", "reader": "calibration_data_reader", "model_path": "model_input",
    "input_model_path": "model_input", "output_model_path": "model_output", "output_path": "model_output",
    "calibration_method": "calibrate_method", "exclude_nodes": "nodes_to_exclude", "format": "quant_format",
}  # fmt: skip
_OPTIONS = {
    "symmetric_activation": "ActivationSymmetric", "symmetric_weight": "WeightSymmetric",
    "activation_symmetric": "ActivationSymmetric", "weight_symmetric": "WeightSymmetric",
    "enable_subgraph": "EnableSubgraph", "matmul_const_b_only": "MatMulConstBOnly",
    "force_quantize_no_input_check": "ForceQuantizeNoInputCheck", "smooth_quant": "SmoothQuant",
}  # fmt: skip
_DROPPED = {"optimize_model": None, "nbits": "8", "static": None, "force_fusions": "False", "fuse_dynamic_quant": None,
            "asymmetric_input_types": "False", "activation_type": None}  # fmt: skip


def propose(site: Site) -> Iterator[Proposal]:
    """The refused argument of the failing call."""
    from triage.pysource import calls

    found = _REFUSED.search(site.log)
    if found is None:
        return
    function, name = found.groups()
    flow = flow_of(site)
    sites = calls.calls(flow, lambda each: each.endswith("." + function) and "quantization" in each)
    for call in calls.failing(flow, sites):
        proposal = _corrected(flow, call, function, name)
        if proposal is not None:
            yield proposal


def _corrected(flow: Flow, call: CallSite, function: str, name: str) -> Proposal | None:
    from triage.pysource import arguments
    from triage.pysource.arguments import given
    from triage.pysource.changes import Changes

    arg = given(call.node, name)
    if arg is None or arg.keyword is None:
        return None
    source, value = call.source, call.source.code(arg.value)
    fresh = _present(function, name)
    changes = Changes(flow.project)
    if fresh is not None and given(call.node, fresh) is None:
        source.replace(arg.keyword, fresh)
        what = f"write {fresh} for {name}"
    elif name in _OPTIONS and "extra_options" in _KNOWN[function]:
        if not _put_option(call, arg, f'"{_OPTIONS[name]}": {value}'):
            return None
        what = f"put {name} into extra_options as {_OPTIONS[name]}"
    elif name in _DROPPED and _DROPPED[name] in (None, value):
        arguments.remove(source, arg)
        what = f"leave out {name}, which {function} does not take any more"
    else:
        return None
    parameters = changes.packed()
    return Proposal(f"{what} in {call.where}", parameters) if parameters is not None else None


def _present(function: str, name: str) -> str | None:
    """The present name of an argument; that of a misspelt one where only one comes near."""
    from difflib import get_close_matches

    known = _KNOWN[function]
    if _RENAMED.get(name) in known:
        return _RENAMED[name]
    if name in _DROPPED or name in _OPTIONS:
        return None
    near = get_close_matches(name, known, n=2, cutoff=0.8)
    return near[0] if len(near) == 1 else None


def _put_option(call: CallSite, arg: cst.Arg, entry: str) -> bool:
    """Moves an argument into the dictionary of extra options, in its place."""
    import libcst as cst

    from triage.pysource import arguments
    from triage.pysource.arguments import given

    options = given(call.node, "extra_options")
    if options is None:
        call.source.replace(arg, f"extra_options={{{entry}}}")
        return True
    if isinstance(options.value, cst.Dict):
        arguments.add_entry(call.source, options.value, entry)
        arguments.remove(call.source, arg)
        return True
    return False


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the call."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """from onnxruntime.quantization import QuantType, quantize_dynamic

quantize_dynamic("model.onnx", "small.onnx", weight_type=QuantType.QInt8, optimize_model=False)
"""


def _before(folder: str) -> None:
    _write(folder, _SCRIPT)


def _write(folder: str, script: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(script)


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)
    assert site.has("small.onnx")  # noqa: S101 -- an example is a test


def _unknown(folder: str) -> None:
    _write(folder, _SCRIPT.replace("optimize_model=False", "mixed_precision=True"))


_LOG = "TypeError: quantize_dynamic() got an unexpected keyword argument '%s'\n"
EXAMPLES = (
    Example(_before, _after, log=_LOG % "optimize_model", needs=("onnxruntime",)),
    Example(_unknown, None, log=_LOG % "mixed_precision", applies=False, needs=("onnxruntime",)),
)
