"""Which opset and IR version the tool at the other end reads: from its own words, else from the compat tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.onnxgraph import schemas

if TYPE_CHECKING:
    from triage.site import Site

_SHORT = r"[^\n]{0,60}?"
_HIGHEST = (
    re.compile(r"official support for domain (?P<domain>[\w.]{1,60}) is till opset (?P<limit>\d+)"),
    re.compile(rf"(?i)(?:max(?:imum)?|highest|latest|newest|up to|till|at most|no newer than|not newer than|only)\b"
               rf"{_SHORT}\bopset(?:[ _-]?version)?s?\b[^\d\n]{{0,20}}(?P<limit>\d{{1,2}})\b"),
    re.compile(rf"(?i)\bopset(?:[ _-]?version)?s?\b{_SHORT}(?:<=|≤|up to|till|at most|max(?:imum)?(?: of| is|:)?|"
               r"highest|no newer than|not newer than|limit(?: is|:| of)?)[^\d\n]{0,20}(?P<limit>\d{1,2})\b"),
)  # fmt: skip
_HIGHEST_IR = (
    re.compile(r"max supported IR version: (?P<limit>\d+)"),
    re.compile(r"is higher than the checker's \((?P<limit>\d+)\)"),
    re.compile(r"newer ir_version \([\d.]+\) than this parser was built against \((?:0\.0\.)?(?P<limit>\d+)\)"),
    re.compile(rf"(?i)(?:\b(?:max(?:imum)?|highest|latest|up to|at most|no newer than|not newer than)\b|<=|≤){_SHORT}"
               r"\bir[ _-]?version\b[^\d\n]{0,20}(?P<limit>\d{1,2})\b"),
    re.compile(rf"(?i)\bir[ _-]?version\b{_SHORT}(?:<=|≤|up to|at most|max(?:imum)?(?: of| is|:)?|limit(?: is|:| of)?)"
               r"[^\d\n]{0,20}(?P<limit>\d{1,2})\b"),
)  # fmt: skip
_LOWEST = (
    re.compile(
        r"(?i)\bopset(?:[ _-]?version)?\s*(?:must be |should be |of |is )?(?:>=|≥|at least|from)\s*(?P<limit>\d+)"
    ),
    re.compile(
        r"(?i)\b(?:at least|minimum|requires?|needs?|>=|≥)\s{0,2}(?:an? )?(?:onnx )?opset[^\d\n]{0,12}(?P<limit>\d+)"
    ),
    re.compile(r"(?i)\bopset(?:[ _-]?version)?\s+(?P<limit>\d+) (?:or|and) (?:above|higher|newer|later)"),
    re.compile(r"(?i)opset[^\n]{0,80}?(?:at least|>=|≥)\s*(?P<limit>\d+)"),
)
_OLD_KERNEL = re.compile(r"Could not find an implementation for (?P<op>\w{1,80})\((?P<since>\d+)\)")
_DEPRECATED = re.compile(r"Op registered for (?P<op>\w{1,80}) is deprecated in domain_version of (?P<opset>\d+)")
_TENSORRT = re.compile(
    r"(?i)tensorrt(?:[ -]?version)?[ :v=-]{0,4}(\d+\.\d+)(?:\.\d+)?|\[TRT\].{0,60}\bTensorRT (\d+\.\d+)"
)
_OLDEST_KERNELS = 7  # ONNX Runtime has kernels from this opset on
_TABLES = {
    "onnxruntime": ("onnx-opset-by-onnxruntime", "onnxruntime"),
    "triton": ("onnx-opset-by-onnxruntime", "onnxruntime"),
    "tensorrt": ("onnx-opset-by-tensorrt", "tensorrt"),
}


class Limit(NamedTuple):
    """A number, and who says it."""

    version: int
    who: str


def highest_opset(site: Site, domain: str = "") -> Limit | None:
    """The highest opset of a domain that the tool reads; None where nothing tells it."""
    wanted = domain or "ai.onnx"
    for match in _HIGHEST[0].finditer(site.log):
        if match["domain"] == wanted:
            return Limit(int(match["limit"]), "the log says so")
    if domain:
        return None
    found = _said(site, _HIGHEST[1:]) if not _HIGHEST[0].search(site.log) else None
    return Limit(min(found), "the log says so") if found else _from_tables(site, "opset_max")


def highest_ir(site: Site) -> Limit | None:
    """The highest IR version that the tool reads; None where nothing tells it."""
    found = _said(site, _HIGHEST_IR)
    if found:
        return Limit(min(found), "the log says so")
    if "Unknown model file format version" in site.log:
        return _from_tables(site, "ir_max") or Limit(7, "ONNX Runtime up to 1.8 says it so")
    return _from_tables(site, "ir_max")


def lowest_opset(site: Site) -> Limit | None:
    """The lowest opset that the tool reads, where the log says that the model's is too low."""
    found = _said(site, _LOWEST)
    if found:
        return Limit(max(found), "the log says so")
    for match in _DEPRECATED.finditer(site.log):
        later = schemas.successor(match["op"], int(match["opset"]))
        if later:
            return Limit(later, f"{match['op']} has a valid form from opset {later} on")
    for match in _OLD_KERNEL.finditer(site.log):
        if int(match["since"]) < _OLDEST_KERNELS:
            return Limit(_OLDEST_KERNELS, f"ONNX Runtime has no {match['op']} of opset {match['since']}")
    return None


def says_highest(site: Site) -> bool:
    """Whether the log itself names a highest opset."""
    return bool(_said(site, _HIGHEST))


def says_lowest(site: Site) -> bool:
    """Whether the log itself names a lowest opset."""
    return lowest_opset(site) is not None


def says_ir(site: Site) -> bool:
    """Whether the log itself names a highest IR version."""
    return bool(_said(site, _HIGHEST_IR))


def _said(site: Site, patterns: tuple[re.Pattern[str], ...]) -> list[int]:
    """Numbers of the first pattern that the log matches."""
    for pattern in patterns:
        found = [int(match["limit"]) for match in pattern.finditer(site.log)]
        if found:
            return found
    return []


def _from_tables(site: Site, column: str) -> Limit | None:
    from triage.diagnose.opsets import limit_for
    from triage.library import load_library

    for tool, version in _versions(site):
        if tool not in _TABLES:
            continue
        table, key = _TABLES[tool]
        limit = limit_for(version, load_library().knowledge.table(table), key, column)
        if limit:
            return Limit(limit, f"{key} {version}")
    return None


def _versions(site: Site) -> Iterator[tuple[str, str]]:
    """(tool, version): what the log names, then what is installed here."""
    tool = site.found.tool
    if site.found.tool_version and tool in ("onnxruntime", "tensorrt"):
        yield tool, site.found.tool_version
    for name in ("onnxruntime", "tensorrt"):
        version = site.found.facts.get(name)
        if version:
            yield name, str(version)
    named = _TENSORRT.search(site.log) if tool == "tensorrt" else None
    if named:
        yield "tensorrt", named[1] or named[2]
    yield from _installed("tensorrt" if tool == "tensorrt" else "onnxruntime")


def _installed(package: str) -> Iterator[tuple[str, str]]:
    from importlib import metadata

    for name in (package, f"{package}-gpu"):
        try:
            yield package, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
