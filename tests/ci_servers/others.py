"""A webhook's receiver, a place where logs lie, and a proxy."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from ci_servers.base import HostServer, Reply


class WebhookServer(HostServer):
    """Takes what is sent; drops what has an id that it has seen, as the specification asks of receivers."""

    def __init__(self, tls=None):
        super().__init__(tls)
        self.url = f"{self.origin}/hook"
        self.events = {}

    def answer(self, request):
        self.events.setdefault(request.headers["webhook-id"], request)
        return Reply(204)


class PlainServer(HostServer):
    """Files by path; asks for no token."""

    def __init__(self, files=None, tls=None):
        super().__init__(tls)
        self.files = files or {}

    def answer(self, request):
        data = self.files.get(request.path)
        return Reply(404, b"") if data is None else Reply(200, data)


class ProxyServer(HostServer):
    """A proxy for http: fetches the whole address that a client asks for; every host is ``to``."""

    def __init__(self, to: HostServer):
        super().__init__()
        self.to = to

    def _serve(self, handler):
        split = urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        connection = http.client.HTTPConnection("127.0.0.1", self.to.port, timeout=10)
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "proxy-connection"}
        target = split.path + (f"?{split.query}" if split.query else "")
        connection.request(handler.command, target, handler.rfile.read(length) or None, headers)
        answer = connection.getresponse()
        data = answer.read()
        self.requests.append(handler.path)
        kept = {name: answer.headers[name] for name in ("Link",) if name in answer.headers}
        connection.close()
        self._send(handler, Reply(answer.status, data, kept))
