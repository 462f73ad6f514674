"""What each rule did in this archive: how often it decided, when last, and what people said of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from triage.archive.tables import Build, Confirmation, Incident

RULE = "rule:"
OURSELVES = "triage"  # who confirmed what came with the program: that is no vote on a rule
GONE = "gone"


class RuleFigures(NamedTuple):
    """What one rule did in this archive.

    ``judged`` counts the incidents it decided that a person looked at: ``confirmed`` or ``corrected``.
    ``status`` is the rule's own, or ``gone`` where no rule has this id any more.
    """

    id: str
    status: str
    hits: int
    last: datetime | None
    confirmed: int
    corrected: int

    @property
    def judged(self) -> int:
        """Incidents of this rule on which a person spoke."""
        return self.confirmed + self.corrected

    @property
    def dead(self) -> bool:
        """It never decided an incident here."""
        return not self.hits and self.status != GONE


class RuleTable(NamedTuple):
    """All rules, and how much the archive has seen: without that, a rule without hits says nothing."""

    rules: tuple[RuleFigures, ...]
    since: datetime | None
    builds: int


def rule_table(connection: Connection, known: Iterable[tuple[str, str]]) -> RuleTable:
    """Figures of every rule.

    Args:
        connection: an archive that is being read.
        known: (id, status) of the rules that can name a cause today; others that the archive knows are ``gone``.
    """
    hits = {
        name.removeprefix(RULE): (count, last)
        for name, count, last in connection.execute(
            select(Incident.rule, func.count(), func.max(Incident.at))
            .where(Incident.rule.startswith(RULE))
            .group_by(Incident.rule)
        )
    }
    judged = _judged(connection)
    statuses = dict(known)
    names = sorted({*statuses, *hits, *(name for name, _ in judged)})
    since, builds = connection.execute(select(func.min(Build.at), func.count())).one()
    rules = (
        RuleFigures(
            name,
            statuses.get(name, GONE),
            hits[name][0] if name in hits else 0,
            hits[name][1] if name in hits else None,
            judged.get((name, True), 0),
            judged.get((name, False), 0),
        )
        for name in names
    )
    return RuleTable(tuple(rules), since, builds)


def _judged(connection: Connection) -> dict[tuple[str, bool], int]:
    """(rule, agreed) -> incidents; of several verdicts on one incident the last one that stands counts."""
    last = (
        select(func.max(Confirmation.id))
        .where(Confirmation.withdrawn.is_(False), Confirmation.rule.startswith(RULE), Confirmation.actor != OURSELVES)
        .group_by(Confirmation.incident_id)
    )
    rows = connection.execute(
        select(Confirmation.rule, Confirmation.agreed, func.count())
        .where(Confirmation.id.in_(last))
        .group_by(Confirmation.rule, Confirmation.agreed)
    )
    return {(rule.removeprefix(RULE), bool(agreed)): count for rule, agreed, count in rows}


def watching_days(table: RuleTable, now: datetime | None = None) -> int:
    """For how many whole days the archive has seen builds."""
    if table.since is None:
        return 0
    return max(((now or datetime.now(UTC)) - table.since).days, 0)
