"""The desk in a browser on this machine: served on loopback, to whoever has the address with its key.

What reaches the page can do what its person can do, so each request must name this very host (no other name that
leads here), come from this page, and bring the key: other users of the machine and other pages of the browser
have none of it. The page loads nothing from elsewhere.
"""

from __future__ import annotations

import secrets
import shlex
import socket
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest

from aiohttp import web
from textual_serve.server import Server

from triage.errors import UsageError

HOST = "127.0.0.1"
COOKIE = "triage-desk"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DeskServer(Server):
    """One desk a page, each a process of its own that ends with its page."""

    def __init__(self, command: Sequence[str], port: int) -> None:
        super().__init__(shlex.join(command), host=HOST, port=port, title="triage", public_url=f"http://{HOST}:{port}")
        self.key = secrets.token_urlsafe(24)
        self.cookie = f"{COOKIE}-{port}"  # cookies do not tell ports apart

    @property
    def address(self) -> str:
        """What to type into the browser."""
        return f"{self.public_url}/?key={self.key}"

    def initialize_logging(self) -> None:
        """Only faults are told."""

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002 -- the server calls it so
        """Says where the desk is."""
        print(f"The desk is at {self.address}\nThe key is part of the address. Ctrl-C ends it.", flush=True)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guarded)
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets nobody in without the key, and nothing through that another page sends."""
        here, own = f"{HOST}:{self.port}", f"http://{HOST}:{self.port}"
        if request.host != here or request.headers.get("Origin", own) != own:
            raise web.HTTPForbidden(text="This desk answers to its own page only.")
        given = request.query.get("key", "") if request.path == "/" else ""
        if not self._fits(given) and not self._fits(request.cookies.get(self.cookie, "")):
            raise web.HTTPForbidden(text="The key is missing. Copy the whole address that triage tui --web printed.")
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update(self._headers())
            if self._fits(given):
                answer.set_cookie(self.cookie, self.key, httponly=True, samesite="Strict")
        return answer

    def _fits(self, key: str) -> bool:
        return compare_digest(key.encode(), self.key.encode())

    def _headers(self) -> dict[str, str]:
        own = "'self' 'unsafe-inline'"
        policy = (
            f"default-src 'none'; script-src {own}; style-src {own}; img-src 'self' data:; font-src 'self' data:; "
            f"connect-src 'self' ws://{HOST}:{self.port}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        return {
            "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
        }  # fmt: skip


def serve(command: Sequence[str], port: int) -> None:
    """Serves the desk until Ctrl-C.

    Args:
        command: starts one desk.
        port: where on loopback.

    Raises:
        UsageError: the port is taken, or is none.
    """
    if not 0 < port < 65536:
        raise UsageError(f"{port} is no port. Use one from 1024 to 65535.")
    try:
        with socket.create_server((HOST, port)):  # asked before the address is printed
            pass
        DeskServer(command, port).serve()
    except OSError as fault:
        raise UsageError(f"port {port} cannot be used: {fault.strerror or fault}. Add --port with another.") from None
