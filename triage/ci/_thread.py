"""One comment a key: found by its marker and its author, updated in place, left alone when nothing changed."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from triage.ci._marker import marker_of
from triage.ci._message import Message, Posted


class Note(NamedTuple):
    """A comment that we wrote before."""

    id: str
    url: str | None
    body: str


class Thread(Protocol):
    """The comments of one change."""

    limit: int

    def own(self, key: str) -> Note | None:
        """The oldest comment by ourselves that begins with the marker of this key."""

    def create(self, body: str) -> Posted:
        """A new comment."""

    def update(self, note: Note, body: str) -> Posted:
        """The same comment with another text."""


def keep_one(thread: Thread, message: Message) -> Posted:
    """Says a message once.

    A run that is older than the one that spoke last is silent: it ended late, and its news is old.
    """
    note = thread.own(message.key)
    if note is None:
        return thread.create(message.body(thread.limit, None)) if message.failing else Posted("nothing")
    before = marker_of(note.body)
    if before is None or (not message.failing and not before.failing):
        return Posted("nothing", note.url)
    run = message.job.run or ""
    now = (int(run) if run.isascii() and run.isdigit() else 0, message.job.attempt)
    if now[0] and before.run and now < (before.run, before.attempt):
        return Posted("stale", note.url)
    if before.failing == message.failing and before.said == message.fingerprint:
        return Posted("unchanged", note.url)
    return thread.update(note, message.body(thread.limit, before))
