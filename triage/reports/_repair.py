"""A repair as plain data and as lines for a terminal: verdict, what was tried, proof, change, what to type."""

from __future__ import annotations

import itertools
import shlex
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from triage.records import Report
from triage.remedy import Attempt, Change, Proof, Remediation
from triage.reports._shape import as_dict

SCHEMA = "triage.remediation/1"
MOST_LINES = 40  # of a diff on the screen; the whole stands in changes.diff
Paint = Callable[[str, str], str]
HEADLINES = {
    "cured": "CURED", "moved-on": "MOVED ON", "not-cured": "NOT CURED", "nothing-to-try": "NOTHING TO TRY",
    "refused": "REFUSED",
}  # fmt: skip
COLOURS = {"cured": "green", "moved-on": "yellow", "same": "dim", "worse": "red", "not-run": "dim"}


def repair_dict(done: Remediation, report: Report | None) -> dict[str, Any]:
    """The published shape, ``triage.remediation/1``."""
    return {
        "schema": SCHEMA,
        "name": done.recipe.name,
        "status": done.status,
        "verified": done.verified,
        "why": done.why,
        "cause": done.cause,
        "attempts": [_attempt(attempt) for attempt in done.attempts],
        "path": list(done.path),
        "changes": [change._asdict() for change in done.changes],
        "proof": _proof(done.proof),
        "by_hand": [{**one._asdict(), "commands": list(one.commands)} for one in done.by_hand],
        "skipped": [{"fix": one.fix, "what": one.what, "safety": one.safety} for one in done.skipped],
        "output": done.output,
        "command": list(done.command),
        "seconds": done.seconds,
        "interrupted": done.interrupted,
        "incident": done.incident,
        "diagnosis": as_dict(report) if report else None,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "parent": attempt.parent,
        "fix": attempt.step.fix,
        "what": attempt.step.what,
        "safety": attempt.step.safety,
        "parameters": dict(attempt.step.parameters),
        "changes": [change._asdict() for change in attempt.changes],
        "result": attempt.result,
        "why": attempt.why,
        "cause_before": attempt.cause_before,
        "cause_after": attempt.cause_after,
        "exit_code": attempt.exit_code,
        "seconds": attempt.seconds,
        "log": attempt.log,
        "proof": _proof(attempt.proof),
    }


def _proof(proof: Proof | None) -> dict[str, Any] | None:
    return {**proof._asdict(), "numbers": [dict(row) for row in proof.numbers]} if proof else None


def repair_lines(done: Remediation, verdict: Iterator[str], paint: Paint, width: int) -> Iterator[str]:
    """The screen of a repair; ``verdict`` are the lines that say what failed."""
    yield from verdict
    if done.attempts:
        yield ""
        yield paint("cyan", "Tried")
        yield from _tried(done, paint, width)
    yield ""
    yield from _outcome(done, paint)
    if done.changes:
        yield ""
        yield paint("cyan", "Change")
        yield from _diff(done, paint, width)
    yield from _hands(done, paint)
    yield from _next(done, paint)


def _tried(done: Remediation, paint: Paint, width: int) -> Iterator[str]:
    for attempt in done.attempts:
        if attempt.result == "not-run" and attempt.step.what == "look at the build" and done.status == "cured":
            continue
        word = paint(COLOURS[attempt.result], f"{attempt.result:<9}")
        time = f"{attempt.seconds:.1f} s" if attempt.seconds else ""
        after = f" after {attempt.parent}" if attempt.parent else ""
        yield f"  {attempt.number:>2}  {word} {attempt.step.what}{paint('dim', after)} {paint('dim', time)}".rstrip()
        if attempt.result != "cured":
            yield paint("dim", _cut(f"                {attempt.why}", width))


def _outcome(done: Remediation, paint: Paint) -> Iterator[str]:
    headline = HEADLINES[done.status]
    if done.interrupted:
        headline = f"INTERRUPTED, {headline}"
    if done.status == "cured" and done.verified is None:
        yield paint("yellow", "BUILDS, NOT COMPARED") + f"  {done.proof.how if done.proof else done.why}"
        return
    if done.status == "cured" and done.proof:
        yield paint("green", "CURED AND PROVEN") + f"  {done.proof.how}"
    else:
        yield paint("yellow", headline) + f"  {done.why}"
    proof = done.proof
    if done.status == "cured" and proof:
        if proof.reference:
            yield f"  compared with {proof.reference}"
        for row in proof.numbers[:6]:
            yield "  " + number_words(row)


