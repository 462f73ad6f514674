"""Groups of a bundle -> groups of this archive: found by signature, never merged or taken apart silently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from triage.archive.bundles.deciding import UNTOUCHED, Conflict, Incoming, Visit, decided, join, remember
from triage.archive.bundles.lines import GroupLine, Sign
from triage.archive.filing import find_groups, insert_new
from triage.archive.history import note
from triage.archive.rows import group_uid
from triage.archive.tables import Group, GroupSignature

AT_ONCE = 200


class Found(NamedTuple):
    """What became of the groups of a bundle.

    ``local`` gives the group here for a group's id there, ``leads`` the group there for a signature.
    """

    local: dict[str, int]
    leads: dict[tuple[str, str], str]
    closed: set[str]
    new: int
    changed: int
    conflicts: list[Conflict]


def take_groups(connection: Connection, lines: Iterator[GroupLine], visit: Visit) -> Found:
    """Finds or makes the group of every line, and joins what was decided about it."""
    found = _Groups(connection, visit)
    away: list[GroupLine] = []
    for batch in batches(lines):
        away += [line for line in batch if line.merged_into is not None]
        found.take([line for line in batch if line.merged_into is None])
    found.take_merged(away)
    return found.done()


def batches(lines: Iterator[Any], size: int = AT_ONCE) -> Iterator[list[Any]]:
    """Lists of at most ``size``."""
    batch = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


class _Groups:
    """Groups found and made so far."""

    def __init__(self, connection: Connection, visit: Visit) -> None:
        self._connection = connection
        self._visit = visit
        self._found = Found({}, {}, set(), 0, 0, [])
        self._new = 0
        self._changed = 0
        self._later: list[tuple[Sign, str]] = []  # signatures that a merge brought, with the group they lead to

    def done(self) -> Found:
        """What became of them."""
        return self._found._replace(new=self._new, changed=self._changed)

    def take(self, lines: Sequence[GroupLine]) -> None:
        """Groups that stand for themselves."""
        signs = {sign[:2] for line in lines for sign in line.signatures}
        homes = {sign: home.id for sign, home in find_groups(self._connection, signs).items()}
        names = self._by_uid([line.row["uid"] for line in lines])
        missing = [line for line in lines if self._here(line, homes, names) is None]
        self._make(missing)
        made = self._by_uid([line.row["uid"] for line in missing])
        incoming = []
        for line in lines:
            uid = line.row["uid"]
            here = made.get(uid) or self._here(line, homes, names)
            assert here is not None  # noqa: S101 -- it was there or was made just now
            self._found.local[uid] = here
            self._found.leads.update((sign[:2], uid) for sign in line.signatures)
            if line.row["state"] in ("verified", "closed"):
                self._found.closed.add(uid)
            if uid in made:
                self._first_time(line, here)
            else:
                incoming.append(Incoming(here, uid, decided(line.row)))
            self._sign(line, homes, here)
        changed, conflicts = join(self._connection, incoming, self._visit)
        self._changed += changed
        self._found.conflicts.extend(conflicts)

    def take_merged(self, lines: Sequence[GroupLine]) -> None:
        """Groups that were merged away there. Only those that nobody here knows are merged here too."""
        into = {line.row["uid"]: line.merged_into for line in lines}
        brought = {sign.home for sign, _ in self._later}
        names = self._by_uid([line.row["uid"] for line in lines])
        missing = [line for line in lines if line.row["uid"] not in names and line.row["uid"] in brought]
        needed = {uid for line in missing for uid in _chain(line.row["uid"], into)} - set(names)
        missing = [line for line in lines if line.row["uid"] in needed]
        self._make(missing)
        made = self._by_uid([line.row["uid"] for line in missing])
        for line in lines:
            uid = line.row["uid"]
            self._found.local[uid] = made.get(uid) or names.get(uid) or self._found.local[_chain(uid, into)[-1]]
        rows = []
        for sign, group in self._later:
            home = self._found.local[sign.home]  # a group that is known here goes on standing for itself
            leads = self._found.local[group] if sign.home in made else home
            rows.append({"version": sign.version, "hash": sign.hash, "group_id": leads, "home_id": home})
        insert_new(self._connection, GroupSignature, sorted(rows, key=lambda row: (row["version"], row["hash"])))
        for line in missing:
            self._merge(line, into)

    def _merge(self, line: GroupLine, into: dict[str, str | None]) -> None:
        """Notes a merge as this archive would have, so that it can be taken apart here."""
        uid = line.row["uid"]
        source, target = self._found.local[uid], self._found.local[str(line.merged_into)]
        moved = [list(sign[:2]) for sign, _ in self._later if uid == sign.home or uid in _chain(sign.home, into)]
        self._connection.execute(update(Group).where(Group.id == source).values(merged_into=target))
        data = {"source": uid, "target": line.merged_into, "source_id": source, "target_id": target,
                "signatures": moved, "why": f"merged by {self._visit.origin}"}  # fmt: skip
        note(self._connection, "merge", data, group_id=target, who="triage")

    def _here(self, line: GroupLine, homes: dict[tuple[str, str], int], names: dict[str, int]) -> int | None:
        """The group here that this one is: by the signature that made it, by any other, by its id."""
        uid = line.row["uid"]
        signs = sorted(line.signatures, key=lambda sign: group_uid(sign.version, sign.hash) != uid)
        led = list(dict.fromkeys(homes[sign[:2]] for sign in signs if sign[:2] in homes))
        return led[0] if led else names.get(uid)

    def _make(self, lines: Sequence[GroupLine]) -> None:
        insert_new(self._connection, Group, [{**line.row, "count": 0} for line in lines])
        self._new += len(lines)

    def _first_time(self, line: GroupLine, here: int) -> None:
        values = decided(line.row)
        if values != UNTOUCHED:
            remember(self._connection, Incoming(here, line.row["uid"], values), self._visit, {}, {})

    def _sign(self, line: GroupLine, homes: dict[tuple[str, str], int], here: int) -> None:
        """Signatures that nobody here knows lead to the group; those that lead elsewhere here stay, and are said."""
        apart = {homes[sign[:2]] for sign in line.signatures if homes.get(sign[:2], here) != here}
        for number in sorted(apart):
            uids = select(Group.uid).where(Group.id.in_((here, number))).order_by(Group.id == number)
            mine, other = self._connection.execute(uids).scalars()
            self._found.conflicts.append(
                Conflict(mine, "merge", f"apart from {other}", f"one group, {line.row['uid']}")
            )
        fresh = [sign for sign in line.signatures if sign[:2] not in homes]
        self._later += [(sign, line.row["uid"]) for sign in fresh if sign.home != line.row["uid"]]
        own = [sign for sign in fresh if sign.home == line.row["uid"]]
        rows = [{"version": s.version, "hash": s.hash, "group_id": here, "home_id": here} for s in own]
        insert_new(self._connection, GroupSignature, rows)

    def _by_uid(self, uids: Sequence[str]) -> dict[str, int]:
        """Groups here that have these ids; one that is merged away gives the group that it went into."""
        found: dict[str, int] = {}
        for start in range(0, len(uids), AT_ONCE):
            some = uids[start : start + AT_ONCE]
            rows = self._connection.execute(select(Group.uid, Group.id, Group.merged_into).where(Group.uid.in_(some)))
            for uid, number, target in rows:
                found[uid] = number if target is None else self._end(target)
        return found

    def _end(self, number: int) -> int:
        while True:
            target = self._connection.execute(select(Group.merged_into).where(Group.id == number)).scalar()
            if target is None:
                return number
            number = target


def _chain(uid: str, into: dict[str, str | None]) -> list[str]:
    """The groups that one was merged into, one after the other; itself first, the last one stands for itself."""
    passed = [uid]
    while (following := into.get(passed[-1])) is not None:
        passed.append(following)
    return passed
