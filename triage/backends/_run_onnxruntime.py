"""Loads a model with ONNX Runtime as run_onnxruntime.json says, runs it once, and keeps the outputs.

python run_onnxruntime.py. Needs onnxruntime and numpy only. The settings are ``model``, ``providers`` (in order),
``optimization`` (disable, basic, extended, all), ``feeds`` (an .npz file, or null to make some), ``shapes`` and
``sizes`` (of inputs, and of symbolic dimensions), ``ranges`` (of whole numbers), ``masks``, ``seed`` and ``outputs``.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np
import onnxruntime

TYPES = {"float": "float32", "double": "float64"}
SIZES = ((2, 8), (1, 8), (1, 32), (1, 64), (1, 224), (1, 128), (1, 1))  # of the first axis, of others


def main() -> int:
    """Loads, runs, writes."""
    with open(os.path.splitext(os.path.abspath(__file__))[0] + ".json", encoding="utf-8") as stream:
        settings = json.load(stream)
    session = load(settings)
    feeds = dict(np.load(settings["feeds"])) if settings.get("feeds") else None
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, feeds) if feeds is not None else run_made(session, settings, names)
    arrays = {name: array for name, array in zip(names, values, strict=True) if isinstance(array, np.ndarray)}
    plain = {name: array.astype(str) if array.dtype == object else array for name, array in arrays.items()}
    np.savez(settings.get("outputs", "outputs.npz"), **plain)
    print("ran on", ", ".join(session.get_providers()))
    for name, value in zip(names, values, strict=True):
        print(f"  {name}: {value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else f"  {name}")
    return 0


def load(settings: dict[str, Any]) -> Any:
    """The session; a provider that is not there is an error, not a silent step down."""
    there = onnxruntime.get_available_providers()
    for provider in settings["providers"]:
        if provider not in there:
            sys.exit(
                f"ValueError: Specified provider '{provider}' is not in available provider names. "
                f"Available providers: '{', '.join(there)}'"
            )
    options = onnxruntime.SessionOptions()
    level = f"ORT_{settings.get('optimization', 'all').upper()}".replace("ORT_", "ORT_ENABLE_")
    level = level.replace("ENABLE_DISABLE", "DISABLE_ALL")
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(settings["model"], options, providers=settings["providers"])
    if session.get_providers()[0] != settings["providers"][0]:
        sys.exit(f"the session does not use {settings['providers'][0]} but {', '.join(session.get_providers())}")
    return session


def run_made(session: Any, settings: dict[str, Any], names: list[str]) -> Any:
    """Runs on values made for the inputs; where a model does not take one size of its free dimensions, on another."""
    inputs = session.get_inputs()
    free = any(
        not isinstance(size, int) for one in inputs for size in settings.get("shapes", {}).get(one.name, one.shape)
    )
    first: Exception | None = None
    for sizes in SIZES if free else SIZES[:1]:
        random = np.random.default_rng(settings.get("seed", 0))
        try:
            return session.run(names, {one.name: make(one, settings, random, sizes) for one in inputs})
        except Exception as fault:  # noqa: BLE001 -- the first one is raised again below
            first = first or fault
    assert first is not None  # noqa: S101
    raise first


def make(one: Any, settings: dict[str, Any], random: Any, sizes: tuple[int, int]) -> Any:
    """An array for one input."""
    given = settings.get("sizes", {})
    shape = [
        size if isinstance(size, int) and size > 0 else given.get(size, sizes[0] if axis == 0 else sizes[1])
        for axis, size in enumerate(settings.get("shapes", {}).get(one.name, one.shape))
    ]
    kind = one.type.removeprefix("tensor(").removesuffix(")")
    kind = TYPES.get(kind, kind)
    if kind == "string":
        return random.choice(np.array(["a", "b"], object), size=shape)
    if one.name in settings.get("masks", ()):
        return np.ones(shape, kind)
    if one.name in settings.get("ranges", {}) or not kind.startswith("float"):
        low, high = settings.get("ranges", {}).get(one.name, (0, 1 if kind == "bool" else 9))
        return random.integers(low, high + 1, size=shape).astype(kind)
    return random.normal(size=shape).astype(kind)


if __name__ == "__main__":
    sys.exit(main())