def number_words(row: Mapping[str, Any]) -> str:
    """One compared output in words."""
    parts = [str(row.get("name", "output"))]
    if "count" in row:
        parts.append(f"{row['count']:,} values")
    for key, words in (("max_abs", "largest difference"), ("max_rel", "relative")):
        if row.get(key) is not None:
            parts.append(f"{words} {row[key]:.2g}")
    if row.get("atol") is not None or row.get("rtol") is not None:
        parts.append(f"allowed {row.get('atol') or 0:.0e} + {row.get('rtol') or 0:.0e}·|value|")
    return " · ".join(parts)


def _diff(done: Remediation, paint: Paint, width: int) -> Iterator[str]:
    lines = [line for change in done.changes for line in _change_lines(change)]
    for text in itertools.islice(_fitted(lines[: 2 * MOST_LINES], max(width - 2, 40)), MOST_LINES):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1])
        yield "  " + (paint(style, text) if style else text)
    if len(lines) > MOST_LINES:
        yield paint("dim", f"  and {len(lines) - MOST_LINES} more lines in changes.diff")


def _change_lines(change: Change) -> list[str]:
    return [line for line in change.diff.rstrip("\n").split("\n") if not line.startswith("\\ No newline")]


def _fitted(lines: Sequence[str], room: int) -> Iterator[str]:
    """Lines of a diff cut to the room; of a changed line so that the change is seen."""
    runs = [(sign, list(run)) for sign, run in itertools.groupby(lines, key=lambda line: line[:1])]
    for (before, gone), (sign, run), (after, come) in zip([("", []), *runs], runs, [*runs[1:], ("", [])], strict=False):
        others = come if (sign, after) == ("-", "+") else gone if (before, sign) == ("-", "+") else []
        for line in run:
            yield line if len(line) <= room else _window(line, others, room)


def _window(line: str, others: Sequence[str], room: int) -> str:
    """A line cut to the room: from shortly before the change where that would not be seen to its end."""
    if not others:
        return _cut(line, room)
    partner = max(others, key=lambda other: _common(line[1:], other[1:]))
    same = _common(line[1:], partner[1:]) + 1
    longest = max(len(line), len(partner))
    end = longest - _common(line[: same - 1 : -1], partner[: same - 1 : -1])
    start = min(same - room // 4, longest - (room - 2))
    if end < room or start <= 1:
        return _cut(line, room)
    seen = line[start : start + room - 2]
    return f"{line[0]}…{seen}" if len(line) <= start + room - 2 else f"{line[0]}…{seen[:-1]}…"


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    return bisect_left(range(1, min(len(one), len(other)) + 1), x=True, key=lambda size: one[:size] != other[:size])


def _hands(done: Remediation, paint: Paint) -> Iterator[str]:
    if done.by_hand and not done.verified:
        yield ""
        yield paint("cyan", "By hand")
        for one in done.by_hand[:6]:
            yield f"  · {one.title} " + paint("dim", f"({one.fix})")
            for command in one.commands:
                yield f"      {command}"
    if done.skipped and not done.verified:
        yield ""
        yield paint("cyan", "Not tried")
        for step in done.skipped[:8]:
            yield f"  · {step.what} " + paint("dim", f"({step.fix}, {step.safety})")


def _next(done: Remediation, paint: Paint) -> Iterator[str]:
    if done.output is None:
        return
    yield ""
    if done.status == "cured":
        yield f"Apply it:   triage fix --apply {shlex.quote(done.output)}"
    if any(change.kind == "command" for change in done.changes):
        yield f"and run:    {shlex.join(done.command)}"
    yield paint("dim", f"Left there: {done.output}: changes.diff, reproduce.sh, parameters.json, logs")


def _cut(text: str, room: int) -> str:
    return text if len(text) <= max(room, 40) else text[: max(room, 40) - 1] + "…"
