"""One rule for a person: what it says, its patterns and samples, how often it spoke, and where in the open log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

from triage.ingest.text import plain
from triage.tui.widgets.answer import Answer, Row

if TYPE_CHECKING:
    from triage.archive.rule_use import RuleFigures
    from triage.rulebook.read import RuleSource
    from triage.service.rules import Word

SAYS = {
    "cause": "names the cause", "end": "names the cause where nothing better does", "hint": "hints at the cause",
    "failure": "marks a failure, without a cause", "success": "marks a success", "noise": "marks lines as noise",
}  # fmt: skip
# state of a rule on a log -> (sign, words, style): never told by colour alone
STATES = {
    "speaks": ("▶", "speaks", "$text-error"), "silent": ("·", "is silent", "$text-muted"),
    "marks": ("✓", "marks lines", "$text-success"),
}  # fmt: skip
MOST_PLACES = 30
_CAPTURE = re.compile(r"\(\?P<(\w+)>")


class RuleView(Answer):
    """Shows a rule; rows that can be chosen lead to its article, its file and its lines in the log."""

    BORDER_TITLE = ""


def head_blocks(rule: RuleSource) -> Iterator[Static]:
    """Which rule it is, and what it names."""
    status = f"  ({rule.status})" if rule.status != "stable" else ""
    yield Static(Content.assemble((rule.id, "bold"), status), classes="headline")
    where = " · ".join(part for part in (rule.tool if rule.tool != "other" else "", rule.stage or "") if part)
    yield _text(SAYS[rule.says] + (f" · {where}" if where else ""), "dim")
    if rule.says in ("cause", "end", "hint"):
        for place, cause in enumerate((rule.cause, *rule.also)):
            yield Row(Content.assemble("or " if place else "", (cause, "bold"), "  (read the article)"), "cause", cause)


def source_blocks(rule: RuleSource) -> Iterator[Static]:
    """What the file says: sentence, patterns, samples."""
    if rule.why:
        yield _title("Sentence")
        yield _text(rule.why)
    yield from _patterns(rule)
    yield from _samples("Hits: lines that it must find", "✓", rule.hits)
    yield from _samples("Near misses: lines that it must leave alone", "✗", rule.misses)


def faults_blocks(name: str, faults: Sequence[str]) -> Iterator[Static]:
    """Why a file is no rule."""
    yield Static(Content.assemble(("✗ ", "bold $text-error"), (name, "bold")), classes="headline")
    yield _title("It must not be loaded")
    for fault in faults:
        yield _text(fault)


def _patterns(rule: RuleSource) -> Iterator[Static]:
    for title, patterns in (
        ("Pattern" if len(rule.patterns) == 1 else "Patterns: any of", rule.patterns),
        ("and the same log also holds all of", rule.together),
        ("and the same log also holds one of", rule.needs),
        (f"and within {rule.within} lines there follow", rule.then),
        ("but not where the log holds", rule.unless),
        ("and only when", tuple(str(condition) for condition in rule.when)),
        ("It gives way to", rule.yields_to),
    ):
        if patterns:
            yield _title(title)
            yield from (_text(pattern) for pattern in patterns)
    names = sorted({name for pattern in rule.patterns for name in _CAPTURE.findall(pattern)})
    if names:
        yield _text(f"captures: {', '.join(names)}", "dim")


def _samples(title: str, sign: str, samples: Sequence[str]) -> Iterator[Static]:
    if samples:
        yield _title(title)
        for sample in samples:
            yield _text("\n".join(f"{sign if not at else ' '} {line}" for at, line in enumerate(sample.split("\n"))))


def file_blocks(path: str) -> Iterator[Static]:
    """Where the file is; the row opens it."""
    yield _title("File")
    yield Row(Content(path), "open", path)


def use_blocks(figures: RuleFigures | None, remark: str) -> Iterator[Static]:
    """What the archive knows of it: how often it decided, and what people said of that."""
    yield _title("In the archive")
    if remark or figures is None:
        yield _text(remark or "Only rules that name a cause are counted.", "dim")
        return
    if not figures.hits:
        yield _text("It has not decided an incident here.")
    else:
        last = f", last on {figures.last:%Y-%m-%d}" if figures.last else ""
        yield _text(f"It decided {figures.hits:,} incident{'s' if figures.hits > 1 else ''}{last}.")
    if figures.judged:
        yield _text(f"People confirmed {figures.confirmed} of {figures.judged}, and corrected {figures.corrected}.")


def log_blocks(name: str, word: Word | None) -> Iterator[Static]:
    """Where it stands in the open log; the rows lead there."""
    yield _title(f"In {name}")
    if word is None:
        yield _text("Its pattern is not found in this log.")
        return
    sign, words, style = STATES[word.state]
    why = f": {word.why}" if word.why else ""
    yield Static(Content.assemble((f"{sign} It {words}", style), why), classes="text")
    for place in word.places[:MOST_PLACES]:
        yield Row(Content.assemble((f"{sign} {place.line:,}  ", style), plain(place.text)), "line", str(place.line))
    if len(word.places) > MOST_PLACES:
        yield _text(f"and {len(word.places) - MOST_PLACES} more lines", "dim")


def _title(text: str) -> Static:
    return Static(Content(text), classes="title")


def _text(text: str, classes: str = "text") -> Static:
    return Static(Content("\n".join(plain(line) for line in text.split("\n"))), classes=classes)
