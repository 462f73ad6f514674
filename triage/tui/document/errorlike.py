"""Which lines look like errors: a table of how tools and people write them.

A quick look, not a diagnosis: it colours lines and draws a histogram. Rows are either
strong (the line is an error whatever its level) or weak (not in a line that its own
level calls information or a warning). What is only the name of a quantity, or says that
there was none, is taken out of the line first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from triage.linear import Program
from triage.tui.document.searching import Piece

STRONG: tuple[tuple[str, str], ...] = (
    ("level letter", r"\[[EF]\]"),
    ("level word", r"\b(?:ERROR|FATAL|CRITICAL|SEVERE)\b"),
    ("glog", r"\b[EF][01]\d[0-3]\d \d\d:\d\d:\d\d"),
    ("labelled", r"\b(?:[Ee]rror|[Ff]atal|[Cc]ritical)(?: [\w.-]{1,40}){0,2}: ?\S"),
    ("exception", r"\b\w*(?:Error|Exception)\b(?::|\(| ?$)"),
    ("traceback", r"\bTraceback \(most recent call last"),
    ("actions", r"##\[error\]|::error[ :]"),
    ("pytest", r"^E {3,}\S"),
    ("npm", r"\bERR!"),
    ("rust", r"\bpanicked at\b"),
    ("crash", r"(?i)\b(?:segmentation fault|core dumped|unhandled exception|terminate called|out of memory)\b"),
)
WEAK: tuple[tuple[str, str], ...] = (
    ("failed", r"(?i)\bfail(?:ed|ure|ures)\b|\bFAIL\b"),
    (
        "error",
        r"(?i)\berrors? (?:occurred|while|when|in|at|during|code|from|loading|parsing|reading|writing|message)\b",
    ),
    ("error count", r"(?i)\b[1-9]\d{0,6} (?:fatal )?errors?\b"),
    ("an error", r"(?i)\ban? (?:\w+ )?(?:error|exception)\b"),
    ("aborted", r"(?i)\b(?:aborted|aborting|unhandled|killed)\b"),
    ("cross", r"\xe2\x9c(?:\x97|\x98)|\xe2\x9d\x8c"),
)
NO_ERROR: tuple[tuple[str, str], ...] = (
    ("none", r"(?i)\b(?:0|no|zero|without|any|none) (?:\w+ )?(?:errors?|failures?|failed|exceptions?|fatal)\b"),
    ("count of none", r"(?i)\b(?:errors?|failed|failures?|exceptions?)\"?(?: count)? ?[=:] ?(?:0|none|null|false)\b"),
    (
        "quantity",
        r"(?i)\b(?:max|mean|abs|absolute|relative|rel|squared|average|quantization|rounding|l1|l2)[ _]errors?\b",
    ),
    (
        "of error",
        r"(?i)\berrors?[ _-](?:rates?|bounds?|tolerances?|handl\w+|margins?|thresholds?|recorder|reporting)\b",
    ),
    ("retry", r"(?i)\b(?:if|when|on|in case of) (?:\w+ )?(?:fail(?:ed|ure|s)?|error)\b"),
    ("switch", r"(?i)--?[\w-]*(?:error|fail)[\w-]*"),
)
QUIET = (
    r"\[[VIWD]\]|\b[WID][01]\d[0-3]\d \d\d:\d\d:\d\d"
    r"|(?:^|[\s\[|:])(?:VERBOSE|DEBUG|TRACE|INFO|WARN|WARNING|NOTICE)(?:$|[\s\]|:])"
)

_programs: dict[str, Program] = {}
_database: list[Any] = []
_own = threading.local()
_making = threading.Lock()


def _program(name: str) -> Program:
    if name not in _programs:
        rows = {"strong": STRONG, "weak": WEAK, "none": NO_ERROR, "quiet": (("quiet", QUIET),)}[name]
        _programs[name] = Program("|".join(f"(?:{pattern})" for _, pattern in rows).encode())
    return _programs[name]


def looks_like_error(line: bytes) -> bool:
    """Whether one line, without colour codes, looks like an error."""
    if _program("none").search(line):
        line = _program("none").removed(line)
    if _program("strong").search(line):
        return True
    return _program("weak").search(line) is not None and _program("quiet").search(line) is None


def error_lines(piece: Piece) -> Iterator[tuple[int, int]]:
    """(number, offset in the piece) of each line that looks like an error."""
    data, number, counted, end = piece.data, piece.first, 0, -1
    for place in _candidates(data):
        if place <= end:
            continue
        begin = data.rfind(b"\n", 0, max(0, place - 1)) + 1
        end = data.find(b"\n", place - 1)
        if end < 0:
            end = len(data)
        if looks_like_error(data[begin : min(end, begin + 4096)]):
            number += data.count(b"\n", counted, begin)
            counted = begin
            yield number, begin


def _candidates(data: bytes) -> list[int]:
    """Places behind something of the table, in order: one pass for all rows."""
    if not data:
        return []
    scratch = getattr(_own, "scratch", None)
    if scratch is None:
        scratch = _own.scratch = _scanner().scratch.clone()
    places: list[int] = []
    _scanner().scan(data, match_event_handler=_collect, context=places, scratch=scratch)
    return places


def _collect(_row: int, _start: int, end: int, _flags: int, places: list[int]) -> None:
    places.append(end)


def _scanner() -> Any:
    with _making:
        if not _database:
            import hyperscan

            rows = [pattern.encode() for _, pattern in (*STRONG, *WEAK)]
            database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
            flags = [hyperscan.HS_FLAG_MULTILINE] * len(rows)
            database.compile(expressions=rows, ids=list(range(len(rows))), elements=len(rows), flags=flags)
            _database.append(database)
        return _database[0]
