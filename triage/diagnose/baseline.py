"""What a failed log says that the log of the last good build did not.

A good log is remembered as the hashes of its lines in a normal form: without
wrappers, numbers, addresses, times, sizes, temporary names and progress bars, so
that two good runs give the same hashes. What does not change from run to run
stays: versions of three parts, shapes such as ``1x3x224``, opsets, ``sm_89``.

Most lines differ from an earlier one in their digits only. Whole blocks are
therefore compared with all digits made zero, then with numbers and addresses made
alike, and only a line that is new after both is brought into its normal form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from triage.ingest.decode import detect_encoding, pieces, to_utf8
from triage.ingest.text import shown
from triage.ingest.wrappers import peel
from triage.linear import Program

VERSION = "2026-11-21"  # of the normal form; prints of another version cannot be compared
ORDINARY, ALARMING = 180_000, 20_000  # distinct lines remembered of a log; loud ones have room of their own
_WIDTH = 8  # bytes of a hash
_LONGEST = 2_000  # bytes of a line that count
_CANDIDATES = 20_000  # new lines held at once
_MEMORY = 64 << 20  # bytes of lines remembered as seen

# what stays in the normal form although it has digits
_KEPT = (
    rb"(?i)\b[1-9]\d{0,4}(?:x-?\d{1,6})+\b"
    rb"|\b\d{1,3}\.\d{1,3}\.\d{1,3}(\.\d+)?"  # with a fourth part it may as well be a network address: not kept
    rb"|\bopset\D{0,20}\d{1,2}\b|\bsm_?\d{2,3}\b"
)
_DAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? +"
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_BAR = rb"\xe2[\x94-\x97\xa0-\xa3][\x80-\xbf]"  # blocks, rules, and the dots of spinners
_UNIT = (
    rb"[mun]?s|\xc2\xb5s|(?:milli|micro|nano)?sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|h|m|d|days?"
    rb"|[KMGTkmgt]i?[Bb]?(?:/s)?|B|bytes?|it/s|s/it|[AP]M"
)
# addresses, hashes, ids; on text whose digits are all zero
_HEXADECIMAL = (
    rb"0x[0a-fA-F]+|\b[0a-fA-F]{8}-(?:[0a-fA-F]{4}-){3}[0a-fA-F]{12}\b"
    rb"|(?:\b|_)(?:[0a-f]{7,64}|[0A-F]{7,64})(?:\b|_)"
)
# what else goes, but for plain numbers; on text where each run of digits is one zero; the first row that fits wins
_VOLATILE = b"|".join(
    (
        rb"\b(?:" + _DAY + rb")?(?:0 +)?" + _MONTH + rb" +0",
        (
            rb"(?:/(?:private/)?(?:var/)?(?:tmp|folders)|/dev/shm|/run/user|[A-Za-z]:\\[^\s\"']{0,200}\\Temp)[/\\]"
            rb"[^\s\"'<>|,;:()\[\]]*"
        ),
        (
            rb"\B/(?:home|Users|root|builds|workspace|github|__w|runner|mnt|data|proc|agent|jenkins|srv|scratch|var)/"
            rb"(?:[\w.@+=%~-]*/)*"
        ),
        rb"\b[A-Za-z]:\\(?:[\w.@+=%~-]*\\)*",
        rb"\btmp[\w-]{4,}",
        rb"\[[=#>*.~ -]{3,}\]|\|(?:[ #]|" + _BAR + rb")+\||(?:[=#>*.~_+|-]|" + _BAR + rb"){3,}|(?:" + _BAR + rb")+",
        rb"\b0h ?0m(?: ?0(?:\.0)?s)?\b|\b0m ?0(?:\.0)?s\b",
    )
)
# Numbers are too many for RE2's price of a match. Nothing below is given back once taken, so this too is linear.
_NUMBER = re.compile(rb"0(?:[.,:/T+-] ?0)*+(?:e[-+]?0)?+(?:Z\b| ?%| ?(?:" + _UNIT + rb")\b)?")
_NUMBERS = re.compile(rb"#(?: #)++")
_SIGNS = (b" -#", b" +#", b"=-#", b"(-#", b"[-#", b":-#")
_ERROR = (
    rb"(?i)\b(?:errors?|fail(?:ed|ure|ures|s|ing)?|fatal|critical|exception|abort(?:ed|ing)?|cannot|can't|could not"
    rb"|unable|invalid|unsupported|no such|not (?:found|supported|implemented|available)|denied|refused|killed"
    rb"|segmentation|out of memory|tim(?:ed|e) ?out|traceback|missing|undefined|mismatch|unknown|corrupt(?:ed)?)\b"
    rb"|[a-z](?:error|exception)\b|\[[EF]\]|^[EF]\d{4} "
)
_WARNING = (
    rb"(?i)\bwarn(?:ing|ings)?\b|warning\b|deprecat|fall(?:ing)? ?back|\bskipp(?:ed|ing)\b|\bignor(?:ed|ing)\b"
    rb"|\binstead\b|\[W\]|^W\d{4} "
)
_NOISE = (
    rb"(?i)^ *File \"[^\"]*\", line \d|^[ ~^|]+$|\d% *\||\bit/s\b|\bs/it\b|\d ?[kmg]i?b/s\b|\beta:? "
    rb"|^(?:Collecting|Downloading|Using cached|Requirement already|Unpacking|Setting up|Selecting previously"
    rb"|Preparing to unpack|Get:\d|Hit:\d|remote: (?:Count|Compress|Enumerat|Total))"
    rb"|: (?:Pulling fs layer|Waiting|Verifying Checksum|Download complete|Pull complete|Extracting)"
)
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_MARKED = {48 + digit: 0xE030 + digit for digit in range(10)}  # private signs that no pattern takes for digits
_MARK = chr(0xE030).encode()[:2]
_NO_LETTERS = bytes(set(range(128)) - set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
_programs: dict[bytes, Program] = {}


class NewLine(NamedTuple):
    """A line that the good log never printed: where it stands first, its text, how often.

    ``line`` is 1-based in the failed log; ``text`` is safe to show; ``level`` is what
    it looks like: ``error``, ``warning`` or empty.
    """

    line: int
    text: str
    times: int
    level: str


class _New:
    """A new line while the log is read."""

    __slots__ = ("count", "data", "level", "line")

    def __init__(self, line: int, data: bytes, level: str) -> None:
        self.line, self.data, self.level, self.count = line, data, level, 0

    def score(self, failure: int) -> float:
        """Loud lines and lines shortly before the failure come first; what follows it is mostly its echo."""
        distance = failure - self.line
        near = max(0.0, 3 - math.log10(1 + abs(distance))) - (distance < 0)
        return near + {"error": 2.0, "warning": 1.0}.get(self.level, 0.0)


def line_prints(chunks: Iterable[bytes]) -> bytes:
    """The distinct lines of a good log: sorted hashes of 8 bytes each, packed.

    Of a log with more than ORDINARY distinct lines the first are kept, and up to
    ALARMING more of those that look like warnings or errors.
    """
    ordinary: set[bytes] = set()
    alarming: set[bytes] = set()
    rough, seen = _Memory(), _Memory()
    for block in pieces(_utf8(chunks)):
        lines, keys = _split(block.replace(b"\r", b"\n") if b"\r" in block else block)
        table = dict(zip(keys, lines, strict=True))
        lines = [table[key] for key in rough.fresh(table)]
        table = dict(zip(_levelled(b"\n".join(lines)).split(b"\n"), lines, strict=True)) if lines else {}
        peeled = [peel(table[key][:_LONGEST]) for key in seen.fresh(table)]
        for line, form in zip(peeled, normal_forms(peeled), strict=True):
            if not form:
                continue
            if len(ordinary) < ORDINARY:
                ordinary.add(_hash(form))
            elif len(alarming) < ALARMING and _level(line):
                alarming.add(_hash(form))
    return b"".join(sorted(ordinary | alarming))


def new_lines(
    chunks: Iterable[bytes], prints: bytes, *, limit: int = 20, failure: int | None = None
) -> tuple[NewLine, ...]:
    """Lines of a failed log that the good one never printed, the most telling first.

    Args:
        chunks: the failed log.
        prints: what ``line_prints`` gave for the good log.
        limit: how many to give at most.
        failure: line of the failure; default the end of the log.

    Where the good log had more lines than are remembered, only lines that look like
    warnings or errors are judged.
    """
    reader = _Reader(prints, failure)
    for block in pieces(_utf8(chunks)):
        reader.read(block)
    return tuple(
        NewLine(new.line, shown(_unmarked(new.data.strip()), 400), new.count, new.level)
        for new in reader.best()[: max(0, limit)]
    )


class _Reader:
    """Reads a failed log block by block; holds a bounded number of candidates."""

    def __init__(self, prints: bytes, failure: int | None) -> None:
        self._known = {prints[place : place + _WIDTH] for place in range(0, len(prints), _WIDTH)}
        self._whole = len(self._known) < ORDINARY
        self._failure = failure
        self._number = 0
        self._rough, self._dull = _Memory(), _Memory()
        self._watched: dict[bytes, _New] = {}
        self._new: dict[bytes, _New] = {}
        self._found: dict[bytes, _New] = {}

    def read(self, block: bytes) -> None:
        """Takes whole lines in."""
        lines, keys = _split(block)
        if block.endswith(b"\n"):
            lines.pop()
            keys.pop()
        places = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
        unseen = sorted(places[key] for key in self._rough.fresh(places.keys() - self._watched.keys()))
        if unseen:
            self._judge([(place, lines[place]) for place in unseen], keys)
        for key in filter(self._watched.__contains__, keys):
            self._watched[key].count += 1
        self._number += len(lines)
        if len(self._found) > _CANDIDATES:
            self._thin_out()

    def _judge(self, unseen: list[tuple[int, bytes]], keys: list[bytes]) -> None:
        levelled = _levelled(b"\n".join([line for _, line in unseen])).split(b"\n")
        fresh = set(self._dull.fresh(set(levelled) - self._new.keys()))
        parts = [
            (key, place, peel(part[:_LONGEST]))
            for key, (place, line) in zip(levelled, unseen, strict=True)
            if key in fresh
            for part in line.split(b"\r")
        ]
        forms = normal_forms([part for _, _, part in parts])
        for (key, place, part), form in zip(parts, forms, strict=True):
            if form and key not in self._new:
                self._look(key, self._number + place + 1, part, form)
        for key, (place, _) in zip(levelled, unseen, strict=True):
            if key in self._new:
                self._watched[keys[place]] = self._new[key]

    def _look(self, key: bytes, number: int, line: bytes, form: bytes) -> None:
        mark = _hash(form)
        if mark in self._known:
            return
        level = _level(line)
        if (level or self._whole) and not is_noise(line, form, level):
            self._new[key] = self._found.setdefault(mark, _New(number, line, level))

    def _thin_out(self) -> None:
        keep = {id(new) for new in self.best()[: _CANDIDATES // 4]}
        self._watched = {key: new for key, new in self._watched.items() if id(new) in keep}
        self._new = {key: new for key, new in self._new.items() if id(new) in keep}
        self._found = {mark: new for mark, new in self._found.items() if id(new) in keep}

    def best(self) -> list[_New]:
        """Candidates, the most telling first."""
        failure = self._failure or self._number
        return sorted(self._found.values(), key=lambda new: (-new.score(failure), new.line))


class _Memory:
    """Keys that were seen; forgets all of them when they grow too many."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._size = 0

    def fresh(self, keys: Collection[bytes]) -> list[bytes]:
        """Those of distinct keys that were not seen before, in order; they are from now on."""
        new = [key for key in keys if key not in self._seen]
        self._size += sum(map(len, new)) + 100 * len(new)
        if self._size > _MEMORY:
            self._seen.clear()
            self._size = 0
        self._seen.update(new)
        return new


