"""Runs a diagnosis over few or many inputs; many are shared among processes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import Namespace

MANY = 48
_BATCH = 32
SHOWN_FROM = 128 << 20
SHOWN_EVERY = 64 << 20


class Outcome(NamedTuple):
    """What became of one log: its rendered report, or why there is none."""

    text: str
    verdict: str
    fault: str


def diagnose_all(inputs: Sequence[str], arguments: Namespace, renderer: ModuleType) -> Iterator[Outcome]:
    """Outcomes in the order of the inputs."""
    from triage.library import load_library

    load_library()
    if len(inputs) > 1:
        gc.enable()  # the entry point turned it off
    jobs = arguments.jobs or os.cpu_count() or 1
    if len(inputs) >= MANY and jobs > 1 and hasattr(os, "fork"):
        yield from _shared(inputs, arguments, renderer, jobs)
    else:
        yield from _serial(inputs, arguments, renderer)


def _serial(inputs: Sequence[str], arguments: Namespace, renderer: ModuleType) -> Iterator[Outcome]:
    from triage.cli._output import use_colour, width
    from triage.cli.diagnose import adjusted
    from triage.library import load_library
    from triage.records import Report
    from triage.service import diagnose_inputs

    colour, columns = use_colour(arguments), width()
    watch = None if arguments.quiet or not sys.stderr.isatty() else _show_progress
    for result in diagnose_inputs(inputs, load_library(), watch):
        if watch:
            print(end="\r\x1b[K", file=sys.stderr, flush=True)  # the report starts on a clean line
        if isinstance(result, Report):
            text = renderer.render(adjusted([result], arguments), colour, columns)
            yield Outcome(text, result.diagnosis.verdict, "")
        else:
            yield Outcome("", "", str(result))


def _show_progress(name: str, read: int) -> None:
    """Says on a terminal how far a long log was read; short ones stay silent."""
    if read >= SHOWN_FROM and read % SHOWN_EVERY < 1 << 20:
        print(f"\r{name}: {read >> 20:,} MiB read ", end="", file=sys.stderr, flush=True)


def _shared(inputs: Sequence[str], arguments: Namespace, renderer: ModuleType, jobs: int) -> Iterator[Outcome]:
    from multiprocessing import get_context

    batches = [list(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    show = not arguments.quiet and sys.stderr.isatty()
    with get_context("fork").Pool(jobs, _remember, (arguments, renderer.__name__)) as pool:
        done = 0
        for outcomes in pool.imap(_batch, batches):
            done += len(outcomes)
            if show:
                print(f"\r{done:,} of {len(inputs):,} logs", end="", file=sys.stderr, flush=True)
            yield from outcomes
    if show:
        print(file=sys.stderr)


_worker: dict[str, tuple[Namespace, str]] = {}


def _remember(arguments: Namespace, renderer: str) -> None:
    _worker["job"] = (arguments, renderer)


def _batch(inputs: list[str]) -> list[Outcome]:
    from importlib import import_module

    arguments, renderer = _worker["job"]
    return list(_serial(inputs, arguments, import_module(renderer)))
