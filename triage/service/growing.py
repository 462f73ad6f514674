"""Growing the knowledge: what nobody could name, and the rule that was missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from triage.archive import gaps
from triage.archive.filing import find_groups
from triage.archive.session import Archive
from triage.archive.subjects import find
from triage.diagnose.cluster import Cluster, Unknown, clusters
from triage.diagnose.draft import PLACEHOLDER, Draft, Sample, draft
from triage.diagnose.extended import with_rule
from triage.diagnose.proof import Proof, first_cause, loaded, prove, vocabulary
from triage.errors import UsageError
from triage.folders import data_folder, write_whole
from triage.inputs import Log
from triage.library import Library, load_library
from triage.records import Diagnosis, Incident
from triage.rulebook.read import RuleSource, read_rules
from triage.service.curation import check_cause
from triage.service.diagnosis import diagnose, diagnose_log
from triage.service.neighbours import near_groups
from triage.service.rules import Word, words_on

MOST_HITS = 24
NEAREST = 24
HERE = "this log"  # key of a message that is in no archive
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
    with archive.read() as connection:
        groups = list(dict.fromkeys(find(connection, name).group for name in names))
        own = list(gaps.spoken(connection, groups))
        hits = [Sample(uid, line) for group in groups for uid, line in gaps.lines_of(connection, group, MOST_HITS)]
        return _drafted(connection, groups, own, hits, cause)


def draft_failure(archive: Archive | None, incident: Incident, cause: str | None = None) -> Drafted:
    """Writes the rule that would name a failure which need not be in the archive; nothing is stored.

    Where the archive has seen the failure, its other messages make the pattern better. Without an archive
    the rule is checked against its own samples only.

    Raises:
        UnknownName: no such cause.
        UsageError: the message holds nothing that a rule could look for.
    """
    if cause:
        check_cause(cause)
    text = incident.causes[0].evidence[0].text if incident.causes[0].evidence else ""
    hits = [Sample(HERE, text)]
    if archive is None:
        library = load_library()
        existing = [rule.id for rule in library.rulebook.rules()]
        made = draft(hits, (), cause, incident.tool, incident.stage, existing, vocabulary(library))
        return Drafted(made, prove(made, library, (), (), _look, _shipped()))
    with archive.read() as connection:
        signature = incident.signature
        key = (signature.version, signature.hash) if signature else ("", "")
        home = find_groups(connection, [key]).get(key)
        groups = [home.id] if home else []
        own = list(gaps.spoken(connection, groups)) or [_spoken_here(incident, text)]
        hits += [Sample(uid, line) for number in groups for uid, line in gaps.lines_of(connection, number, MOST_HITS)]
        return _drafted(connection, groups, own, hits, cause)


class OnLog(NamedTuple):
    """What a draft does to one log: ``word`` is None where its pattern is not found; causes are those named first."""

    word: Word | None
    before: str
    after: str


def try_draft(archive: Archive | None, made: Draft) -> Proof:
    """Checks a draft, whose text a person may have improved, against its samples and the whole archive.

    The cause is read anew from the text. Without an archive only the samples are looked at.
    """
    library, made = load_library(), made._replace(cause=_named(made.text))
    if archive is None:
        return prove(made, library, (), (), _look, _shipped())
    with archive.read() as connection:
        groups = [find(connection, sample.key).group for sample in made.group if sample.key != HERE]
        return prove(made, library, gaps.good_logs(connection), _others(connection, groups), _look, _shipped())


def try_on_log(made: Draft, chunks: Callable[[], Iterator[bytes]]) -> OnLog | None:
    """What a draft says of a log in UTF-8, and what would be named then; None where the draft does not load."""
    library, made = load_library(), made._replace(cause=_named(made.text))
    rule = loaded(made, library, [])
    if rule is None:
        return None
    joined = with_rule(library, rule, _shipped())
    word = next((word for word in words_on(chunks(), joined) if word.rule == rule.id), None)
    before = first_cause(diagnose_log(Log(HERE, chunks()), library).report.diagnosis)
    if word is None or made.cause is None:
        return OnLog(word, before, before)
    return OnLog(word, before, first_cause(diagnose_log(Log(HERE, chunks()), joined).report.diagnosis))


@cache
def _shipped() -> tuple[RuleSource, ...]:
    """Sources of this installation's rules, as they were when first asked for: reading them takes seconds."""
    return tuple(read_rules(data_folder("rules")))


def save_rule(path: str, text: str) -> None:
    """Writes a rule file, whole or not at all; folders are made. Raises UsageError where it cannot be written."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    except OSError as fault:
        raise UsageError(f"{path} cannot be written: {fault.strerror}. Name another file.") from None
    write_whole(path, text)


def _named(text: str) -> str | None:
    """The cause that a rule's text names; None where it is still to be filled in, or the text is no rule."""
    from yaml import YAMLError, safe_load

    try:
        document = safe_load(text)
    except YAMLError:
        return None
    cause = document.get("cause") if isinstance(document, dict) else None
    return str(cause) if cause and cause != PLACEHOLDER else None


def _spoken_here(incident: Incident, text: str) -> gaps.Spoken:
    """A failure outside the archive as if it were a group of it."""
    template = incident.signature.template if incident.signature else text
    now = datetime.now(UTC)
    return gaps.Spoken(-1, HERE, incident.tool, incident.stage, template, text, "unknown", "", 1, now, False)


def _drafted(
    connection: Any, groups: Sequence[int], own: Sequence[gaps.Spoken], hits: Sequence[Sample], cause: str | None
) -> Drafted:
    """Drafts, and drafts again with those beside it that the rule would rename."""
    library = load_library()
    words = vocabulary(library)
    existing = [rule.id for rule in library.rulebook.rules()]
    near = _near(connection, own)
    for _ in range(TRIES):
        made = draft(hits, near, cause, own[0].tool, own[0].stage, existing, words)
        proof = prove(made, library, gaps.good_logs(connection), _others(connection, groups), _look, _shipped())
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
