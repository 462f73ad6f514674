"""Bytes of a log -> text that may be shown: decoded, without control characters, secrets masked."""

from __future__ import annotations

from triage.masks import redact

# every control character but tab; line and paragraph separators; direction marks
_UNSAFE = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))
_UNSAFE.update(dict.fromkeys((8206, 8207, *range(8234, 8239), *range(8294, 8298), 65279)))
_UNSAFE.update({0x2028: 0x20, 0x2029: 0x20})
LONGEST = 2000


def shown(data: bytes, limit: int = LONGEST) -> str:
    """Text that is safe on a terminal and holds no secret; long text is cut with an ellipsis."""
    text = data[: limit * 4].decode("utf-8", "replace")
    if not text.isprintable():
        text = text.replace("\n", " ").translate(_UNSAFE)
    if len(text) > limit or len(data) > limit * 4:
        text = text[:limit] + "…"
    return redact(text)
