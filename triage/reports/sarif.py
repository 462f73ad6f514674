"""SARIF 2.1.0: every cause of the catalogue is a rule, every failure a result.

All rules are declared, so that an alert closes when its failure is gone. The fingerprint is the failure's signature,
which stays when lines move; hosts take the path of a result into account too, so a log has its name without the
folder of one machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from json import dumps
from typing import Any

from triage.records import Evidence, Report
from triage.remedy import Remediation
from triage.reports._advice import advice_for
from triage.reports._failures import Failure, about, clean, failures
from triage.reports._places import Place, log_path, place_of
from triage.reports._words import explained, headline

MEDIA_TYPE = "application/sarif+json"
FILE = "triage.sarif"
WHOLE = True
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST, MOST_RELATED, MOST_TAGS = 25_000, 20, 20
_LEVELS = {"named": "error", "likely": "error", "unknown": "warning"}
catalogue: list[dict[str, Any]] = []


def render(reports: Sequence[Report], colour: bool = False, width: int = 100) -> str:
    """One run with a result for each failure; no result where nothing failed."""
    return _document(reports, {})


def repair(done: Remediation, report: Report | None, colour: bool = False, width: int = 100) -> str:
    """What failed, and as a property what became of the repair: the cure stands on a copy until it is applied."""
    return _document([report] if report else [], {"repair": done.status, "repairVerified": done.verified})


def settled(text: str) -> int:
    """Nothing stands before all reports are in."""
    return 0


def _document(reports: Sequence[Report], properties: dict[str, Any]) -> str:
    from triage import __version__

    driver = {"name": "triage", "semanticVersion": __version__, "rules": rules()}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "triage/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one) for one in failures(reports)[:MOST]],
    }
    if properties:
        run["properties"] = properties
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=1) + "\n"


def rules() -> list[dict[str, Any]]:
    """The catalogue as rules; read once."""
    if not catalogue:
        from triage.folders import data_folder
        from triage.knowledge import article_body
        from triage.library import load_library

        knowledge = load_library().knowledge
        for cause in knowledge.ids():
            article = knowledge.article(cause)
            body = article_body(data_folder("kb"), article.path).strip()
            rule: dict[str, Any] = {
                "id": cause,
                "name": "".join(word.capitalize() for word in cause.split("-")),
                "shortDescription": {"text": article.title},
                "fullDescription": {"text": article.covers},
                "help": {"text": f"{article.title}. {advice_for(cause).words}".strip(), "markdown": body},
                "defaultConfiguration": {"level": "warning" if cause == "unknown" else "error"},
                "properties": {"tags": [article.group, "deployment"][:MOST_TAGS]},
            }
            address = next((each for each in article.references if each.startswith("https://")), None)
            if address:
                rule["helpUri"] = address
            catalogue.append(rule)
    return catalogue


def _result(failure: Failure) -> dict[str, Any]:
    cause, incident = failure.cause, failure.incident
    signature = incident.signature.hash if incident.signature else ""
    lines = list(cause.evidence[:MOST_RELATED])
    place = place_of(cause)
    if place:
        location = _location(place)
    else:
        location = _logged(failure, lines.pop(0)) if lines else _location(Place(log_path(failure.report.source), 1))
    result: dict[str, Any] = {
        "ruleId": clean(cause.id, 100),
        "level": _LEVELS.get(cause.verdict, "warning"),
        "message": {"text": _literal("\n".join((headline(failure), *explained(failure))))},
        "locations": [location],
        "partialFingerprints": _fingerprints(failure, signature),
        "properties": _properties(failure),
    }
    if lines:
        result["relatedLocations"] = [
            {"id": number, **_logged(failure, line), "message": {"text": _literal(clean(line.text, 600))}}
            for number, line in enumerate(lines, 1)
        ]
    return result


def _literal(text: str) -> str:
    """A message in which nothing is a link ``[text](to)`` or a place for an argument ``{0}``."""
    return re.sub(r"\{(?=\d)", "{\u200b", text.replace("](", "]\u200b("))


def _fingerprints(failure: Failure, signature: str) -> dict[str, str]:
    """The second is the one that GitHub compares."""
    from hashlib import sha256

    key = sha256(failure.key.encode("utf-8", "replace")).hexdigest()[:32]
    return {"triageSignature/v1": clean(signature, 100) or key, "primaryLocationLineHash": f"{key}:1"}


def _logged(failure: Failure, line: Evidence) -> dict[str, Any]:
    location = _location(Place(log_path(failure.report.source), max(line.line, 1)))
    location["physicalLocation"]["region"]["snippet"] = {"text": clean(line.text, 600)}
    return location


def _location(place: Place) -> dict[str, Any]:
    from urllib.parse import quote

    uri = quote(clean(place.path, 500), safe="/", errors="replace")
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": place.line}}}


def _properties(failure: Failure) -> dict[str, Any]:
    cause, incident = failure.cause, failure.incident
    tags = [each for each in (cause.verdict, incident.tool, incident.stage) if each]
    said = {
        "verdict": cause.verdict,
        "by": cause.by,
        "tool": incident.tool,
        "toolVersion": incident.tool_version,
        "stage": incident.stage,
        "model": incident.model,
        "precision": incident.precision,
        "about": about(incident),
        "incident": incident.id,
        "group": incident.seen.group if incident.seen else None,
    }
    return {
        **{key: clean(value, 300) for key, value in said.items() if value},
        "logs": [clean(source, 300) for source in failure.sources[:20]],
        "tags": [clean(tag, 60) for tag in tags[:MOST_TAGS]],
    }