def normal_forms(lines: Sequence[bytes]) -> list[bytes]:
    """Peeled lines without what changes from run to run.

    >>> normal_forms([b"Engine built in 12.5 s, peak 830 MiB"])
    [b'Engine built in # peak #']
    """
    text = _levelled(b"\n".join(line.replace(b"\n", b" ") for line in lines))
    parts: list[bytes] = []
    position = 0
    for ((start, end),) in _program(_VOLATILE).every(text):
        parts.append(text[position:start])
        position = end
    parts.append(text[position:])
    text = _NUMBER.sub(b"#", b"0".join(parts)).replace(b",", b" ")
    for sign in _SIGNS:
        text = text.replace(sign, sign[:1] + b"#")
    text = b"\n".join([b" ".join(line.split()) for line in text.split(b"\n")])
    return _NUMBERS.sub(b"#", text).split(b"\n") if lines else []


def is_noise(line: bytes, form: bytes, level: str) -> bool:
    """Progress, downloads, frames of a traceback, rows of numbers: new in every run."""
    if _program(_NOISE).search(line):
        return True
    if level:
        return False
    words = form.split()
    bare = sum(not word.translate(None, _NO_LETTERS) and word.isascii() for word in words)
    letters = len(form.translate(None, _NO_LETTERS))
    return (letters < 3 and form.isascii()) or (len(words) > 3 and bare > 0.6 * len(words))


