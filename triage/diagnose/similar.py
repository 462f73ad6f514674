"""Near twins of a failure among texts that are handed in; pure, and says why each is near.

A score is RapidFuzz's ``ratio`` of two normalised texts (templates of signatures), 0 to 1.
Near texts are not one cause: of the shipped rules' samples that score 0.7 or more, a quarter
share the cause, since tools frame every message alike. So a twin must share its own words too,
and who asks for a cause weighs what people confirmed. ``python -m bench.finds floor`` has the figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from triage.masks import essence

FLOOR = 0.70  # 99 of 100 reworded twins score more, and 1 of 1,400 pairs of the rules' samples
SHARED = 0.60  # most of the samples' pairs above the floor share less: only the tool's frame is alike
SHOWN = 4  # differences that a reason names
_QUOTES = "'\""

FEWEST = 5
_WORD = re.compile(r"<[a-z]+>|[^\W\d][\w.]*")
_PLAIN = re.compile(r"[a-z]+|[A-Z][a-z]+|[A-Z]+")
_TOKEN = re.compile(r"<[a-z ]+>|\w+(?:(?:::|\.)\w+)*|[^\w\s]")
_OWN = re.compile(r"<[a-z ]+>|([^\W\d]\w+)")


class Known(NamedTuple):
    """A text to compare with; ``kept`` holds what was masked in it, where that is known."""

    key: int
    tool: str
    text: str
    kept: Mapping[str, Sequence[str]] | None = None


class Near(NamedTuple):
    """A near twin: its key, how near (0 to 1) and why, in words."""

    key: int
    score: float
    tool: str
    text: str
    why: str


class _Change(NamedTuple):
    old: str  # what the known text has
    new: str  # what the new text has in its place


def nearest(
    text: str,
    tool: str,
    known: Sequence[Known],
    limit: int = 5,
    floor: float = FLOOR,
    shared: float = SHARED,
    kept: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Near, ...]:
    """The nearest texts, best first; of equal ones those of the same tool, then the older key.

    Args:
        text: normalised text of the new failure.
        tool: the tool that wrote it; another tool's twin counts as much, and its reason says so.
        known: what to compare with, in any order.
        limit: the most to return.
        floor: the lowest ``ratio``, 0 to 1.
        shared: the lowest share of own words (`shared_words`), 0 to 1.
        kept: what was masked in the new text; with it a reason names other names and versions.
    """
    from rapidfuzz import process
    from rapidfuzz.fuzz import ratio

    texts = [row.text for row in known]
    found = process.extract(text, texts, scorer=ratio, processor=None, score_cutoff=floor * 100, limit=None)
    ranked = sorted(found, key=lambda hit: (-hit[1], known[hit[2]].tool != tool, known[hit[2]].key))
    chosen: list[Near] = []
    for _, score, place in ranked:
        row = known[place]
        if len(chosen) == limit:
            break
        if shared <= 0 or shared_words(text, row.text) >= shared:
            why = reason(text, tool, row, score / 100, kept)
            chosen.append(Near(row.key, round(score / 100, 4), row.tool, row.text, why))
    return tuple(chosen)


def shared_words(text: str, other: str) -> float:
    """How much two texts share of their own words: 0 to 1, masks, numbers and signs not counted."""
    ours, theirs = _own_words(text), _own_words(other)
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else 1.0


def same_message(text: str, other: str) -> bool:
    """Whether two texts say the same with other names: every ordinary word is equal, and what names the failure.

    Texts with fewer than FEWEST ordinary words say too little to be called the same.
    """
    ours = _ordinary(text)
    return len(ours) >= FEWEST and ours == _ordinary(other) and essence(text) == essence(other)


def _ordinary(text: str) -> list[str]:
    """Words that are no names: without digits, underscores or capitals in their middle."""
    return [word for word in _WORD.findall(text) if _PLAIN.fullmatch(word)]


def _own_words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in _OWN.findall(text) if word)


def reason(text: str, tool: str, row: Known, score: float, kept: Mapping[str, Sequence[str]] | None = None) -> str:
    """Why a known text is near: who wrote it, how much is the same, what is new and what is missing."""
    who = "same tool" if row.tool == tool else f"another tool ({row.tool})"
    changes = _changes(row.text, text)
    swapped = [change for change in changes if change.old and change.new]
    if not changes:  # or only signs
        parts = [f"{who}, same message", *_other_values(row.kept, kept)]
    elif len(swapped) == len(changes) <= 2 and all(_is_word(change) for change in swapped):
        parts = [f"{who}, same message", f"differs in: {_listed([_swap(change) for change in swapped])}"]
    else:
        parts = [f"{who}, {int(score * 100)} % of the text", *_told_apart(changes, swapped)]
    return "; ".join(parts)


def _changes(old: str, new: str) -> list[_Change]:
    """What differs in words, from left to right; changed signs alone are not worth a word."""
    from rapidfuzz.distance import Indel

    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    changes: list[_Change] = []
    removed: list[str] = []
    added: list[str] = []
    for tag, start, end, new_start, new_end in [*Indel.opcodes(before, after), ("equal", 0, 0, 0, 0)]:
        if tag == "equal":
            change = _Change(_worded(removed), _worded(added))
            if change.old != change.new:
                changes.append(change)
            removed, added = [], []
        else:
            removed += before[start:end]
            added += after[new_start:new_end]
    return changes


def _worded(tokens: list[str]) -> str:
    """The tokens from the first to the last word; "" when none has a letter or digit."""
    telling = [place for place, token in enumerate(tokens) if any(letter.isalnum() for letter in token)]
    return " ".join(tokens[telling[0] : telling[-1] + 1]) if telling else ""


def _is_word(change: _Change) -> bool:
    return " " not in change.old and " " not in change.new


def _swap(change: _Change) -> str:
    return f"'{change.old}' → '{change.new}'"


def _told_apart(changes: Sequence[_Change], swapped: Sequence[_Change]) -> list[str]:
    """The differences by kind."""
    kinds = (
        ("differs in", [_swap(change) for change in swapped]),
        ("new here", [f"'{change.new}'" for change in changes if not change.old]),
        ("missing here", [f"'{change.old}'" for change in changes if not change.new]),
    )
    return [f"{kind}: {_listed(words)}" for kind, words in kinds if words]


def _listed(words: Sequence[str]) -> str:
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _other_values(old: Mapping[str, Sequence[str]] | None, new: Mapping[str, Sequence[str]] | None) -> list[str]:
    """What stood behind the masks, where both are known: ``other version: '8.6.1' → '10.3.0'``."""
    pairs = [
        f"other {kind}: '{before.strip(_QUOTES)}' → '{after.strip(_QUOTES)}'"
        for kind, values in (old or {}).items()
        for before, after in zip(values, (new or {}).get(kind, ()), strict=False)
        if before != after
    ]
    return pairs[:SHOWN]
