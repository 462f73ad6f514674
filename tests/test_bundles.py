"""Bundles: what leaves one archive arrives in another, whole or not at all, and never twice."""

import io
import json
import shutil
import signal
import subprocess
import sys
import uuid
import zipfile
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import jsonschema
import pytest
from filing import START, build_of, dump
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from support import PROFILE_MISSING, run_cli

from triage.archive import decisions, merging, subjects
from triage.archive.bundles import manifest as made
from triage.archive.bundles import rules as rule_files
from triage.archive.bundles.exporting import Sender, Wanted, export
from triage.archive.bundles.importing import take_in
from triage.archive.bundles.reading import open_bundle
from triage.archive.bundles.sealed import Writer
from triage.archive.bundles.starter import import_starter, read_cases
from triage.archive.filing import file_builds
from triage.archive.filters import parse
from triage.archive.rows import NewBuild, NewIncident, build_key
from triage.archive.schema import require
from triage.archive.session import Archive
from triage.archive.tables import Base, Build, Confirmation, Detail, Group, GroupSignature, History, Incident, Log
from triage.archive.vault import decompress, pack
from triage.errors import InputError, KnowledgeFault, RuleFault, UsageError
from triage.records import Cause, Evidence, KeptLog, Origin, Signature
from triage.records import Incident as Failure
from triage.reports._shape import incident_dict
from triage.schemas.bundle import SCHEMA
from triage.service import diagnose
from triage.service.filing import new_build

AT = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
SENDER = Sender("ada", "build7", "for the team", AT, "rules-of-today")
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total"
MODULE = "ModuleNotFoundError: No module named 'onnx'"


def run_of(log, *, hours=0, job="a", **run):
    """A real diagnosis as a build to file."""
    where = Origin(host="build7", repository="team/models", branch="main", commit="c0ffee", job=job)
    environment = {"tensorrt": "10.3.0", "gpu": {"name": "L4", "count": 2}}
    return build_of(log, minutes=60 * hours, origin=where, environment=environment, **run)


def file(archive, *builds):
    with archive.write() as connection:
        return file_builds(connection, builds)


def groups_of(archive):
    """Groups by cause."""
    with archive.read() as connection:
        return {row.cause: row for row in connection.execute(select(Group.__table__))}


@contextmanager
def deciding(archive, cause):
    """A connection to write with, and the group of a cause as people name it."""
    name = groups_of(archive)[cause].uid
    with archive.write() as connection:
        yield connection, subjects.find(connection, name)


def confirm(archive, cause, confirmed, fix=None, words=None):
    with deciding(archive, cause) as (connection, subject):
        return decisions.confirm(connection, subject, confirmed, fix, words)


def filled(archive):
    """An archive with a bit of everything: failures, a success, decisions, a merge, notes."""
    file(
        archive,
        run_of(PROFILE_MISSING, prints=b"\x00\xff\x10", seconds=12.5, exit_code=1, command={"argv": ["trtexec", "-x"]}),
        run_of(PROFILE_MISSING + "\nmore", hours=1, job="b", parameters={"shapes": {"x": [1, 2]}}),
        run_of(MODULE, hours=2),
        run_of(OUT_OF_MEMORY, hours=3, target="gpu", model="bert.onnx"),
        run_of("&&&& PASSED TensorRT.trtexec", hours=4),
    )
    confirm(archive, "profile-missing", "profile-missing", "rebuild_profiles", "the range was never given")
    with deciding(archive, "profile-missing") as (connection, subject):
        decisions.set_state(connection, subject, "verified")
        decisions.set_owner(connection, subject, "grace")
        decisions.add_note(connection, subject, "seen on Tuesdays, 每周二")
    with deciding(archive, "gpu-out-of-memory") as (connection, subject):
        other = subjects.find(connection, groups_of(archive)["python-dependency-missing"].uid)
        merging.merge(connection, other, subject)
    return archive


def bundle_of(archive, wanted=None, sender=SENDER):
    sink = io.BytesIO()
    export(archive, sink, wanted or Wanted(), sender)
    return sink.getvalue()


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        return {name: parts.read(name) for name in parts.namelist()}


def take(archive, data, **more):
    with open_bundle(io.BytesIO(data), "team.triage.zip") as bundle:
        return take_in(archive, bundle, **more)


def content(archive):
    """What an archive holds, without the numbers that are its own."""
    with archive.read() as connection:

        def rows(table):
            return [dict(row) for row in connection.execute(select(table.__table__)).mappings()]

        groups = {row["id"]: row["uid"] for row in rows(Group)}
        builds = {row["id"]: row["key"] for row in rows(Build)}
        incidents = {row["id"]: row["uid"] for row in rows(Incident)}
        names = {"group_id": groups, "home_id": groups, "merged_into": groups, "build_id": builds,
                 "incident_id": incidents}  # fmt: skip
        found = defaultdict(list)
        for table in (Build, Group, GroupSignature, Incident, Detail, Confirmation, Log):
            for row in rows(table):
                row.pop("id", None)
                for name in names.keys() & row.keys():
                    row[name] = row[name] and names[name][row[name]]
                if table is Detail:
                    row["body"] = json.loads(decompress(row["body"]))
                found[table.__tablename__].append(row)
        return {name: sorted(values, key=repr) for name, values in found.items()}


def new_archive(kind, tmp_path_factory, request):
    if kind == "sqlite":
        path = tmp_path_factory.mktemp("archive") / "archive.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return Archive(f"sqlite:///{path}")
    address = request.getfixturevalue("postgres_server")
    return Archive(address(f"bundle_{uuid.uuid4().hex}", "triage_template"))


