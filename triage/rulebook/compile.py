"""Rules and format tables -> one compiled book: text lines for facts, one Hyperscan database.

The book is a UTF-8 file of lines, so that a cold start parses only the lines of
the rules that matched: a JSON header, then one line a pattern, then one JSON line
a rule.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from triage.rulebook.patterns import SHORTEST_SIDE_LITERAL, compile_line, line_source, literals_of, scan_source
from triage.rulebook.read import NAMES_CAUSE, RuleSource

BOOK_VERSION = 9
POOR_LITERAL = 14.0
SPEAKING = (*NAMES_CAUSE, "noise")


class PatternLine(NamedTuple):
    """One pattern with its owner: ``m`` match, ``n`` needs, ``a`` all, ``u`` unless, ``t`` then, ``f`` fact."""

    kind: str
    owner: int
    slot: int
    pattern: str


class Compiled(NamedTuple):
    """The three files of a compiled book: lines, tables of numbers, the Hyperscan database."""

    book: bytes
    tables: bytes
    database: bytes


def compile_book(rules: Sequence[RuleSource], facts: Sequence[tuple[str, str]], extra: Mapping[str, Any]) -> Compiled:
    """Compiles rules, fact patterns (owner format, pattern) and extra tables."""
    patterns = list(_pattern_lines(rules))
    patterns.extend(PatternLine("f", 0, 0, pattern) for _, pattern in facts)
    database, owners = _scannable(patterns)
    beats = precedence(rules, Scan(database, owners, patterns))
    header = {
        "version": BOOK_VERSION,
        "patterns": len(patterns),
        "rules": len(rules),
        "kinds": "".join(p.kind for p in patterns),
        "literals": len(owners),
        "facts": [owner for owner, _ in facts],
        "extra": dict(extra),
    }
    lines = [json.dumps(header, separators=(",", ":"), ensure_ascii=False)]
    lines.extend(f"{p.kind}\t{p.owner}\t{p.slot}\t{line_source(p.pattern).decode()}" for p in patterns)
    lines.extend(_rule_line(rule, beats.get(index, ())) for index, rule in enumerate(rules))
    return Compiled("\n".join(lines).encode(), _tables(patterns, owners), database)


def _pattern_lines(rules: Sequence[RuleSource]) -> Iterable[PatternLine]:
    for index, rule in enumerate(rules):
        for kind, group in (
            ("m", rule.patterns),
            ("n", rule.needs),
            ("a", rule.together),
            ("u", rule.unless),
            ("t", rule.then),
        ):
            for slot, pattern in enumerate(group):
                yield PatternLine(kind, index, slot, pattern.replace("\n", " "))


def _tables(patterns: Sequence[PatternLine], owners: Sequence[Sequence[int]]) -> bytes:
    """Owner of each pattern, where each literal's list starts, and the lists: 32-bit numbers."""
    starts = [0]
    for row in owners:
        starts.append(starts[-1] + len(row))
    numbers = array("i", [p.owner for p in patterns])
    numbers.extend(starts)
    numbers.extend(index for row in owners for index in row)
    return numbers.tobytes()


def _rule_line(rule: RuleSource, beats: Iterable[int]) -> str:
    row = {
        "id": rule.id,
        "cause": rule.cause,
        "says": rule.says,
        "status": rule.status,
        "tool": rule.tool,
        "stage": rule.stage,
        "also": rule.also,
        "when": rule.when,
        "why": rule.why,
        "within": rule.within,
        "needs": len(rule.needs),
        "together": len(rule.together),
        "unless": len(rule.unless),
        "then": len(rule.then),
        "beats": sorted(beats),
    }
    return json.dumps({key: value for key, value in row.items() if value}, separators=(",", ":"), ensure_ascii=False)


def _scannable(patterns: Sequence[PatternLine]) -> tuple[bytes, list[list[int]]]:
    """The database and, for each of its expressions, the patterns that it announces.

    Hyperscan takes nearly every pattern; only where it refuses the lot is each one tried, which takes seconds.
    """
    import hyperscan

    words, owners = _literal_table(patterns, lambda _: True)
    try:
        return _database(words), owners
    except hyperscan.HyperscanError:
        words, owners = _literal_table(patterns, _scans)
        return _database(words), owners


def _literal_table(
    patterns: Sequence[PatternLine], scans: Callable[[str], bool]
) -> tuple[list[tuple[bytes, bool]], list[list[int]]]:
    """Expressions (and whether they are caseless) with the patterns that each announces.

    A good literal is enough. Where the best one also stands in ordinary lines, the
    whole pattern is scanned for instead, which costs less than looking at each.
    """
    table: dict[tuple[bytes, bool], list[int]] = {}
    for index, line in enumerate(patterns):
        literals = literals_of(line.pattern, SHORTEST_SIDE_LITERAL)
        if literals.score() < POOR_LITERAL and scans(line.pattern):
            table.setdefault((scan_source(line.pattern).encode(), False), []).append(index)
            continue
        for word in literals.words:
            key = (_escape((word.lower() if literals.caseless else word).encode()), literals.caseless)
            table.setdefault(key, []).append(index)
    return list(table), list(table.values())


@cache
def _scans(pattern: str) -> bool:
    """Whether Hyperscan takes the whole pattern."""
    import hyperscan

    try:
        hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(
            expressions=[scan_source(pattern).encode()], ids=[0], elements=1, flags=[0]
        )
    except hyperscan.HyperscanError:
        return False
    return True


def _database(expressions: Sequence[tuple[bytes, bool]]) -> bytes:
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression for expression, _ in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, caseless in expressions],
    )
    return bytes(hyperscan.dumpb(database))


def _escape(word: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in word)


def precedence(rules: Sequence[RuleSource], scanner: Scan) -> dict[int, set[int]]:
    """Which rule beats which on one line, derived from samples.

    A rule that misses another's samples but has one of its own hit by that other
    is the more specific. ``yields_to`` says it where samples cannot.
    """
    hit_by = {index: scanner.rules_hitting(rule.hits) - {index} for index, rule in enumerate(rules)}
    beats: dict[int, set[int]] = defaultdict(set)
    for index, others in hit_by.items():
        if rules[index].says in SPEAKING:
            beats[index] = {o for o in others if rules[o].says in SPEAKING and index not in hit_by[o]}
    ids = {rule.id: index for index, rule in enumerate(rules)}
    for index, rule in enumerate(rules):
        for other in rule.yields_to:
            beats[ids[other]].add(index)
            beats[index].discard(ids[other])
    return beats


class Scan:
    """The compiled database at work on samples, while the book is being made."""

    def __init__(self, database: bytes, owners: Sequence[Sequence[int]], patterns: Sequence[PatternLine]) -> None:
        import hyperscan

        self._database = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK)
        self._scratch = hyperscan.Scratch(self._database)
        self._owners, self._patterns = owners, patterns

    def rules_hitting(self, samples: Iterable[str]) -> set[int]:
        """Rules whose own pattern matches a line of the samples."""
        found: set[int] = set()
        for sample in samples:
            for line in sample.encode().split(b"\n"):
                for index in self._announced(line):
                    pattern = self._patterns[index]
                    if (
                        pattern.kind == "m"
                        and pattern.owner not in found
                        and compile_line(pattern.pattern).search(line)
                    ):
                        found.add(pattern.owner)
        return found

    def _announced(self, line: bytes) -> set[int]:
        events: list[int] = []

        def note(event: int, _start: int, _end: int, _flags: int, _context: object) -> None:
            events.append(event)

        self._database.scan(line, match_event_handler=note, scratch=self._scratch)
        return {index for event in events for index in self._owners[event]}
