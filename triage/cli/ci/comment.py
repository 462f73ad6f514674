"""Comment on a change why its build failed: one comment a job, updated in place, silent when nothing changed.

What is said comes from logs (LOG), from a folder that another stage left (--report), or from the logs of a failed run
that the code host keeps (--run). Where no comment can be written, a check, annotations, the job summary or the log
say it. The exit code is 0 unless the call itself was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.inputs import Log
    from triage.records import Job
    from triage.service.examining import Examined

EXAMPLE = """
triage ci comment build.log
triage ci comment --report triage-report
triage ci comment --run 123456789 --dry-run
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage ci comment``."""
    from triage.cli.ci._common import STATUSES, add_host_arguments, add_job_arguments

    parser.add_argument("logs", nargs="*", metavar="LOG", help="logs of one job, - for a pipe")
    parser.add_argument("--report", metavar="FOLDER", help="what triage ci wrap or report left there with --out")
    parser.add_argument("--run", metavar="ID", help="a failed run: its jobs' logs are fetched from the code host")
    parser.add_argument("--status", choices=STATUSES, help="how the job or run ended")
    parser.add_argument("--dry-run", action="store_true", help="print every request, send none that writes")
    add_job_arguments(parser)
    add_host_arguments(parser)


def run(arguments: Namespace) -> int:
    """Comments."""
    import gc

    from triage.ci._message import HostFault
    from triage.cli.ci._common import comment, job_here, remark, send_webhook, tell_remarks
    from triage.errors import UsageError

    ways = [way for way in ("logs", "report", "run") if getattr(arguments, way)]
    if len(ways) != 1:
        raise UsageError("name what to comment on: LOG files, --report FOLDER, or --run ID; one of them")
    gc.enable()
    job = job_here(arguments)
    try:
        for found in {"logs": _of_logs, "report": _of_report, "run": _of_run}[ways[0]](job, arguments):
            tell_remarks(found, arguments)
            send_webhook(found, arguments, comment(found, arguments))
    except HostFault as fault:  # the logs could not be fetched
        remark(arguments, str(fault))
    return 0


def _of_logs(job: Job, arguments: Namespace) -> Iterator[Examined]:
    from triage.environment import job_status
    from triage.service.examining import examine

    status = arguments.status or job_status()
    yield examine(arguments.logs, job, status=status, with_archive=not arguments.no_archive)


def _of_report(job: Job, arguments: Namespace) -> Iterator[Examined]:
    """What another stage left. How the run ended is what the host says, not what it left."""
    from triage.environment import run_status
    from triage.service.handover import belonging, read_folder

    ended = arguments.status or run_status()
    for path, handed in read_folder(arguments.report):
        found = belonging(handed, job, path)
        yield found._replace(status="success", cases=()) if ended == "success" else found


def _of_run(job: Job, arguments: Namespace) -> Iterator[Examined]:
    """The failed jobs of a run, in one comment; a run that passed resolves it."""
    from itertools import chain

    from triage.ci._fetch import logs_of_run
    from triage.cli.ci._common import access_for
    from triage.environment import run_status
    from triage.service.examining import examine_logs

    job = job._replace(run=arguments.run)
    status = arguments.status or run_status()
    with_archive = not arguments.no_archive
    if status in ("success", "cancelled"):
        yield examine_logs(_passed(job), job, status=status, with_archive=with_archive)
        return
    logs = logs_of_run(job, access_for(job, arguments))
    first = next(logs, None)  # each log is read before the next is asked for
    read = chain([first], logs) if first else _passed(job)
    yield examine_logs(read, job, status="failure" if first else "success", with_archive=with_archive)


def _passed(job: Job) -> Iterator[Log]:
    """What stands for a run that passed: unless the archive knows of it, every failure looks like a lasting one."""
    from triage.inputs import Log

    yield Log(job.name, iter(()))