@pytest.fixture
def another(request, tmp_path_factory):
    """Gives a function: another empty archive, on ``sqlite`` or ``postgresql``."""
    opened = []

    def make(kind="sqlite"):
        opened.append(new_archive(kind, tmp_path_factory, request))
        return opened[-1]

    yield make
    for archive in opened:
        archive.close()


def kind_of(archive):
    return "sqlite" if archive.is_sqlite else "postgresql"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_leaves_one_archive_arrives_in_another(archive, another, kind):
    filled(archive)
    other = another(kind)
    taken = take(other, bundle_of(archive))
    assert content(other) == content(archive)
    assert taken.counts["incidents"] == 4
    assert (taken.counts["builds"], taken.counts["confirmations"], taken.before, taken.conflicts) == (5, 1, None, ())
    # and on: what came in leaves again as it was
    left, arrived = parts_of(bundle_of(archive)), parts_of(bundle_of(other))
    assert left.keys() == arrived.keys()
    assert [name for name in left if left[name] != arrived[name]] in ([made.NAME], [made.HISTORY, made.NAME])


def test_the_same_content_gives_the_same_bytes(archive, another):
    filled(archive)
    other = another()
    take(other, bundle_of(archive))
    assert bundle_of(archive) == bundle_of(archive)
    plain = Wanted(history=False)
    one, two = (json.loads(parts_of(bundle_of(each, plain))[made.NAME]) for each in (archive, other))
    assert one["checksum"] == two["checksum"]


def test_taking_in_twice_changes_nothing(archive, another):
    filled(archive)
    other = another(kind_of(archive))
    data = bundle_of(archive)
    take(other, data)
    before = dump(other)
    taken = take(other, data)
    assert dump(other) == before
    assert taken.before is not None
    assert (taken.counts["known_builds"], taken.counts["known_incidents"], taken.counts["incidents"]) == (5, 4, 0)


def test_an_archive_takes_its_own_bundle_without_a_change(archive):
    filled(archive)
    before = dump(archive)
    take(archive, bundle_of(archive))
    after = dump(archive)
    assert len(after.pop("imports")) == 1
    before.pop("imports")
    assert after == before


def test_a_longer_bundle_adds_only_what_is_new(archive, another):
    filled(archive)
    other = another(kind_of(archive))
    take(other, bundle_of(archive))
    file(archive, run_of(PROFILE_MISSING, hours=9, job="later"))
    taken = take(other, bundle_of(archive))
    assert (taken.counts["builds"], taken.counts["incidents"], taken.counts["groups"]) == (1, 1, 0)
    assert taken.counts["known_incidents"] == 4
    mine, theirs = (groups_of(one)["profile-missing"] for one in (other, archive))
    assert (mine.count, mine.last_seen) == (theirs.count, theirs.last_seen) == (3, START + timedelta(hours=9))


def test_logs_that_stayed_behind_may_follow(archive, another):
    filled(archive)
    other = another(kind_of(archive))
    assert take(other, bundle_of(archive, Wanted(logs=False))).counts["logs"] == 0
    assert "logs" not in content(other)
    taken = take(other, bundle_of(archive))
    assert (taken.counts["logs"], taken.counts["added_logs"], taken.counts["builds"]) == (5, 5, 0)
    assert content(other) == content(archive)


def test_a_filter_chooses_builds_with_all_that_belongs_to_them(archive, another):
    filled(archive)
    other = another(kind_of(archive))
    taken = take(other, bundle_of(archive, Wanted(parse("cause:profile-missing"))))
    assert (taken.counts["builds"], taken.counts["incidents"], taken.counts["groups"]) == (2, 2, 1)
    assert set(groups_of(other)) == {"profile-missing"}
    # what was merged into a group travels with it
    last = another()
    take(last, bundle_of(archive, Wanted(parse("cause:gpu-out-of-memory"))))
    assert set(groups_of(last)) == {"gpu-out-of-memory", "python-dependency-missing"}


def test_a_dry_run_says_the_same_and_changes_nothing(archive, another):
    filled(archive)
    other = another(kind_of(archive))
    before, data = dump(other), bundle_of(archive)
    would = take(other, data, dry_run=True)
    assert dump(other) == before
    assert take(other, data) == would


def test_both_confirmed_differently_is_kept_and_told(archive, another):
    other = another(kind_of(archive))
    for one, cause in ((archive, "profile-missing"), (other, "profile-invalid")):
        file(one, run_of(PROFILE_MISSING, job=cause))
        confirm(one, "profile-missing", cause, words=f"because of {cause}")
    taken = take(other, bundle_of(archive))
    group = groups_of(other)["profile-missing"]
    assert (group.confirmed_cause, group.note, group.count) == ("profile-invalid", "because of profile-invalid", 2)
    (conflict,) = taken.conflicts
    assert conflict == (group.uid, "confirmed_cause", "profile-invalid", "profile-missing")
    with other.read() as connection:
        assert sorted(connection.execute(select(Confirmation.cause)).scalars()) == [
            "profile-invalid",
            "profile-missing",
        ]
    assert take(other, bundle_of(archive)).conflicts == taken.conflicts
    assert groups_of(other)["profile-missing"].confirmed_cause == "profile-invalid"


