"""Named masks: what is noise in a message, and what is secret.

One row per kind. Order matters: the first row that fits at a place wins. What is
masked is kept on the record, since opsets, versions and shapes are evidence.
"""

from __future__ import annotations

import re
from typing import Any

from triage.linear import Program

# name, pattern: the noise that makes two reports of one failure look different
NOISE: tuple[tuple[str, str], ...] = (
    ("url", r"\b(?:https?|ftp|s3|gs|hdfs)://[^\s'\"<>)\]]+"),
    ("uuid", r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"),
    (
        "time",
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|\b\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d|\b\d\d:\d\d:\d\d(?:[.,]\d+)?",
    ),
    ("address", r"\b0x[0-9a-fA-F]+\b"),
    ("email", r"\b[\w.+-]+@[\w-]+\.[\w.]+\b"),
    ("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"),
    ("source", r"\b[\w/\\.-]+\.(?:cpp|cc|cu|cuh|h|hpp|c|py|rs|go|java|cs|ts|js)(?:::[\w:~]+)*[:(]+\d+\)?"),
    (
        "path",
        r"(?:\b[A-Za-z]:[\\/]|\.{0,2}/|~/)[\w .+@=-]*?(?:[\\/][\w.+@=-]+)+|(?:\b[A-Za-z]:[\\/]|\.{0,2}/)[\w.+@=-]+",
    ),
    (
        "file",
        r"\b[\w+-]+(?:\.[\w+-]+)*\.(?:onnx|engine|plan|trt|pt|pth|bin|safetensors|gguf|ggml|json|txt|yaml|pbtxt|log)\b(?:\.\d+)*",
    ),
    ("shape", r"[\[({](?: *-?\d+ *[,x] *)+(?:-?\d+)? *[\])}]|-?\b\d+(?:x-?\d+)+\b"),
    ("duration", r"\b\d+(?:\.\d+)? ?(?:ms|us|ns|s|sec|seconds|minutes|min|h)\b"),
    ("size", r"\b\d+(?:\.\d+)? ?(?:[KMGT]i?B|bytes?|B)\b"),
    ("version", r"\bv?\d+\.\d+(?:\.\w+)+(?:\+\w+)?\b"),
    ("hash", r"\b[0-9a-f]{12,64}\b"),
    # a quoted name or two or three words; longer quotations are messages. An apostrophe inside a word quotes nothing
    (
        "name",
        r"(?:\B'[^'\s]+(?: [^'\s]+){0,2}'\B|\B\"[^\"\s]+(?: [^\"\s]+){0,2}\"\B|\xe2\x80\x98[^\xe2\s]+\xe2\x80\x99)",
    ),
    ("scoped", r"/?[\w.]+(?:/[\w.:-]+)+"),
    ("numbered", r"\b[A-Z][A-Za-z]+_\d+\b"),
    ("number", r"-?\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b"),
)

# what looks like noise and names the failure itself: it stays as it is
ESSENCE: tuple[str, ...] = (
    r"\b[Nn]o module named ['\"]?[\w.]+['\"]?",
    r"\bhas no attribute ['\"][\w.]+['\"]",
    r"\bmodule ['\"][\w.]+['\"] has no attribute ['\"][\w.]+['\"]",
    r"\bcannot import name ['\"][\w.]+['\"] from (?:partially initialized module )?['\"][\w.]+['\"]",
    r"\bKeyError: ['\"][^'\"\n]{1,80}['\"]",
    r"\bname ['\"]\w+['\"] is not defined",
    r"\bunexpected keyword argument ['\"]\w+['\"]",
    r"\blib[\w+-]+\.so\b",
    r"\b[\w+-]+\.dll\b",
)

# a word that says that a secret follows, and what may stand between them
_IS = r"[\"']?[ \t]{0,3}[=:][ \t]{0,3}"
_VALUE = r"[^\s\"',;&|<>]"
_FIRST = r"[^\s\"',;&|<>\[]"  # of a value: a mask begins with a bracket, and is not masked again

# name, words of which one stands in every such secret (lower case), pattern: what must never be stored or posted
SECRETS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "private key",
        ("private key-----",),
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)",
    ),
    (
        "github token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"\b(?:gh[pousr]_[A-Za-z0-9][A-Za-z0-9_.-]{19,}|github_pat_[A-Za-z0-9_]{22,255})",
    ),
    ("gitlab token", ("gl",), r"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|imt|ffct)-[A-Za-z0-9_.-]{16,}"),
    ("hugging face token", ("hf_", "api_org_"), r"\b(?:hf|api_org)_[A-Za-z0-9]{20,}"),
    ("openai key", ("sk-",), r"\bsk-(?:proj-|svcacct-|admin-|ant-)?[A-Za-z0-9_-]{20,}"),
    (
        "aws key",  # the secret one often stands beside it
        ("akia", "asia", "abia", "acca"),
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b(?:[ \t:,/|\"']{1,4}[A-Za-z0-9+/]{40}\b)?",
    ),
    (
        "google key",
        ("aiza", "ya29.", "gocspx-"),
        r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    ),
    ("slack token", ("xox", "xapp-"), r"\b(?:xox[abeprs]|xapp)-[A-Za-z0-9.-]{10,}"),
    ("nvidia key", ("nvapi-",), r"\bnvapi-[A-Za-z0-9_-]{20,}"),
    ("pypi token", ("pypi-",), r"\bpypi-[A-Za-z0-9_-]{32,}"),
    (
        "service key",
        (
            "npm_",
            "dckr_",
            "hvs.",
            "hvb.",
            "bkua_",
            "_live_",
            "_test_",
            "sg.",
            "shp",
            "dop_v1_",
            "doo_v1_",
            "r8_",
            "gsk_",
            "wandb_v1_",
            "age-secret-key-1",
            ":aa",
            "sk0",
            "atatt3",
            "xai-",
            "pplx-",
            "dapi",
            "lin_api_",
            "tskey-",
        ),
        (
            r"\b(?:npm_|dckr_[po]at_|hv[sb]\.|bkua_|[sr]k_(?:live|test)_|do[op]_v1_|r8_|gsk_|wandb_v1_|ATATT3|xai-|pplx-|lin_api_|tskey-)"
            r"[A-Za-z0-9_=-]{20,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bshp(?:at|ca|pa|ss)_[a-f0-9]{32}|\bdapi[a-f0-9]{32}\b"
            r"|\bAGE-SECRET-KEY-1[A-Z0-9]{40,}|\b\d{8,10}:AA[A-Za-z0-9_-]{33}|\bSK[a-f0-9]{32}\b"
        ),
    ),
    (
        "web hook",  # who knows the address may post
        ("hooks.slack.com/", "/api/webhooks/", ".webhook.office.com/", "api.telegram.org/bot"),
        (
            r"(?i)\b(?:hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/"
            r"|[\w-]+\.webhook\.office\.com/|api\.telegram\.org/bot)[^\s\"'<>]{8,}"
        ),
    ),
    ("web token", ("eyj",), r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    (
        "authorization",
        ("authorization",),
        rf"(?i)\bauthorization{_IS}[\"']?(?:[a-z][\w-]+[ \t]+)?[^\s\"',;\[][^\s\"',;]{{7,}}",
    ),
    (
        "bearer",
        ("bearer", "basic", "token "),
        r"(?i)\b(?:bearer|basic)[ \t]+[A-Za-z0-9._~+/=-]{16,}|\btoken[ \t]+[a-f0-9]{40}\b",
    ),
    ("cookie", ("cookie",), rf"(?i)\b(?:set-)?cookie{_IS}[^\s=;]+=[^\r\n\"']{{8,}}"),
    (
        "password in address",
        ("://",),
        r"(?i)\b[a-z][a-z0-9+.-]+://(?:[^\s/:@'\"]*:[^\s/'\"]+|[\w.~%+-]{16,})@",
    ),
    (
        "signature in address",
        ("sig", "x-amz-", "token=", "key="),
        (
            r"(?i)[?&;](?:sig|(?:x-\w+-)?signature|x-\w+-(?:credential|security-token)|(?:access_|api_?)?(?:token|key))="
            rf"{_FIRST}{_VALUE}{{7,}}"
        ),
    ),
    (
        "azure key",
        ("accountkey=", "sharedaccesskey=", "sig="),
        r"(?i)\b(?:AccountKey|SharedAccessKey|sig)=[A-Za-z0-9+/%=]{20,}",
    ),
    (
        "password",  # short ones, too: nothing else is told by what follows the word
        ("passw", "passphrase", ";pwd", "curl"),
        (
            rf"(?i)(?:password|passwd|passphrase|;pwd){_IS}(?:\"[^\"\n\[][^\"\n]*|'[^'\n\[][^'\n]*|{_FIRST}{_VALUE}*)"
            r"|--(?:\w+-)?pass(?:word|wd|phrase)[ \t]+[^\s\[-]\S*|\blogin[ \t]+\S+[ \t]+password[ \t]+[^\s\[]\S*"
            r"|\bcurl\b[^\n]*?[ \t](?:-u|--user|--proxy-user)[ =]?[\"']?[^\s:\"']+:[^\s\"']+"
        ),
    ),
    (
        "assigned secret",
        ("secret", "token", "key", "credential", '"auth"'),
        (
            rf"(?i)(?:secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?{_IS}[\"']?"
            rf"[A-Za-z0-9+/_.~-]{{16,}}{_VALUE}*"
            rf"|(?:secret|api[_-]?key|access[_-]?key|auth[_-]?token)s?{_IS}[\"']?[A-Za-z0-9+/_.~-]{{8,}}"
            rf"|\"auth\"{_IS}\"[A-Za-z0-9+/=]{{8,}}"
        ),
    ),
)

# of these the name before the sign stays: it tells a reader which one to change
_ASSIGNED = ("authorization", "cookie", "password", "assigned secret", "signature in address")
_SIGN = re.compile(r"[=:]|(?<=[ \t])-u[ =]?|(?i:--?[\w-]*pass[a-z]*|\bpassword)[ \t]|--(?:proxy-)?user[ =]")
_programs: dict[str, Any] = {}
_whole: dict[str, Program] = {}
_marks: list[str] = []
_sought: list[Any] = []
_noise: list[Program] = []
_essence: list[Program] = []


def _program(name: str, pattern: str) -> Any:
    if name not in _programs:
        import re2

        _programs[name] = re2.compile(pattern)
    return _programs[name]


def redact(text: str) -> str:
    """The text with every secret replaced by its kind."""
    if len(text) < 16:
        return text
    lowered = text.lower()
    for kind, marks, pattern in SECRETS:
        for mark in marks:
            if mark in lowered:
                if _program(kind, pattern).search(text):
                    text = _program(kind, pattern).sub(lambda match, kind=kind: _masked(kind, match.group()), text)
                break
    return text


def redact_log(data: bytes) -> bytes:
    """A whole log with every secret replaced by its kind; lines keep their numbers."""
    marked = _marks_in(data.lower())
    for kind, marks, pattern in SECRETS:
        if not marked.isdisjoint(marks):
            data = _in_log(kind, pattern, data)
    return data


def _marks_in(lowered: bytes) -> set[str]:
    """The marks of secrets that stand in a log, by one pass over it; fixed words need few states."""
    import re2

    if not _marks:
        _marks.extend(sorted({mark for _, marks, _ in SECRETS for mark in marks}))
        _sought.append(re2.Set.SearchSet())
        for mark in _marks:
            _sought[0].Add(re2.escape(mark))
        _sought[0].Compile()
    return {_marks[index] for index in _sought[0].Match(lowered) or ()}


def _in_log(kind: str, pattern: str, data: bytes) -> bytes:
    name = f"{kind} in a log"
    if name not in _whole:
        _whole[name] = Program(pattern.encode())
    parts: list[bytes] = []
    position = 0
    for (start, end), *_ in _whole[name].every(data):
        parts += (data[position:start], _masked(kind, data[start:end].decode("utf-8", "replace")).encode())
        position = end
    return b"".join((*parts, data[position:])) if parts else data


def _masked(kind: str, found: str) -> str:
    if kind in _ASSIGNED and (sign := _SIGN.search(found)):
        return found[: sign.end()] + f"[{kind} masked]"
    if kind == "password in address":
        return found[: found.find("://") + 3] + f"[{kind} masked]@"
    return f"[{kind} masked]" + "\n" * found.count("\n")


def essence(text: str) -> list[str]:
    """The parts of a text that name the failure itself, in order."""
    if not _essence:
        _essence.append(Program("|".join(f"(?:{pattern})" for pattern in ESSENCE).encode()))
    data = text.encode("utf-8", "replace")
    return [data[start:end].decode("utf-8", "replace") for (start, end), *_ in _essence[0].every(data)]


def mask(text: str) -> tuple[str, dict[str, list[str]]]:
    """The text with its noise replaced by ``<kind>``, and what stood there."""
    kept: dict[str, list[str]] = {}
    parts: list[str] = []
    position = 0
    data = text.encode("utf-8", "replace")
    if not _noise:
        essence = "(" + "|".join(ESSENCE) + ")"
        _noise.append(Program("|".join((essence, *(f"({pattern})" for _, pattern in NOISE))).encode()))
    for spans in _noise[0].every(data):
        row = next(i for i, (start, _) in enumerate(spans[1:]) if start >= 0)
        if row == 0:
            continue
        kind = NOISE[row - 1][0]
        start, end = spans[0]
        kept.setdefault(kind, []).append(data[start:end].decode("utf-8", "replace"))
        parts.append(data[position:start].decode("utf-8", "replace"))
        parts.append(f"<{kind}>")
        position = end
    parts.append(data[position:].decode("utf-8", "replace"))
    return "".join(parts), kept
