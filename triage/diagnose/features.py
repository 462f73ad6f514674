"""The stored text of a failure -> the words that the classifier counts.

Tools say one thing in many ways: "not found", "no such file", "could not locate". The
families below put one marked word beside all of them, so that a message nobody has seen
shares words with those that were. Names in one word are taken apart (``CUDNN_STATUS_X``).
"""

from __future__ import annotations

import re
from math import log

from triage.linear import Program

VERSION = 1  # a model only reads texts that were taken apart as its own were

# marked word, the ways of saying it (RE2, lower case)
FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("absent", ("not found", "no such", "can(?:not|'?t| not) (?:be )?(?:found|find|locate)",
                "could ?n[o']t (?:find|locate)", "unable to find", "missing", "does ?n[o']t exist",
                "not exist", "not (?:present|available|installed)")),
    ("unsupported", ("unsupported", "not (?:yet )?(?:supported|implemented|compatible)", "notimplemented",
                     "unimplemented", "does ?n[o']t support", "no support", "unrecogni[sz]ed",
                     "no implementation", "only supports?")),
    ("mismatch", ("mismatch", "(?:not|n't) match", "inconsistent", "incompatible", "differ", "not equal",
                  "disagree", "expected .{1,60}(?:got|but|actual|found|received)", "must (?:be equal|match)")),
    ("corrupt", ("corrupt", "truncat", "broken", "damaged", "(?:invalid|bad) (?:header|magic)", "malformed",
                 "checksum", "unexpected end", "premature", "failed reading", "parse error", "incomplete")),
    ("memory-full", ("out ?of ?memory", r"\boom\b", r"\balloc.{0,30}fail", "fail.{0,15} alloc",
                     "cannot allocate", "bad.alloc", "(?:insufficient|not enough) memory",
                     "memory exhausted", "exceeds? .{0,20}memory")),
    ("late", ("timed?[ -]?out", "deadline", "too long to")),
    ("refused", ("refused", "unreachable", "(?:could not|cannot|failed to) connect",
                 "connection (?:reset|aborted|error)", "disconnected")),
    ("denied", ("denied", "forbidden", "unauthori[sz]ed", "not permitted", "permission", "gated", "read-only")),
    ("too-much", ("too (?:large|big|long|many)", "exceed", "(?:larger|greater) than",
                  "out of (?:range|bounds)", "beyond", "at most", "maximum", "limit")),
    ("too-little", ("too (?:small|few|short|old|low)", "less than", "at least", "smaller than", "minimum",
                    "insufficient", "requires? .{0,30}(?:>=|or (?:newer|later|higher|above))")),
    ("load", (r"\bload(?:ing|ed)?\b", "dlopen", r"open(?:ing)?\b", "deseriali[sz]", r"\bimport")),
    ("version", ("version", "newer", "older", "upgrade", "downgrade",
                 "(?:built|compiled) (?:with|for|against)")),
    ("type", ("d(?:ata ?)?type", r"\bfloat(?:16|32|64)?\b", r"\bu?int(?:8|16|32|64)\b", "bfloat16", "fp16",
              r"\bhalf\b", "element type", r"tensor\((?:float|int|bool|string|double)")),
    ("shape", ("shape", "dimension", r"\bdims?\b", r"\brank\b", "size of tensor", "broadcast", r"\bax[ie]s\b")),
    ("dynamic", ("dynamic", "symbolic", "data-dependent", "unbacked", "specializ")),
    ("quantized", ("quant", "calib", "int4", "awq", "gptq", "fp8", "zero.?point", "scale")),
    ("file", ("<file>", "<path>", r"\bfile", "director", "folder")),
    ("package", ("module", "package", "pip install", r"\bimport")),
    ("library", (r"\.so\b", r"\.dll\b", "shared (?:object|library)", "symbol")),
    ("device", ("gpu", "device", "cuda")),
    ("memory", ("memory", r"\b[gm]ib\b", "<size>")),
    ("setting", ("config", r"\boptions?\b", "argument", "parameter", "flag", "setting")),
    ("network", ("http", "<url>", "download", "connection", r"\bhost", r"\bport\b", "socket", r"\bssl",
                 r"\bdns")),
    ("overflow", (r"\bnans?\b", r"\binf\b", "infinit", "overflow")),
    ("plugin", ("plugin", "custom op", "register")),
    ("gone", ("has no attribute", "unexpected keyword", "removed", "deprecated", "no longer")),
)  # fmt: skip
_WORD = re.compile(r"<[a-z ]+>|[A-Za-z][A-Za-z0-9]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_families: list[tuple[str, Program]] = []


def expand(text: str) -> str:
    """A text of ``incident_text`` as the classifier reads it: plain words, families, ``tool=``; a line each."""
    lines = text.split("\n")
    facts = lines.pop().split() if lines[-1].startswith("tool=") else []
    out = [_words(line) for line in _without_frames(lines)]
    return "\n".join([*filter(None, out), *(fact for fact in facts if fact.startswith("tool="))])


def length(plain: str) -> float:
    """What a lead is multiplied by: the logarithm of the words. A long log's words speak for many causes."""
    return log(1 + len(plain.split()))


def _without_frames(lines: list[str]) -> list[str]:
    """The lines that are no frame of a traceback and no source that a frame quotes."""
    kept: list[str] = []
    quoted = False
    for line in lines:
        bare = line.strip()
        if bare.startswith(("File ", "Traceback (most recent")) or not bare.strip("^~ "):
            quoted = bare.startswith("File ")
        elif quoted and not _is_exception(bare):
            quoted = False
        else:
            quoted = False
            kept.append(bare)
    return kept


def _is_exception(line: str) -> bool:
    name, colon, _ = line.partition(":")
    return bool(colon) and name.replace(".", "").replace("_", "").isalnum()


def _words(line: str) -> str:
    line = line.replace("_", " ")
    plain = _WORD.findall(_HUMP.sub(" ", line))
    words = [word.replace(" ", "-") if word[0] == "<" else word.lower() for word in plain]
    return " ".join([*words, *_said(line.lower().encode("utf-8", "replace"))])


def _said(line: bytes) -> list[str]:
    if not _families:
        _families.extend((f"+{name}", Program("|".join(ways).encode())) for name, ways in FAMILIES)
    return [name for name, program in _families if program.search(line)]
