"""Filing, grouping and deciding: what is acknowledged is there once, and every decision can be taken back."""

import json
from datetime import datetime, timedelta

import pytest
from filing import MISSING, START, UNHEARD, build_of, dump, file_logs, kept, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, select
from sqlalchemy.exc import StatementError
from support import MESSAGES

from triage.archive import decisions, merging, subjects
from triage.archive.filing import file_builds
from triage.archive.schema import differences, revisions, upgrade
from triage.archive.session import Archive
from triage.archive.tables import Build, Confirmation, Group, History, Incident, Log
from triage.archive.vault import decompress, pack
from triage.archive.words import version_key, words
from triage.errors import UnknownName, UsageError
from triage.records import KeptLog, Origin


def groups(archive):
    return {row[0]: row[1:] for row in rows(archive, Group, Group.uid, Group.count, Group.cause, Group.state)}


def decide(archive, action, *arguments, **options):
    with archive.write() as connection:
        subjects_ = [subjects.find(connection, name) for name in arguments]
        return action(connection, *subjects_, **options)


def test_a_filed_failure_is_found_by_its_columns(archive):
    origin = Origin("box", "github", "org/repo", "main", "abc123", "https://ci/1", "build")
    for cause, text in MESSAGES:
        with archive.write() as connection:
            (filed,) = file_builds(connection, [build_of(text, origin=origin)])
        row = rows(archive, Incident, Incident.cause, Incident.verdict, Incident.branch, Incident.host)[-1]
        assert (row, filed.new) == ((cause, "named", "main", "box"), True)


def test_the_same_log_of_the_same_run_is_one_incident(archive):
    first, again = file_logs(archive, MESSAGES[0][1], MESSAGES[0][1])
    later = file_logs(archive, MESSAGES[0][1])[0]
    assert first.new
    assert (again.new, later.new) == (False, False)
    assert first.incidents == again.incidents == later.incidents
    assert [row[1] for row in rows(archive, Group, Group.uid, Group.count)] == [1]


def test_another_run_with_the_same_log_is_another_incident_of_the_same_group(archive):
    one, two = (build_of(MESSAGES[0][1], origin=Origin(run_url=f"https://ci/{n}"), minutes=n) for n in (1, 2))
    with archive.write() as connection:
        file_builds(connection, [one, two])
    (group,) = rows(archive, Group, Group.count, Group.first_seen, Group.last_seen)
    assert group == (2, START + timedelta(minutes=1), START + timedelta(minutes=2))


def test_names_paths_and_versions_do_not_part_a_group(archive):
    lost = "RuntimeError: Error in loading {0}/model_{1}.onnx: node 'layer{1}' of TensorRT {1}.2.3 has shape [1, {1}]\n"
    others = (MISSING.format(n="onnx"), MISSING.format(n="x"))
    file_logs(archive, lost.format("/srv/a", 7), lost.format("C:\\b", 11), *others)
    assert sorted(row[0] for row in groups(archive).values()) == [1, 1, 2]


def test_a_good_log_is_a_build_without_an_incident(archive):
    (filed,) = file_logs(archive, "all is well\n")
    assert filed.incidents == ()
    assert rows(archive, Build, Build.outcome) == [("passed",)]
    assert rows(archive, Incident, Incident.id) == []


def test_a_failed_command_without_a_failing_line_is_a_failed_build(archive):
    file_logs(archive, "all is well\n", exit_code=3)
    assert rows(archive, Build, Build.outcome, Build.exit_code) == [("failed", 3)]


def test_a_closed_failure_that_is_seen_again_is_reopened(archive):
    file_logs(archive, MESSAGES[0][1])
    (name,) = groups(archive)
    decide(archive, decisions.set_state, name, state="closed")
    with archive.write() as connection:
        file_builds(connection, [build_of(MESSAGES[0][1], origin=Origin(run_url="https://ci/2"), minutes=9)])
    assert groups(archive)[name][2] == "reopened"
    assert rows(archive, History, History.kind, History.actor)[-1] == ("state", "triage")


def test_an_old_log_filed_late_does_not_reopen(archive):
    with archive.write() as connection:
        file_builds(connection, [build_of(MESSAGES[0][1], minutes=9)])
    (name,) = groups(archive)
    decide(archive, decisions.set_state, name, state="verified")
    with archive.write() as connection:
        file_builds(connection, [build_of(MESSAGES[0][1], origin=Origin(run_url="https://ci/0"))])
    assert groups(archive)[name][2] == "verified"


def test_confirming_makes_known_and_says_whether_the_rule_was_right(archive):
    (filed,) = file_logs(archive, MESSAGES[0][1])
    decide(archive, decisions.confirm, filed.incidents[0], cause="profile-invalid", fix="correct_profile", words="seen")
    assert rows(archive, Group, Group.confirmed_cause, Group.confirmed_fix, Group.note, Group.state) == [
        ("profile-invalid", "correct_profile", "seen", "known")
    ]
    assert rows(archive, Confirmation, Confirmation.agreed, Confirmation.withdrawn) == [(False, False)]
    with archive.write() as connection:
        merging.undo(connection)
    assert rows(archive, Group, Group.confirmed_cause, Group.state) == [(None, "new")]
    assert rows(archive, Confirmation, Confirmation.withdrawn) == [(True,)]


