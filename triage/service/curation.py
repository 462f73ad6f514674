"""What people do with incidents: show, confirm, correct, own, merge, take apart, undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triage.archive import decisions, merging, subjects
from triage.archive.repairs import repairs_of
from triage.archive.session import Archive
from triage.archive.states import STATES
from triage.errors import UnknownName, UsageError
from triage.library import load_library

NEVER = ("unknown", "no-failure")


def confirm(
    archive: Archive, name: str, cause: str, fix: str | None = None, words: str | None = None
) -> dict[str, Any]:
    """Records what the cause really was. The failure is a neighbour for new ones at once.

    Raises:
        UnknownName: no such incident, cause or fix.
        UsageError: a cause that says nothing.
    """
    check_cause(cause, fix)
    with archive.write() as connection:
        subject = subjects.find(connection, name)
        line = decisions.confirm(connection, subject, cause, fix, words)
        return {**_short(connection, subject), "history": line}


def check_cause(cause: str, fix: str | None = None) -> None:
    """Raises UnknownName where the catalogue has no such cause, or the cause no such fix."""
    knowledge = load_library().knowledge
    if cause in NEVER:
        raise UsageError(f"{cause!r} is no cause that can be confirmed. triage causes lists them.")
    article = knowledge.article(cause)
    known = [one.id for one in article.fixes]
    if fix and fix not in known:
        raise UnknownName(f"fix of {cause}", fix, known)


def set_state(archive: Archive, name: str, state: str) -> dict[str, Any]:
    """Moves a failure along new, known, fixing, verified, closed."""
    if state not in STATES:
        raise UnknownName("state", state, STATES)
    with archive.write() as connection:
        subject = subjects.find(connection, name)
        line = decisions.set_state(connection, subject, state)
        return {**_short(connection, subject), "history": line}


def set_owner(archive: Archive, name: str, owner: str | None) -> dict[str, Any]:
    """Gives a failure to somebody; None takes it away."""
    with archive.write() as connection:
        subject = subjects.find(connection, name)
        line = decisions.set_owner(connection, subject, owner)
        return {**_short(connection, subject), "history": line}


def add_note(archive: Archive, name: str, words: str) -> dict[str, Any]:
    """Writes a remark into the history of an incident or group."""
    if not words.strip():
        raise UsageError("an empty note says nothing. Write: triage archive note ID 'what you found'")
    with archive.write() as connection:
        subject = subjects.find(connection, name)
        line = decisions.add_note(connection, subject, words.strip())
        return {**_short(connection, subject), "history": line}


def merge(archive: Archive, names: Sequence[str], *, force: bool = False) -> dict[str, Any]:
    """Merges the groups of all names but the last into that of the last."""
    with archive.write() as connection:
        *sources, target = [subjects.find(connection, name) for name in names]
        lines = [merging.merge(connection, source, target, force=force) for source in sources]
        return {**_short(connection, target), "history": lines[-1], "merged": [one.group_uid for one in sources]}


def unmerge(archive: Archive, name: str) -> dict[str, Any]:
    """Takes a merged group out again, for good."""
    with archive.write() as connection:
        subject = subjects.find(connection, name)
        line = merging.unmerge(connection, subject)
        return {**_short(connection, subject), "history": line}


def undo(archive: Archive, line: int | None) -> dict[str, Any]:
    """Takes back one decision, by default the last of whoever asks."""
    with archive.write() as connection:
        undone = merging.undo(connection, line)
        row = subjects.group_row(connection, undone.group_id)
        return {"undone": undone.id, "kind": undone.kind, "group": row.uid, "state": row.state,
                "cause": row.confirmed_cause or row.cause}  # fmt: skip


def _short(connection: Any, subject: subjects.Subject) -> dict[str, Any]:
    row = subjects.group_row(connection, subject.group)
    return {
        "id": subject.uid,
        "group": row.uid,
        "state": row.state,
        "cause": row.confirmed_cause or row.cause,
        "fix": row.confirmed_fix,
        "owner": row.owner,
        "count": row.times,
    }


def page(archive: Archive, name: str) -> dict[str, Any]:
    """Everything about an incident (or a group, by its newest incident)."""
    with archive.read() as connection:
        subject = subjects.find(connection, name)
        group = subjects.group_row(connection, subject.group)
        number = subject.incident or subjects.newest_incident(connection, subject.group)
        builds, of = subjects.share_of_builds(connection, group)
        found: dict[str, Any] = {
            "id": subject.uid,
            "group": {
                "id": group.uid,
                "state": group.state,
                "owner": group.owner,
                "cause": group.cause,
                "verdict": group.verdict,
                "confirmed_cause": group.confirmed_cause,
                "confirmed_fix": group.confirmed_fix,
                "note": group.note,
                "count": group.times,
                "builds": builds,
                "of": of,
                "first_seen": group.first_seen,
                "last_seen": group.last_seen,
                "template": group.template,
                "merged_into": _uid(connection, group.merged_into),
            },
            "incident": None,
            "confirmations": [_plain(row) for row in subjects.confirmations(connection, subject.group)],
            "repairs": [repair._asdict() for repair in repairs_of(connection, subject.group)],
            "history": [_plain(row) for row in subjects.timeline(connection, subject)],
        }
        if number is not None:
            found |= _incident(connection, number)
        return found


def _incident(connection: Any, number: int) -> dict[str, Any]:
    row = subjects.incident_row(connection, number)
    build = subjects.build_row(connection, row.build_id)
    body = subjects.body(connection, number)
    return {
        "incident": {**body, "id": row.uid, "at": row.at, "rules_version": row.rules_version, "verdict": row.verdict,
                     "cause": row.cause},
        "build": {
            "at": build.at, "outcome": build.outcome, "source": build.source, "model": build.model,
            "stage": build.stage, "target": build.target, "seconds": build.seconds, "exit_code": build.exit_code,
            "command": build.command, "log": build.log_digest, "host": build.host, "ci": build.ci,
            "repository": build.repository, "branch": build.branch, "commit": build.commit,
            "run_url": build.run_url, "job": build.job,
        },
        "environment": subjects.environment(connection, build.environment_digest),
    }  # fmt: skip


def stored_log(archive: Archive, name: str) -> bytes:
    """The stored log of an incident; raises UsageError where none was kept."""
    with archive.read() as connection:
        subject = subjects.find(connection, name)
        number = subject.incident or subjects.newest_incident(connection, subject.group)
        digest = subjects.incident_row(connection, number).log_digest if number else None
        if digest is None:
            raise UsageError(f"no log was kept of {name}.")
        return subjects.log_text(connection, digest)


def _uid(connection: Any, group: int | None) -> str | None:
    return None if group is None else subjects.group_row(connection, group).uid


def _plain(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row._asdict().items() if name not in ("group_id", "incident_id")}
