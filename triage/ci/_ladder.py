"""Saying it where it can be said: comment, else check, else annotations, else job summary, else the plain log."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from triage import discovery
from triage.ci._message import Access, HostFault, Message, Posted
from triage.ci._patience import Refused
from triage.errors import MissingExtra


class Rung(NamedTuple):
    """A way to say it: its name, and what says it. ``say`` gives None where this way does not exist here."""

    name: str
    say: Callable[[], Posted | None]


class Said(NamedTuple):
    """What became of a message: the rung that held, what it gave, and why those above it did not."""

    rung: str | None
    posted: Posted | None
    faults: tuple[str, ...]


def climb_down(rungs: list[Rung]) -> Said:
    """Takes the first rung that holds."""
    faults: list[str] = []
    for rung in rungs:
        try:
            posted = rung.say()
        except (HostFault, MissingExtra) as fault:
            faults.append(f"{rung.name}: {fault}")
            if isinstance(fault, Refused) and fault.status is None:
                break  # no answer at all: the host's other doors are as closed, and asking them takes as long
            continue
        if posted is not None:
            return Said(rung.name, posted, tuple(faults))
    return Said(None, None, tuple(faults))


def host_rungs(message: Message, access: Access) -> list[Rung]:
    """The rungs of the job's code host; none where it is not known."""
    job = message.job
    if job.host is None:
        return []
    host = discovery.load("triage.ci", job.host)

    def comment() -> Posted | None:
        known = with_change(host, message, access)
        if known is None and not message.failing:
            return Posted("nothing")
        if known is None:
            raise HostFault("no open pull or merge request has this commit as its head")
        posted: Posted = host.post(known, access)
        return posted

    def check() -> Posted | None:
        if not message.failing or not hasattr(host, "check"):
            return None
        posted: Posted = host.check(message, access)
        return posted

    return [Rung("comment", comment), Rung("check", check)]


def with_change(host: ModuleType, message: Message, access: Access) -> Message | None:
    """The message with the number of its change, asked for where the CI system did not say it."""
    if message.job.change:
        return message
    change = host.change_of(message.job, access) if hasattr(host, "change_of") else None
    return message._replace(job=message.job._replace(change=change)) if change else None
