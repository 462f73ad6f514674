"""What the classifier learns from: samples of rules, articles, fixtures, confirmed incidents.

An example knows which rules speak on its text. A held-out test leaves out all that those
rules brought, so that the text is judged as one that no rule knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from triage.diagnose.incidents import build_diagnosis
from triage.diagnose.match import match
from triage.diagnose.normal import incident_text
from triage.diagnose.rank import Ranked, has_failed
from triage.ingest.decode import pieces
from triage.ingest.scan import RawHit, Scanner, clean, find_events
from triage.library import Library
from triage.records import Cause, Diagnosis, Evidence, Incident
from triage.rulebook.read import RuleSource

_HOLE = re.compile(r"\{(\w+)\}")
ARTICLE = 0.7  # weight of an article's line: it explains, where a sample shows
_LINES = 8
_SHORTEST = 16
_NO_CAUSE = ("unknown", "no-failure")
_BELOW = 2048


class Example(NamedTuple):
    """A text with its cause.

    ``origin`` is ``rule:ID``, ``article:CAUSE``, ``fixture:CASE`` or ``incident:ID``. ``also`` are other causes that
    an expert would accept, ``rules`` the rules that speak on the text, ``wordings`` the patterns of them that do.
    ``asked``: a log of this text alone raises an alarm, so the classifier would be asked; only such are tests.
    """

    text: str
    cause: str
    origin: str
    tool: str = "other"
    weight: float = 1.0
    also: tuple[str, ...] = ()
    rules: frozenset[str] = frozenset()
    wordings: frozenset[str] = frozenset()
    asked: bool = False

    @property
    def kind(self) -> str:
        """What stands before the colon of the origin."""
        return self.origin.partition(":")[0]


class Silenced(NamedTuple):
    """A log judged as if the rules that name a cause for it did not exist."""

    incident: Incident | None
    rules: frozenset[str]
    wordings: frozenset[str]
    tool: str


def silenced(data: bytes, library: Library) -> Silenced:
    """The log with every rule switched off that names a cause for it; no incident where it then raises no alarm."""
    book = library.rulebook
    hits, lines = _hits(data, library)
    off: set[int] = set()
    while True:
        left = [hit for hit in hits if book.kinds[hit.pattern] == "f" or book.owners[hit.pattern] not in off]
        matched = match(left, book, library.knowledge)
        naming = {finding.rule.number for finding in matched.findings if finding.rule.cause != "unknown"}
        if not naming:
            break
        off |= naming
    rules = frozenset(book.rule(number).id for number in off)
    wordings = _wordings(hits, library)
    tool = next((tool for line in data.splitlines()[:_LINES] if (tool := matched.levels.tool(line))), "other")
    if not has_failed(matched):
        return Silenced(None, rules, wordings, tool)
    diagnosis: Diagnosis = build_diagnosis(
        matched, Ranked((), (), (), True), library, lines, len(data), "utf-8", (data, 1)
    )
    return Silenced(diagnosis.incidents[0], rules, wordings, diagnosis.incidents[0].tool)


def _wordings(hits: Iterable[RawHit], library: Library) -> frozenset[str]:
    """The patterns that were found, of rules that name a cause; ``RULE#PLACE``."""
    book = library.rulebook
    found = [(book.rule(book.owners[hit.pattern]), hit) for hit in hits if book.kinds[hit.pattern] == "m"]
    return frozenset(f"{rule.id}#{book.pattern(hit.pattern).slot}" for rule, hit in found if rule.cause != "unknown")


def _hits(data: bytes, library: Library) -> tuple[list[RawHit], int]:
    book = library.rulebook
    scanner = Scanner(book)
    parts = [clean(piece) for piece in pieces([data])]
    lines = 0
    for part, below in zip(parts, [*parts[1:], b""], strict=True):
        events = find_events(book.database, book.scratch, part)
        lines = scanner.feed(part, lines + 1, events, below[:_BELOW]) - 1
    return scanner.settle(), lines


def text_of_lines(lines: Iterable[str], tool: str) -> str:
    """The text of some lines, as an incident with these lines as evidence would have it."""
    evidence = tuple(Evidence(number, line) for number, line in enumerate(lines, 1))
    cause = Cause("unknown", "unknown", "none", evidence, {}, "")
    return incident_text(
        Incident(tool, None, None, None, None, None, None, {}, None, (1, len(evidence)), None, (cause,), ())
    )


def rule_examples(rules: Iterable[RuleSource], library: Library) -> Iterator[Example]:
    """The samples of all rules that state a cause or hint at one, and each rule's own sentence.

    Forty wordings of one rule are not forty pieces of knowledge: they weigh together as the root of their number.
    """
    from triage.ingest.text import shown
    from triage.ingest.wrappers import peel

    for rule in rules:
        if rule.says not in ("cause", "hint") or rule.cause in _NO_CAUSE:
            continue
        for sample in rule.hits:
            found = silenced(sample.encode(), library)
            lines = [shown(peel(line)) for line in sample.encode().split(b"\n")][:_LINES]
            text = text_of_lines(lines, found.tool)
            asked = found.incident is not None and rule.says == "cause"
            speaking = found.rules | {rule.id}
            weight = len(rule.hits) ** -0.5
            yield Example(
                text, rule.cause, f"rule:{rule.id}", found.tool, weight, rule.also, speaking, found.wordings, asked
            )
        if rule.says == "cause" and rule.why:
            text = text_of_lines([_HOLE.sub(r"\1", rule.why)], rule.tool)
            yield Example(text, rule.cause, f"rule:{rule.id}", rule.tool, 1.0, rule.also, frozenset([rule.id]))


def article_examples(library: Library, folder: str) -> Iterator[Example]:
    """Title, scope, and each line under the first two headings of every article below ``folder`` (kb)."""
    from triage.knowledge import article_body

    for cause in library.knowledge.ids():
        if cause in _NO_CAUSE:
            continue
        article = library.knowledge.article(cause)
        body = article_body(folder, article.path).split("\n## ")
        parts = [
            part.split("\n")[1:] for part in body if part.lstrip("# ").startswith(("What it means", "How to tell"))
        ]
        lines = [line.strip(" -*`") for part in parts for line in part if not line.startswith("```")]
        for line in [article.title, article.covers, *lines]:
            if len(line) >= _SHORTEST:
                speaking = silenced(line.encode(), library).rules
                yield Example(text_of_lines([line], "other"), cause, f"article:{cause}", weight=ARTICLE, rules=speaking)


def fixture_examples(folder: str, library: Library) -> Iterator[Example]:
    """The failing logs below a folder of fixtures, as they look while no rule speaks; none where it is absent."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for case in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        log, label = (os.path.join(folder, case, name) for name in ("log.txt", "expect.yaml"))
        if not (os.path.isfile(log) and os.path.isfile(label)):
            continue
        with open(label, encoding="utf-8") as stream:
            causes = yaml.load(stream, Loader=loader)["causes"]
        with open(log, "rb") as raw:
            found = silenced(raw.read(), library)
        if causes[0] not in _NO_CAUSE and found.incident:
            text, also = incident_text(found.incident), tuple(causes[1:])
            yield Example(
                text, causes[0], f"fixture:{case}", found.tool, 1.0, also, found.rules, found.wordings, asked=True
            )


def incident_example(uid: str, text: str, cause: str, tool: str) -> Example:
    """A failure whose cause a person confirmed."""
    return Example(text, cause, f"incident:{uid}", tool, asked=True)
