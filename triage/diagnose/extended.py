"""A rulebook with rules added for a trial: the shipped book stays as it is compiled.

Compiling all rules takes seconds, one rule a millisecond, so both books are scanned
and their hits joined. Which rule wins on a line is derived from samples, as always.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

from triage.ingest.scan import RawHit, Scanner, clean, find_events
from triage.library import Library
from triage.rulebook.book import Pattern, Rule, Rulebook
from triage.rulebook.compile import SPEAKING, compile_book
from triage.rulebook.patterns import compile_line
from triage.rulebook.read import RuleSource

_LITERALS = 1 << 24  # literals of the added rule are numbered from here


class _Both:
    """Two databases scanned as one; events come in order of position."""

    def __init__(self, base: Any, added: Any) -> None:
        self._base, self._added = base, added

    def scan(
        self, data: bytes, match_event_handler: Callable[..., None], context: Any = None, scratch: Any = None
    ) -> None:
        """As the databases' own ``scan``; ``scratch`` is the pair of theirs."""
        events: list[tuple[int, int]] = []

        def note(literal: int, _start: int, end: int, _flags: int, shift: int) -> None:
            events.append((end, literal + shift))

        self._base.scan(data, match_event_handler=note, context=0, scratch=scratch[0])
        self._added.scan(data, match_event_handler=note, context=_LITERALS, scratch=scratch[1])
        for end, literal in sorted(events):
            match_event_handler(literal, 0, end, 0, context)


class Extended(Rulebook):
    """A compiled book and one more rule; numbers of the base stay."""

    def __init__(self, base: Rulebook, rule: RuleSource, shipped: Sequence[RuleSource]) -> None:
        self._base = base
        self._one = one_rule(rule)
        self.kinds = base.kinds + self._one.kinds
        self.owners = base.owners + array("i", [len(base)] * len(self._one.kinds))
        self.facts, self.extra = base.facts, base.extra
        self._beats, self._beaten_by = _precedence(base, rule, shipped)

    def __len__(self) -> int:
        """How many rules."""
        return len(self._base) + 1

    def announced(self, literal: int) -> array[int]:
        """Patterns of which this literal may be a part."""
        if literal < _LITERALS:
            return self._base.announced(literal)
        return array("i", [index + len(self._base.kinds) for index in self._one.announced(literal - _LITERALS)])

    def written_patterns(self) -> list[str]:
        """Every pattern as it is handed to RE2."""
        return self._base.written_patterns() + self._one.written_patterns()

    @property
    def database(self) -> Any:
        """Both databases as one."""
        return _Both(self._base.database, self._one.database)

    @property
    def scratch(self) -> Any:
        """Working memory for both."""
        return self._base.scratch, self._one.scratch

    def pattern(self, index: int) -> Pattern:
        """One pattern; the added rule's stand last."""
        count = len(self._base.kinds)
        if index < count:
            return self._base.pattern(index)
        return self._one.pattern(index - count)._replace(owner=len(self._base))

    def rule(self, index: int) -> Rule:
        """One rule; the added one is last."""
        last = len(self._base)
        if index == last:
            return self._one.rule(0)._replace(number=last, beats=self._beats)
        found = self._base.rule(index)
        return found._replace(beats=found.beats | {last}) if index in self._beaten_by else found

    def rules(self) -> list[Rule]:
        """Every rule, the added one last."""
        return [self.rule(index) for index in range(len(self))]


def one_rule(rule: RuleSource) -> Rulebook:
    """A book of one rule, without facts."""
    compiled = compile_book([rule], [], {"formats": []})
    return Rulebook(compiled.book, compiled.tables, compiled.database)


def with_rule(library: Library, rule: RuleSource, shipped: Sequence[RuleSource]) -> Library:
    """The library with one more rule; ``shipped`` are the sources of its own rules."""
    return library._replace(rulebook=Extended(library.rulebook, rule, shipped), key=f"{library.key}+{rule.id}")


def _precedence(base: Rulebook, rule: RuleSource, shipped: Sequence[RuleSource]) -> tuple[frozenset[int], set[int]]:
    """Rules that the new one beats on a line, and rules that beat it: as the compiler derives it."""
    numbers = {known.id: known.number for known in base.rules() if known.says in SPEAKING}
    hit_by = {base.owners[hit.pattern] for text in rule.hits for hit in raw_hits(text.encode(), base)}
    hit_by &= set(numbers.values())
    searches = [compile_line(pattern).search for pattern in rule.patterns]
    reached = {numbers[s.id] for s in shipped if s.id in numbers and _taken(searches, s.hits)}
    return frozenset(hit_by - reached), reached - hit_by


def raw_hits(log: bytes, book: Rulebook) -> list[RawHit]:
    """Hits of the rules' own patterns in a whole log."""
    data = clean(log)
    scanner = Scanner(book)
    events = find_events(book.database, book.scratch, data)
    if events:
        scanner.feed(data, 1, events)
    return [hit for hit in scanner.settle() if book.kinds[hit.pattern] == "m"]


def _taken(searches: Sequence[Callable[[bytes], Any]], samples: Sequence[str]) -> bool:
    """Whether any of the searches finds something in a line of the samples."""
    lines = (line for sample in samples for line in sample.encode().split(b"\n"))
    return any(search(line) is not None for line in lines for search in searches)
