"""The text of a failure that is compared and learnt from: masked, with its facts as marked words."""

from __future__ import annotations

from triage.masks import mask
from triage.records import Incident

VERSION = 1
LONGEST = 2000
_FACTS = ("op", "dtype", "provider", "backend", "precision")


def incident_text(incident: Incident) -> str:
    """Masked evidence lines with their neighbours, then tool, stage and other facts as ``fact=value``."""
    cause = incident.causes[0] if incident.causes else None
    lines: list[str] = []
    for line in cause.evidence if cause else ():
        lines += (*line.before[-2:], line.text, *line.after[:2])
    facts = [f"tool={incident.tool}", f"stage={incident.stage}"] if incident.stage else [f"tool={incident.tool}"]
    facts += [f"{name}={incident.facts[name]}" for name in _FACTS if incident.facts.get(name)]
    text = "\n".join(dict.fromkeys(" ".join(mask(line)[0].split()) for line in lines))
    return f"{text[:LONGEST]}\n{' '.join(facts)}"
