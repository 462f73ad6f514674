"""Rules and format tables -> one compiled book: text lines for facts, one Hyperscan database.

The book is a UTF-8 file of lines, so that a cold start parses only the lines of
the rules that matched: a JSON header, then one line a pattern, then one JSON line
a rule.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from triage.rulebook.patterns import SHORTEST_SIDE_LITERAL, compile_line, literals_of
from triage.rulebook.read import NAMES_CAUSE, RuleSource

BOOK_VERSION = 4


class PatternLine(NamedTuple):
    """One pattern with its owner: ``m`` match, ``n`` needs, ``u`` unless, ``t`` then, ``f`` fact."""

    kind: str
    owner: int
    slot: int
    pattern: str


class Compiled(NamedTuple):
    """The two files of a compiled book."""

    book: bytes
    database: bytes


def compile_book(rules: Sequence[RuleSource], facts: Sequence[tuple[str, str]], extra: Mapping[str, Any]) -> Compiled:
    """Compiles rules, fact patterns (owner format, pattern) and extra tables."""
    patterns = list(_pattern_lines(rules))
    patterns.extend(PatternLine("f", 0, 0, pattern) for _, pattern in facts)
    words, owners = _literal_table(patterns)
    beats = precedence(rules)
    header = {
        "version": BOOK_VERSION,
        "patterns": len(patterns),
        "rules": len(rules),
        "literals": owners,
        "facts": [owner for owner, _ in facts],
        "extra": dict(extra),
    }
    lines = [json.dumps(header, separators=(",", ":"), ensure_ascii=False)]
    lines.extend(f"{p.kind}\t{p.owner}\t{p.slot}\t{p.pattern}" for p in patterns)
    lines.extend(_rule_line(rule, beats.get(index, ())) for index, rule in enumerate(rules))
    return Compiled("\n".join(lines).encode(), _database(words))


def _pattern_lines(rules: Sequence[RuleSource]) -> Iterable[PatternLine]:
    for index, rule in enumerate(rules):
        for kind, group in (("m", rule.patterns), ("n", rule.needs), ("u", rule.unless), ("t", rule.then)):
            for slot, pattern in enumerate(group):
                yield PatternLine(kind, index, slot, pattern.replace("\n", " "))


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
        "unless": len(rule.unless),
        "then": len(rule.then),
        "beats": sorted(beats),
    }
    return json.dumps({key: value for key, value in row.items() if value}, separators=(",", ":"), ensure_ascii=False)


def _literal_table(patterns: Sequence[PatternLine]) -> tuple[list[tuple[bytes, bool]], list[list[int]]]:
    table: dict[tuple[bytes, bool], list[int]] = {}
    for index, line in enumerate(patterns):
        literals = literals_of(line.pattern, SHORTEST_SIDE_LITERAL)
        for word in literals.words:
            key = (word.lower().encode() if literals.caseless else word.encode(), literals.caseless)
            table.setdefault(key, []).append(index)
    return list(table), list(table.values())


def _database(words: Sequence[tuple[bytes, bool]]) -> bytes:
    import hyperscan

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[_escape(word) for word, _ in words],
        ids=list(range(len(words))),
        elements=len(words),
        flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, caseless in words],
    )
    return bytes(hyperscan.dumpb(database))


def _escape(word: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in word)


def precedence(rules: Sequence[RuleSource]) -> dict[int, set[int]]:
    """Which rule beats which on one line, derived from samples.

    A rule that misses another's samples but has all of its own hit by that other
    is the more specific. ``yields_to`` says it where samples cannot.
    """
    named = [i for i, rule in enumerate(rules) if rule.says in (*NAMES_CAUSE, "noise")]
    programs = {i: [compile_line(p) for p in rules[i].patterns] for i in named}
    words = {i: [literals_of(p) for p in rules[i].patterns] for i in named}
    hit_by: dict[int, dict[int, int]] = defaultdict(dict)
    for i in named:
        for j in _hitting(rules[i], named, programs, words):
            hit_by[i][j] = hit_by[i].get(j, 0) + 1
    beats: dict[int, set[int]] = defaultdict(set)
    for i, others in hit_by.items():
        for j in others:
            if j != i and i not in hit_by.get(j, {}):
                beats[i].add(j)
    ids = {rule.id: index for index, rule in enumerate(rules)}
    for index, rule in enumerate(rules):
        for other in rule.yields_to:
            beats[ids[other]].add(index)
            beats[index].discard(ids[other])
    return beats


def _hitting(
    rule: RuleSource, named: Sequence[int], programs: Mapping[int, Sequence[Any]], words: Mapping[int, Sequence[Any]]
) -> set[int]:
    found: set[int] = set()
    for text in rule.hits:
        lowered = text.lower()
        for line in text.encode().split(b"\n"):
            for j in named:
                if j in found:
                    continue
                for program, literals in zip(programs[j], words[j], strict=True):
                    if any(word.lower() in lowered for word in literals.words) and program.search(line):
                        found.add(j)
                        break
    return found
