"""Which operators of a model a log complains about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from triage.onnxgraph import walk
from triage.site import Site

_OP = r"(?:(?P<domain>[\w.\-]{0,80})(?:::?|\.))?(?P<op>[A-Za-z_]\w{0,79})"
_HINT = re.compile(
    r"(?i)implement|kernel|regist|plugin|support|unknown|operator|resolve|importer|in node|conversion rule"
    r"|operation_type"
)
_NODE = r"(?i:operator|operation|op|node|layer)(?i: type)?"
_PHRASES = tuple(
    re.compile(each)
    for each in (
        rf"Could not find an implementation for (?:the node )?(?:[^\s:()]{{1,200}}:)?{_OP}\(\d+\)",
        rf"Failed to find kernel for {_OP}\(\d+\)",
        rf"Fatal error: {_OP}\(-?\d+\) is not a registered function/op",
        rf"No Op registered for {_OP} with domain_version",
        rf"Could not find a CPU kernel and hence can't constant fold {_OP} node",
        rf"No importer registered for op: {_OP}",
        rf"and operator: {_OP} \(",
        rf"find plugin:? {_OP}\b",
        rf"^\s*{_OP} +\| +\d+ \| In node",
        r"Node type '(?P<op>\w{1,80})' from domain '(?P<domain>[^']{0,80})' is unknown",
        r"No registered implementation for operator '(?P<op>\w{1,80})' and domain '(?P<domain>[^']{0,80})'",
        r"domain='(?P<domain>[^']{0,80})', operation_type='(?P<op>\w{1,80})'",
        rf"(?i:not supported|unsupported|not implemented|unknown|no conversion rule)[^\n:]{{0,60}}: *\W{{0,3}}{_OP}\b",
        rf"(?i:unsupported|unknown|cannot resolve) (?i:onnx )?{_NODE} \W{{0,2}}{_OP}\b",
        rf"{_NODE} \W{{0,2}}{_OP}\W{{0,2}} (?:is )?(?:not|un)[ -]?(?:yet )?(?:supported|implemented)",
        rf"{_OP} (?:OP )?is not (?:yet )?(?:supported|implemented)",
        rf"Unknown type {_OP} encountered while parsing",
    )
)


def blamed(site: Site, model: Any) -> list[tuple[str, str]]:
    """(domain, operator) of the nodes of the model that the log says cannot be run, in the order of the log.

    Where no known phrase names one, an operator that stands in the decisive lines is taken.
    """
    there = {(walk.domain_of(node.domain), node.op_type) for node in walk.nodes(model)}
    found: dict[tuple[str, str], None] = {}
    for domain, name in _named(site.log):
        fitting = [each for each in there if each[1] == name and domain in (None, "", each[0], "ai.onnx")]
        found |= dict.fromkeys(sorted(fitting))
    told = site.found.captures.get("op")
    if not found and told:
        found |= dict.fromkeys(sorted(each for each in there if each[1] == told))
    if not found:
        words = set(re.findall(r"\w+", " ".join(site.found.evidence)))
        found |= dict.fromkeys(sorted(each for each in there if each[1] in words))
    return list(found)


def _named(log: str) -> Iterator[tuple[str | None, str]]:
    for line in log.split("\n"):
        if not _HINT.search(line[:4000]):
            continue
        for phrase in _PHRASES:
            for match in phrase.finditer(line[:4000]):
                yield match.groupdict().get("domain"), match["op"]