def test_a_confirmation_from_there_is_the_groups_at_once(archive, another):
    other = another(kind_of(archive))
    file(other, run_of(PROFILE_MISSING, job="here"))
    file(archive, run_of(PROFILE_MISSING, job="there"))
    take(other, bundle_of(archive))
    confirm(archive, "profile-missing", "profile-missing", "rebuild_profiles", "no range")
    taken = take(other, bundle_of(archive))
    group = groups_of(other)["profile-missing"]
    assert (group.confirmed_cause, group.confirmed_fix, group.note, group.state) == (
        "profile-missing", "rebuild_profiles", "no range", "known",
    )  # fmt: skip
    assert (taken.counts["changed_groups"], taken.counts["confirmations"]) == (1, 1)


def test_what_was_changed_here_stays_and_what_was_not_follows(archive, another):
    other = another(kind_of(archive))
    file(archive, run_of(PROFILE_MISSING))
    confirm(archive, "profile-missing", "profile-missing", words="first")
    take(other, bundle_of(archive))
    with deciding(other, "profile-missing") as (connection, subject):
        decisions.set_owner(connection, subject, "grace")
    with deciding(archive, "profile-missing") as (connection, subject):
        decisions.set_owner(connection, subject, "ada")
        decisions.set_state(connection, subject, "fixing")
    take(other, bundle_of(archive))
    group = groups_of(other)["profile-missing"]
    assert (group.owner, group.state, group.note) == ("grace", "fixing", "first")


def test_what_was_taken_back_here_does_not_return(archive, another):
    other = another(kind_of(archive))
    file(archive, run_of(PROFILE_MISSING))
    confirm(archive, "profile-missing", "profile-missing")
    take(other, bundle_of(archive))
    with other.write() as connection:
        connection.execute(update(Confirmation).values(withdrawn=True))
        connection.execute(update(Group).values(confirmed_cause=None, state="new"))
    take(other, bundle_of(archive))
    assert groups_of(other)["profile-missing"].confirmed_cause is None


def test_a_verdict_taken_back_there_is_taken_back_here(archive, another):
    other = another(kind_of(archive))
    file(archive, run_of(PROFILE_MISSING))
    line = confirm(archive, "profile-missing", "profile-missing")
    take(other, bundle_of(archive))
    with archive.write() as connection:
        merging.undo(connection, line)
    taken = take(other, bundle_of(archive))
    assert taken.counts["withdrawn_confirmations"] == 1
    group = groups_of(other)["profile-missing"]
    assert (group.confirmed_cause, group.state) == (None, "new")


def test_merged_here_stays_merged(archive, another):
    other = another(kind_of(archive))
    for one in (archive, other):
        file(one, run_of(MODULE), run_of(OUT_OF_MEMORY))
    with deciding(other, "gpu-out-of-memory") as (connection, subject):
        merging.merge(connection, subjects.find(connection, groups_of(other)["python-dependency-missing"].uid), subject)
    file(archive, run_of(MODULE, job="again"))
    take(other, bundle_of(archive))
    assert groups_of(other)["gpu-out-of-memory"].count == 3
    assert groups_of(other)["python-dependency-missing"].count == 0


def test_merged_there_is_told_and_not_merged_here(archive, another):
    other = another(kind_of(archive))
    file(other, run_of(MODULE), run_of(OUT_OF_MEMORY))
    taken = take(other, bundle_of(filled(archive)))
    assert {one.about for one in taken.conflicts} == {"merge"}
    assert {one.merged_into for one in groups_of(other).values()} == {None}
    assert groups_of(other)["gpu-out-of-memory"].count == groups_of(other)["python-dependency-missing"].count == 1


def test_a_merge_that_came_along_can_be_taken_apart_here(archive, another):
    other = another(kind_of(archive))
    take(other, bundle_of(filled(archive)))
    assert groups_of(other)["gpu-out-of-memory"].count == 2
    with deciding(other, "python-dependency-missing") as (connection, subject):
        merging.unmerge(connection, subject)
    after = groups_of(other)
    assert (after["gpu-out-of-memory"].count, after["python-dependency-missing"].count) == (1, 1)
    with archive.write() as connection:
        merging.unmerge(connection, subjects.find(connection, after["python-dependency-missing"].uid))
    assert content(other)["incidents"] == content(archive)["incidents"]


def test_groups_are_found_by_signature_and_not_by_id(archive, another):
    other = another(kind_of(archive))
    for one in (archive, other):
        file(one, run_of(MODULE))
    with other.write() as connection:
        connection.execute(update(Group).values(uid="g-aaaaaaaaaaaa"))
    file(archive, run_of(MODULE, job="again"))
    take(other, bundle_of(archive))
    (group,) = groups_of(other).values()
    assert (group.uid, group.count) == ("g-aaaaaaaaaaaa", 2)


def test_an_older_signature_stays_as_it_is(archive, another):
    file(archive, run_of(MODULE))
    with archive.write() as connection:
        connection.execute(update(GroupSignature).values(version="2025-01-01"))
        connection.execute(update(Incident).values(signature_version="2025-01-01"))
    other = another(kind_of(archive))
    take(other, bundle_of(archive))
    assert content(other) == content(archive)


def test_a_closed_failure_that_goes_on_there_is_open_again(archive, another):
    other = another(kind_of(archive))
    for one in (archive, other):
        file(one, run_of(MODULE))
    with deciding(other, "python-dependency-missing") as (connection, subject):
        decisions.set_state(connection, subject, "closed")
    file(archive, run_of(MODULE, hours=5, job="again"))
    take(other, bundle_of(archive))
    assert groups_of(other)["python-dependency-missing"].state == "reopened"


