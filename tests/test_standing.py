"""How a failure stands in the history of its job: every section, its proof, and what happens without an archive."""

import os
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import pytest
from filing import kept
from sqlalchemy import select, update

from triage.archive.filing import file_builds
from triage.archive.session import Archive
from triage.archive.tables import Group, GroupSignature
from triage.environment import origin_of
from triage.records import Cause, Evidence, Job, Standing
from triage.service import diagnose
from triage.service.filing import Run, new_build, told
from triage.service.judging import Build, History, judged
from triage.service.standing import standing, standings

MISSING = "ModuleNotFoundError: No module named 'cupy'\n"
OTHER = "ERROR: onnx.onnx_cpp2py_export.checker.ValidationError: Field 'name' of 'graph' is required to be non-empty.\n"
FULL = "OSError: [Errno 28] No space left on device\n"
JOB = Job(
    "github", "CI / build", host="github", api="https://api.github.com", repository="team/model", branch="feature",
    base="main", default_branch="main", change="5", commit="f" * 40,
)  # fmt: skip
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def logs():
    """Reports of a failure, of another one and of a good build."""
    texts = {"bad": MISSING, "other": OTHER, "good": "engine built\n", "disk": FULL}
    return {name: diagnose(text) for name, text in texts.items()}


@pytest.fixture
def filed(archive, logs, monkeypatch):
    """Gives a function: builds as (how, branch, commit, days ago[, run]) -> filed in the order of their age."""
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive.url.render_as_string(hide_password=False))

    def file(*builds, job=JOB, **origin):
        made = []
        for number, (how, branch, commit, days, *run) in enumerate(builds):
            url = f"https://github.com/team/model/actions/runs/{run[0] if run else f'{how}{branch}{days}{number}'}"
            where = origin_of(job)._replace(
                branch=branch, commit=(commit or "e") * 40, **{"ci": "github", "run_url": url, **origin}
            )
            started = NOW - timedelta(days=days)
            ended = Run(key=f"{number} {days}", started=started, exit_code=int(how != "good"))
            made.append(new_build(logs[how], kept(f"{how} {number} {days}"), "today", where, ended))
        with archive.write() as connection:
            return file_builds(connection, made)

    return file


def day(days):
    return (NOW - timedelta(days=days)).date().isoformat()


def test_with_no_history_the_reason_says_so(filed, logs):
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry, found.builds, found.of) == ("change", False, 1, 1)
    assert "No build of this job on main is known: nothing to compare with." in found.why


def test_a_failure_that_main_does_not_have_is_of_the_change(filed, logs):
    filed(("good", "main", "1", 3), ("other", "main", "2", 2), ("good", "main", "3", 1))
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry, found.builds, found.of) == ("change", False, 1, 4)
    assert f"on main ({day(1)}, commit 3333333333) passed." in found.why
    assert "None of 3 other builds of this job had it." in found.why


def test_main_that_fails_for_another_reason_is_no_excuse(filed, logs):
    filed(("bad", "main", "1", 3), ("other", "main", "2", 1))
    found = standing(logs["bad"], JOB)
    assert found.section == "change"
    assert "failed for another reason" in found.why


def test_what_main_has_too_is_told_with_its_beginning(filed, logs):
    filed(("bad", "main", "0", 9), ("good", "main", "1", 8), ("bad", "main", "2", 3), ("bad", "main", "3", 1))
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry, found.builds, found.of) == ("main", False, 4, 5)
    assert found.why.startswith(f"main has been failing with it since {day(3)}, commit 2222222222, 2 builds in a row.")


def test_the_branch_that_a_change_goes_to_counts_before_the_default(filed, logs):
    filed(("bad", "main", "1", 2), ("good", "release", "2", 1))
    assert standing(logs["bad"], JOB._replace(base="release")).section == "change"
    assert standing(logs["bad"], JOB._replace(base="unheard-of")).section == "main"


