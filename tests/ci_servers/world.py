"""Messages and jobs for the tests of the hosts."""

from __future__ import annotations

from triage.ci._marker import Marker
from triage.ci._message import Access, Message
from triage.records import Job

KEY = "a1" * 8
OTHER_KEY = "b2" * 8
SHA = "c0ffee" + "0" * 34
FIRST, SECOND = "11" * 8, "22" * 8


def job_on(host, /, **values):
    """A job whose code host is a test server."""
    name = type(host).__name__.removesuffix("Server").lower()
    repository = "group/sub/models" if name == "gitlab" else "octo/models"
    given = Job(
        system=name, name="build / trt", host=name, api=host.url, repository=repository, commit=SHA,
        branch="feature", base="main", change="5", run="77", job="1", run_url="https://ci.example/run/77",
    )  # fmt: skip
    return given._replace(**values)


def said(job, fingerprint=FIRST, *, failing=True, key=KEY, text="**TensorRT: the plug-in is missing**", reports=()):
    """A message with a body as triage writes it."""

    def body(limit, before):
        run = int(job.run or 0)
        return f"{Marker(key, fingerprint, run, job.attempt, failing).text()}\n{text}"[:limit]

    return Message(job, key, fingerprint, failing, "tensorrt: plugin-missing", body, reports)


def access_to(host, **values):
    """Quick, with the host's token."""
    return Access(token=host.token, timeout=2.0, patience=4.0)._replace(**values)
