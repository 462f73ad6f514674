"""Today's rules over stored logs: what moved is shown and kept, people's words stay, a killed run goes on."""

import os
import signal
import subprocess
import sys

import pytest
from filing import UNHEARD, file_logs, rows
from support import MESSAGES, run_cli

from triage.archive import decisions, reanalysis, subjects
from triage.archive.tables import Group, GroupSignature, History, Incident, Reanalysis
from triage.service.reanalysing import reanalyse

RULE = """
cause: plugin-missing
status: stable
tool: tensorrt
match: 'While flurbing node (?P<node>\\S{1,80}): the gleep'
why: "The gleep of {node} is missing."
hits:
  - text: "[E] [TRT] While flurbing node 'x': the gleep of 'x' is not twizzled"
misses:
  - text: "[E] [TRT] While polishing node 'x': the gleep of 'x' is not twizzled"
"""


@pytest.fixture
def other_rules(small_library, monkeypatch):
    """Makes a library of one rule the library of the service."""
    library = small_library({"tensorrt/flurb": RULE})
    monkeypatch.setattr("triage.service.reanalysing.load_library", lambda: library)
    return library


def run(archive, **options):
    return list(reanalyse(archive, options.pop("words", ""), None, jobs=1, **options))


def test_nothing_moves_while_the_rules_are_the_same(archive):
    file_logs(archive, *(text for _, text in MESSAGES))
    states = run(archive)
    assert states[-1].done == len(MESSAGES)
    assert [move for state in states for move in state.moved] == []
    assert rows(archive, History) == []


def test_a_new_rule_names_what_was_unknown(archive, other_rules):
    file_logs(archive, UNHEARD.format(n="'a'"), UNHEARD.format(n="'b'"))
    assert {row[0] for row in rows(archive, Incident, Incident.verdict)} == {"unknown"}
    dry = run(archive, dry_run=True)
    assert [move.after for move in dry[-1].moved] == ["plugin-missing (named)"] * 2
    assert {row[0] for row in rows(archive, Incident, Incident.verdict)} == {"unknown"}
    assert rows(archive, Reanalysis) == []
    run(archive)
    assert (
        rows(archive, Incident, Incident.cause, Incident.rule, Incident.rules_version)
        == [("plugin-missing", "rule:tensorrt/flurb", other_rules.edition)] * 2
    )
    assert rows(archive, Group, Group.cause, Group.count) == [("plugin-missing", 2)]
    line = rows(archive, History, History.kind, History.data)[0]
    assert line[0] == "verdict"
    assert (line[1]["before"]["cause"], line[1]["after"]["cause"]) == ("unknown", "plugin-missing")


def test_what_a_person_confirmed_stays(archive, other_rules):
    (filed,) = file_logs(archive, UNHEARD.format(n="'a'"))
    with archive.write() as connection:
        decisions.confirm(connection, subjects.find(connection, filed.incidents[0]), "profile-missing", None, "sure")
    run(archive)
    assert rows(archive, Group, Group.cause, Group.confirmed_cause, Group.note) == [
        ("plugin-missing", "profile-missing", "sure")
    ]


def test_what_is_no_failure_any_more_is_held_so_and_comes_back(archive, other_rules, monkeypatch):
    file_logs(archive, MESSAGES[1][1])
    run(archive)
    assert rows(archive, Incident, Incident.cause, Incident.verdict) == [("no-failure", "no-failure")]
    monkeypatch.undo()
    run(archive)
    assert rows(archive, Incident, Incident.cause, Incident.verdict) == [("python-dependency-missing", "named")]


def test_ids_and_groups_survive_a_new_signature_algorithm(archive, monkeypatch):
    (filed,) = file_logs(archive, MESSAGES[0][1])
    before = rows(archive, Incident, Incident.uid, Incident.group_id)
    monkeypatch.setattr("triage.signature.VERSION", "2030-01-01")
    run(archive)
    assert rows(archive, Incident, Incident.uid, Incident.group_id) == before
    assert {row[0] for row in rows(archive, GroupSignature, GroupSignature.version)} == {"2026-11-21", "2030-01-01"}
    assert rows(archive, Incident, Incident.signature_version) == [("2030-01-01",)]
    assert filed.incidents[0] == before[0][0]


def test_an_unfinished_run_goes_on_where_it_was(archive, other_rules, monkeypatch):
    monkeypatch.setattr("triage.service.reanalysing.BATCH", 2)
    file_logs(archive, *(UNHEARD.format(n=f"'n{number}'") for number in range(7)))
    states = reanalyse(archive, "", None, jobs=1)
    assert next(states).done == 2
    states.close()
    again = run(archive)
    assert (again[0].resumed, again[0].done, again[-1].done) == (True, 4, 7)
    assert {row[0] for row in rows(archive, Incident, Incident.verdict)} == {"named"}
    assert len(rows(archive, History)) == 7
    assert rows(archive, Reanalysis, Reanalysis.done, Reanalysis.moved)[0] == (7, 7)
    with archive.write() as connection:
        assert not reanalysis.begin(connection, other_rules.edition, "").resumed


def test_a_killed_command_is_taken_up_again(tmp_path, archive, archive_url):
    file_logs(archive, *(f"ModuleNotFoundError: No module named 'p{number}'\n" for number in range(400)))
    environment = {**os.environ, "TRIAGE_DATABASE_URL": archive_url}
    command = [sys.executable, "-m", "triage", "archive", "reanalyse", "--jobs", "2"]
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    while not [row for row in rows(archive, Reanalysis, Reanalysis.done) if row[0]]:
        assert process.poll() is None, "it ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = run_cli("archive", "reanalyse", env={"TRIAGE_DATABASE_URL": archive_url})
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"400 logs, 0 verdicts moved" in done.stderr
    assert b"going on where the last run was stopped" in done.stderr
    assert len(rows(archive, Incident)) == 400
