"""Many inputs at once: diagnosed in order; a long list is shared out over processes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from argparse import Namespace

    from triage.errors import InputError
    from triage.records import Report
    from triage.service import Diagnosed

MANY = 48
_BATCH = 32
SHOWN_FROM = 128 << 20
SHOWN_EVERY = 64 << 20


class Outcome(NamedTuple):
    """What became of one log: its rendered report, or why there is none.

    The first ``settled`` characters stand; ``complete`` asks the archive, files, and gives the
    outcome as it then is. ``only`` says that there is no other log. ``report`` stands instead of
    a text where the format draws all reports as one document.
    """

    text: str = ""
    verdict: str = ""
    fault: str = ""
    settled: int = 0
    complete: Callable[[], Outcome] | None = None
    remark: str = ""
    only: bool = False
    undecided: Diagnosed | None = None  # an unknown failure, left to the process that holds the classifier
    report: Report | None = None


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


def _results(inputs: Sequence[str], arguments: Namespace) -> Iterator[tuple[Diagnosed | InputError, bool]]:
    """Each result, and whether it is the last one."""
    from triage.library import load_library
    from triage.service import diagnose_inputs

    watch = None if arguments.quiet or not sys.stderr.isatty() else _show_progress
    results = diagnose_inputs(inputs, load_library(), watch)
    held = next(results, None)
    while held is not None:
        following = next(results, None)
        if watch:
            print(end="\r\x1b[K", file=sys.stderr, flush=True)  # the report starts on a clean line
        yield held, following is None
        held = following


def _serial(inputs: Sequence[str], arguments: Namespace, renderer: ModuleType) -> Iterator[Outcome]:
    from triage.cli.diagnose import adjusted
    from triage.service import Diagnosed

    first = True
    for result, last in _results(inputs, arguments):
        only, first = first and last, False
        if not isinstance(result, Diagnosed):
            yield Outcome(fault=str(result))
            continue
        report = _considered(adjusted(result.report, arguments), arguments)
        outcome = _rendered(report, arguments, renderer)._replace(only=only)
        if arguments.no_archive:
            yield outcome
        else:
            complete = _filing(result._replace(report=report), arguments, renderer)
            yield outcome._replace(settled=renderer.settled(outcome.text), complete=complete)


def _rendered(report: Report, arguments: Namespace, renderer: ModuleType) -> Outcome:
    from triage.cli._output import use_colour, width

    verdict = report.diagnosis.verdict
    if getattr(renderer, "WHOLE", False):
        return Outcome(verdict=verdict, report=report)
    return Outcome(renderer.render([report], use_colour(arguments), width()), verdict)


def _considered(report: Report, arguments: Namespace) -> Report:
    """Where the rules are silent, neighbours and the classifier are asked before anything is said."""
    if report.diagnosis.verdict != "unknown":
        return report
    from triage.service.opinion import second_opinion

    return second_opinion(report, with_archive=not arguments.no_archive)


def _filing(found: Diagnosed, arguments: Namespace, renderer: ModuleType) -> Callable[[], Outcome]:
    def complete() -> Outcome:
        from triage.library import load_library
        from triage.service.filing import file_and_tell

        report, remark = file_and_tell(found.report, found.log, load_library().edition)
        return _rendered(report, arguments, renderer)._replace(remark=remark)

    return complete


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
        remarks: set[str] = set()
        for outcomes in pool.imap(_batch, batches):
            done += len(outcomes)
            if show:
                print(f"\r{done:,} of {len(inputs):,} logs", end="", file=sys.stderr, flush=True)
            for outcome in (_decided(each, arguments, renderer) for each in outcomes):
                yield outcome._replace(remark="" if outcome.remark in remarks else outcome.remark)
                remarks.add(outcome.remark)
    if show:
        print(file=sys.stderr)


_worker: dict[str, tuple[Namespace, str]] = {}


def _remember(arguments: Namespace, renderer: str) -> None:
    _worker["job"] = (arguments, renderer)


def _batch(inputs: list[str]) -> list[Outcome]:
    """One share of a long list: diagnosed, filed together, rendered."""
    from importlib import import_module

    from triage.cli.diagnose import adjusted
    from triage.service import Diagnosed

    arguments, name = _worker["job"]
    renderer = import_module(name)
    outcomes: list[Outcome] = []
    known: list[tuple[int, Diagnosed]] = []
    for result, _ in _results(inputs, arguments):
        if not isinstance(result, Diagnosed):
            outcomes.append(Outcome(fault=str(result)))
            continue
        found = result._replace(report=adjusted(result.report, arguments))
        unknown = found.report.diagnosis.verdict == "unknown"
        if not unknown:
            known.append((len(outcomes), found))
        outcomes.append(Outcome(undecided=found if unknown else None))
    reports, remark = _filed_together([found for _, found in known], arguments)
    for (place, _), report in zip(known, reports, strict=True):
        outcomes[place] = _rendered(report, arguments, renderer)._replace(remark=remark)
    return outcomes


def _decided(outcome: Outcome, arguments: Namespace, renderer: ModuleType) -> Outcome:
    """An unknown failure after a second opinion; loading the classifier once is enough."""
    if outcome.undecided is None:
        return outcome
    found = outcome.undecided._replace(report=_considered(outcome.undecided.report, arguments))
    (report,), remark = _filed_together([found], arguments)
    return _rendered(report, arguments, renderer)._replace(remark=remark)


def _filed_together(found: Sequence[Diagnosed], arguments: Namespace) -> tuple[list[Report], str]:
    if arguments.no_archive or not found:
        return [item.report for item in found], ""
    from triage.library import load_library
    from triage.service.filing import file_together

    return file_together(found, load_library().edition)
