"""Writes a checkpoint of torch.save again with other names: rename_keys.py FILE PLACE NAMES (both JSON)."""

from __future__ import annotations

import json
import sys
from typing import Any

import torch


def main(path: str, place: list[str], names: dict[str, str | None]) -> None:
    """Renames the keys of the table at a place; None leaves a key out. Everything else stays."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    holder: Any = None
    table = content
    for key in place:
        holder, table = table, table[key]
    renamed = type(table)()
    for key, value in table.items():
        new = names.get(key, key)
        if new is not None:
            renamed[new] = value
    metadata = getattr(table, "_metadata", None)
    if metadata is not None and hasattr(renamed, "__dict__"):
        renamed._metadata = metadata  # noqa: SLF001 -- versions of modules, by which old weights are read
    if holder is None:
        content = renamed
    else:
        holder[place[-1]] = renamed
    torch.save(content, path)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]))