def test_undo_of_what_was_changed_since_is_refused(archive):
    (filed,) = file_logs(archive, MESSAGES[0][1])
    first = decide(archive, decisions.set_state, filed.incidents[0], state="fixing")
    decide(archive, decisions.set_state, filed.incidents[0], state="verified")
    with pytest.raises(UsageError, match="state changed since"), archive.write() as connection:
        merging.undo(connection, first)
    for wanted in ("fixing", "new"):
        with archive.write() as connection:
            merging.undo(connection)
        assert next(iter(groups(archive).values()))[2] == wanted
    with pytest.raises(UsageError, match="nothing of yours"), archive.write() as connection:
        merging.undo(connection)


@pytest.mark.parametrize(
    ("state", "after", "refused"),
    [
        ("fixing", "verified", None),
        ("known", "new", "can go to"),
        ("fixing", "fixing", "already"),
        (None, "reopened", "can go to"),
    ],
)
def test_states_follow_each_other(archive, state, after, refused):
    (filed,) = file_logs(archive, MESSAGES[0][1])
    if state:
        decide(archive, decisions.set_state, filed.incidents[0], state=state)
    if refused is None:
        decide(archive, decisions.set_state, filed.incidents[0], state=after)
        assert rows(archive, Group, Group.verified_at)[0][0] is not None
    else:
        with pytest.raises(UsageError, match=refused):
            decide(archive, decisions.set_state, filed.incidents[0], state=after)


def two_groups(archive):
    one, two = file_logs(archive, UNHEARD.format(n="'a'"), MESSAGES[0][1])
    with archive.read() as connection:
        return [subjects.find(connection, filed.incidents[0]).group_uid for filed in (one, two)]


def test_merged_groups_take_new_incidents_and_can_be_undone(archive):
    source, target = two_groups(archive)
    before = groups(archive)
    decide(archive, merging.merge, source, target)
    file_logs(archive, UNHEARD.format(n="'b'"))
    assert (groups(archive)[source][0], groups(archive)[target][0]) == (0, 3)
    with archive.write() as connection:
        merging.undo(connection)
    after = groups(archive)
    assert (after[source][0], after[target][0]) == (2, 1)
    assert {name: row[1:] for name, row in after.items()} == {name: row[1:] for name, row in before.items()}


def test_what_was_taken_apart_for_good_is_not_merged_again(archive):
    source, target = two_groups(archive)
    decide(archive, merging.merge, source, target)
    decide(archive, merging.unmerge, source)
    with pytest.raises(UsageError, match="for good"):
        decide(archive, merging.merge, target, source)
    decide(archive, merging.merge, source, target, force=True)
    assert groups(archive)[target][0] == 2


def test_undoing_an_unmerge_joins_again_and_lets_it_be_parted_again(archive):
    source, target = two_groups(archive)
    decide(archive, merging.merge, source, target)
    decide(archive, merging.unmerge, source)
    with archive.write() as connection:
        merging.undo(connection)
    assert groups(archive)[target][0] == 2
    decide(archive, merging.unmerge, source)
    assert (groups(archive)[source][0], groups(archive)[target][0]) == (1, 1)


def test_a_chain_of_merges_gives_each_group_its_own_back(archive):
    texts = [UNHEARD.format(n="'a'"), MESSAGES[0][1], MESSAGES[2][1]]
    names = []
    for filed in file_logs(archive, *texts):
        with archive.read() as connection:
            names.append(subjects.find(connection, filed.incidents[0]).group_uid)
    first, second, third = names
    decide(archive, merging.merge, first, second)
    decide(archive, merging.merge, second, third)
    assert groups(archive)[third][0] == 3
    decide(archive, merging.unmerge, first)
    assert [groups(archive)[name][0] for name in names] == [1, 0, 2]


@pytest.mark.parametrize("name", ["", "x-abcdefgh", "i-", "i-zz", "g-abcdef", "i-abcdefgh", "nonsense", "i-abc'; --"])
def test_unknown_ids_are_refused(archive, name):
    with archive.read() as connection, pytest.raises(UsageError):
        subjects.find(connection, name)


def test_a_group_is_not_merged_with_itself(archive):
    source, _ = two_groups(archive)
    with pytest.raises(UsageError, match="itself"):
        decide(archive, merging.merge, source, source)


def test_an_id_may_be_shortened_while_it_is_the_only_one(archive):
    (filed,) = file_logs(archive, MESSAGES[0][1])
    with archive.read() as connection:
        assert subjects.find(connection, filed.incidents[0][:8]).uid == filed.incidents[0]
        with pytest.raises(UnknownName):
            subjects.find(connection, "i-aaaabbbb")


