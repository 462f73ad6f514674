"""The use cases that every face calls. The only place that joins the worlds below."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from triage.errors import InputError
from triage.inputs import Log, open_logs
from triage.library import Library, load_library
from triage.records import Diagnosis, Report


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
    return Report(name, _diagnose_chunks([data] if data else [], library or load_library()))


def _diagnose_chunks(chunks: Iterable[bytes], library: Library) -> Diagnosis:
    from triage.ingest.decode import detect_encoding, to_utf8
    from triage.pipeline import diagnose_chunks

    iterator = iter(chunks)
    head = next(iterator, b"")
    encoding = detect_encoding(head[: 1 << 16])
    whole = _again(head, iterator)
    if encoding.name != "utf-8":
        whole = to_utf8(whole, encoding)
    return diagnose_chunks(whole, library, encoding.name)


def _again(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def diagnose_log(log: Log, library: Library) -> Report:
    """Diagnoses one opened log."""
    return Report(log.name, _diagnose_chunks(log.chunks, library))


def diagnose_inputs(names: Sequence[str], library: Library) -> Iterator[Report | InputError]:
    """Diagnoses everything that the arguments name; a bad input gives its error and the rest goes on."""
    for name in names:
        try:
            for log in open_logs(name):
                yield diagnose_log(log, library)
        except InputError as fault:
            yield fault
