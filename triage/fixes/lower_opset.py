"""Export at a lower opset.

What it changes: the opset that the export asks for, where it stands (see raise_opset), to the highest one that the
program knows which reads the model: from its message, else from the table of its release.

When it is wrong: an operator of the model may not exist at the lower opset; then the exporter says so. Where no export
is part of the build, convert_opset changes the model itself.

Proof: the same operators compute the same; the outputs are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal

CAUSES = ("opset-unsupported", "configuration-error")
SAFETY = "safe"

_LIMITS = (
    r"support for domain (?:ai\.onnx|)\s*is till opset (\d+)", r"till opset (\d+)", r"up to opset(?: version)? (\d+)",
    r"max(?:imum)?(?: supported)? (?:onnx )?opset(?: version)?(?: is|:|=)? ?(\d+)",
    r"opset(?:_version)? ?(?:<=|≤) ?(\d+)",
    r"supports? (?:only )?opset(?: version)?s? (?:up to |<= ?)(\d+)", r"must be between \d+ and (\d+)",
    r"target_opset (?:cannot be|should not be|must not be) higher than (\d+)",
    r"highest (?:supported )?opset(?: is|:)? (\d+)",
)  # fmt: skip
_TOO_HIGH = re.compile(r"Unsupported onnx_opset_version: (\d+)|Unsupported ONNX opset [Vv]ersion: ?(\d+)")


def propose(site: Site) -> Iterator[Proposal]:
    """The highest opset that is read."""
    from triage.pysource import exporters, opsets

    limit = _limit(site)
    if limit is None:
        return
    flow = exporters.project_flow(site)
    for opset, changed in opsets.proposals(flow, [limit], higher=False):
        yield Proposal(f"export at opset {opset}: {changed.what}", {"opset": opset, **changed.parameters})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the opset where it stands."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _limit(site: Site) -> int | None:
    """The highest opset that the failing step takes, as the log says it or a table knows it."""
    too_high = _TOO_HIGH.search(site.log)
    if too_high:
        asked = int(too_high[1] or too_high[2])
        return 20 if asked > 20 else None
    for pattern in _LIMITS:
        match = re.search(pattern, site.log)
        if match and 7 <= int(match[1]) <= 28:
            return int(match[1])
    if site.found.causes[:1] == ("opset-unsupported",):
        return _of_release(site.found.tool, site.found.tool_version)
    return None


def _of_release(tool: str, version: str | None) -> int | None:
    """The limit of a release of TensorRT or ONNX Runtime."""
    import yaml

    from triage.folders import data_folder

    table = {"tensorrt": "onnx-opset-by-tensorrt", "onnxruntime": "onnx-opset-by-onnxruntime"}.get(tool)
    release = re.match(r"\d+\.\d+", version or "")
    if table is None or release is None:
        return None
    with open(f"{data_folder('kb')}/compat/{table}.yaml", encoding="utf-8") as stream:
        rows = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["rows"]
    return next((int(row["opset_max"]) for row in rows if str(row.get(tool)) == release[0]), None)


_SCRIPT = """import torch

model = torch.nn.Linear(4, 4).eval()
torch.onnx.export(model, (torch.zeros(2, 4),), "model.onnx", opset_version=23, dynamo=False)
"""
_LOG = """Traceback (most recent call last):
  File "build.py", line 4, in <module>
    torch.onnx.export(model, (torch.zeros(2, 4),), "model.onnx", opset_version=23, dynamo=False)
RuntimeError: Unsupported onnx_opset_version: 23
"""


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    import onnx

    from triage.pysource import samples

    samples.run(site)
    assert onnx.load(site.path("model.onnx")).opset_import[0].version == 20  # noqa: S101


def _low_enough(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT.replace("23", "17")})


_FOUND = Found(causes=("opset-unsupported",), captures={"opset": "23"})
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnx")),
    Example(_low_enough, None, found=_FOUND, log=_LOG, applies=False),
)
