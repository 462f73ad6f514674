"""A generic webhook, signed after Standard Webhooks 1.0 (standardwebhooks.com): tells any program of a failure.

``TRIAGE_WEBHOOK_URL`` is the address, ``TRIAGE_WEBHOOK_SECRET`` the secret (``whsec_…``). Nobody is asked what was
said before: ``webhook-id`` is the same for the same key, content, run and attempt, and a receiver drops repeats.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from triage.ci._marker import marker_of
from triage.ci._message import Access, HostFault, Message, Posted
from triage.ci._transport import plain_sender
from triage.ci._wire import Ask, Wire, checked
from triage.ingest.text import plain

TOKENS = ("TRIAGE_WEBHOOK_SECRET",)
LARGEST = 256 << 10
_TEXT = 65_536
_REPORTS = 50
_ADVICE = {
    401: "The receiver does not accept the signature: see TRIAGE_WEBHOOK_SECRET.",
    403: "The receiver does not accept the signature: see TRIAGE_WEBHOOK_SECRET.",
    404: "There is no receiver: see TRIAGE_WEBHOOK_URL.",
    410: "The receiver is gone: take TRIAGE_WEBHOOK_URL away.",
    **dict.fromkeys((301, 302, 303, 307, 308), "Redirects are not followed: correct TRIAGE_WEBHOOK_URL."),
}


def post(message: Message, access: Access) -> Posted:
    """Tells the receiver; a repeat has the same id."""
    address = _address()
    secret = _secret(access)
    said = _said(message)
    now = int(time.time())
    body = _bounded(message, datetime.fromtimestamp(now, UTC))
    headers = {"content-type": "application/json", "webhook-id": said, "webhook-timestamp": str(now)}
    if secret:
        signed = hmac.new(secret, b".".join((said.encode(), str(now).encode(), body)), hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    with plain_sender(access) as send:
        Wire(checked(address), access, send, _ADVICE, secret_path=True).deliver(
            Ask("POST", address, {}, body, headers, again=True)
        )
    return Posted("not-sent" if access.say else "sent")


def _address() -> str:
    """Where to: https, or a host that is this machine."""
    address = os.environ.get("TRIAGE_WEBHOOK_URL", "").strip()
    if not address:
        raise HostFault("there is no address for the webhook. Set TRIAGE_WEBHOOK_URL.")
    try:
        checked(address)
    except HostFault:
        raise HostFault(
            "TRIAGE_WEBHOOK_URL is no address. Set it: https://host/path, without a name or password."
        ) from None
    parts = urlsplit(address)
    if parts.scheme != "https" and not _local(parts.hostname or ""):
        raise HostFault("TRIAGE_WEBHOOK_URL is not https: what is said could be read on the way. Use https.")
    return address


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _secret(access: Access) -> bytes | None:
    given = (access.token or os.environ.get(TOKENS[0], "")).strip()
    if not given and access.say is None:
        raise HostFault("nothing is sent without a signature. Set TRIAGE_WEBHOOK_SECRET: whsec_ and base64.")
    try:
        secret = base64.b64decode(
            given.removeprefix("whsec_") + "==="[: -len(given.removeprefix("whsec_")) % 4], validate=True
        )
    except ValueError:
        secret = b""
    if given and len(secret) < 16:
        raise HostFault("TRIAGE_WEBHOOK_SECRET is no secret: whsec_ and base64 of 24 to 64 random bytes.")
    return secret or None


def _said(message: Message) -> str:
    job = message.job
    parts = (message.key, message.fingerprint, job.run or job.run_url or job.commit or "", str(job.attempt))
    return "msg_" + hashlib.sha256("\n".join((*parts, str(message.failing))).encode()).hexdigest()[:32]


def _bounded(message: Message, at: datetime) -> bytes:
    """The body; what can be had elsewhere is left out until it fits."""
    for shaped, text in _smaller(message):
        body = _body(message, at, shaped, text)
        if len(body) <= LARGEST:
            return body
    return body


def _smaller(message: Message) -> Iterator[tuple[list[dict[str, Any]], int]]:
    from triage.reports._shape import as_dict

    full = [as_dict(report) for report in message.reports[:_REPORTS]]
    yield full, _TEXT
    for level in range(1, 4):
        yield [_lean(report, level) for report in full], _TEXT
    for some in (10, 1, 0):
        yield [_lean(report, 3) for report in full[:some]], 16_384
    yield [], 4096


def _lean(report: Mapping[str, Any], level: int) -> dict[str, Any]:
    """A report without what is near (1), without the losers and long lines (2), without consequences (3)."""
    incidents = [{**incident, "similar": []} for incident in report["incidents"]]
    if level > 1:
        incidents = [_short(incident) for incident in incidents]
    if level < 3:
        return {**report, "incidents": incidents}
    kept = [n for n, incident in enumerate(incidents) if incident["consequence_of"] is None][:10]
    primary = kept.index(report["primary"]) if report["primary"] in kept else None
    return {**report, "primary": primary, "incidents": [{**incidents[n], "consequences": []} for n in kept]}


def _short(incident: Mapping[str, Any]) -> dict[str, Any]:
    causes = [
        {**cause, "evidence": [{**line, "text": line["text"][:500]} for line in cause["evidence"][:3]]}
        for cause in incident["causes"][:3]
    ]
    return {**incident, "causes": causes, "ruled_out": []}


def _body(message: Message, at: datetime, reports: list[dict[str, Any]], limit: int) -> bytes:
    text = message.body(limit, None)
    if marker_of(text):
        text = text.lstrip("\ufeff \r\n").partition("\n")[2]
    job = {name: value for name, value in message.job._asdict().items() if value is not None}
    data = {
        "key": message.key,
        "fingerprint": message.fingerprint,
        "title": plain(message.title)[:500],
        "job": job,
        "reports": reports,
        "text": text,
    }
    kind = "triage.failure" if message.failing else "triage.resolved"
    whole = {"type": kind, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
