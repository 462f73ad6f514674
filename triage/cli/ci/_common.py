"""What the commands of ``triage ci`` share: arguments, the job they run in, and where they say what they found."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.ci._ladder import Said
    from triage.ci._message import Access, Message
    from triage.records import Job
    from triage.service.examining import Examined

STATUSES = ("failure", "success", "cancelled")
SUMMARY = 900_000  # characters
_WORDS = {
    "created": "commented", "updated": "updated the comment", "unchanged": "nothing new, the comment stands",
    "stale": "a newer run has spoken already", "nothing": "nothing to say", "not-sent": "dry run, nothing was written",
    "sent": "sent",
}  # fmt: skip


def add_job_arguments(parser: ArgumentParser) -> None:
    """Who the job is, where the CI system does not say it."""
    parser.add_argument("--name", help="name of the job; each name keeps one comment (default: workflow and job)")
    parser.add_argument("--no-archive", action="store_true", help="neither ask the archive nor file the incident")
    parser.add_argument("--quiet", action="store_true", help="no remarks on standard error")


def add_place_arguments(parser: ArgumentParser) -> None:
    """Where reports go."""
    parser.add_argument("--out", metavar="FOLDER", help="write every report into this folder, for artefacts")
    parser.add_argument("--comment", action="store_true", help="comment on the change at once (needs a token)")
    parser.add_argument("--dry-run", action="store_true", help="print every request, send none that writes")


def add_host_arguments(parser: ArgumentParser) -> None:
    """How the code host is reached."""
    parser.add_argument("--timeout", type=seconds, default=10.0, metavar="SECONDS", help="for one request (default 10)")
    parser.add_argument("--patience", type=seconds, default=30.0, metavar="SECONDS",
                        help="to wait in all where the host asks for it (default 30)")  # fmt: skip


def seconds(text: str) -> float:
    """A length of time; raises ValueError for what is none."""
    value = float(text)
    if not 0 < value <= 3600:
        raise ValueError(text)
    return value


def job_here(arguments: Namespace) -> Job:
    """The job that this process belongs to."""
    from triage.environment import job

    return job(name=arguments.name)


def access_for(job: Job, arguments: Namespace) -> Access:
    """How to reach the job's host: the first token variable that is set."""
    from triage import discovery
    from triage.ci._message import Access

    names = discovery.load("triage.ci", job.host).TOKENS if job.host else ()
    token = next((os.environ[name].strip() for name in names if os.environ.get(name, "").strip()), None)
    show = _show if arguments.dry_run else None
    return Access(token, getattr(arguments, "timeout", 10.0), getattr(arguments, "patience", 30.0), show)


def _show(text: str) -> None:
    print(text, flush=True)


def remark(arguments: Namespace, text: str) -> None:
    """One line on standard error."""
    if not arguments.quiet:
        from triage.ingest.text import plain

        print(f"triage: {plain(text)}", file=sys.stderr, flush=True)


def tell(found: Examined, arguments: Namespace) -> None:
    """Says what was found in the job itself: log, annotations, summary, outputs, folder."""
    from triage.ci._folder import outputs_of, write_folder
    from triage.ci._here import write_outputs, write_summary

    tell_remarks(found, arguments)
    outputs = outputs_of(found)
    write_outputs(outputs)
    if found.status == "failure":
        annotate(found)
    if found.cases:
        from triage.ci._say import message_of

        write_summary(message_of(found).body(SUMMARY, None).partition("\n")[2])
    if arguments.out:
        write_folder(found, arguments.out, outputs)
        remark(arguments, f"the reports are in {arguments.out}")


def tell_remarks(found: Examined, arguments: Namespace) -> None:
    """What went wrong on the way: logs that could not be read, an archive that could not be asked."""
    for said in found.remarks:
        remark(arguments, said)


def annotate(found: Examined) -> bool:
    """Workflow commands for the runner; False where nobody reads them."""
    from triage import discovery
    from triage.ci._here import annotates

    if not annotates(found.job):
        return False
    print(discovery.load("triage.reports", "github").render(list(found.reports)), end="", flush=True)
    return True


def print_report(found: Examined, stream: TextIO | None = None) -> None:
    """The report for people who read the job's log; a runner obeys nothing in it."""
    from triage import discovery

    text = discovery.load("triage.reports", "text").render(list(found.reports[:1]))
    print(text, end="", file=stream or sys.stdout, flush=True)


def tell_all(found: Examined, arguments: Namespace) -> None:
    """Says what was found in the job itself, on its change where that was asked for, and to a webhook."""
    tell(found, arguments)
    said = comment(found, arguments, told=True) if arguments.comment or arguments.dry_run else None
    send_webhook(found, arguments, said)


def comment(found: Examined, arguments: Namespace, *, told: bool = False) -> str | None:
    """Comments on the change, or says it on the next rung; never raises for what a host does.

    ``told``: annotations, summary and log have said it already. Gives what became of it (created, updated,
    unchanged …), None where no host was told.
    """
    from triage.ci._ladder import climb_down, host_rungs
    from triage.ci._say import message_of

    if not found.tells:
        why = "was cancelled" if found.status == "cancelled" else "failed, but its logs show no failure"
        remark(arguments, f"the job {why}: nothing is said of it")
        return None
    message = message_of(found)
    said = climb_down(host_rungs(message, access_for(found.job, arguments)))
    _remark_on(said, message, arguments)
    if said.rung is None and message.failing and not told:
        _below(found, message, arguments)
    return said.posted.what if said.posted else None


def _remark_on(said: Said, message: Message, arguments: Namespace) -> None:
    for fault in said.faults:
        remark(arguments, fault)
    if said.posted:
        url = f": {said.posted.url}" if said.posted.url else ""
        remark(arguments, f"{said.rung}: {_WORDS.get(said.posted.what, said.posted.what)}{url}")
    elif not message.job.host:
        remark(arguments, "no code host is known here; set TRIAGE_HOST, TRIAGE_REPOSITORY and TRIAGE_CHANGE for one")


def _below(found: Examined, message: Message, arguments: Namespace) -> None:
    """The rungs that need no request: annotations, job summary, the plain log."""
    from triage.ci._here import write_summary

    annotated = annotate(found)
    if write_summary(message.body(SUMMARY, None).partition("\n")[2]):
        remark(arguments, "said in the job summary instead")
    elif annotated:
        remark(arguments, "said as annotations instead")
    else:
        print_report(found)


def send_webhook(found: Examined, arguments: Namespace, said: str | None = None) -> None:
    """Tells a webhook too, where one is set; a job that passes is told of where that is news.

    ``said`` is what became of the comment: a host remembers whether the job failed before, a webhook does not.
    """
    if not os.environ.get("TRIAGE_WEBHOOK_URL") or not found.tells:
        return
    if found.status == "success" and found.job.host and said != "updated":
        return
    from triage import discovery
    from triage.ci._ladder import Rung, climb_down
    from triage.ci._say import message_of

    message = message_of(found)
    hook = discovery.load("triage.ci", "webhook")
    access = access_for(found.job._replace(host="webhook"), arguments)
    _remark_on(climb_down([Rung("webhook", lambda: hook.post(message, access))]), message, arguments)