def _level(line: bytes) -> str:
    if _program(_ERROR).search(line):
        return "error"
    return "warning" if _program(_WARNING).search(line) else ""


def _split(block: bytes) -> tuple[list[bytes], list[bytes]]:
    """Lines of a block with what is kept marked, and the same lines with all other digits zero."""
    parts: list[bytes] = []
    position = 0
    for (start, end), (fourth, _) in _program(_KEPT).every(block):
        if fourth >= 0:
            continue
        parts += block[position:start], block[start:end].decode("latin-1").translate(_MARKED).encode()
        position = end
    if parts:
        parts.append(block[position:])
        block = b"".join(parts)
    return block.split(b"\n"), block.translate(_ZEROS).split(b"\n")


def _levelled(text: bytes) -> bytes:
    """Text with one zero for each run of digits, address, hash and id."""
    text = text.translate(_ZEROS)
    parts: list[bytes] = []
    position = 0
    for ((start, end),) in _program(_HEXADECIMAL).every(text):
        found = text[start:end].strip(b"_")
        if not found.isalpha() and not found.isdigit():  # neither a word such as "defaced" nor a long number
            parts.append(text[position:start])
            position = end
    text = b"0".join((*parts, text[position:]))
    for zeros in (b"00000000", b"0000", b"00", b"00"):
        text = text.replace(zeros, b"0")
    return text


def _unmarked(line: bytes) -> bytes:
    """A line as it was printed."""
    if _MARK in line:
        for place, digit in _MARKED.items():
            line = line.replace(chr(digit).encode(), b"%c" % place)
    return line


def _hash(form: bytes) -> bytes:
    return blake2b(form, digest_size=_WIDTH).digest()


def _program(pattern: bytes) -> Program:
    if pattern not in _programs:
        _programs[pattern] = Program(pattern)
    return _programs[pattern]


def _utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    iterator = iter(chunks)
    head = next(iterator, b"")
    encoding = detect_encoding(head[: 1 << 16])
    whole = _joined(head, iterator)
    return whole if encoding.name == "utf-8" else to_utf8(whole, encoding)


def _joined(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest
