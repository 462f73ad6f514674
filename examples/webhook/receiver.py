"""Takes what triage sends, once each, and prints a line of it. Put your own act into ``act``.

TRIAGE_WEBHOOK_SECRET is the sender's. Run: python3 receiver.py [PORT]
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST = 256 << 10
SIGNED = Webhook(os.environ["TRIAGE_WEBHOOK_SECRET"])
SEEN: set[str] = set()  # keep ids in a database where the receiver may be started anew


def act(event: dict[str, Any]) -> None:
    """One line; ``data.text`` is the comment as Markdown. All of it comes from a log that anyone may have written."""
    print(json.dumps([event["type"], event["data"]["job"]["name"], event["data"]["title"]]), flush=True)


class Receiver(BaseHTTPRequestHandler):
    """Answers at once: 204 taken or known, 401 not signed by the sender, 413 too large."""

    timeout = 10

    def do_POST(self) -> None:
        """One event."""
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        try:
            event = SIGNED.verify(body, dict(self.headers))
        except (WebhookVerificationError, ValueError):
            self._answer(401)
            return
        self._answer(204)
        if self.headers["webhook-id"] not in SEEN:
            SEEN.add(self.headers["webhook-id"])
            act(event)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing: what strangers send is not printed."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8080), Receiver)
    print(f"listening on {server.server_address[1]}", file=sys.stderr, flush=True)
    server.serve_forever()
