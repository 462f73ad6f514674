"""What a host answered, in one sentence that names the request and what to do, and holds no secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

from triage.ci._message import HostFault
from triage.ci._patience import Refused, asked_to_wait
from triage.ingest.text import plain

LONGEST = 300

_COMMON = {
    401: "The token is wrong, expired or revoked.",
    403: "The token may not do this.",
    404: "It does not exist there, or the token may not see it.",
    407: "The proxy asks for a password: see HTTPS_PROXY.",
    413: "The text is too long for this host.",
    422: "The host does not accept the content.",
}


def cut(text: str) -> str:
    """Hostile text as part of a message: one line, no secret, short."""
    text = plain(text[: LONGEST * 4])
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def said_by(data: bytes) -> str:
    """The host's own words in the body of an error; empty where it sent a page or nothing."""
    text = data.decode("utf-8", "replace").strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return "" if text.startswith("<") else cut(text)
    return cut("; ".join(_words(found)))


def _words(found: object) -> list[str]:
    if not isinstance(found, Mapping):
        return [_flat(found)] if found else []
    keys = [key for key in ("message", "error", "error_description", "errors") if found.get(key)]
    return [_flat(found[key]) for key in keys]


def _flat(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)[: LONGEST * 4]


def refusal(what: str, status: int, headers: Mapping[str, str], data: bytes, advice: Mapping[int, str]) -> Refused:
    """The fault for an answer that is no success."""
    said = said_by(data)
    wait = asked_to_wait(status, headers, said)
    waits = wait is not None and status in {403, 429}
    try:
        name = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        name = str(status)
    text = f"{what}: {name}" + (f", {said!r}" if said else "") + "."
    if waits:
        text += f" The host asks to wait {wait:.0f} s."
    elif hint := advice.get(status) or _COMMON.get(status):
        text += f" {hint}"
    elif status >= 500:
        text += " The host has a fault of its own: try again later."
    return Refused(text, status, wait, waits=waits, passing=status >= 500 or status == 408)


def lacking(what: str, cure: str) -> HostFault:
    """The fault for something that must be known before anything is sent."""
    return HostFault(f"{what}. {cure}")
