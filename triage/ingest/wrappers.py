"""Peels what CI systems, containers, shells and people put around a line.

One table, one row a wrapper. All rows are joined into a single linear-time
pattern that takes off any number of them in any order. The tools' own prefixes
(``[E] [TRT]``, ``E1120 …``) are not wrappers: they carry level and component.
"""

from __future__ import annotations

from triage.linear import Program

# name, what stands at the start of a line
WRAPPERS: tuple[tuple[str, str], ...] = (
    ("byte order mark", r"\xef\xbb\xbf"),
    ("gh run view", r"[^\t\n]+\t[^\t\n]+\t(?:\xef\xbb\xbf)?\d{4}-\d\d-\d\dT[\d:.]+Z "),
    ("iso time", r"\[?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d{1,9}(?:Z|[+-]\d\d:?\d\d)\]? ?"),
    ("gitlab stream", r"\d\d[OE][+ ]"),
    ("gitlab section", r"section_(?:start|end):\d+:[\w.-]+(?:\[[^\]]*\])?\r?"),
    ("actions marker", r"##\[(?:error|command|section|group)\]"),
    ("actions command", r"::(?:error|group)(?: [^:]*)?::"),
    ("azure command", r"##vso\[[^\]]*\]"),
    ("jenkins clock", r"\d\d:\d\d:\d\d  "),
    ("kubectl", r"\[pod/[^\]]+\] "),
    ("container runtime", r"(?:stdout|stderr) [FP] "),
    ("compose", r"[a-z0-9][a-z0-9_-]* +\| "),
    ("buildkit", r"#\d+ (?:\d+\.\d+ |ERROR: )"),
    ("ros", r"\[[A-Za-z][\w.-]*-\d+\] "),
    ("ray", r"\([A-Za-z][\w() ]* pid=\d+(?:, ip=[\d.]+)?\)(?: |$)"),
    ("rank", r"\[(?:rank|default)\d+\]:? ?"),
    ("mpi", r"\[\d+,\d+\]<std(?:out|err)>: ?"),
    ("logcat", r"\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d+ +\d+ [VDIWEF] [^:\n]+: "),
    ("logcat brief", r"[VDIWEF]/[\w.]+(?:\( *\d+\))?: "),
    ("syslog", r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]+ [\w./-]+(?:\[\d+\])?: "),
    ("pytest", r"E {3,}"),
    ("exception group", r"(?: {2,}\| ?)+"),
    ("quote", r"(?:> ?)+"),
    ("bullet", r"[-*\xe2] (?:\xe2\x80\xa2 )?|\xe2\x80\xa2 ?"),
    ("comment", r"(?:#|//|--) "),
    ("code", r"`{3}"),
    ("indentation", r"[ \t]+|\xc2\xa0|\xe3\x80\x80"),
    ("break", r"<(?:br|p|pre|code) ?/?>"),
)
_TAIL = r"(?:[ \t\r]|`{3}|<br ?/?>|</(?:p|pre|code)>|\x1b\[0?m|\[0?m)+$"
_COLOUR = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]_P^X][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[@-Z\\-_])"
_LOST_ESCAPE = r"\[(?:0|1|0?;?\d{1,2}(?:;\d{1,3}){0,4})?m"

_programs: dict[str, Program] = {}


def _program(name: str) -> Program:
    if not _programs:
        rows = "|".join(f"(?:{pattern})" for _, pattern in WRAPPERS)
        _programs["head"] = Program(f"(?:{rows}|{_LOST_ESCAPE})+".encode())
        _programs["tail"] = Program(_TAIL.encode())
        _programs["colour"] = Program(_COLOUR.encode())
    return _programs[name]


def strip_colour(data: bytes) -> bytes:
    """Takes terminal sequences out of raw bytes; line ends stay."""
    if b"\x1b" not in data:
        return data
    return _program("colour").removed(data).replace(b"\x1b", b"")


def peel(line: bytes) -> bytes:
    """One line without its wrappers, colour and trailing blanks."""
    if b"\x1b" in line:
        line = strip_colour(line)
    if line[:1] not in _TOOL_STARTS or line[:2] == b"##" or line[:2] == b"[0" or line[:2] == b"[1":
        found = _program("head").match(line)
        if found:
            line = line[found[0][1] :]
    if line[-1:] in _TAILS:
        found = _program("tail").search(line)
        if found:
            line = line[: found[0][0]]
    if line[:1] == b"`" and line[-1:] == b"`" and line.count(b"`") == 2:
        line = line[1:-1]
    if line[:2] == b'{"' and line[-1:] == b"}":
        line = _json_message(line)
    if b"\r" in line:
        line = line.replace(b"\r", b"\n")
    return line


_TOOL_STARTS = frozenset([b"T", b"R", b"V", b"F"])
_TAILS = frozenset([b" ", b"\t", b"\r", b"`", b">", b"m"])


def _json_message(line: bytes) -> bytes:
    """The message of a JSON log line, else the line itself."""
    import json

    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if isinstance(record, dict):
        for key in ("log", "message", "msg", "text", "event", "MESSAGE"):
            if isinstance(record.get(key), str):
                return peel(strip_colour(str(record[key]).rstrip("\n").encode()))
    return line
