"""Export at a higher opset.

What it changes: the opset that the export asks for, where it stands: in the call, in a constant, a parameter's default,
a dictionary, a configuration file, or in the command line. The number is the one that the exporter's message names,
else the next ones that the exporter writes.

When it is wrong: the program that reads the model may not know the higher opset. Then its own message says so, and
lower_opset or decompose_operator is what helps. Nothing is proposed where the opset asked for is high enough already.

Proof: the same operators compute the same; the outputs are compared with the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal

CAUSES = ("export-opset-too-low", "export-internal-error", "opset-unsupported", "operator-unsupported", "unknown")
SAFETY = "safe"

_WANTED = (
    r"added in (?:opset )?version (\d+)",
    r"[Oo]pset version must be >= ?(\d+)",
    r"opset(?:_version)? ?(?:>=|≥) ?(\d+)",
    (
        r"\b(?:use|try|using|requires?|needs?|needed|from|since|after|least)(?: an?| the)?(?: ONNX)? [Oo]pset"
        r"(?: version)? (\d+)"
    ),
    r"[Oo]pset(?: version)? (\d+) or (?:higher|above|later|newer)",
    r"minimum (?:supported )?opset(?: version)?(?: is|:)? (\d+)",
)
_TOO_LOW = re.compile(
    r"higher opset|opset \d+ is not sufficient|in opset (?:version )?\d+|OPSET \d+"
    r"|Unsupported onnx_opset_version: [1-8]\b|unsupported onnx opset version: ?[1-6]\b"
    r"|lower version than we have implementations for",
    re.IGNORECASE,
)
_COMMON = (13, 14, 16, 17, 18, 20, 21)


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each opset that may do, the lowest first."""
    from triage.pysource import exporters, opsets

    wanted = wanted_opsets(site)
    if not wanted:
        return
    flow = exporters.project_flow(site)
    for rank, (opset, changed) in enumerate(opsets.proposals(flow, wanted, higher=True)):
        yield Proposal(f"export at opset {opset}: {changed.what}", {"opset": opset, **changed.parameters}, rank=rank)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the opset where it stands."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def wanted_opsets(site: Site) -> list[int]:
    """The opset that the log asks for; all usual ones where it only says that this one is too low."""
    log = site.log
    named = [int(match[1]) for pattern in _WANTED for match in re.finditer(pattern, log)]
    told = site.found.captures.get("wanted", "")
    if told.isdigit():
        named.insert(0, int(told))
    named = [number for number in named if 7 <= number <= 28]
    if named:
        least = named[0] if told.isdigit() else max(named)
        return [least, *(number for number in (17, 18, 20) if number > least)]
    if _TOO_LOW.search(log) or site.found.causes[:1] == ("export-opset-too-low",):
        return list(_COMMON)
    return []


_SCRIPT = """import torch

model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4)).eval()
OPSET = 11
torch.onnx.export(model, (torch.randn(2, 4),), "model.onnx", opset_version=OPSET, dynamo=False)
"""
_LOG = """Traceback (most recent call last):
  File "build.py", line 5, in <module>
    torch.onnx.export(model, (torch.randn(2, 4),), "model.onnx", opset_version=OPSET, dynamo=False)
torch.onnx.errors.UnsupportedOperatorError: Exporting the operator 'aten::x' to ONNX opset version 11 is not \
supported. Support for this operator was added in version 17, try exporting with this version
"""


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT)


def _after(site: Site) -> None:
    from triage.pysource.samples import run

    assert "OPSET = 17" in site.text("build.py")  # noqa: S101
    run(site)
    import onnx

    assert onnx.load(site.path("model.onnx")).opset_import[0].version == 17  # noqa: S101


def _high_enough(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(_SCRIPT.replace("11", "20"))


_FOUND = Found(causes=("export-opset-too-low",), captures={"wanted": "17"})
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch", "onnx")),
    Example(_high_enough, None, found=_FOUND, log=_LOG.replace("OPSET", "20"), applies=False),
)
