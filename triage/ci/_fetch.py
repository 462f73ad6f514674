"""The logs of a failed run, from the host that keeps them."""

from __future__ import annotations

from collections.abc import Iterator

from triage import discovery
from triage.ci._message import Access
from triage.errors import UsageError
from triage.inputs import Log
from triage.records import Job


def logs_of_run(job: Job, access: Access) -> Iterator[Log]:
    """The logs of the jobs of ``job.run`` that failed. Raises HostFault, or UsageError where no host can give them."""
    host = discovery.load("triage.ci", job.host) if job.host else None
    if host is None or not hasattr(host, "job_logs"):
        raise UsageError("the logs of a run can be fetched from GitHub, GitLab or Gitea: set TRIAGE_HOST and a token")
    for log in host.job_logs(job, access):
        yield Log(log.name, iter(log.chunks))