def test_where_nobody_names_the_default_branch_main_or_master_is_it(filed, logs):
    filed(("bad", "origin/master", "1", 2))
    found = standing(logs["bad"], JOB._replace(base=None, default_branch=None))
    assert (found.section, "master has been failing" in found.why) == ("main", True)


def test_main_of_a_fork_is_not_main(filed, logs):
    fork = JOB._replace(branch="main", change="6", trusted=False)
    filed(("good", "main", "1", 3), ("bad", origin_of(fork).branch, "2", 2))
    assert standing(logs["bad"], JOB).section == "change"


def test_another_job_or_repository_or_time_is_no_history(filed, logs):
    filed(("bad", "main", "1", 2), job=JOB._replace(name="CI / build (int8)"))
    filed(("bad", "main", "1", 3), job=JOB._replace(repository="team/other"))
    filed(("bad", "main", "1", 120))
    assert standing(logs["bad"], JOB).of == 1


# --- flaky


def test_the_same_commit_that_passed_when_run_again_is_flaky(filed, logs):
    filed(("good", "main", "1", 9), ("bad", "topic", "2", 5, 7), ("good", "topic", "2", 4.9, "7/attempts/2"))
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry, found.builds, found.of) == ("flaky", True, 2, 4)
    assert f"Commit 2222222222 failed with it on {day(5)} and passed when the job ran again" in found.why


