"""A server on 127.0.0.1 that records requests, can be told to fail, and answers by a table of routes."""

# ruff: noqa: RUF012, S105, N815  # tables of a class; no real token; names that the library calls

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Request(NamedTuple):
    """What came in: ``path`` without the query, as it was quoted; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Failing(NamedTuple):
    """How a request that fits is answered: after ``hang`` seconds, cut off after ``cut`` bytes, as often as said."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hang: float = 0.0
    cut: int | None = None


class Reply(NamedTuple):
    status: int
    body: object = None  # JSON, or bytes
    headers: Mapping[str, str] = {}


class HostServer:
    """Base of all: ``routes`` is a list of (method, pattern of the path, method of the class)."""

    routes: list = []
    prefix = ""
    user = {"id": 41, "login": "triage-bot"}
    token = "sesame-0123456789"

    def __init__(self, tls: ssl.SSLContext | None = None):
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self._failing: list[list] = []
        self._lock = threading.RLock()
        self._over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1  # head and body leave together

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, ssl.SSLError):
                    self.close_connection = True

            def _do(self):
                outer._serve(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_CONNECT = _do

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.url = self.origin + self.prefix

    def __enter__(self):
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert kind or not self.violations, self.violations

    @property
    def writes(self):
        return [
            request for request in self.requests if request.method != "GET" and not request.path.endswith("graphql")
        ]

    def fail(self, method, path, status=500, headers=None, body=b"", times=1, hang=0.0, cut=None):
        """The next ``times`` requests whose path fits the pattern fail so."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self._lock:
            self._failing.append([times, Failing(method, path, status, headers or {}, body, hang, cut)])

    def authorised(self, request):
        return request.headers.get("authorization") in (f"token {self.token}", f"Bearer {self.token}")

    def denied(self):
        return Reply(401, {"message": "Bad credentials"})

    def unknown(self):
        return Reply(404, {"message": "Not Found"})

    def check_request(self, request, path, method):
        """Says what is wrong with a request by the host's own description."""

    def check_reply(self, request, path, method, reply):
        """The same for an answer of ours."""

    def _serve(self, handler):
        split = urlsplit(handler.path)
        length = int(handler.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(
            handler.command, split.path, dict(parse_qsl(split.query)), headers, handler.rfile.read(length)
        )
        with self._lock:
            self.requests.append(request)
            failing = self._next_failing(request)
        if failing:
            self._fail(handler, failing)
            return
        with self._lock:
            reply = self.answer(request)
        self._send(handler, reply)

    def answer(self, request):
        if not self.authorised(request):
            return self.denied()
        path = request.path.removeprefix(self.prefix)
        for method, pattern, name in self.routes:
            found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
            if found and method == request.method:
                self.check_request(request, pattern, method)
                reply = getattr(self, name)(request, **found.groupdict())
                self.check_reply(request, pattern, method, reply)
                return reply
        return self.unknown()

    def _next_failing(self, request):
        for entry in self._failing:
            if entry[0] and entry[1].method == request.method and re.search(entry[1].path, request.path):
                entry[0] -= 1
                return entry[1]
        return None

    def _fail(self, handler, failing):
        if failing.hang:
            self._over.wait(failing.hang)
            handler.close_connection = True
            return
        handler.send_response_only(failing.status)
        for name, value in failing.headers.items():
            handler.send_header(name, value)
        if "Transfer-Encoding" not in failing.headers:  # then the body is given in chunks
            handler.send_header("Content-Length", str(len(failing.body)))
        handler.end_headers()
        body = failing.body if failing.cut is None else failing.body[: failing.cut]
        handler.wfile.write(body)
        if failing.cut is not None:
            handler.close_connection = True

    def _send(self, handler, reply):
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        data = b"" if reply.status == 204 else data
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "text/plain" if isinstance(reply.body, bytes) else "application/json")
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def paged(self, request, items, size_name="per_page", default=30, wrap=None):
        """A page of a list, with the Link header that says whether there is more."""
        size = min(int(request.query.get(size_name, default)), 100)
        page = int(request.query.get("page", 1))
        part = items[(page - 1) * size : page * size]
        headers = {}
        if page * size < len(items):
            headers["Link"] = f'<{self.origin}{request.path}?page={page + 1}>; rel="next"'
        return Reply(200, {"total_count": len(items), wrap: part} if wrap else part, headers)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
