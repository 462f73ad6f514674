"""Diagnosing: text, logs, and everything that a command line names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import InputError
from triage.ingest.keep import Keeper
from triage.ingest.text import plain
from triage.inputs import Log, open_logs
from triage.library import Library, load_library
from triage.records import Diagnosis, Incident, KeptLog, Report

if TYPE_CHECKING:
    from triage.rulebook.read import RuleSource


def diagnose(log: bytes | str, *, name: str = "<log>", library: Library | None = None) -> Report:
    """Diagnoses one log that is already in memory.

    Args:
        log: the bytes of the log, in any encoding, or its text.
        name: what to call it in the report.
        library: compiled rules and knowledge; default this installation's.

    Returns:
        A report. An empty log has no failure.

    >>> diagnose("ModuleNotFoundError: No module named 'onnx'").diagnosis.verdict
    'named'
    """
    data = log.encode() if isinstance(log, str) else bytes(log)
    return Report(plain(name), _diagnose_chunks([data] if data else [], library or load_library()))


def _diagnose_chunks(chunks: Iterable[bytes], library: Library, keeper: Keeper | None = None) -> Diagnosis:
    from triage.ingest.decode import detect_encoding, to_utf8
    from triage.pipeline import diagnose_chunks

    iterator = iter(chunks)
    head = next(iterator, b"")
    encoding = detect_encoding(head[: 1 << 16])
    whole = _again(head, iterator)
    if encoding.name != "utf-8":
        whole = to_utf8(whole, encoding)
    if keeper:
        whole = keeper.watch(whole)
    return diagnose_chunks(whole, library, encoding.name)


def _again(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


class Diagnosed(NamedTuple):
    """A report, and what was kept of its log for the archive."""

    report: Report
    log: KeptLog


def diagnose_log(log: Log, library: Library) -> Diagnosed:
    """Diagnoses one opened log and keeps of it what the archive may want."""
    keeper = Keeper()
    diagnosis = _diagnose_chunks(log.chunks, library, keeper)
    return Diagnosed(Report(plain(log.name), diagnosis), keeper.kept())


def diagnose_inputs(
    names: Sequence[str], library: Library, watch: Callable[[str, int], None] | None = None
) -> Iterator[Diagnosed | InputError]:
    """Diagnoses everything that the arguments name; a bad input gives its error and the rest goes on.

    ``watch`` is told the name of a log and how many bytes of it were read so far.
    """
    for name in names:
        try:
            for log in open_logs(name):
                yield diagnose_log(log._replace(chunks=_watched(log, watch)) if watch else log, library)
        except InputError as fault:
            yield fault


def _watched(log: Log, watch: Callable[[str, int], None]) -> Iterator[bytes]:
    read = 0
    for chunk in log.chunks:
        read += len(chunk)
        watch(log.name, read)
        yield chunk


def with_incidents(report: Report, incidents: Sequence[Incident]) -> Report:
    """The report with other incidents; its verdict follows the first."""
    verdict = incidents[0].causes[0].verdict if incidents else report.diagnosis.verdict
    return report._replace(diagnosis=report.diagnosis._replace(incidents=tuple(incidents), verdict=verdict))


def prove_rule(rule: RuleSource, library: Library) -> Iterator[str]:
    """Diagnoses a rule's samples; yields what a sample shows that the rule does not promise.

    A hit of a rule that names a cause must be answered with a finding of that rule
    or of a more specific one; a near miss must not be answered by the rule.
    """
    from triage.diagnose.match import match
    from triage.ingest.scan import Scanner, clean, find_events

    book = library.rulebook
    for kind, samples in (("hit", rule.hits), ("miss", rule.misses)):
        for sample in samples:
            data = clean(sample.encode())
            scanner = Scanner(book)
            scanner.feed(data, 1, find_events(book.database, book.scratch, data))
            matched = match(scanner.settle(), book, library.knowledge)
            speaking = {finding.rule.id for finding in matched.findings}
            if kind == "miss" and rule.id in speaking:
                yield f"{rule.id}: speaks on its near miss: {sample[:120]!r}"
            if kind == "hit" and rule.says in ("cause", "end", "hint") and not speaking and not rule.has_conditions():
                yield f"{rule.id}: nobody speaks on its hit: {sample[:120]!r}"
