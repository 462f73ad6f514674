"""Growing the knowledge: what nobody could name, and the rule that was missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from triage.archive import gaps
from triage.archive.session import Archive
from triage.archive.subjects import find
from triage.diagnose.cluster import Cluster, Unknown, clusters
from triage.diagnose.draft import Draft, Sample, draft
from triage.diagnose.proof import Proof, prove, vocabulary
from triage.library import Library, load_library
from triage.records import Diagnosis
from triage.service.curation import check_cause
from triage.service.diagnosis import diagnose
from triage.service.neighbours import near_groups

MOST_HITS = 24
NEAREST = 24
TRIES = 3  # a draft that renames others is drafted again with those beside it


class Drafted(NamedTuple):
    """A drafted rule and what the checks against the archive saw."""

    draft: Draft
    proof: Proof


def unknown_clusters(archive: Archive, condition: Any = None) -> tuple[Cluster, ...]:
    """What nobody could name, in clusters; the most promising for a rule first."""
    with archive.read() as connection:
        groups = gaps.unnamed_groups(connection, condition)
        origins = gaps.sources(connection, groups)
        items = [
            Unknown(
                one.uid, one.tool, one.template, one.text, one.times, f"{one.last_seen:%Y-%m-%d}",
                origins.get(one.group, ()),
            )
            for one in gaps.spoken(connection, groups)
        ]  # fmt: skip
    return clusters(items)


def draft_rule(archive: Archive, names: Sequence[str], cause: str | None) -> Drafted:
    """Writes the rule that would name these incidents or groups, and checks it against the whole archive.

    Raises:
        UnknownName: no such id or cause.
        UsageError: the messages hold nothing that a rule could look for.
    """
    if cause:
        check_cause(cause)
    library = load_library()
    words = vocabulary(library)
    existing = [rule.id for rule in library.rulebook.rules()]
    with archive.read() as connection:
        groups = list(dict.fromkeys(find(connection, name).group for name in names))
        own = list(gaps.spoken(connection, groups))
        hits = [Sample(uid, line) for group in groups for uid, line in gaps.lines_of(connection, group, MOST_HITS)]
        near = _near(connection, own)
        for _ in range(TRIES):
            made = draft(hits, near, cause, own[0].tool, own[0].stage, existing, words)
            proof = prove(made, library, gaps.good_logs(connection), _others(connection, groups), _look)
            taken = {change.key for change in proof.changes if change.before != "unknown"}
            more = [_sample(one) for one in _spoken_of(connection, taken - {sample.key for sample in near})]
            if not more:
                break
            near += more
    return Drafted(made, proof)


def _spoken_of(connection: Any, names: set[str]) -> Iterator[gaps.Spoken]:
    yield from gaps.spoken(connection, sorted(find(connection, name).group for name in names))


def _near(connection: Any, own: Sequence[gaps.Spoken]) -> list[Sample]:
    """The nearest other groups, the confirmed among them marked."""
    keys = {one.group for one in own}
    found: dict[int, None] = {}
    for one in own:
        near = near_groups(connection, one.template, one.tool, None, NEAREST, floor=0.4, shared=0.0)
        found.update((hit.key, None) for hit in near if hit.key not in keys)
    return [_sample(one) for one in gaps.spoken(connection, list(found)[:NEAREST])]


def _sample(one: gaps.Spoken) -> Sample:
    cause = None if one.cause == "unknown" else one.cause
    return Sample(one.uid, one.text, cause, "confirmed" if one.confirmed else one.verdict)


def _others(connection: Any, groups: Sequence[int]) -> Iterator[tuple[str, str | None, str]]:
    for one in gaps.spoken(connection, gaps.other_groups(connection, groups)):
        yield one.uid, one.cause, one.text


def _look(log: bytes, library: Library) -> Diagnosis:
    return diagnose(log, library=library).diagnosis
