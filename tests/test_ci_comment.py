"""What a comment says: sections, ranks, sizes, and the marker by which it is found again."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support import FIXTURES, PROFILE_MISSING

from triage.ci._marker import Marker, marker_of
from triage.ci._message import Posted
from triage.ci._say import message_of
from triage.ci._thread import Note, keep_one
from triage.records import Job, Standing
from triage.reports._sections import HEADINGS, RETRY, UNCOMPARED
from triage.reports.comment import CUT, cases_of, composed
from triage.service import diagnose
from triage.service.examining import Examined, in_order

JOB = Job("github", "ci / build", "github", None, "o/r", "a" * 40, "topic", change="7", run="100",
          run_url="https://example.org/o/r/actions/runs/100")  # fmt: skip
DTYPE = (FIXTURES / "ort-input-dtype-double" / "log.txt").read_bytes()
UNKNOWN = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\nValueError: zork of the frob\n'


def failing(*logs, section="change", job=JOB, **standing):
    reports = [diagnose(log, name=f"{number}.log") for number, log in enumerate(logs)]
    stands = Standing(section, "because it is so.", **standing)
    return Examined(job, "failure", tuple(reports), tuple(case._replace(standing=stands) for case in cases_of(reports)))


def passing(job=JOB):
    return Examined(job, "success", (), ())


class Page:
    """The comments of a change, in memory."""

    limit = 65_536

    def __init__(self):
        self.bodies = []
        self.writes = 0

    def own(self, key):
        marked = [(marker_of(body), place) for place, body in enumerate(self.bodies)]
        return next((Note(str(place), None, self.bodies[place]) for mark, place in marked if mark.key == key), None)

    def create(self, body):
        self.writes += 1
        self.bodies.append(body)
        return Posted("created")

    def update(self, note, body):
        self.writes += 1
        self.bodies[int(note.id)] = body
        return Posted("updated")


def test_a_job_says_a_failure_once_and_edits_it_when_it_changes():
    page = Page()
    said = [
        keep_one(page, message_of(found)).what
        for found in (
            passing(),
            failing(PROFILE_MISSING),
            failing(PROFILE_MISSING),
            failing(DTYPE),
            passing(),
            passing(),
            failing(DTYPE),
        )
    ]
    assert said == ["nothing", "created", "unchanged", "updated", "updated", "nothing", "updated"]
    assert page.writes == 4
    assert len(page.bodies) == 1


def test_the_same_failure_at_another_commit_and_line_is_no_news():
    page = Page()
    keep_one(page, message_of(failing(PROFILE_MISSING)))
    later = JOB._replace(run="101", commit="b" * 40)
    assert keep_one(page, message_of(failing("started\n" * 3 + PROFILE_MISSING, job=later))).what == "unchanged"


@pytest.mark.parametrize(
    ("run", "attempt", "what"), [("99", 1, "stale"), ("100", 1, "updated"), ("100", 2, "updated"), ("", 1, "updated")]
)
def test_a_run_that_ends_late_does_not_overwrite_a_newer_one(run, attempt, what):
    page = Page()
    keep_one(page, message_of(failing(PROFILE_MISSING)))
    assert keep_one(page, message_of(failing(DTYPE, job=JOB._replace(run=run, attempt=attempt)))).what == what


def test_two_jobs_have_two_comments():
    page = Page()
    keep_one(page, message_of(failing(PROFILE_MISSING)))
    keep_one(page, message_of(failing(PROFILE_MISSING, job=JOB._replace(name="ci / build (arm)"))))
    assert len(page.bodies) == 2


def test_the_resolved_comment_says_what_it_was():
    page = Page()
    keep_one(page, message_of(failing(PROFILE_MISSING)))
    keep_one(page, message_of(passing()))
    assert "Resolved" in page.bodies[0]
    assert "profile" in page.bodies[0].replace("\\", "")


@pytest.mark.parametrize("section", HEADINGS)
def test_each_section_has_its_heading(section):
    text = composed(failing(PROFILE_MISSING, section=section, builds=1, of=9).cases, JOB)
    assert HEADINGS[section] in text
    assert RETRY not in text


def test_nothing_is_called_probable_where_nothing_could_be_compared():
    text = composed(failing(PROFILE_MISSING, builds=1, of=1).cases, JOB)
    assert UNCOMPARED in text
    assert "robably" not in text


def test_a_flaky_failure_says_how_often_and_to_try_once():
    text = composed(failing(PROFILE_MISSING, section="flaky", retry=True, builds=3, of=40).cases, JOB)
    assert "(3 of 40 builds)" in text
    assert text.count(RETRY) == 1


def test_the_first_line_is_the_verdict_and_the_decisive_line_stands_whole():
    text = composed(failing(PROFILE_MISSING).cases, JOB)
    assert text.split("\n", 1)[0].replace("\\", "").startswith("### Named: profile-missing")
    assert f"    1: {PROFILE_MISSING}" in text
    assert "[log, line 1](https://example.org/o/r/actions/runs/100)" in text


def test_what_this_change_caused_stands_before_what_it_did_not():
    change, main = failing(PROFILE_MISSING).cases[0], failing(DTYPE, section="main").cases[0]
    for cases in ([change, main], [main, change]):
        text = composed(cases, JOB).replace("\\", "")
        assert text.index("profile-missing") < text.index("input-dtype-mismatch")


def test_the_same_failure_in_several_logs_is_said_once():
    assert composed(failing(PROFILE_MISSING, PROFILE_MISSING).cases, JOB).count(PROFILE_MISSING) == 1


def test_many_failures_end_with_a_number():
    logs = [f"ModuleNotFoundError: No module named 'part{chr(97 + n)}{'xyz'[n % 3] * n}'\n" for n in range(20)]
    found = failing(*logs)
    cases = [case._replace(incident=case.incident._replace(signature=case.incident.signature._replace(hash=str(n))))
             for n, case in enumerate(found.cases)]  # fmt: skip
    text = composed(cases, JOB)
    assert "and 19 more failures" in text
    assert "- and 7 more" in text


@pytest.mark.parametrize("limit", [600, 1500, 4000, 65_000])
def test_a_comment_is_never_longer_than_its_host_takes(limit):
    found = failing(PROFILE_MISSING + " word" * 3000, DTYPE, UNKNOWN)
    body = message_of(found).body(limit, None)
    assert len(body) <= limit
    assert marker_of(body).failing
    assert ("<details>" in body) == (body.count("<details>") == body.count("</details>") > 0)
    if limit == 1500:
        assert CUT in body


DIGEST = some.from_regex(r"[0-9a-f]{16}", fullmatch=True)
NAMES = some.from_regex(r"[a-z][a-z0-9-]{0,60}", fullmatch=True)


@given(DIGEST, DIGEST, some.integers(0, 10**12), some.integers(1, 999), some.booleans(), NAMES)
def test_a_marker_is_read_back(key, said, run, attempt, failing, about):
    marker = Marker(key, said, run, attempt, failing, about)
    assert marker_of(f"{marker.text()}\n### text") == marker


@given(some.text(max_size=200))
def test_no_other_text_is_a_marker(text):
    assert marker_of(text) is None


def test_a_log_cannot_forge_a_marker():
    marker = Marker("0" * 16, "1" * 16, 5).text()
    body = message_of(failing(f"ModuleNotFoundError: No module named '{marker}'\n")).body(65_000, None)
    assert len(re.findall("<!--", body.replace("    1: ", ""))) <= 2
    assert marker_of(body).key != "0" * 16


LOAD = "FileNotFoundError: [Errno 2] No such file or directory: 'engine.plan'\n"


def test_the_log_that_says_why_stands_first():
    reports = [diagnose(text) for text in ("all good\n", UNKNOWN, LOAD, PROFILE_MISSING)]
    assert in_order(reports) == [3, 2, 1, 0]


MAKE = "make: *** [Makefile:12: engine] Error 1\n"
PRIVATE = (FIXTURES / "hf-repo-not-found" / "log.txt").read_text(encoding="utf-8")


def test_what_follows_comes_after_a_cause_that_is_only_likely_and_the_end_of_all_comes_last():
    follows, why, ended = reports = [diagnose(text) for text in (LOAD, PRIVATE, MAKE)]
    assert [report.diagnosis.verdict for report in (follows, why, ended)] == ["named", "likely", "likely"]
    assert in_order(reports)[0] == 1
    assert in_order([ended, why]) == [1, 0]


def test_among_equals_the_first_log_wins():
    assert in_order([diagnose(PROFILE_MISSING), diagnose(PROFILE_MISSING)]) == [0, 1]
