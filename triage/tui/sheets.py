"""One open log: its text while it is read, its answer when it stands. No Textual in here.

Reading happens in a worker thread of the desk; the sheet tells how far it is by plain attributes, which are
only ever replaced whole, so that the screen may look at them at any time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from triage.errors import InputError, TriageError
from triage.inputs import CHUNK, Log, is_plain, open_logs
from triage.records import Diagnosis, Incident, KeptLog, Report
from triage.tui.document import Document

READING, DONE, STOPPED, FAILED = "reading", "done", "stopped", "failed"
PASTE = "<paste>"


class Stopped(Exception):
    """A person stopped the reading."""


class Answer(NamedTuple):
    """What is known of a log: its report, what was kept of it, and why the archive could not be asked."""

    report: Report
    log: KeptLog
    remark: str = ""
    seconds: float = 0.0


class Sheet:
    """An open log. ``path`` is None where it came by paste, pipe or address; ``waits`` while rules are loaded."""

    def __init__(self, name: str, document: Document, path: str | None = None) -> None:
        self.name = name
        self.document = document
        self.path = path
        self.state = READING
        self.fault = ""
        self.read = 0
        self.answer: Answer | None = None
        self.filed = ""
        self.follows = False
        self.waits = False
        self._stop = False

    @property
    def diagnosis(self) -> Diagnosis | None:
        """The diagnosis, once it stands."""
        return self.answer.report.diagnosis if self.answer else None

    @property
    def incident(self) -> Incident | None:
        """The failure that counts; None where there is none, or it is not known yet."""
        diagnosis = self.diagnosis
        if diagnosis is None or diagnosis.primary is None:
            return None
        return diagnosis.incidents[diagnosis.primary]

    @property
    def progress(self) -> float:
        """The part of the log that was read for the diagnosis, 0 to 1."""
        if self.state != READING:
            return 1.0
        return min(self.read / self.document.size, 1.0) if self.document.size else 0.0

    def stop(self) -> None:
        """Ends the reading at the next piece; what was read stays."""
        self._stop = True

    def close(self) -> None:
        """Gives files and memory back."""
        self.stop()
        self.document.close()

    def watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, counted; ends with Stopped when a person stops it."""
        self.read = 0
        for chunk in chunks:
            if self._stop:
                raise Stopped
            self.read += len(chunk)
            yield chunk


def open_sheets(name: str) -> Iterator[tuple[Sheet, Iterator[bytes]]]:
    """Sheets of what a person named, each with its bytes: a file read in place, a pipe, an archive, an address.

    The bytes of a sheet must be read before the next sheet is asked for.

    Raises:
        InputError: missing, unreadable, a folder, empty, or not text.
    """
    path = os.path.expanduser(name)
    if name != "-" and "://" not in name and is_plain(path):
        yield Sheet(name, Document.open_file(path), os.path.abspath(path)), blocks(path)
        return
    for log in open_logs(name if "://" in name or name == "-" else path):
        yield grown(log)


def pasted(text: str) -> tuple[Sheet, Iterator[bytes]]:
    """The sheet of a pasted text."""
    data = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "surrogateescape")
    if not data.strip():
        raise InputError("the paste is empty: there is nothing to diagnose.")
    sheet = Sheet(PASTE, Document.growing(PASTE))
    sheet.document.append(data)  # it is seen at once, whatever the diagnosis waits for
    sheet.document.finish()
    return sheet, (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))


def grown(log: Log) -> tuple[Sheet, Iterator[bytes]]:
    """A sheet that takes the text of a log while it is read."""
    sheet = Sheet(log.name, Document.growing(log.name))
    return sheet, _taken(sheet.document, log.chunks)


def blocks(path: str) -> Iterator[bytes]:
    """The bytes of a file, as far as it goes now."""
    with open(path, "rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _taken(document: Document, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Text in UTF-8, put into the document on its way."""
    from triage.ingest.decode import detect_encoding, to_utf8

    head = next(chunks, b"")
    encoding = detect_encoding(head[: 1 << 16])
    whole = _chained(head, chunks)
    for chunk in to_utf8(whole, encoding) if encoding.name != "utf-8" else whole:
        document.append(chunk)
        yield chunk
    document.finish()


def _chained(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def read(
    sheet: Sheet, chunks: Iterator[bytes], *, opinion: bool = True, say: Callable[[], None] = lambda: None
) -> None:
    """Reads and diagnoses a sheet's bytes; says so when the verdict stands, and again when the archive has answered.

    Args:
        sheet: gets the answer, or its fault.
        chunks: the bytes.
        opinion: ask the archive and the classifier where the rules are silent.
        say: is called in this thread after each change.
    """
    from triage.library import load_library
    from triage.service.diagnosis import diagnose_log

    sheet.waits = True
    try:
        library = load_library()
        sheet.waits, started = False, time.monotonic()
        found = diagnose_log(Log(sheet.name, sheet.watched(chunks)), library)
    except Stopped:
        sheet.state = STOPPED
        say()
        return
    except TriageError as fault:
        sheet.state, sheet.fault, sheet.waits = FAILED, str(fault), False
        say()
        return
    sheet.answer = Answer(found.report, found.log, "", time.monotonic() - started)
    if opinion and found.report.diagnosis.failure:
        say()
        _ask(sheet, sheet.answer)
    sheet.state = DONE
    say()


def _ask(sheet: Sheet, answer: Answer) -> None:
    """What the classifier and the archive add."""
    from triage.service.looking import look_up
    from triage.service.opinion import second_opinion

    report, remark = look_up(second_opinion(answer.report))
    sheet.answer = answer._replace(report=report, remark=remark)
