"""Parts of a message -> a pattern in the linear-time subset that rules are written in.

What the tool always prints stays, each hole becomes a bounded class, and the part
of the line that carries the message is chosen: prefixes that the surroundings add
and sentences of advice are left out as long as enough fixed words remain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from triage.diagnose.parts import CAPITALS, LITERAL, NAME_KINDS, RAISED, Part
from triage.diagnose.terms import USERS, names_ahead, term_of
from triage.rulebook.compile import POOR_LITERAL
from triage.rulebook.patterns import literals_of

LONGEST = 180
FEWEST_WORDS = 4
_SPECIAL = re.compile(r"([\\.^$*+?{}\[\]()|])")
QUOTES = frozenset("'\"`")
_CLOSING = {"[": "]", "{": "}", "(": ")", "<": ">"}
_NUMBER = r"-?\d+(?:\.\d+)?"
_CLASSES = {
    "number": _NUMBER,
    "version": r"v?\d+(?:\.\w+)*(?:\+\w+)?",
    "size": r"\d+(?:\.\d+)? ?[A-Za-z]{1,7}",
    "duration": r"\d+(?:\.\d+)? ?[A-Za-z]{1,7}",
    "shape": r"(?:[\[({][^\])}\n]{0,120}[\])}]|[\dx-]{1,60})",
    "address": r"0x[0-9a-fA-F]{1,16}",
    "hash": r"[0-9a-f]{6,64}",
    "uuid": r"[0-9a-fA-F-]{36}",
    "time": r"[\d:/.,TZ+ -]{5,40}",
    "ip": r"[\d.]{7,15}(?::\d{1,5})?",
    "url": r"\w{2,5}://[^\s'<>]{1,300}",
    "secret": r"[^\n]{1,80}?",
    "dtype": r"\w{1,20}",
}
_WHOLE = r"-?\d+"
_WHOLE_TERMS = frozenset({"profile", "opset", "axis", "index", "code", "device", "line"})
_WIDE_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_LOUD = frozenset({"error", "warning", "fatal", "info", "debug", "failed", "failure", "critical", "exception", "warn"})
_RESTORABLE = ("identifier", "name", "dtype")


class Choice(NamedTuple):
    """Which parts the pattern covers, and which of its holes stand there as words."""

    start: int
    end: int
    kept: frozenset[int] = frozenset()


def escape(text: str) -> str:
    """A literal as RE2 reads it; blanks and quotes stay readable."""
    return _SPECIAL.sub(r"\\\1", text)


def default_choice(parts: Sequence[Part], messages: int) -> Choice:
    """The part of the line that carries the message; ``messages`` is how many different ones were laid together."""
    start = head_starts(parts)[-1]
    kept = _constants(parts, start, messages)
    return Choice(start, _default_end(parts, start), kept)


def _constants(parts: Sequence[Part], start: int, messages: int) -> frozenset[int]:
    """Bare names that stayed while other names changed are the tool's, unless users bring such things."""
    names = [p for p in parts[start:] if p.kind in NAME_KINDS or (p.kind == "gap" and "" not in p.values)]
    changed = any(len(part.values) > 1 for part in names)
    if messages < 2 or not changed:
        return frozenset()
    return frozenset(i for i in restorable(parts) if parts[i].kind == "identifier" and not _brought(term_of(parts, i)))


def _brought(term: str | None) -> bool:
    return term in {"tensor", "input", "output", "node", "layer", "module", "package"}


def restorable(parts: Sequence[Part]) -> list[int]:
    """Holes that may stand as words where nothing else tells two messages apart."""
    return [
        i
        for i, part in enumerate(parts)
        if part.kind in _RESTORABLE and len(part.values) == 1 and term_of(parts, i) not in USERS
        and re.search(r"[A-Za-z]{2}", part.text) and not re.search(r"\d{3,}|[@\\]|/.*/|…|masked\]", part.text)
    ]  # fmt: skip


