"""Code hosts by the addresses of clones and changes: which module of ``triage.ci`` speaks to them, and where."""

from __future__ import annotations

import re
from typing import NamedTuple

from triage.environment.systems import _values

# a name in the host's address -> the host that it is; and where each has its API
_NAMES = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "forgejo": "gitea", "codeberg": "gitea"}
_API = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
_PUBLIC = {"github": "https://github.com", "gitlab": "https://gitlab.com"}
_CLONES = (
    re.compile(r"(?:ssh|git)://(?:[^/@\s]+@)?(?P<host>[A-Za-z0-9.-]+)(?::[0-9]+)?/(?P<path>[^:\s]+)"),
    re.compile(r"(?:[^/@\s:]+@)?(?P<host>[A-Za-z0-9.-]{2,}):(?P<path>(?!//)[^:\s]+)"),  # as scp writes it
)
_OTHER_DOOR = re.compile(r"^(?:alt)?ssh\.(?=github\.com$|gitlab\.com$)")  # where port 22 is closed
_CHANGES = (
    (re.compile(r"(?P<server>https?://[^/]+)/(?P<path>.+?)/(?:-/)?merge_requests/(?P<number>[0-9]+)"), "gitlab"),
    (re.compile(r"(?P<server>https?://[^/]+)/(?P<path>.+?)/pulls/(?P<number>[0-9]+)"), "gitea"),
    (re.compile(r"(?P<server>https?://[^/]+)/(?P<path>.+?)/pull/(?P<number>[0-9]+)"), "github"),
)


class Place(NamedTuple):
    """A repository on a code host; ``host`` is None where its address does not tell the kind."""

    server: str
    repository: str
    host: str | None = None
    change: str | None = None

    @property
    def api(self) -> str | None:
        """Address of the host's API."""
        return api_of(self.host, self.server)


def api_of(host: str | None, server: str | None = None) -> str | None:
    """Address of the API of a host at a server; of the public one where no server is known."""
    server = server or _PUBLIC.get(host or "")
    if server is None or host not in _API:
        return None
    name = server.partition("://")[2].lower()
    if host == "github" and (name == "github.com" or name.endswith(".ghe.com")):
        return f"https://api.{name}"  # the two that have a host of its own for it
    return server + _API[host]


def place_of(address: str | None, host: str | None = None) -> Place | None:
    """The repository of a clone's address: https, ssh or git. ``host`` is what is known of its kind."""
    found = _values.address(address)
    if found:
        scheme, _, rest = found.partition("://")
        server, _, path = rest.partition("/")
        server = f"{scheme}://{server.lower()}"
    else:
        match = next(filter(None, (form.fullmatch((address or "").strip()[:500]) for form in _CLONES)), None)
        if match is None:
            return None
        server, path = f"https://{_OTHER_DOOR.sub('', match['host'].lower())}", match["path"]
    host = host if host in _API else _kind(server)
    repository = _values.repository(path, deep=host in (None, "gitlab"))
    return Place(server, repository, host) if repository else None


def place_of_change(address: str | None) -> Place | None:
    """The repository and the number of a change by its page; the form of the address tells the kind of host."""
    found = _values.address(address) or ""
    for pattern, host in _CHANGES:
        match = pattern.fullmatch(found.rstrip("/"))
        repository = _values.repository(match["path"], deep=host == "gitlab") if match else None
        if match and repository:
            return Place(match["server"], repository, host, _values.number(match["number"]))
    return None


def _kind(server: str) -> str | None:
    labels = server.partition("://")[2].partition(":")[0].lower().split(".")
    return next((_NAMES[label] for label in labels if label in _NAMES), None)