def test_a_refused_write_changes_nothing(archive):
    file_logs(archive, MESSAGES[0][1])
    before = dump(archive)
    builds = [build_of(MESSAGES[1][1]), build_of(MESSAGES[2][1])._replace(at=datetime(2026, 1, 1))]  # noqa: DTZ001
    with pytest.raises(StatementError, match="needs its zone"), archive.write() as connection:
        file_builds(connection, builds)
    assert dump(archive) == before


def test_secrets_are_masked_before_anything_is_stored(archive):
    token = "ghp_" + "a1B2" * 9
    key = "-----BEGIN PRIVATE KEY-----\n" + "QUJD" * 12 + "\n-----END PRIVATE KEY-----\n"
    text = f"login with {token}\n{key}{MESSAGES[1][1]}\n"
    file_logs(archive, text)
    ((body,),) = rows(archive, Log, Log.body)
    stored = decompress(body)
    assert token.encode() not in stored
    assert b"QUJD" not in stored
    assert stored.count(b"\n") == text.count("\n")
    assert token not in json.dumps(dump(archive))


def test_a_long_log_is_cut_and_keeps_its_decisive_line():
    head, tail = b"start\n" * 100, b"end\n" * 100
    packed = pack(KeptLog(head, tail, 10_000_000, 1_000_000), [(5000, "the decisive line"), (3, "start")])
    text = decompress(packed.body)
    assert packed.cut == {"lines": [101, 999_901], "bytes": 10_000_000 - 996, "kept": [5000]}
    assert b"lines 101 to 999901 of 1000000 were not kept]\nthe decisive line\nend\n" in text


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_a_stored_log_comes_back(data):
    packed = pack(kept(data))
    assert packed.cut is None
    assert decompress(packed.body).count(b"\n") == data.count(b"\n")
    assert pack(kept(decompress(packed.body))).digest == packed.digest


@given(st.text(max_size=200))
def test_words_hold_only_letters_digits_and_single_blanks(text):
    found = words(text)
    assert words(found) == found
    assert all(part.isalnum() for part in found.split(" ") if part)


@pytest.mark.parametrize(
    ("low", "high"), [("8.6.1", "10.0"), ("10.3.0", "10.13.2"), ("1.9", "1.10"), ("2.1", "2.1.0.1"), ("v9", "v10")]
)
def test_versions_sort_as_versions(low, high):
    assert version_key(low) < version_key(high)


def test_no_version_has_no_key():
    assert version_key(None) is None
    assert version_key("main") is None


def test_the_database_has_the_tables_of_the_program(archive):
    assert differences(archive) == []


def test_upgrading_twice_changes_nothing(archive):
    file_logs(archive, MESSAGES[0][1])
    before = dump(archive)
    assert upgrade(archive) == (revisions()[-1], revisions()[-1])
    assert dump(archive) == before


def filled(archive):
    """One row in every table of the schema as it is in the database, whatever its version."""
    with archive.write() as connection:
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            if not table.name.startswith(("alembic", "details_fts", "meta")):
                values = {column.name: sample_of(column) for column in table.columns if not column.foreign_keys}
                values |= {column.name: sample_of(next(iter(column.foreign_keys)).column)
                           for column in table.columns if column.foreign_keys}  # fmt: skip
                connection.execute(table.insert(), values)
        return {table.name: connection.execute(select(table)).mappings().all() for table in found.sorted_tables}


def sample_of(column):
    kind = column.type.python_type
    return {int: 7, float: 7.5, str: "seven", bytes: b"seven", bool: True, dict: {"seven": 7}}.get(kind, {"seven": 7})


@pytest.mark.parametrize("revision", revisions())
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_archive_of_every_earlier_version_upgrades_with_its_data(revision, kind, tmp_path, request):
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        url = request.getfixturevalue("postgres_server")(f"old_{revision}")
    with Archive(url) as archive:
        assert upgrade(archive, revision)[1] == revision
        before = filled(archive)
        assert upgrade(archive) == (revision, revisions()[-1])
        assert differences(archive) == []
        with archive.read() as connection:
            now = MetaData()
            now.reflect(connection)
            for name, old in before.items():
                if name.startswith(("alembic", "details_fts")):
                    continue
                new = connection.execute(select(now.tables[name])).mappings().all()
                assert [{key: row[key] for key in was} for row, was in zip(new, old, strict=True)] == [
                    dict(w) for w in old
                ]


def test_revisions_are_what_alembic_sees():
    from alembic.script import ScriptDirectory

    from triage.folders import data_folder

    script = ScriptDirectory(data_folder("migrations"))
    assert script.get_heads() == [revisions()[-1]]


def test_a_sqlite_archive_is_made_when_first_used(tmp_path):
    from triage.archive.schema import require

    path = tmp_path / "new" / "deep" / "archive.db"
    with Archive(f"sqlite:///{path}") as made:
        require(made)
        assert file_logs(made, MESSAGES[0][1])[0].new
    assert path.stat().st_size > 0