def test_history_from_there_is_marked_and_cannot_be_undone(archive, another):
    other = another(kind_of(archive))
    take(other, bundle_of(filled(archive)))
    with other.read() as connection:
        lines = connection.execute(select(History.__table__).where(History.kind == "imported")).all()
    assert {line.data["was"] for line in lines} == {"confirm", "state", "owner", "note", "merge"}
    with pytest.raises(UsageError, match="cannot be undone"), other.write() as connection:
        merging.undo(connection, lines[0].id)


def test_secrets_are_masked_once_more(archive):
    token = "hf_" + "a" * 30
    file(archive, run_of(MODULE))
    with archive.write() as connection:
        body = pack(KeptLog(b"x", b"", 1, 1))
        unmasked = pack.__globals__["compress"](f"token {token}\n".encode())
        connection.execute(update(Log).values(body=unmasked))
        connection.execute(update(Build).values(source=f"log of {token}", parameters={"login": [token]}))
        assert body.digest
    data = bundle_of(archive)
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        (name,) = [name for name in parts.namelist() if name.startswith("logs/")]
        assert decompress(parts.read(name)) == b"token [hugging face token masked]\n"
        assert not any(token.encode() in parts.read(name) for name in parts.namelist())
    with open_bundle(io.BytesIO(data), "x") as bundle:
        assert bundle.manifest.counts["logs"] == 1


# --- broken bundles: refused whole, and nothing is written


@pytest.fixture(scope="module")
def good(request, tmp_path_factory):
    """A bundle with everything in it, and an archive that knows other things."""
    with new_archive("sqlite", tmp_path_factory, request) as full:
        filled(full)
        rules = {"rules/tensorrt/of-the-team.yaml": RULE.encode()}
        return bundle_of(full, Wanted(rules=rules))


@pytest.fixture(scope="module")
def here(request, tmp_path_factory):
    with new_archive("sqlite", tmp_path_factory, request) as archive:
        file(archive, run_of(MODULE))
        yield SimpleNamespace(archive=archive, before=dump(archive))


RULE = """cause: profile-missing
tool: tensorrt
match: 'alpha beta gamma'
hits: ['alpha beta gamma']
misses: ['alpha beta']
"""


def refused(here, data, words=None):
    with pytest.raises(InputError, match=words):
        take(here.archive, data)
    assert dump(here.archive) == here.before


@given(st.data())
def test_one_changed_byte_is_enough(good, here, data):
    place = data.draw(st.integers(0, len(good) - 1))
    other = data.draw(st.integers(1, 255))
    refused(here, good[:place] + bytes([good[place] ^ other]) + good[place + 1 :])


@given(st.data())
def test_a_bundle_that_was_cut_off_is_refused(good, here, data):
    refused(here, good[: data.draw(st.integers(0, len(good) - 1))])


@pytest.mark.parametrize("more", [b"\0", b"PK", b"x" * 70])
def test_a_bundle_with_something_behind_it_is_refused(good, here, more):
    refused(here, good + more)


def test_a_bundle_that_was_packed_anew_is_refused(good, here):
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    refused(here, sink.getvalue(), "packed anew")


def forged(good, change, *, honest=True):
    """A sealed bundle whose parts were changed; where ``honest``, by somebody who mends all checksums."""
    parts = parts_of(good)
    manifest = json.loads(parts.pop(made.NAME))
    change(parts, manifest)
    sink = io.BytesIO()
    with Writer(sink) as writer:
        for name, data in parts.items():
            with writer.part(name) as write:
                write(data)
        if honest:
            named = {name: part for name, part in writer.parts.items() if not name.startswith("logs/")}
            manifest["parts"] = {name: part._asdict() for name, part in named.items()}
            manifest["checksum"] = made.Manifest(None, "", "", "", "", {}, named).checksum
        with writer.part(made.NAME) as write:
            write(json.dumps(manifest).encode())
    return sink.getvalue()


def in_line(part, change, number=0):
    """Changes one line of a part."""

    def apply(parts, _):
        lines = parts[part].splitlines()
        line = json.loads(lines[number])
        change(line)
        lines[number] = json.dumps(line).encode()
        parts[part] = b"\n".join(lines) + b"\n"

    return apply


def test_a_forger_who_changes_nothing_is_let_in(good, another):
    assert take(another(), forged(good, lambda *_: None)).counts["incidents"] == 4


