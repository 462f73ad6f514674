"""Fills the holes of a rule's sentence with what was captured."""

from __future__ import annotations

from collections.abc import Mapping


class _Gentle(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return f"the {key.replace('_', ' ')}"


def fill(sentence: str, captures: Mapping[str, str]) -> str:
    """The sentence with ``{name}`` replaced; an uncaptured name reads "the name"."""
    if "{" not in sentence:
        return sentence
    try:
        return sentence.format_map(_Gentle(captures))
    except (ValueError, IndexError, AttributeError, KeyError):
        return sentence
