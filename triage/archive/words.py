"""Text -> search words, split alike for every database, so that all of them find the same."""

from __future__ import annotations

import re

LONGEST = 1200
_WORD = re.compile(r"[^\W_]+")
_SIGN = re.compile(r"([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")  # no blanks between words: each sign is one


def words(text: str) -> str:
    """Lower-case letters and digits, one blank between words.

    >>> words("/models/BERT_dyn.onnx: 4 inputs")
    'models bert dyn onnx 4 inputs'
    """
    return " ".join(_WORD.findall(_SIGN.sub(r" \1 ", text.lower())))[:LONGEST]


def version_key(version: str | None) -> int | None:
    """A number that sorts as the version does; None where it has none.

    Four parts count: the first up to 9,000, the others up to 99,999.

    >>> version_key("10.3.0") < version_key("10.13.2.6")
    True
    """
    parts = [int(part) for part in re.findall(r"\d{1,9}", (version or "").partition("+")[0])[:4]]
    if not parts:
        return None
    key = min(parts[0], 9_000)
    for part in (*parts[1:], 0, 0, 0)[:3]:
        key = key * 100_000 + min(part, 99_999)
    return key
