"""Messages that nobody could name -> the rule file that was missing, as text.

The messages of a group are laid side by side; what differs becomes a capture. Where
the pattern would also take a near message of another cause, it is made narrower:
more of the line, then names that stayed the same. Nothing is read or stored here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from triage.diagnose.align import merged
from triage.diagnose.generalise import (
    Choice,
    captures,
    default_choice,
    ends,
    head_starts,
    pattern_of,
    restorable,
    strength,
)
from triage.diagnose.parts import Part, parts_of
from triage.diagnose.wording import sentence, topic, write_rule
from triage.errors import UsageError
from triage.ingest.wrappers import peel
from triage.masks import mask
from triage.rulebook.patterns import compile_line
from triage.rulebook.read import STAGES, TOOLS

PLACEHOLDER = "name-the-cause"
UNNAMED = frozenset({None, "", "unknown", "no-failure"})
MOST_MESSAGES = 60
MOST_PATTERNS = 6
MOST_HITS = 4
MOST_MISSES = 3
NEAR_ENOUGH = 45.0
SAME_FAMILY = 62.0
_LINE_END = re.compile(r"\\[nr]|[\n\r]")
_PRIVATE = (
    (re.compile(r"(/home/|/Users/|[A-Za-z]:\\Users\\)[\w.-]+"), r"\1user"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.]+"), "user@example.org"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?=:\d)"), "192.0.2.1"),
)
_OPPOSITES = (
    (r"\bis missing\b", "has"), (r"\bout of\b", "within"), (r"\b[Uu]n(?=\w{5})", ""), (r"\b(\w+)Error: ", r"\1: "),
    (r"\b[Cc]ould not (\w+)", r"will \1"), (r"\b[Cc](?:an ?not|an't) (\w+)", r"will \1"),
    (r"\b[Ff]ailed to (\w+)", r"going to \1"), (r"\b(is|are|was|were|has|have|does|do|did) not\b", r"\1"),
    (r"\b(\w+)n't\b", r"\1"), (r"\b[Nn]o (?=\w)", "one "), (r"\b[Mm]issing\b", "present"),
    (r"\b[Ii]nvalid\b", "valid"), (r"\bmismatch\b", "match"),
    (r"\b[Ff]ailed\b", "succeeded"), (r"\b[Uu]nable to\b", "ready to"), (r"\bwrong\b", "right"),
    (r"\bnot\b ?", ""), (r"\bexceeds\b", "is below"), (r"\b[Ee]rror\b", "result"),
)  # fmt: skip


class Sample(NamedTuple):
    """One archived incident: its decisive line, masked of secrets, and what it was named if it was."""

    key: str
    text: str
    cause: str | None = None
    by: str = ""


class Draft(NamedTuple):
    """A rule file that a person is to read: its id, text and what it was made from.

    ``cause`` is None while the person must still name it. ``patterns`` and ``texts``
    are what the file holds; ``group`` are all incidents that it should name.
    """

    id: str
    text: str
    cause: str | None
    patterns: tuple[str, ...]
    hits: tuple[str, ...]
    misses: tuple[str, ...]
    why: str
    notes: tuple[str, ...]
    group: tuple[Sample, ...]


class _Variant(NamedTuple):
    """Messages that read as one."""

    parts: list[Part]
    lines: list[str]


def draft(
    hits: Sequence[Sample],
    near: Sequence[Sample],
    cause: str | None,
    tool: str,
    stage: str | None = None,
    existing: Collection[str] = (),
    vocabulary: Collection[str] = (),
) -> Draft:
    """Writes the rule that would have named a group.

    Args:
        hits: the incidents of the group; several with other names and numbers make a better pattern.
        near: the nearest other incidents, named or not.
        cause: what a person says it is; None: deduced from the neighbours, or left to be filled in.
        tool: whose message it is; ``other`` where the rules do not know it.
        stage: where it fails, if known.
        existing: ids that are taken.
        vocabulary: lower-case words that tools print (``proof.vocabulary``); others are taken for names after a noun.

    Raises:
        UsageError: no message of the group holds a word that a rule could look for.
    """
    notes: list[str] = []
    named = cause if cause not in UNNAMED else _deduced(hits, near, notes)
    variants = _variants(hits, vocabulary)
    others = _others(near, named, hits)
    patterns: list[str] = []
    speaking: list[tuple[Sequence[Part], Choice]] = []
    for variant in variants:
        choice = _fitted(variant, others, notes)
        pattern = pattern_of(variant.parts, choice)
        if (
            pattern not in patterns
            and strength(pattern) > -10
            and all(_hits([pattern], line) for line in variant.lines)
        ):
            patterns.append(pattern)
            speaking.append((variant.parts, choice))
    if not patterns:
        raise UsageError("no message of this group holds a word that a rule could look for; a rule needs a fixed word.")
    chosen = _chosen_hits(hits, patterns)
    misses = _misses(patterns, chosen, near, notes)
    parts, choice = speaking[0]
    names = captures(parts, choice)
    known_tool = tool if tool in TOOLS else "other"
    label = sentence(parts, choice, names)
    rule_id = (
        f"{known_tool}/{topic(named, label, {i.rpartition('/')[2] for i in existing if i.startswith(known_tool)})}"
    )
    why = f"The tool prints: {label}"
    if named is None:
        notes.insert(0, f"the cause must be filled in: replace {PLACEHOLDER} by an id that `triage causes` lists")
    if len({line for variant in variants for line in variant.lines}) == 1:
        notes.append("drafted from a single message: which words change from case to case is a guess")
    text = write_rule(
        cause=named or PLACEHOLDER, tool=known_tool, stage=stage if stage in STAGES else None,
        patterns=patterns, why=why, hits=chosen, misses=misses, notes=notes,
    )  # fmt: skip
    return Draft(rule_id, text, named, tuple(patterns), tuple(chosen), tuple(misses), why, tuple(notes), tuple(hits))


def lines_of(text: str) -> list[str]:
    """The lines of a decisive text as rules see them, the one with the most words first."""
    lines = [peel(line.encode()).decode("utf-8", "replace").strip() for line in _LINE_END.split(text)]
    return sorted((line for line in lines if line), key=lambda line: -sum(word.isalpha() for word in line.split()))


def _hits(patterns: Sequence[str], text: str) -> bool:
    programs = [compile_line(pattern) for pattern in patterns]
    return any(p.search(peel(line.encode())) is not None for line in text.split("\n") for p in programs)


def _variants(hits: Sequence[Sample], vocabulary: Collection[str]) -> list[_Variant]:
    """Messages that read alike, laid together; the largest family first."""
    found: list[_Variant] = []
    distinct = dict.fromkeys(lines[0] for sample in hits if (lines := lines_of(sample.text)))
    for line in list(distinct)[:MOST_MESSAGES]:
        parts = parts_of(line.removesuffix("…"), vocabulary)
        for place, variant in enumerate(found):
            both = merged(variant.parts, parts)
            if both is not None and _still_hits(_Variant(both, [*variant.lines, line])):
                found[place] = _Variant(both, [*variant.lines, line])
                break
        else:
            found.append(_Variant(parts, [line]))
    found.sort(key=lambda variant: -len(variant.lines))
    return found[:MOST_PATTERNS]


def _still_hits(variant: _Variant) -> bool:
    pattern = pattern_of(variant.parts, default_choice(variant.parts, len(variant.lines)))
    return all(_hits([pattern], line) for line in variant.lines)


def _others(near: Sequence[Sample], cause: str | None, hits: Sequence[Sample]) -> list[str]:
    """Lines that the rule must leave alone: messages of another cause."""
    own = {sample.text for sample in hits}
    return [s.text for s in near if s.cause not in UNNAMED and s.cause != cause and s.text not in own]


def _fitted(variant: _Variant, others: Sequence[str], notes: list[str]) -> Choice:
    """The most general choice that has rare enough words and takes no message of another cause."""

    def badness(choice: Choice) -> tuple[int, float]:
        pattern = pattern_of(variant.parts, choice)
        if not all(_hits([pattern], line) for line in variant.lines):
            return len(others) + 1, 99.0
        taken = sum(_hits([pattern], text) for text in others)
        return taken, max(0.0, -strength(pattern))

    start = default_choice(variant.parts, len(variant.lines))
    best = _narrowed(variant.parts, start, badness)
    for index in sorted(best.kept - start.kept):
        notes.append(f"{variant.parts[index].text!r} stands literally, since nothing else tells the message apart")
    taken = [text for text in others if _hits([pattern_of(variant.parts, best)], text)]
    for text in taken[:2]:
        notes.append(f"the pattern also takes a message of another cause: {text[:100]}")
    return best


def _narrowed(parts: Sequence[Part], choice: Choice, badness: Callable[[Choice], tuple[int, float]]) -> Choice:
    """Takes one step at a time, the best first, as long as a step helps."""
    worst = badness(choice)
    while worst > (0, 0.0):
        steps = [Choice(s, choice.end, choice.kept) for s in reversed(head_starts(parts)) if s < choice.start]
        steps += [Choice(choice.start, e, choice.kept) for e in ends(parts, choice.start) if e > choice.end]
        steps += [
            choice._replace(kept=choice.kept | {i})
            for i in restorable(parts)
            if i not in choice.kept and choice.start <= i < choice.end
        ]
        scored = [(badness(step), place) for place, step in enumerate(steps)]
        if not scored or min(scored)[0] >= worst:
            return choice
        worst, place = min(scored)
        choice = steps[place]
    return choice


def _similar(left: str, right: str) -> float:
    """How alike two messages read once their noise is masked: 0 to 100."""
    return fuzz.token_sort_ratio(mask(left)[0].lower(), mask(right)[0].lower())


def _nearest(hits: Sequence[Sample], near: Sequence[Sample]) -> list[tuple[float, Sample]]:
    firsts = [lines_of(sample.text)[0] for sample in hits[:MOST_HITS] if lines_of(sample.text)]
    scored = [(max((_similar(first, s.text) for first in firsts), default=0.0), s) for s in near]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1].key))


def _deduced(hits: Sequence[Sample], near: Sequence[Sample], notes: list[str]) -> str | None:
    """The cause that the nearest named incidents agree on, with the reason among the notes."""
    votes: dict[str, float] = {}
    close = [(score, s) for score, s in _nearest(hits, near) if s.cause not in UNNAMED and score >= SAME_FAMILY][:5]
    for score, sample in close:
        weight = score * (1.5 if sample.by == "confirmed" else 1.0)
        votes[str(sample.cause)] = votes.get(str(sample.cause), 0.0) + weight
    if not votes:
        return None
    best = max(sorted(votes), key=lambda name: votes[name])
    score, sample = next(pair for pair in close if pair[1].cause == best)
    named = f" ({sample.by})" if sample.by else ""
    notes.append(
        f"cause proposed: {sample.key} reads alike ({score:.0f} of 100) and was named {best}{named}; confirm it"
    )
    return best


def _chosen_hits(hits: Sequence[Sample], patterns: Sequence[str]) -> list[str]:
    """One sample for every pattern, then those that differ most."""
    texts = list(dict.fromkeys(_public(line, patterns) for s in hits for line in lines_of(s.text)[:1]))
    texts = [text for text in texts if _hits(patterns, text)]
    chosen = list(dict.fromkeys(next(text for text in texts if _hits([pattern], text)) for pattern in patterns))
    while len(chosen) < min(MOST_HITS, len(texts)):
        rest = [text for text in texts if text not in chosen]
        chosen.append(min(rest, key=lambda text: max(fuzz.ratio(text, other) for other in chosen)))
    return chosen


def _public(line: str, patterns: Sequence[str]) -> str:
    """The line without names of people and machines, where the patterns say the same of it."""
    clean = line
    for pattern, replacement in _PRIVATE:
        clean = pattern.sub(replacement, clean)
    return clean if _hits(patterns, clean) == _hits(patterns, line) else line


def _misses(patterns: Sequence[str], hits: Sequence[str], near: Sequence[Sample], notes: list[str]) -> list[str]:
    """The nearest messages that the pattern leaves alone; one made from a hit where none is near."""
    group = [Sample("", text) for text in hits]
    far: list[str] = []
    found: dict[str, None] = {}
    for score, sample in _nearest(group, near):
        lines = lines_of(sample.text)
        if lines and not _hits(patterns, lines[0]):
            line = _public(lines[0], ())
            found.update({line: None} if score >= NEAR_ENOUGH else {})
            far.append(line)
    if found:
        return list(found)[:MOST_MISSES]
    turned = _opposite(hits[0], patterns)
    if turned is None and far:
        notes.append(
            "no message of another kind is near: the miss is the nearest one, which is far; put a nearer one there"
        )
        return far[:1]
    notes.append("no near message of another kind is known: the miss is made from a hit; put a real one there")
    return [turned or "done"]


def _opposite(hit: str, patterns: Sequence[str]) -> str | None:
    """What the tool might print when the same thing goes well; None where no word can be turned."""
    for pattern, replacement in _OPPOSITES:
        turned = " ".join(re.sub(pattern, replacement, hit).split())
        if turned and turned != " ".join(hit.split()) and not _hits(patterns, turned):
            return turned
    return None


def summary(made: Draft) -> Mapping[str, object]:
    """The draft as plain values, for reports."""
    return {**made._asdict(), "group": [sample.key for sample in made.group]}
