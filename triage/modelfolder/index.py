"""The index of sharded weights: does it name what is there, and what it ought to say."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from triage.modelfolder import weights
from triage.modelfolder.damage import Broken

_NUMBERED = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.(?P<kind>safetensors|bin)$")


class Look(NamedTuple):
    """What became of a look at a folder's index.

    ``fault`` is empty where the index is right or not needed. ``mended`` is the index as it ought to be; None where
    that cannot be said, then ``lacking`` says why.
    """

    name: str = ""
    fault: str = ""
    mended: Mapping[str, Any] | None = None
    lacking: str = ""


def look(folder: str) -> Look:
    """Compares a folder's index with its shards."""
    names = sorted(os.listdir(folder))
    for single, name in zip(weights.SINGLE, weights.INDEXES, strict=True):
        if single in names:
            return Look()
        kind = "safetensors" if name.endswith("safetensors.index.json") else "bin"
        files = [
            each
            for each in names
            if each.endswith("." + kind) and not each.startswith(("adapter_", "training_", "optimizer"))
        ]
        if name in names:
            return _of_index(folder, name, files)
        if files and any(_NUMBERED.match(each) for each in files):
            return _without_index(folder, name, files)
        if len(files) == 1 and "config.json" in names and kind == "safetensors":
            return _rebuilt(folder, name, files, f"is missing, and {files[0]} is not called {single}", ())
    return Look()


def _of_index(folder: str, name: str, files: list[str]) -> Look:
    old = weights.json_of(os.path.join(folder, name))
    table = old.get("weight_map")
    table = table if isinstance(table, dict) else {}
    gone = sorted({str(shard) for shard in table.values()} - set(files))
    if gone:
        fault = f"names {gone[0]}, which is not there"
    else:
        try:
            fault = _fault(table, _places(folder, files)) if table else "has no weight_map"
        except Broken:
            return Look()
    if not fault and not isinstance(old.get("metadata"), dict):
        fault = "has no metadata"
    return _rebuilt(folder, name, files, fault, tuple(table)) if fault else Look()


def _fault(table: Mapping[str, str], held: Mapping[str, str]) -> str:
    wrong = next((key for key, shard in table.items() if held.get(key) != shard), None)
    if wrong is not None:
        return f"looks for {wrong} in {table[wrong]}, which does not hold it"
    left_out = next((key for key in held if key not in table), None)
    return f"leaves out {left_out}" if left_out is not None else ""


def _without_index(folder: str, name: str, files: list[str]) -> Look:
    numbered = [match for match in map(_NUMBERED.match, files) if match]
    count = int(numbered[0]["count"])
    there = {int(match["number"]) for match in numbered}
    lacking = sorted(set(range(1, count + 1)) - there)
    if lacking or len({match["count"] for match in numbered}) > 1:
        return Look(name, "is missing", None, f"shard {lacking[0] if lacking else '?'} of {count} is not in the folder")
    return _rebuilt(folder, name, [match.string for match in numbered], "is missing", ())


def _rebuilt(folder: str, name: str, files: list[str], fault: str, wanted: tuple[str, ...]) -> Look:
    """The index as the shards themselves tell it; nothing where a tensor is nowhere, or in two shards."""
    try:
        held = _places(folder, files)
    except Broken as broken:
        return Look(name, fault, None, str(broken))
    gone = [key for key in wanted if key not in held]
    if gone or not held:
        what = f"{gone[0]}{f' and {len(gone) - 1} more tensors' if len(gone) > 1 else ''}" if gone else "the weights"
        return Look(name, fault, None, f"no file of the folder holds {what}")
    size = sum(os.path.getsize(os.path.join(folder, each)) for each in set(held.values()))
    return Look(name, fault, {"metadata": {"total_size": size}, "weight_map": dict(sorted(held.items()))})


def _places(folder: str, files: list[str]) -> dict[str, str]:
    """Tensor -> the file that holds it."""
    held: dict[str, str] = {}
    for each in files:
        try:
            found = weights.of_file(os.path.join(folder, each))
        except Broken as fault:
            raise Broken(f"{each} {fault}") from None
        for key in found:
            if key in held:
                raise Broken(f"{held[key]} and {each} both hold {key}")
            held[key] = each
    return held
