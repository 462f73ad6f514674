"""Calibrate INT8 with the data of the folder.

What it changes: the build gets a calibrator that reads the arrays which the folder holds for the model's inputs:
entropy calibration, or, as a second way, the minimum and maximum of the data. Data that the check of the build uses
are not taken.

When it is wrong: scales fit the data that they were made from. With data unlike the real ones the engine is wrong
without any message; so this is tried only when you allow it.

Proof: the outputs of the engine are compared with those of the reference, within the tolerance of INT8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import CannotApply, Example, Site
from triage.remedy import Proposal, Refusal
from triage.trtbuild import carriers, feeds, look, standalone

if TYPE_CHECKING:
    from triage.trtbuild.look import View

CAUSES = ("calibration-missing", "calibration-failed")
SAFETY = "unsafe"
_HELPER = "int8_calibration.py"
_NOTHING = "INT8 needs scales: the model holds no Q/DQ nodes, and the folder holds no data to calibrate with"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """Entropy, then minimum and maximum, with each file of data that fits; a refusal where there is none."""
    asked = [view for view in look.views(site) if "int8" in view.settings.flags and view.inputs and view.builds]
    for view in asked:
        if view.carrier.kind == "script" and view.settings.calibration is not None:
            continue  # it has a calibrator of its own
        data = [(path, len(sets)) for path, sets in feeds.stored(site, view.inputs) if not _is_check(site, path)]
        if not data:
            names = ", ".join(map(str, view.inputs))
            yield Refusal(
                _NOTHING, f"store real inputs ({names}) as arrays by input name in calibration.npz beside {view.model}"
            )
        elif view.carrier.kind not in ("script", "json"):
            yield Refusal(
                f"{view.carrier.kind} takes a calibration cache, not data",
                "calibrate in a script, or quantize the model with Q/DQ nodes (onnxruntime.quantization, ModelOpt)",
            )
        else:
            yield from _ways(view, data)


def _ways(view: View, data: list[tuple[str, int]]) -> Iterator[Proposal]:
    ways = [(path, count, method) for path, count in data[:2] for method in ("entropy", "minmax")]
    for rank, (path, count, method) in enumerate(ways):
        if (view.settings.calibration or {}).get("method") == method:
            continue
        what = f"{view.carrier.name}: calibrate with the {count} sets of {path}, by {method}"
        yield Proposal(what, view.change(calibration={"data": path, "method": method}), rank=rank)


def _is_check(site: Site, path: str) -> bool:
    """Data that decide whether the build is right."""
    inputs = site.verify.get("inputs")
    words = site.verify.get("command") or ()
    return path in site.protected or path == inputs or path in words or os.path.basename(path).startswith("reference")


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the calibrator."""
    carrier = carriers.by_name(site, parameters["carrier"], parameters["kind"])
    told = parameters["settings"]["calibration"]
    here = os.path.dirname(carrier.name)
    helper = os.path.join(here, _HELPER)
    text = standalone.calibrator_text()
    if site.has(helper) and site.text(helper) != text:
        raise CannotApply(f"{helper} is there already")
    site.write_text(helper, text)
    wanted = {"data": os.path.relpath(told["data"], here or "."), "method": told["method"]}
    carrier.write(site, carrier.settings._replace(calibration=wanted))


_SCRIPT = """import tensorrt as trt

logger = trt.Logger()
builder = trt.Builder(logger)
network = builder.create_network(1)
trt.OnnxParser(network, logger).parse_from_file("model.onnx")
config = builder.create_builder_config()
config.set_flag(trt.BuilderFlag.INT8)
plan = builder.build_serialized_network(network, config)
"""


def _write(folder: str) -> None:
    from triage.onnxgraph import files
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(1), f"{folder}/model.onnx")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _before(folder: str) -> None:
    import numpy as np

    _write(folder)
    np.savez(f"{folder}/calib.npz", input=np.ones((1, 8), np.float32))


def _after(site: Site) -> None:
    text = site.text("build.py")
    assert 'config.int8_calibrator = int8_calibration.calibrator("calib.npz", "entropy")' in text  # noqa: S101
    compile(text, "build.py", "exec")
    compile(site.text(_HELPER), _HELPER, "exec")


EXAMPLES = (
    Example(_before, _after, needs=("onnx", "libcst", "numpy")),
    Example(_write, None, applies=False, needs=("onnx", "libcst")),
)