def head_starts(parts: Sequence[Part]) -> list[int]:
    """Where a pattern may start, from the whole line to the line without all that only leads to the message."""
    starts = [0]
    begin = 0
    for index in range(1, len(parts)):
        if any(_speaks(part) for part in _outside_brackets(parts[begin:index])):
            break
        if parts[index - 1].kind == "mark" and parts[index - 1].text in ":]" and max(parts[index].blanks) > 0:
            begin = index
            named = index - 2
            keeps = named > 0 and parts[named].kind in NAME_KINDS and names_ahead(parts, named)
            starts.append(named if keeps and parts[index - 1].text == ":" else index)
    relayed = [i for i in range(starts[-1] + 1, len(parts)) if _is_relay(parts, i)]
    starts += relayed
    while starts[-1] < len(parts) - 1 and _is_prefix(parts[starts[-1]]):
        starts.append(starts[-1] + 1)
    return starts


def _is_prefix(part: Part) -> bool:
    """A mark, time, place or level in front of a message."""
    if part.kind == "word":
        return part.text.isupper() and (len(part.text) == 1 or part.text.lower() in _LOUD)
    return part.kind in {"time", "source", "uuid"} or (part.kind == "mark" and part.text not in QUOTES)


def _outside_brackets(parts: Sequence[Part]) -> Iterator[Part]:
    """Parts of a head that no square bracket holds; what is in one belongs to the logger."""
    depth = 0
    for part in parts:
        depth += (part.text == "[") - (part.text == "]")
        if depth <= 0:
            yield part


def _is_relay(parts: Sequence[Part], index: int) -> bool:
    """Whether a message starts here that the words before only pass on: ``… : MemoryError: message``."""
    if parts[index - 1].text != ":" or index < 2 or max(parts[index].blanks) == 0:
        return False
    word = parts[index - 2]
    raised = word.kind == "word" and (
        RAISED.fullmatch(word.text) or (CAPITALS.fullmatch(word.text) and len(word.text) > 3)
    )
    return bool(raised) and sum(part.kind == "word" for part in parts[index:]) >= 3


def _speaks(part: Part) -> bool:
    """A plain word of a sentence."""
    text = part.text
    return part.kind == "word" and len(text) > 2 and text.islower() and text not in _LOUD


def _default_end(parts: Sequence[Part], start: int) -> int:
    """The end of the sentence, and of the next while values and their counterparts still follow."""
    best = 0
    for end in ends(parts, start):
        if best and _length(parts, start, end) > LONGEST:
            break
        words = sum(part.kind == "word" and len(part.text) > 2 for part in parts[start:end])
        if best and not any(term_of(parts, i) in {"expected", "got"} for i in range(best, end)):
            break
        best = end if words >= FEWEST_WORDS or best else 0
    best = best or len(parts)
    while best - start > 6 and _length(parts, start, best) > LONGEST:
        best -= 1
    return best


def ends(parts: Sequence[Part], start: int) -> Iterator[int]:
    """Ends of sentences behind a start, the end of the line last."""
    for index in range(start + 1, len(parts)):
        before = parts[index - 1]
        if before.kind == "mark" and before.text in ".;!" and max(parts[index].blanks) > 0:
            yield index
    yield len(parts)


def _length(parts: Sequence[Part], start: int, end: int) -> int:
    return sum(min(len(part.text), 20) + 1 for part in parts[start:end])


def strength(pattern: str) -> float:
    """How rare its best fixed words are; below 0 where it has none."""
    try:
        return literals_of(pattern).score() - POOR_LITERAL
    except ValueError:
        return -POOR_LITERAL


def captures(parts: Sequence[Part], choice: Choice) -> dict[int, str]:
    """Place -> name of every capture; each name stands once."""
    found: dict[int, str] = {}
    first, last = covered(parts, choice)
    for index in range(first, last):
        if index in choice.kept:
            continue
        term = term_of(parts, index)
        if term is None and index == choice.start and parts[index].kind in NAME_KINDS:
            term = names_ahead(parts, index)
        ahead = names_ahead(parts, index) if index == choice.start and term == "name" else None
        term = ahead or term
        if term and term not in found.values():
            found[index] = term
    return found


