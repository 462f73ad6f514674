"""The compiled book at work: pattern and rule lines are parsed when first asked for."""

from __future__ import annotations

import json
from array import array
from typing import Any, NamedTuple

from triage.linear import Program


class Rule(NamedTuple):
    """What a rule says, without its patterns and samples."""

    number: int
    id: str
    cause: str
    says: str
    status: str
    tool: str
    stage: str | None
    also: tuple[str, ...]
    when: tuple[Any, ...]
    why: str
    within: int
    needs: int
    together: int
    unless: int
    then: int
    beats: frozenset[int]


class Pattern(NamedTuple):
    """One pattern: ``kind`` m n a u t f, its owner (rule index or fact index), its place there."""

    kind: str
    owner: int
    slot: int
    search: Any
    names: tuple[str, ...]
    places: tuple[int, ...]


class Rulebook:
    """Rules, patterns and the scanning database of one compiled book."""

    def __init__(self, book: bytes, tables: bytes, database: bytes) -> None:
        lines = book.split(b"\n")
        header = json.loads(lines[0])
        count = header["patterns"]
        self._pattern_lines = lines[1 : 1 + count]
        self._rule_lines = lines[1 + count :]
        numbers = array("i")
        numbers.frombytes(tables)
        self.kinds: str = header["kinds"]
        self.owners = numbers[:count]
        self._starts = numbers[count : count + header["literals"] + 1]
        self._lists = numbers[count + header["literals"] + 1 :]
        self.facts: list[str] = header["facts"]
        self.extra: dict[str, Any] = header["extra"]
        self._patterns: dict[int, Pattern] = {}
        self._rules: dict[int, Rule] = {}
        self._serialised = database
        self._database: Any = None
        self._scratches: dict[int, Any] = {}

    def __len__(self) -> int:
        """How many rules."""
        return len(self._rule_lines)

    def announced(self, literal: int) -> array[int]:
        """Patterns of which this literal may be a part."""
        return self._lists[self._starts[literal] : self._starts[literal + 1]]

    def written_patterns(self) -> list[str]:
        """Every pattern, its quotes widened, as it is handed to RE2."""
        return [line.decode().split("\t", 3)[3].removeprefix("(?m)") for line in self._pattern_lines]

    @property
    def database(self) -> Any:
        """The Hyperscan database, loaded when first used."""
        if self._database is None:
            from hyperscan import HS_MODE_BLOCK, loadb

            self._database = loadb(self._serialised, HS_MODE_BLOCK)
        return self._database

    @property
    def scratch(self) -> Any:
        """Working memory for scans; one for each thread, since it must not be shared."""
        from _thread import get_ident  # threading itself costs a millisecond at a cold start

        thread = get_ident()
        if thread not in self._scratches:
            from hyperscan import Scratch

            self._scratches[thread] = Scratch(self.database)
        return self._scratches[thread]

    def pattern(self, index: int) -> Pattern:
        """One pattern, compiled on first use."""
        found = self._patterns.get(index)
        if found is None:
            kind, owner, slot, source = self._pattern_lines[index].split(b"\t", 3)
            program = Program(source)
            groups = program.groupindex
            names = tuple(name.decode() for name in groups)
            found = Pattern(kind.decode(), int(owner), int(slot), program.search, names, tuple(groups.values()))
            self._patterns[index] = found
        return found

    def rule(self, index: int) -> Rule:
        """One rule, parsed on first use."""
        found = self._rules.get(index)
        if found is None:
            row = json.loads(self._rule_lines[index])
            found = Rule(
                index,
                row["id"],
                row["cause"],
                row["says"],
                row["status"],
                row["tool"],
                row.get("stage"),
                tuple(row.get("also", ())),
                tuple(row.get("when", ())),
                row.get("why", ""),
                row.get("within", 12),
                row.get("needs", 0),
                row.get("together", 0),
                row.get("unless", 0),
                row.get("then", 0),
                frozenset(row.get("beats", ())),
            )
            self._rules[index] = found
        return found

    def rules(self) -> list[Rule]:
        """Every rule, in order of id."""
        return [self.rule(index) for index in range(len(self._rule_lines))]
