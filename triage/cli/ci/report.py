"""Diagnose the logs of one job and write every report: job summary, annotations, outputs, a folder of files.

Of several logs the one that tells why the job failed stands first: a named cause before an unknown one, a cause before
what follows from it, and among equals the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.cli.diagnose import POLICIES

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage ci report build.log test.log --out triage-report
triage ci report --status failure --name "build / int8" build.log --comment
make engine 2>&1 | tee build.log; triage ci report build.log
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage ci report``."""
    from triage.cli.ci._common import STATUSES, add_host_arguments, add_job_arguments, add_place_arguments

    parser.add_argument("logs", nargs="*", metavar="LOG", help="logs of one job, - for a pipe")
    parser.add_argument(
        "--status", choices=STATUSES, help="how the job ended (default: what the CI system or logs say)"
    )
    parser.add_argument(
        "--fail-on", choices=POLICIES, default="never", help="exit 1 on a failure, 4 on an unknown cause"
    )
    add_job_arguments(parser)
    add_place_arguments(parser)
    add_host_arguments(parser)


def run(arguments: Namespace) -> int:
    """Reports; the exit code follows --fail-on."""
    import gc

    from triage.cli.ci._common import job_here, print_report, tell_all
    from triage.cli.diagnose import policy_code
    from triage.environment import job_status
    from triage.errors import UsageError
    from triage.service.examining import examine

    if not arguments.logs:
        raise UsageError("name the logs of the job: triage ci report build.log")
    gc.enable()
    status = arguments.status or job_status()
    found = examine(arguments.logs, job_here(arguments), status=status, with_archive=not arguments.no_archive)
    print_report(found)
    tell_all(found, arguments)
    verdict = found.reports[0].diagnosis.verdict if found.status == "failure" and found.reports else "no-failure"
    return policy_code(arguments.fail_on, verdict)
