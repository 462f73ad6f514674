"""Where the figures of the statistics come from. No Textual in here; ``count`` is for a worker thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.archive.filters import Filter
    from triage.archive.statistics import Statistics

NOTHING = "There is no archive yet: i on an open log files its failure."


def usual() -> Sequence[str]:
    """What is counted by where nobody chose."""
    from triage.archive.statistics import DEFAULT

    return DEFAULT


def dimensions() -> list[tuple[str, str]]:
    """All that can be counted by, with its words; the usual ones first."""
    from triage.archive.statistics import DEFAULT, DIMENSIONS, TITLES

    names = dict.fromkeys((*DEFAULT, *DIMENSIONS))
    return [(name, TITLES.get(name, name)) for name in names]


def count(chosen: Filter, by: Sequence[str], top: int) -> Statistics | None:
    """The figures; None where there is no archive. Raises what the filter's terms and the archive raise."""
    from triage.service.filing import open_archive
    from triage.service.listing import figures, is_there

    if not is_there():
        return None
    with open_archive() as archive:
        return figures(archive, chosen, by, top=top)
