"""Where the rules are silent: what people confirmed of near failures, then the classifier.

Neither ever overrules a rule: they are only asked when nothing was named, and say ``likely``.
"""

from __future__ import annotations

from collections.abc import Sequence

from triage.archive import neighbours as rows
from triage.archive.session import Archive
from triage.diagnose.similar import Known, Near, nearest, same_message
from triage.errors import TriageError
from triage.library import load_library
from triage.records import Cause, Incident, Report
from triage.service.diagnosis import with_incidents
from triage.service.models import current_model

# On 515 labelled logs a neighbour that is this near and says the same with other names had the same cause
# in 35 of 36 cases; nearness alone, in 65 of 88.
NEAR_ENOUGH = 0.90
AS_NEAR = 0.03  # neighbours this close to the best must agree with it


def second_opinion(report: Report, *, archive: Archive | None = None, with_archive: bool = True) -> Report:
    """The report with a ``likely`` cause for each unknown failure that has a neighbour or a sure vote."""
    opened = archive or (_existing() if with_archive else None)
    incidents = [
        _asked(incident, opened) if _is_unknown(incident) else incident for incident in report.diagnosis.incidents
    ]
    if opened and opened is not archive:
        opened.close()
    if all(new is old for new, old in zip(incidents, report.diagnosis.incidents, strict=True)):
        return report
    return with_incidents(report, incidents)


def _is_unknown(incident: Incident) -> bool:
    return incident.causes[0].verdict == "unknown" and incident.consequence_of is None


def _existing() -> Archive | None:
    """The archive where there is one already; nothing is made for a question."""
    import os

    try:
        archive = Archive()
    except TriageError:
        return None
    return archive if archive.path is None or os.path.exists(archive.path) else None


def _asked(incident: Incident, archive: Archive | None) -> Incident:
    if archive is not None:
        try:
            named = _by_neighbours(incident, archive)
        except TriageError:  # filing says what is the matter with the archive
            named = None
        if named:
            return named
    return _by_classifier(incident)


def _by_neighbours(incident: Incident, archive: Archive) -> Incident | None:
    """Named after a confirmed failure whose text is near; None where none is, or they disagree."""
    if incident.signature is None:
        return None
    with archive.read() as connection:
        text = incident.signature.template
        known = [Known(*row) for row in rows.confirmed_texts(connection)]
        known = [one for one in known if same_message(text, one.text)]
        near = nearest(text, incident.tool, known, limit=5, floor=NEAR_ENOUGH, kept=incident.signature.kept)
        found = rows.neighbours(connection, [one.key for one in near])
    agreed = _agreed(near, found)
    if agreed is None:
        return None
    best, neighbour = agreed
    why = f"Nobody wrote a rule for this yet. A person confirmed this cause for {neighbour.incident_uid}: {best.why}."
    if neighbour.note:
        why += f" Their note: {neighbour.note}"
    return _likely(incident, neighbour.cause, f"neighbour:{neighbour.incident_uid}", why)


def _agreed(near: Sequence[Near], found: dict[int, rows.Neighbour]) -> tuple[Near, rows.Neighbour] | None:
    close = [one for one in near if one.key in found and one.score >= near[0].score - AS_NEAR]
    causes = {found[one.key].cause for one in close}
    return (close[0], found[close[0].key]) if len(causes) == 1 else None


def _by_classifier(incident: Incident) -> Incident:
    model = current_model()
    if model is None:
        return incident
    voted = model.vote(incident)
    if voted is None:
        return _with_hint(incident, model.closest(incident))
    return _likely(incident, voted.cause, f"classifier:{voted.model}", voted.why)


def _with_hint(incident: Incident, closest: Sequence[str]) -> Incident:
    """Still unknown, with the causes whose wording is nearest: where to begin to look."""
    cause = incident.causes[0]
    why = f"{cause.why} Nearest by their words, none of them sure: {', '.join(closest)}." if closest else cause.why
    return incident._replace(causes=(cause._replace(why=why), *incident.causes[1:]))


def _likely(incident: Incident, cause: str, by: str, why: str) -> Incident:
    article = load_library().knowledge.article(cause)
    evidence = incident.causes[0].evidence
    named = Cause(cause, "likely", by, evidence, {}, why, article.fixes)
    return incident._replace(causes=(named,), needed=incident.needed or article.evidence_needed)