FALSE_FRIENDS = {
    "a pass before the failure": (("good", "topic", "2", 5), ("bad", "topic", "2", 4)),
    "a pass of another commit": (("bad", "topic", "2", 5), ("good", "topic", "3", 4)),
    "two steps of one run": (("bad", "topic", "2", 5, 7), ("good", "topic", "2", 4.9, 7)),
    "another failure there": (("other", "topic", "2", 5), ("good", "topic", "2", 4)),
    "main had it at that time": (
        ("bad", "main", "1", 6), ("bad", "topic", "2", 5), ("good", "main", "3", 4.5), ("good", "topic", "2", 4),
    ),
    "one spell on main": (("bad", "main", "1", 6), ("good", "main", "2", 5)),
    "a long spell on main": (
        ("bad", "main", "1", 9), ("good", "main", "2", 8), ("bad", "main", "3", 7), ("bad", "main", "4", 6),
        ("bad", "main", "5", 5), ("good", "main", "6", 4),
    ),
    "spells that no pass ended": (
        ("bad", "main", "1", 9), ("other", "main", "2", 8), ("bad", "main", "3", 7), ("other", "main", "4", 6),
    ),
    "changes that got rid of it": tuple(
        row for n in "234" for row in (("bad", f"topic{n}", n, int(n) + 1), ("good", f"topic{n}", f"{n}a"[1], int(n)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FALSE_FRIENDS)
def test_what_is_no_proof_of_flakiness(filed, logs, case):
    filed(("good", "main", "0", 20), *FALSE_FRIENDS[case])
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry) == ("change", False)


def test_a_working_folder_is_no_commit(filed, logs):
    filed(("bad", "topic", "2", 5), ("good", "topic", "2", 4), ci=None)
    assert standing(logs["bad"], JOB).section == "change"


def test_two_short_spells_on_main_are_flaky(filed, logs):
    filed(*((("bad", "good")[n % 2], "main", str(n), 9 - n) for n in range(4)))
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry, found.builds, found.of) == ("flaky", True, 3, 5)
    assert "main had it 2 times" in found.why


def test_three_in_a_row_on_a_branch_are_not_chance(filed, logs):
    flake = (("bad", "topic", "2", 5), ("good", "topic", "2", 4))
    filed(*flake, ("bad", "feature", "7", 2), ("bad", "feature", "8", 1))
    found = standing(logs["bad"], JOB)
    assert (found.section, found.retry) == ("change", False)
    assert "but the last 3 builds here all had it" in found.why


# --- the cause alone


def test_a_full_disk_is_the_machine_and_trying_again_does_not_help(filed, logs):
    filed(("good", "main", "1", 1))
    found = standing(logs["disk"], JOB)
    assert (found.section, found.retry) == ("infrastructure", False)
    assert f"on main ({day(1)}, commit 1111111111) passed" in found.why


@pytest.mark.parametrize(
    ("line", "section", "retry"),
    [
        ("requests.exceptions.ConnectionError: Max retries exceeded with url: /api", "infrastructure", True),
        ("requests.exceptions.HTTPError: 404 Client Error: Not Found for url: https://h/a.onnx", "change", False),
        ("curl: (60) SSL certificate problem: self-signed certificate", "infrastructure", False),
        ("We couldn't connect to 'https://h'; see how to run the library in offline mode", "infrastructure", True),
        ("OfflineModeIsEnabled: Cannot reach https://h: offline mode is enabled.", "change", False),
    ],
)
def test_the_line_decides_whether_a_download_is_to_blame_on_the_network(library, line, section, retry):
    cause = Cause("download-failed", "named", "rule:x", (Evidence(1, line),), {}, "")
    found = judged(cause, None)
    assert (found.section, found.retry) == (section, retry)


def test_transient_causes_are_few_and_of_the_infrastructure(library):
    articles = [library.knowledge.article(cause) for cause in library.knowledge.ids()]
    blamed = {article.id for article in articles if article.blame}
    assert {article.id for article in articles if article.transient} <= blamed
    assert {"disk-full", "download-failed", "cuda-driver-too-old", "cuda-unavailable", "address-in-use"} <= blamed
    assert {article.group for article in articles if article.blame} == {"environment"}


@pytest.mark.parametrize("cause", [None, Cause("unknown", "unknown", "none", (), {}, "")])
def test_unknown_is_unknown_whatever_main_does(library, cause):
    build = Build(NOW, passed=False, had=True, branch="main", commit="a" * 40)
    assert judged(cause, History([build], "main", ())).section == "unknown"


def test_a_cause_that_the_catalogue_does_not_have_is_of_the_change(library):
    assert judged(Cause("from-the-future", "named", "rule:x", (), {}, ""), None).section == "change"


def test_a_good_log_has_no_standing(filed, logs):
    assert standings(logs["good"], JOB) == []
    assert standing(logs["good"], JOB).section == "unknown"


# --- the report's own build, groups, jobs without a name


def test_the_build_that_is_asked_about_is_not_its_own_history(filed, logs, archive):
    filed(("bad", "main", "1", 1, 70), ("other", "main", "1", 0.9, 70))
    (mine,) = filed(("bad", "main", "1", 0.5, 70))
    report = told(archive, logs["bad"], mine)
    assert report.diagnosis.incidents[0].id
    here = JOB._replace(branch="main", change=None, base=None, run_url="https://github.com/team/model/actions/runs/70")
    found = standing(report, here)
    assert (found.section, found.builds, found.of) == ("change", 1, 1)


def test_on_main_itself_only_what_came_before_counts(filed, logs, archive):
    filed(("good", "main", "1", 5), ("bad", "main", "3", 1))
    (mine,) = filed(("bad", "main", "2", 3))
    here = JOB._replace(branch="main", change=None, base=None)
    assert standing(told(archive, logs["bad"], mine), here).section == "change"


def test_a_merged_group_is_one_failure(filed, logs, archive):
    filed(("other", "main", "1", 1))
    with archive.write() as connection:
        ids = dict(connection.execute(select(Group.cause, Group.id)).all())
    filed(("bad", "topic", "2", 2))
    with archive.write() as connection:
        other = connection.execute(select(Group.id).where(Group.id.not_in(ids.values()))).scalar_one()
        connection.execute(
            update(GroupSignature).where(GroupSignature.group_id == other).values(group_id=next(iter(ids.values())))
        )
    assert standing(logs["bad"], JOB).section == "main"


def test_without_a_name_builds_of_the_same_source_are_compared(filed, logs):
    shell = Job("shell", "shell", repository=None, branch="feature")
    filed(("bad", "main", "1", 2), ("good", "main", "2", 1), job=shell, ci=None, run_url=None)
    found = standing(logs["bad"], shell)
    assert (found.section, found.of) == ("change", 3)
    assert standing(logs["bad"]._replace(source="another.log"), shell).of == 1


@pytest.mark.parametrize(
    "address", ["https://github.com/team/model.git", "git@github.com:team/model.git", "https://github.com/team/model"]
)
def test_builds_that_were_filed_by_the_address_of_a_clone_are_found(filed, logs, address):
    filed(("bad", "main", "1", 1), repository=address)
    assert standing(logs["bad"], JOB._replace(system="jenkins")).section == "main"


def test_each_independent_failure_has_its_own(filed, logs):
    filed(("bad", "main", "1", 1))
    both = diagnose(MISSING + "done\n" * 3 + OTHER)
    found = standings(both, JOB)
    independent = [one for one in both.diagnosis.incidents if one.consequence_of is None]
    assert {id(one) for one, _ in found} == {id(one) for one in independent}
    assert found[0][0] is both.diagnosis.incidents[both.diagnosis.primary]


def test_names_of_branches_are_as_hostile_as_logs(filed, logs):
    hostile = "main\x1b[31m\u202e ghp_0123456789abcdefghij0123456789abcdef"
    filed(("bad", hostile[:100], "1", 1))
    found = standing(logs["bad"], JOB._replace(base=hostile[:100]))
    assert found.why.isprintable()
    assert "ghp_0123" not in found.why


# --- an archive that cannot be asked


def test_unasked_archives_are_not_touched(logs, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", f"sqlite:///{tmp_path}/none.db")
    found = standing(logs["bad"], JOB, with_archive=False)
    assert found == Standing("change", "Nothing is known of other builds: the archive was not asked.")
    assert standing(logs["bad"], JOB).section == "change"
    assert os.listdir(tmp_path) == []


def damaged(path):
    path.write_bytes(b"no database at all" * 99)


def old(path):
    from triage.archive.schema import upgrade

    with Archive(f"sqlite:///{path}") as archive:
        upgrade(archive, "0001")


def strange(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE things (a)")


@pytest.mark.parametrize("made", [damaged, old, strange])
def test_an_archive_that_does_not_fit_costs_the_history_only(logs, tmp_path, monkeypatch, made):
    made(tmp_path / "a.db")
    monkeypatch.setenv("TRIAGE_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    assert "the archive could not be asked: " in standing(logs["bad"], JOB).why
    disk = standing(logs["disk"], JOB)
    assert (disk.section, "could not be asked" in disk.why) == ("infrastructure", True)


def test_a_server_that_is_gone_costs_the_history_only(logs, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setenv("TRIAGE_DATABASE_URL", "postgresql://me:hunter22@127.0.0.1:9/none")
    found = standing(logs["bad"], JOB)
    assert (found.section, "could not be asked" in found.why, "hunter22" in found.why) == ("change", True, False)


def test_a_locked_archive_is_not_waited_for(logs, sqlite_template, tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    path.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("TRIAGE_DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.setattr("triage.service.standing.WAIT", 0.2)
    with sqlite3.connect(path, isolation_level=None) as lock:
        lock.execute("PRAGMA journal_mode = DELETE")
        lock.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        found = standing(logs["bad"], JOB)
        assert time.monotonic() - started < 5
        lock.execute("ROLLBACK")
    assert (found.section, "locked" in found.why) == ("change", True)


def test_history_is_read_by_its_index(filed, logs, archive):
    """What keeps an archive of 100,000 builds as quick as an empty one."""
    from sqlalchemy import text

    if not archive.is_sqlite:
        pytest.skip("the plan of a small table tells nothing there")
    filed(("bad", "main", "1", 1))
    query = (
        'EXPLAIN QUERY PLAN SELECT id, at, outcome, branch, "commit" FROM builds'
        " WHERE job = 'a' AND repository IN ('b', 'c') AND at >= 0 ORDER BY at DESC LIMIT 9"
    )
    with archive.read() as connection:
        plan = " ".join(row[3] for row in connection.execute(text(query)))
    assert "COVERING INDEX ix_builds_job" in plan
