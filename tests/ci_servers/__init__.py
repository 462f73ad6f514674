"""Code hosts on this machine, for tests: real HTTP servers with a memory, which speak the hosts' documented APIs.

::

    with GitHubServer() as host:
        host.url, host.comments, host.requests, host.writes
        host.fail("POST", "/comments", 429, {"Retry-After": "1"}, b"", times=1)
"""

from ci_servers.base import Failing, HostServer, Request
from ci_servers.gitea import GiteaServer
from ci_servers.github import GitHubServer
from ci_servers.gitlab import GitLabServer
from ci_servers.others import PlainServer, ProxyServer, WebhookServer

__all__ = [
    "Failing",
    "GitHubServer",
    "GitLabServer",
    "GiteaServer",
    "HostServer",
    "PlainServer",
    "ProxyServer",
    "Request",
    "WebhookServer",
]
