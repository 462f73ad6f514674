"""What passes between those who have something to say and the hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from triage.ci._marker import Marker
from triage.errors import TriageError
from triage.records import Job, Report


class Message(NamedTuple):
    """What is to be said of one job.

    One comment is kept for ``key`` (hexadecimal). ``fingerprint`` (hexadecimal) stands for the content: what has
    been said with the same fingerprint is not said again. ``body(limit, before)`` is Markdown of at most so many
    characters, its marker included; ``before`` is the marker of the comment that it replaces, None for a new one.
    ``reports`` is what a program gets.
    """

    job: Job
    key: str
    fingerprint: str
    failing: bool
    title: str
    body: Callable[[int, Marker | None], str]
    reports: tuple[Report, ...] = ()


class Access(NamedTuple):
    """How a host may be reached.

    ``timeout`` is in seconds for one request; ``patience`` the seconds that may be spent in waiting for a host that
    asks for it (429, Retry-After), all requests together. ``say`` is told every request in a dry run, which sends
    those that only read and none that writes.
    """

    token: str | None = None
    timeout: float = 10.0
    patience: float = 30.0
    say: Callable[[str], None] | None = None


class Posted(NamedTuple):
    """What became of a message.

    created, updated, unchanged, nothing (there was nothing to say), stale, sent (a webhook), not-sent (a dry run).
    """

    what: str
    url: str | None = None


class JobLog(NamedTuple):
    """The log of one failed job: its name, its address, its bytes."""

    name: str
    url: str | None
    chunks: Iterable[bytes]


class HostFault(TriageError):
    """A code host did not do what was asked: says which request, what it answered, and what to do."""

    http_status = 502

    def __init__(self, text: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after
