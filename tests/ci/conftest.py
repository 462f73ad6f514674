"""One host at a time, and no variable of this machine that would change how it is reached."""

import importlib
import os
from typing import Any, NamedTuple

import pytest
from ci_servers import GiteaServer, GitHubServer, GitLabServer
from ci_servers.world import access_to, job_on

SERVERS = {"github": GitHubServer, "gitlab": GitLabServer, "gitea": GiteaServer}


class Site(NamedTuple):
    """A host module and a server that speaks its API; ``thread`` fits the path of the comments."""

    name: str
    module: Any
    server: Any
    thread: str

    @property
    def job(self):
        return job_on(self.server)

    @property
    def access(self):
        return access_to(self.server)

    @property
    def edit(self):
        return "PUT" if self.name == "gitlab" else "PATCH"

    def stranger(self):
        """Somebody else's record as the host shows it."""
        if self.name == "github":
            return self.server.person("mallory", 666)
        return {"id": 666, "login": "mallory", "username": "mallory"}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name.startswith(("TRIAGE_WEBHOOK", "TRIAGE_COMMENT", "CI_")):
            monkeypatch.delenv(name)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def slept(monkeypatch):
    """The waits between requests, which are only counted."""
    waits = []
    monkeypatch.setattr("triage.ci._patience.time.sleep", waits.append)
    return waits


@pytest.fixture(params=SERVERS)
def site(request):
    with SERVERS[request.param]() as server:
        thread = "/notes$" if request.param == "gitlab" else "/comments$"
        yield Site(request.param, importlib.import_module(f"triage.ci.{request.param}"), server, thread)
