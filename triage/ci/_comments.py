"""The comments of one change, on hosts that list, create and edit them: what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from triage.ci import _facts
from triage.ci._marker import marker_of
from triage.ci._message import HostFault, Posted
from triage.ci._thread import Note
from triage.ci._wire import Wire, records


class Shape(NamedTuple):
    """Where a host keeps the comments of a change, and how it names their parts.

    ``mine`` tells by the author's record whether we wrote a comment; ``link`` gives its address.
    """

    path: str
    one: Callable[[str], str]
    limit: int
    mine: Callable[[Mapping[str, Any]], bool]
    link: Callable[[Mapping[str, Any]], str | None]
    author: str = "user"
    edit: str = "PATCH"
    size: int = 100
    size_name: str = "per_page"
    params: Mapping[str, str] = {}


def of_issue(
    repo: str, number: str, mine: Callable[[Mapping[str, Any]], bool], size: int = 100, size_name: str = "per_page"
) -> Shape:
    """Comments where a change is an issue: GitHub's way, and Gitea's."""
    return Shape(
        path=f"/repos/{repo}/issues/{number}/comments",
        one=lambda note: f"/repos/{repo}/issues/comments/{note}",
        limit=65_536,
        mine=mine,
        link=_facts.link,
        size=size,
        size_name=size_name,
    )


class Comments:
    """A Thread (see _thread) of one host."""

    def __init__(self, wire: Wire, shape: Shape) -> None:
        self._wire = wire
        self._shape = shape
        self.limit = shape.limit

    def own(self, key: str) -> Note | None:
        """The oldest comment by ourselves that begins with the marker of this key."""
        shape = self._shape
        found: list[Note] = []
        for page in self._wire.pages(shape.path, shape.params, shape.size, shape.size_name):
            for item in records(self._wire, shape.path, page):
                body, author, number = item.get("body"), item.get(shape.author), item.get("id")
                if not isinstance(body, str) or not isinstance(author, Mapping) or type(number) is not int:
                    if (
                        item.get("body", "") is None or item.get(shape.author, "") is None
                    ):  # no text; an author who is gone
                        continue
                    raise self._wire.strange(shape.path, "a comment has no id, no text or no author")
                marker = marker_of(body)
                if marker and marker.key == key and shape.mine(author):
                    found.append(Note(str(number), shape.link(item), body))
            if found:
                self._remove([note.id for note in found[1:]])
                return found[0]
        return None

    def create(self, body: str) -> Posted:
        """A new comment."""
        done = self._wire.write("POST", self._shape.path, {"body": body})
        return Posted("not-sent") if done is None else Posted("created", self._shape.link(done))

    def _remove(self, notes: list[str]) -> None:
        """Two runs that looked at the same moment both wrote; the first comment stays."""
        for note in notes:
            with suppress(HostFault):  # a second comment is no reason to say it in a third place
                self._wire.write("DELETE", self._shape.one(note), None)

    def update(self, note: Note, body: str) -> Posted:
        """The same comment with another text."""
        done = self._wire.write(self._shape.edit, self._shape.one(note.id), {"body": body})
        return Posted("not-sent", note.url) if done is None else Posted("updated", self._shape.link(done) or note.url)