FORGERIES = {
    "newer format": (lambda _, m: m.update(schema="triage.bundle/2"), "Update triage"),
    "newer archive": (lambda _, m: m.update(schema_revision="9999"), "Update triage"),
    "no format": (lambda _, m: m.update(schema="zip"), "none of a triage bundle"),
    "no origin": (lambda _, m: m.update(origin={"who": 1}), "where it comes from"),
    "other counts": (lambda _, m: m["counts"].update(incidents=5), "says that it holds 5 incidents, and holds 4"),
    "unknown part": (lambda p, _: p.update({"x.txt": b"x"}), "part that bundles do not have"),
    "part outside": (lambda p, _: p.update({"../evil.yaml": b"x"}), "part that bundles do not have"),
    "rule outside": (lambda p, _: p.update({"rules/../evil.yaml": b"x"}), "part that bundles do not have"),
    "rule absolute": (lambda p, _: p.update({"/etc/passwd": b"x"}), "part that bundles do not have"),
    "log elsewhere": (lambda p, _: p.update({"logs/../../x.zst": b"x"}), "its manifest does not name"),
    "no incidents": (lambda p, _: p.pop(made.INCIDENTS), "must name the parts"),
    "unknown log": (lambda p, _: p.update({f"logs/{'a' * 64}.zst": b"x"}), "a log that nothing speaks of"),
    "half a line": (lambda p, _: p.update({made.GROUPS: p[made.GROUPS][:-1]}), "middle of a line"),
    "no json": (lambda p, _: p.update({made.GROUPS: b"{\n"}), "groups.jsonl, line 1"),
    "a list": (lambda p, _: p.update({made.GROUPS: b"[]\n"}), "is no object"),
    "deep": (lambda p, _: p.update({made.GROUPS: b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"}), "line 1"),
    "no utf-8": (lambda p, _: p.update({made.GROUPS: b'{"a": "\xff"}\n'}), "line 1"),
    "unknown key": (in_line(made.GROUPS, lambda line: line.update(boss="me")), "unknown key 'boss'"),
    "unknown state": (in_line(made.GROUPS, lambda line: line.update(state="done")), "state is 'done'"),
    "wrong type": (in_line(made.INCIDENTS, lambda line: line.update(source=5)), "source is no text"),
    "missing": (in_line(made.INCIDENTS, lambda line: line.pop("key")), "key is missing"),
    "long word": (in_line(made.INCIDENTS, lambda line: line.update(host="x" * 201)), "at most 200"),
    "no zone": (in_line(made.INCIDENTS, lambda line: line.update(at="2026-01-01")), "zone"),
    "nul": (in_line(made.INCIDENTS, lambda line: line.update(source="a\0b")), "no database can keep"),
    "half a letter": (in_line(made.INCIDENTS, lambda line: line.update(environment={"a": "\ud800"})), "no database"),
    "infinite": (in_line(made.INCIDENTS, lambda line: line.update(seconds=float("inf"))), "no number"),
    "large number": (in_line(made.INCIDENTS, lambda line: line.update(exit_code=1 << 40)), "exit_code"),
    "truth": (in_line(made.CONFIRMATIONS, lambda line: line.update(agreed=1)), "neither true nor false"),
    "bad base64": (in_line(made.INCIDENTS, lambda line: line.update(prints="%%%")), "incidents.jsonl, line 1"),
    "twin group": (lambda p, _: p.update({made.GROUPS: p[made.GROUPS] * 2}), "twice"),
    "twin build": (lambda p, _: p.update({made.INCIDENTS: p[made.INCIDENTS] * 2}), "twice"),
    "strange group": (
        in_line(made.GROUPS, lambda line: line.update(merged_into="g-222222222222")),
        "g-222222222222, which is not in it",
    ),
    "merged with itself": (
        in_line(made.GROUPS, lambda line: line.update(merged_into=line["uid"])), "merges the group .* into itself",
    ),
    "strange incident": (
        in_line(made.CONFIRMATIONS, lambda line: line.update(incident="i-222222222222")), "which is not in it",
    ),
    "other log": (in_line(made.LOGS, lambda line: line.update(stored=line["stored"] + 1)), "not the one"),
    "other packing": (in_line(made.LOGS, lambda line: line.update(sha256="0" * 64)), "checksum"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_what_does_not_fit_together_is_refused(good, here, name):
    change, words = FORGERIES[name]
    refused(here, forged(good, change), words)


def test_a_wrong_checksum_is_refused(good, here):
    change = in_line(made.GROUPS, lambda line: line.update(note="forged"))
    refused(here, forged(good, change, honest=False), "checksum")


def test_a_log_that_would_fill_the_memory_is_refused(good, here):
    import zstandard

    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(1 << 27))

    def change(parts, _):
        (first, *_) = (name for name in parts if name.startswith("logs/"))
        parts[first] = bomb
        lines = [json.loads(line) for line in parts[made.LOGS].splitlines()]
        for line in lines:
            if line["digest"] in first:
                line.update(sha256=made.sha256(bomb).hexdigest(), bytes=len(bomb))
        parts[made.LOGS] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    refused(here, forged(good, change), "more than 64 MB")


def test_a_part_that_would_fill_the_disk_is_refused(good, here):
    refused(here, forged(good, lambda parts, _: parts.update({"rules/a/b.yaml": bytes(300 << 20)})), "would unpack to")


def test_a_bundle_of_an_older_archive_is_read(good, another):
    """A column that came later is missing in its lines."""

    def change(parts, manifest):
        manifest["schema_revision"] = "0000"
        for number in range(2):
            in_line(made.INCIDENTS, lambda line: (line.pop("run_url"), line.pop("target")), number)(parts, manifest)

    assert take(another(), forged(good, change)).counts["builds"] == 5


# the proof reads the same parts first, so the trap is set when it is done
KILLED = """
import os, signal, sys
from triage.archive.bundles.importing import take_in
from triage.archive.bundles.reading import Bundle, open_bundle
from triage.archive.session import Archive

def killing(self):
    os.kill(os.getpid(), signal.SIGKILL)
    yield

with Archive(sys.argv[1]) as archive, open(sys.argv[2], "rb") as stream, open_bundle(stream, "x") as bundle:
    print("proved", flush=True)
    setattr(Bundle, sys.argv[3], killing)
    take_in(archive, bundle)
"""


@pytest.mark.parametrize("method", ["builds", "confirmations"])
def test_nothing_is_half_taken_in_when_it_is_killed(archive, archive_url, good, tmp_path, method):
    path = tmp_path / "team.triage.zip"
    path.write_bytes(good)
    before = dump(archive)
    command = [sys.executable, "-c", KILLED, archive_url, str(path), method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "proved\n")
    assert dump(archive) == before
    assert take(archive, good).counts["incidents"] == 4


# --- any incident at all

WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60)
MAYBE = st.none() | WORDS.filter(bool)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, PLAIN, max_size=4)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- zone follows
HEX = st.text("0123456789abcdef", min_size=16, max_size=16)
FAILURES = st.builds(
    lambda tool, maybe, facts, digest, cause, verdict, words: Failure(
        tool, *maybe, facts, Signature("2026-11-21", digest, words, {}), (1, 2), None,
        (Cause(cause, verdict, "rule:x", (Evidence(1, words),), {}, words),), (),
    ),
    WORDS.filter(bool), st.tuples(*[MAYBE] * 6), OBJECTS, HEX, WORDS.filter(bool),
    st.sampled_from(["named", "likely", "unknown"]), WORDS,
)  # fmt: skip
BUILDS = st.builds(
    lambda source, at, incidents, log, names, environment, key, more: NewBuild(
        source, at, "failed" if incidents else "passed",
        [NewIncident(one, one.signature.template, incident_dict(one)) for one in incidents],
        "rules", pack(KeptLog(log, b"", len(log), 1)) if log else None, Origin(*names), environment or None, key, *more,
    ),
    WORDS, MOMENTS, st.lists(FAILURES, max_size=3), st.binary(max_size=200), st.tuples(*[MAYBE] * 7), OBJECTS, WORDS,
    st.tuples(MAYBE, MAYBE, MAYBE, OBJECTS, OBJECTS, st.none() | st.floats(0, 1e9), st.none() | st.integers(-128, 255)),
)  # fmt: skip


@pytest.mark.parametrize("kinds", [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_any_incident_arrives_as_it_left(kinds, request, tmp_path_factory):
    one, other = (new_archive(kind, tmp_path_factory, request) for kind in kinds)

    @settings(max_examples=25)
    @given(st.lists(BUILDS, min_size=1, max_size=3, unique_by=build_key))
    def holds(builds):
        for archive in (one, other):
            with archive.write() as connection:
                for table in reversed(Base.metadata.sorted_tables):
                    if table.name != "meta":
                        connection.execute(table.delete())
        file(one, *builds)
        take(other, bundle_of(one))
        assert content(other) == content(one)

    with one, other:
        holds()


def test_every_line_fits_the_published_schema(good):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    with zipfile.ZipFile(io.BytesIO(good)) as parts:
        jsonschema.validate(json.loads(parts.read(made.NAME)), SCHEMA)
        for name in made.LINES:
            lines = parts.read(name).splitlines()
            assert lines
            checker = jsonschema.Draft202012Validator(SCHEMA["$defs"][name])
            for line in lines:
                checker.validate(json.loads(line))


def test_every_column_travels_or_is_known_to_stay(good):
    """A new column is in the bundles at once; the published schema must follow."""
    from triage.archive.bundles import lines

    beside = {
        made.INCIDENTS: {"log", "environment", "incidents"},
        made.GROUPS: {"merged_into", "signatures"},
        made.CONFIRMATIONS: {"incident"},
        made.HISTORY: {"group", "incident"},
        made.LOGS: {"sha256", "bytes"},
    }
    columns = (lines.BUILD, lines.GROUP, lines.CONFIRMATION, lines.HISTORY, lines.LOG)
    for (name, more), known in zip(beside.items(), columns, strict=True):
        assert set(SCHEMA["$defs"][name]["properties"]) == set(known) | more
    incident = SCHEMA["$defs"][made.INCIDENTS]["properties"]["incidents"]["items"]["properties"]
    assert set(incident) == set(lines.INCIDENT) | {"group", "body", "words"}


# --- rules travel, and are never installed silently


def rules_in(folder, text=RULE):
    path = folder / "tensorrt" / "of-the-team.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_rules_are_gathered_only_where_they_prove_themselves(tmp_path):
    path = rules_in(tmp_path / "good")
    assert rule_files.gather(str(tmp_path / "good")) == {"rules/tensorrt/of-the-team.yaml": path.read_bytes()}
    rules_in(tmp_path / "bad", RULE.replace("gamma']", "delta']"))
    with pytest.raises(RuleFault, match=r"rules/tensorrt/of-the-team\.yaml: hit does not match"):
        rule_files.gather(str(tmp_path / "bad"))
    (tmp_path / "none").mkdir()
    for folder in ("none", "missing"):
        with pytest.raises(InputError, match=folder):
            rule_files.gather(str(tmp_path / folder))


def test_rules_go_where_a_person_says(tmp_path):
    cli = program(tmp_path)
    rules_in(tmp_path / "team")
    bundle = tmp_path / "team.triage.zip"
    assert cli("export", bundle, "--rules", tmp_path / "team").returncode == 0
    done = cli("import", bundle)
    assert b"rules that came along and were not installed: 1" in done.stdout
    for expected in (1, 0):  # the second time it is there
        done = cli("import", bundle, "--rules-to", tmp_path / "mine", "--format", "json")
        told = json.loads(done.stdout)
        assert (told["rules"], len(told["rules_written"])) == (["tensorrt/of-the-team.yaml"], expected)
    placed = tmp_path / "mine" / "tensorrt" / "of-the-team.yaml"
    assert placed.read_text(encoding="utf-8") == RULE
    placed.write_text("mine", encoding="utf-8")
    done = cli("import", bundle, "--rules-to", tmp_path / "mine")
    assert (done.returncode, placed.read_text(encoding="utf-8")) == (2, "mine")
    assert b"another rule of that name" in done.stderr


def test_a_bundle_with_a_broken_rule_writes_nothing(tmp_path, good):
    cli = program(tmp_path)
    bundle = tmp_path / "bad.triage.zip"
    name = "rules/tensorrt/of-the-team.yaml"
    bundle.write_bytes(forged(good, lambda parts, _: parts.update({name: RULE.replace("hits", "hitz").encode()})))
    done = cli("import", bundle, "--rules-to", tmp_path / "mine")
    assert done.returncode == 2
    assert b"unknown key hitz" in done.stderr
    assert not (tmp_path / "mine").exists()
    with Archive(cli.url) as archive:
        assert content(archive) == {}


# --- the commands


def program(folder):
    """The program with an archive of its own."""
    folder.mkdir(exist_ok=True)
    url = f"sqlite:///{folder / 'own.db'}"

    def run(*arguments, **more):
        return run_cli("archive", *arguments, env={"TRIAGE_DATABASE_URL": url}, **more)

    run.url = url
    return run


def test_from_one_command_to_the_other(archive, archive_url, tmp_path):
    filled(archive)
    bundle = tmp_path / "team.triage.zip"
    done = run_cli("archive", "export", bundle, "--note", "Tuesday", env={"TRIAGE_DATABASE_URL": archive_url})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"5 builds, 4 incidents, 3 groups, 1 confirmations" in done.stdout
    cli = program(tmp_path / "other")
    done = cli("import", bundle, "--format", "json", "--dry-run")
    would = json.loads(done.stdout)
    assert (would["dry_run"], would["counts"]["incidents"]) == (True, 4)
    assert "Tuesday" in would["origin"]
    done = cli("import", bundle)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"brought: 5 builds, 4 incidents" in done.stdout
    done = cli("import", bundle)
    assert b"brought: nothing new" in done.stdout
    assert b"taken in before" in done.stdout
    with Archive(cli.url) as other:
        assert content(other) == content(archive)


def test_through_a_pipe(tmp_path):
    cli, other = program(tmp_path / "one"), program(tmp_path / "other")
    with Archive(cli.url) as archive:
        require(archive)
        filled(archive)
    sent = cli("export", "-", "cause:profile-missing")
    assert sent.returncode == 0
    assert b"-: 2 builds, 2 incidents" in sent.stderr
    done = other("import", "-", stdin=sent.stdout)
    assert b"brought: 2 builds, 2 incidents, 1 groups" in done.stdout


def test_export_refuses(tmp_path):
    cli = program(tmp_path)
    taken = tmp_path / "team.triage.zip"
    taken.write_bytes(b"mine")
    cases = (
        (["export", tmp_path / "team.zip"], b"no name of a bundle"),
        (["export", taken], b"Add --force"),
        (["export", tmp_path / "no" / "x.triage.zip"], b"cannot be written"),
        (["export", tmp_path / "x.triage.zip", "colour:red"], b"filter key"),
        (["export", tmp_path / "x.triage.zip", "--rules", tmp_path / "no"], b"no folder of rules"),
        (["import", tmp_path / "no.triage.zip"], b"cannot be read"),
        (["import", tmp_path], b"is a folder"),
        (["import", taken], b"is no bundle of triage"),
        (["import", "starter", "--rules-to", tmp_path], b"brings no rules"),
    )
    for arguments, words in cases:
        done = cli(*arguments)
        assert (done.returncode, done.stdout) == (2, b""), arguments
        assert words in done.stderr
    assert taken.read_bytes() == b"mine"
    assert {path.name for path in tmp_path.iterdir()} <= {
        "team.triage.zip",
        "own.db",
        "own.db-wal",
        "own.db-shm",
        "own.db.turn",
    }
    assert cli("export", taken, "--force").returncode == 0
    assert zipfile.is_zipfile(taken)


@pytest.mark.parametrize("command", ["export", "import"])
def test_help_has_an_example(command):
    done = run_cli("archive", command, "--help")
    assert done.returncode == 0
    assert f"triage archive {command} ".encode() in done.stdout.partition(b"example:")[2]


# --- the starter archive


def start(archive, cases, **more):
    return import_starter(
        archive,
        cases,
        diagnose=lambda log, name: diagnose(log, name=name),
        new_build=lambda report, log: new_build(report, log, "today", Origin()),
        **more,
    )


@pytest.fixture(scope="module")
def cases():
    return read_cases()


def test_every_case_is_filed_and_confirmed(archive, cases):
    taken = start(archive, cases)
    assert (taken.counts["builds"], taken.counts["confirmations"]) == (len(cases), len(cases))
    assert taken.conflicts == ()
    with archive.read() as connection:
        said = connection.execute(
            select(Build.job, Confirmation.cause, Confirmation.fix, Confirmation.note, Build.at, Build.repository)
            .join(Incident, Incident.build_id == Build.id)
            .join(Confirmation, Confirmation.incident_id == Incident.id)
        ).all()
    assert {row.job: (row.cause, row.fix) for row in said} == {case.id: (case.cause, case.fix) for case in cases}
    assert {row.repository for row in said} == {"field guide"}
    assert len({row.at for row in said}) == 1
    assert all(row.note for row in said)


def test_the_starter_archive_twice_is_the_starter_archive(archive, cases):
    start(archive, cases)
    before = dump(archive)
    taken = start(archive, cases)
    assert dump(archive) == before
    assert (taken.counts["known_builds"], taken.counts["builds"]) == (len(cases), 0)
    assert taken.before is not None


def test_ids_of_the_starter_archive_are_the_same_everywhere(archive, another, cases):
    other = another()
    start(archive, cases)
    start(other, cases[::-1])
    assert [row["uid"] for row in content(archive)["incidents"]] == [row["uid"] for row in content(other)["incidents"]]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_starter_archive_survives_a_journey(archive, another, cases, kind):
    start(archive, cases)
    other = another(kind)
    take(other, bundle_of(archive))
    assert content(other) == content(archive)
    before = content(other)
    assert start(other, cases).counts["builds"] == 0
    assert content(other) == before


def test_one_signature_with_several_causes_names_none(archive, cases):
    start(archive, cases)
    with archive.read() as connection:
        rows = connection.execute(
            select(Group.uid, Group.confirmed_cause, Group.note, Confirmation.cause).join(
                Confirmation, Confirmation.group_id == Group.id
            )
        ).all()
    causes = defaultdict(set)
    for row in rows:
        causes[row.uid].add(row.cause)
    assert any(len(found) > 1 for found in causes.values())
    for row in rows:
        one = len(causes[row.uid]) == 1
        assert row.confirmed_cause == (row.cause if one else None)
        assert one or all(cause in row.note for cause in causes[row.uid])


def renewed(case, **more):
    return case._replace(**{"edition": "newer", **more})


def test_a_newer_edition_replaces_what_nobody_touched(archive, cases):
    case = next(case for case in cases if case.id == "lora-fresh-adapter-merged")
    start(archive, [case])
    before = content(archive)
    taken = start(archive, [renewed(case, note="found out more")])
    assert taken.counts["renewed"] == 1
    after = content(archive)
    assert [row["uid"] for row in after["incidents"]] == [row["uid"] for row in before["incidents"]]
    assert after["confirmations"][0]["note"].startswith("found out more")
    assert after["groups"][0]["note"].startswith("found out more")
    start(archive, [renewed(case, log=MODULE, edition="newest", cause="python-dependency-missing", fix=None)])
    last = content(archive)
    assert (len(last["incidents"]), len(last["groups"]), len(last["logs"])) == (1, 1, 1)
    assert last["groups"][0]["confirmed_cause"] == "python-dependency-missing"


def test_a_newer_edition_leaves_alone_what_somebody_edited(archive, cases):
    case = next(case for case in cases if case.id == "lora-fresh-adapter-merged")
    start(archive, [case])
    with archive.write() as connection:
        group = connection.execute(select(Group.uid)).scalar_one()
        decisions.set_owner(connection, subjects.find(connection, group), "grace")
    before = content(archive)
    taken = start(archive, [renewed(case, note="found out more", log=MODULE)])
    assert content(archive) == before
    assert [one.about for one in taken.conflicts] == ["edition"]


def test_a_case_that_people_met_themselves_stays_theirs(archive, cases):
    """The group of a real failure keeps what its people say when the starter archive comes."""
    case = next(case for case in cases if case.id == "accelerate-not-installed")
    file(archive, run_of(case.log))
    confirm(archive, case.cause, "import-path-wrong", words="it was the path")
    taken = start(archive, [case])
    (group,) = groups_of(archive).values()
    assert (group.confirmed_cause, group.note, group.count) == ("import-path-wrong", "it was the path", 2)
    assert [one.there for one in taken.conflicts] == [case.cause]


def test_the_command_takes_the_starter_archive_in(tmp_path, cases):
    cli = program(tmp_path)
    done = cli("import", "starter", "--dry-run")
    assert f"would bring: {len(cases)} builds".encode() in done.stdout
    done = cli("import", "starter")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"brought: {len(cases)} builds".encode() in done.stdout
    assert b"brought: nothing new" in cli("import", "starter").stdout


def test_a_broken_case_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("title: x\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("{", encoding="utf-8")
    with pytest.raises(KnowledgeFault) as fault:
        read_cases(str(tmp_path))
    assert [line.partition(":")[0] for line in fault.value.faults] == ["a.yaml", "b.yaml"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no starter archive"):
        read_cases(str(tmp_path / "none"))


def test_a_failure_that_came_in_confirmed_names_the_next_twin_at_once(another, tmp_path, archive, archive_url):
    """Nothing but the import lies between the other team's verdict and the answer here."""
    log = "Traceback (most recent call last):\n  File 'a'\nflurb.GleepError: the gleep {} is not twizzled by it\n"
    other = another()
    file(other, run_of(log.format("conv1")))
    (group,) = groups_of(other).values()
    assert group.verdict == "unknown"
    confirm(other, group.cause, "plugin-missing", words="the library was not loaded")
    bundle, build = tmp_path / "team.triage.zip", tmp_path / "build.log"
    bundle.write_bytes(bundle_of(other))
    build.write_text(log.format("mask7"), encoding="utf-8")
    surroundings = {"TRIAGE_DATABASE_URL": archive_url}
    assert run_cli("archive", "import", bundle, env=surroundings).returncode == 0
    report = json.loads(run_cli("diagnose", "--format", "json", build, env=surroundings).stdout)
    (incident,) = report["incidents"]
    assert (incident["causes"][0]["id"], incident["causes"][0]["verdict"]) == ("plugin-missing", "likely")
