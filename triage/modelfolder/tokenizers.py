"""Tokenizer files: which belong together, and how many tokens they know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from triage.modelfolder import weights

NAMES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "chat_template.jinja",
)  # fmt: skip
CORE = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
PROCESSOR = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")


def files(folder: str) -> list[str]:
    """The tokenizer files of a folder; empty where it holds no whole tokenizer."""
    there = [name for name in NAMES if os.path.isfile(os.path.join(folder, name))]
    return there if any(name in CORE for name in there) else []


def size(folder: str) -> int | None:
    """How many tokens a tokenizer knows: the highest number that it gives, and one; None where that cannot be read."""
    told = weights.json_of(os.path.join(folder, "tokenizer.json"))
    if told:
        return _of_json(told)
    plain = weights.json_of(os.path.join(folder, "vocab.json"))
    added = weights.json_of(os.path.join(folder, "added_tokens.json"))
    numbers = [value for value in (*plain.values(), *added.values()) if isinstance(value, int)]
    if plain and numbers:
        return max(numbers) + 1
    text = os.path.join(folder, "vocab.txt")
    if os.path.isfile(text):
        with open(text, encoding="utf-8", errors="replace") as stream:
            return sum(1 for line in stream if line.strip("\n"))
    return None


def _of_json(told: Mapping[str, Any]) -> int | None:
    vocabulary = (told.get("model") or {}).get("vocab")
    numbers: list[int] = []
    if isinstance(vocabulary, dict):
        numbers = [value for value in vocabulary.values() if isinstance(value, int)]
    elif isinstance(vocabulary, list):
        numbers = [len(vocabulary) - 1]
    numbers += [one["id"] for one in told.get("added_tokens") or () if isinstance(one.get("id"), int)]
    return max(numbers) + 1 if numbers else None