def pattern_of(parts: Sequence[Part], choice: Choice) -> str:
    """The pattern of the chosen parts; it starts and ends with words or captures."""
    names = captures(parts, choice)
    first, last = covered(parts, choice)
    out: list[str] = []
    loose = False
    for index in range(first, last):
        part = parts[index]
        literal = part.literal or index in choice.kept
        optional = part.kind == "gap" and "" in part.values
        if index > first and not loose and not optional:
            out.append(_blank(part.blanks))
        loose = optional
        body = escape(part.text) if literal else _body(parts, index, first, last)
        out.append(f"(?P<{names[index]}>{body})" if index in names else body)
    return "".join(out)


def covered(parts: Sequence[Part], choice: Choice) -> tuple[int, int]:
    """The parts that the pattern holds: marks and nameless holes at the edges say nothing."""
    first, last = choice.start, min(choice.end, len(parts))
    while last - first > 1 and _idle(parts, last - 1, choice):
        last -= 1
    while last - first > 1 and parts[first].text not in QUOTES and _dull_start(parts, first, choice):
        first += 1
    return first, last


def _dull_start(parts: Sequence[Part], index: int, choice: Choice) -> bool:
    """A hole in front that no noun names, or that a gap follows, only makes the pattern slower."""
    if _idle(parts, index, choice):
        return True
    if parts[index].literal or index in choice.kept or (index and parts[index - 1].text in QUOTES):
        return False
    return parts[index + 1].kind == "gap" or (
        term_of(parts, index) in {"name", "path", "node"} and names_ahead(parts, index) is None
    )


def _idle(parts: Sequence[Part], index: int, choice: Choice) -> bool:
    part = parts[index]
    if part.kind in LITERAL:
        return part.kind == "mark"
    return index not in choice.kept and (part.kind == "gap" or term_of(parts, index) is None)


def _blank(blanks: frozenset[int]) -> str:
    if max(blanks) > 1:
        return r"\s{0,40}" if 0 in blanks else r"\s{1,40}"
    return {frozenset({0}): "", frozenset({1}): " "}.get(blanks, " ?")


def _body(parts: Sequence[Part], index: int, first: int, last: int) -> str:
    part = parts[index]
    if part.kind == "number" and any("e" in v.lower() for v in part.values):
        return _WIDE_NUMBER
    if part.kind == "number" and term_of(parts, index) in _WHOLE_TERMS and "." not in "".join(part.values):
        return _WHOLE
    if part.kind in _CLASSES:
        return _CLASSES[part.kind]
    before = parts[index - 1].text if index else ""
    after = parts[index + 1].text if index + 1 < len(parts) else ""
    if before in QUOTES and after in QUOTES:
        return "[^'\"\\n]{1,200}"
    closing = _CLOSING.get(before)
    if closing and after == closing and not any(closing in v for v in part.values):
        return rf"[^\{closing}\n]{{0,200}}"
    return _open_body(part, leading=index == first, trailing=index == last - 1)


def _open_body(part: Part, *, leading: bool, trailing: bool) -> str:
    """A class for a hole that no quote or bracket closes, by what stood there."""
    values = [value for value in part.values if value]
    if part.kind in {"list", "gap"} and all(re.fullmatch(r"[\d., x-]+", value) for value in values):
        return r"[\d., x-]{0,80}" if "" in part.values else r"[\d., x-]{1,80}"
    if "" in part.values or any(re.search(r"\s", value) for value in values):
        most = min(max(80, 2 * max(map(len, values), default=0)), 240)
        return rf"[^\n]{{{0 if '' in part.values else 1},{most}}}" + ("" if trailing else "?")
    if leading and not any(re.search(r"[()\[\]]", value) for value in values):
        return r"[^\s()\[\]]{1,200}"
    return r"\S{1,200}"
