"""What people decide about failures in the archive, and the page of one. No Textual in here.

Every function is for a worker thread; a fault is a TriageError, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.errors import TriageError

if TYPE_CHECKING:
    from triage.service.dossier import Beside


class Dossier(NamedTuple):
    """A page of ``curation.page``, and what stands beside it; ``remark``: why that could not be told."""

    page: dict[str, Any]
    beside: Beside | None
    remark: str = ""


def dossier(name: str) -> Dossier:
    """Everything about an incident or a group. Raises UsageError, UnknownName, ArchiveFault."""
    from triage.errors import UsageError
    from triage.service import curation
    from triage.service.dossier import beside
    from triage.service.filing import open_archive
    from triage.service.listing import is_there

    if not is_there():
        raise UsageError(f"there is no archive yet, so nothing is known of {name}.")
    with open_archive() as archive:
        page = curation.page(archive, name)
        try:
            return Dossier(page, beside(archive, name))
        except TriageError as fault:
            return Dossier(page, None, str(fault))


def stored_log(name: str) -> bytes:
    """The log that was kept of an incident."""
    from triage.service import curation
    from triage.service.filing import open_archive

    with open_archive() as archive:
        return curation.stored_log(archive, name)


def decide(what: str, *arguments: Any) -> str:
    """Makes a decision of ``service.curation``; gives what came of it, in words.

    Args:
        what: confirm, set_state, set_owner, add_note, merge, unmerge or undo.
        arguments: of that function, without the archive.
    """
    from triage.service import curation
    from triage.service.filing import open_archive

    with open_archive() as archive:
        done = getattr(curation, what)(archive, *arguments)
    return _WORDS[what](done)


_WORDS = {
    "confirm": lambda done: f"{done['group']}: confirmed as {done['cause']}. u takes it back.",
    "set_state": lambda done: f"{done['group']} is {done['state']} now. u takes it back.",
    "set_owner": lambda done: f"{done['group']} belongs to {done['owner'] or 'nobody'} now. u takes it back.",
    "add_note": lambda done: f"Noted in the history of {done['id']}.",
    "merge": lambda done: (
        f"{', '.join(done['merged'])} merged into {done['group']}: {done['count']:,} incidents now. u takes it back."
    ),
    "unmerge": lambda done: f"{done['group']} stands on its own again, for good: {done['count']:,} incidents.",
    "undo": lambda done: f"Undone: {done['kind']} of {done['group']}; it is {done['state']}, cause {done['cause']}.",
}


def into_groups(lines: Sequence[Any]) -> dict[str, Any]:
    """Rows of a list by their group, the first row of each; a group is its own."""
    found: dict[str, Any] = {}
    for line in lines:
        found.setdefault(getattr(line.hit, "group", line.hit.id), line)
    return found
