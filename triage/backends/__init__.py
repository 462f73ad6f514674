"""Ways to build or run a model. One module each; every run is a child process whose output is a log like any other.

A module has::

    NEEDS: Mapping[str, int]                     bytes of "memory", "disk", "gpu_memory" that a run needs at least
    probe() -> Probe                             can it run here, in which versions, and why not
    understands(command) -> bool                 is this command one of its own (``trtexec …``, ``polygraphy …``)
    prepare(folder, model, options) -> Prepared  only where ``triage fix MODEL --target NAME`` can build directly:
                                                 writes a build script that stands alone into the folder

What ``prepare`` writes needs no triage: a Python script and a JSON file with its settings (profiles, precision, pools),
so that fixes edit the settings, a person can read them, and ``reproduce.sh`` works on a clean machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Probe(NamedTuple):
    """Whether a backend can run here. ``why`` says why not; ``facts`` hold versions, devices and providers."""

    can: bool
    why: str = ""
    facts: Mapping[str, str] = {}


class Prepared(NamedTuple):
    """A direct build of a model: the command, what fixes may change, and what it writes (relative paths).

    ``verify`` is a command that checks the outputs, empty where there is none.
    """

    command: tuple[str, ...]
    files: tuple[str, ...]
    outputs: tuple[str, ...]
    verify: tuple[str, ...] = ()
