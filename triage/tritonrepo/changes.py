"""Changes of config.pbtxt as proposals: which lines become which, so that a person can read and repeat them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.remedy import Proposal
from triage.site import CannotApply

if TYPE_CHECKING:
    from triage.site import Site


_COMPLAINT = re.compile(
    r"(?i)fail|error|invalid|expected|must|inconsistent|not |non-|unable|unknown|specified|exception"
)
_MOST_LINES = 2000


class Way(NamedTuple):
    """One way to change one config: its path, its text now and then, and what that does. Rank 0 is the best.

    ``safety`` stands where this way is less safe than its fix; ``around`` is the ensemble that it is for.
    """

    path: str
    old: str
    new: str
    what: str
    rank: int = 0
    safety: str | None = None
    around: str = ""


def proposals(site: Site, ways: Iterable[Way]) -> Iterator[Proposal]:
    """A proposal for each way; where several configs have the same defect, one for all of them goes first."""
    kept = _blamed(site, [way for way in ways if way.new != way.old and site.may_change(way.path)])
    best: dict[str, Way] = {}
    for way in sorted(kept, key=lambda way: way.rank):
        best.setdefault(way.path, way)
    if len(best) > 1:
        what = "; ".join(f"{way.path}: {way.what}" for way in best.values())
        unsafe = next((way.safety for way in best.values() if way.safety), None)
        yield Proposal(what, {"configs": [_plain(way) for way in best.values()]}, unsafe)
    unique = {(way.path, way.new): way for way in sorted(kept, key=lambda way: -way.rank)}
    for place, way in enumerate(sorted(unique.values(), key=lambda way: way.rank)):
        yield Proposal(f"{way.path}: {way.what}", {"configs": [_plain(way)]}, way.safety, place + 1)


def _blamed(site: Site, ways: list[Way]) -> list[Way]:
    """Configs of the models that the log complains of; all of them where it names none."""
    lines = [line for line in site.log.split("\n") if _COMPLAINT.search(line)][:_MOST_LINES]
    said = "\n".join(lines)

    def blamed(name: str) -> bool:
        return bool(name) and bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said))

    return [way for way in ways if blamed(os.path.basename(os.path.dirname(way.path))) or blamed(way.around)] or ways


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Changes the lines that a proposal names.

    Raises:
        CannotApply: they are not there.
    """
    for each in parameters["configs"]:
        lines = site.text(each["config"]).splitlines(keepends=True) if site.has(each["config"]) else []
        for change in sorted(each["changes"], key=lambda change: change["line"], reverse=True):
            start = change["line"] - 1
            old = change["old"].splitlines(keepends=True)
            if lines[start : start + len(old)] != old:
                raise CannotApply(f"{each['config']} does not say {change['old']!r} in line {change['line']}")
            lines[start : start + len(old)] = change["new"].splitlines(keepends=True)
        site.write_text(each["config"], "".join(lines))


def _plain(way: Way) -> dict[str, Any]:
    return {"config": way.path, "changes": list(lines_changed(way.old, way.new))}


def lines_changed(old: str, new: str) -> Iterator[dict[str, Any]]:
    """The lines of a text that become others: the number of the first, what they were and what they are."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, start, end, first, last in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield {"line": start + 1, "old": "".join(before[start:end]), "new": "".join(after[first:last])}
