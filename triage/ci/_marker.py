"""The hidden line by which a comment of ours is found again, and what it remembers."""

from __future__ import annotations

import re
from typing import NamedTuple

_MARKER = re.compile(
    r"<!-- triage:1 key=(?P<key>[0-9a-f]{16}) said=(?P<said>[0-9a-f]{16}) run=(?P<run>\d{0,20}) "
    r"attempt=(?P<attempt>\d{1,6}) failing=(?P<failing>[01]) about=(?P<about>[a-z0-9-]{0,80}) -->"
)


class Marker(NamedTuple):
    """``key`` of the job, ``said`` the fingerprint of the content, the run that said it, whether it failed, of what."""

    key: str
    said: str
    run: int = 0
    attempt: int = 1
    failing: bool = True
    about: str = ""

    def text(self) -> str:
        """The first line of a comment."""
        return (
            f"<!-- triage:1 key={self.key} said={self.said} run={self.run or ''} "
            f"attempt={self.attempt} failing={int(self.failing)} about={self.about} -->"
        )


def marker_of(body: str) -> Marker | None:
    """The marker that a comment begins with; None for comments of others."""
    found = _MARKER.match(body.lstrip("\ufeff \r\n"))
    if not found:
        return None
    run, attempt = int(found["run"] or 0), int(found["attempt"])
    return Marker(found["key"], found["said"], run, attempt, found["failing"] == "1", found["about"])
