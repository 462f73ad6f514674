"""The page of an incident or a group: what it shows, what can be decided there, and what goes wrong."""

import contextlib
import os
import sqlite3
from datetime import timedelta

import pytest
from archived import HOSTILE, NOW, SIZES, desk, file_all, folders, press, seen, settled, told
from filing import UNHEARD, kept
from support import MESSAGES, PROFILE_MISSING
from textual.widgets import Input

from triage.archive.repairs import NewRepair, file_repair
from triage.archive.session import Archive
from triage.diagnose.baseline import line_prints
from triage.records import Origin
from triage.service import curation, diagnose
from triage.service.filing import Run, new_build, open_archive
from triage.tui.screens.help import text_of
from triage.tui.settings import Settings
from triage.tui.widgets.answer import Row
from triage.tui.widgets.pick import Pick
from triage.tui.widgets.question import Question

GOOD = "loading the model\nbuilding the engine\nsaved\n"
FAILED = f"loading the model\nbuilding the engine\na line that nobody has seen\n{PROFILE_MISSING}\n"


def build(text, number, machine, **run):
    where = Origin("box", "github", "org/repo", "main", "a" * 40, "https://ci/1", "build")
    environment = {"machine": machine, "log": {"tensorrt": machine["packages"]["tensorrt"]}}
    held = Run(key=str(number), started=NOW - timedelta(hours=9 - number), environment=environment, model="m.onnx",
               stage="build", target="tensorrt", **run)  # fmt: skip
    return new_build(diagnose(text, name="job.log"), kept(text), "today", where, held)


def machine(version):
    packages = {"tensorrt": version, "numpy": "2.0"}
    return {"version": 1, "platform": {"system": "Linux"}, "python": "3.11", "packages": packages, "whose": "command"}


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A good build, failures after it, one of them with a repair, and failures of other kinds."""
    path = folders(tmp_path, monkeypatch)
    builds = [build(GOOD, 0, machine("10.3.0"), prints=line_prints([GOOD.encode()]), exit_code=0)]
    builds += [build(FAILED, number, machine("10.7.0"), exit_code=1) for number in (1, 2)]
    builds += [build(f"{text}\n", 3 + number, machine("10.7.0")) for number, (_, text) in enumerate(MESSAGES[1:])]
    names = file_all(path, [*builds, *(build(UNHEARD.format(n=n), 20 + ord(n), machine("10.7.0")) for n in "ab")])
    attempt = {
        "number": 1, "parent": 0, "fix": "relax_batch", "what": "frees the batch", "safety": "safe", "parameters": {},
        "result": "cured", "helped": True, "why": "", "cause_before": "profile-missing", "cause_after": None,
        "signature_before": None, "signature_after": None, "exit_code": 0, "seconds": 1.0,
    }  # fmt: skip
    columns = {"status": "cured", "verified": True, "why": "", "cause": "profile-missing", "recipe": {}, "output": None,
               "seconds": 2.0}  # fmt: skip
    with Archive(f"sqlite:///{path}") as opened, opened.write() as connection:
        file_repair(connection, NewRepair(NOW, names[1], columns, [attempt]))
    return names


def page(name):
    with open_archive() as archive:
        return curation.page(archive, name)


def folder_of_the_archive():
    return os.path.join(os.environ["TRIAGE_DATA_DIR"], "archive.db")


def everything(app):
    """All text of both columns."""
    return "\n".join(str(block.visual) for answer in app.screen.query("Answer") for block in answer.children)


def test_a_fault_that_nobody_expected_is_told(archive):
    path = folder_of_the_archive()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE environments SET data = json_remove(data, '$.machine.python')")

    async def story(app, pilot):
        assert "triage itself failed here: TypeError" in " ".join(seen(app).split())
        await press(app, pilot, "r")

    desk(story, "incident", uid=archive[0])


@pytest.mark.parametrize("size", SIZES)
def test_a_page_tells_everything(archive, size):
    async def story(app, pilot):
        text = everything(app)
        for words in (
            "NAMED  profile-missing", "2 incidents in 2 of", "state new · no owner", "no optimization profile",
            "job.log", "https://ci/1", "TensorRT", "10.3", "tensorrt: 10.3.0 → 10.7.0", "a line that nobody has seen",
            "cured and proven", "✓ relax_batch (safe): cured. frees the batch", "Nobody has decided anything yet",
            "Environment",
        ):  # fmt: skip
            assert words in text
        assert "NAMED  profile-missing" in seen(app)
        assert app.command == f"triage archive show {archive[1]}"
        assert len([one for one in app.screen.query("Answer") if one.display]) == (2 if size[0] > 100 else 1)
        await press(app, pilot, "j", "k", "tab", "j")
        assert isinstance(app.focused, Row)

    desk(story, "incident", size, uid=archive[1])


def test_a_group_is_shown_by_its_newest_incident(archive):
    group = page(archive[0])["group"]["id"]

    async def story(app, pilot):
        assert f"Newest incident {archive[1]}" in everything(app)
        await press(app, pilot, "i")
        assert app.screen.name_of == "archive"
        assert len(app.screen.listing.table.rows) == 2

    desk(story, "incident", uid=group[:8])


def test_the_cause_is_confirmed_corrected_and_taken_back(archive):
    async def story(app, pilot):
        await press(app, pilot, "c")
        assert isinstance(app.screen, Pick)
        await press(app, pilot, "enter")  # the answered cause stands first
        assert isinstance(app.screen, Pick)
        await press(app, pilot, "down", "enter")
        held = page(archive[0])["group"]
        assert (held["confirmed_cause"], held["state"]) == ("profile-missing", "known")
        assert held["confirmed_fix"]
        assert "CONFIRMED  profile-missing" in everything(app)
        await press(app, pilot, "c")
        app.screen.query_one(Input).insert_text_at_cursor("gpu-out, it was the card")
        await press(app, pilot, "enter", "enter")
        held = page(archive[0])["group"]
        assert (held["confirmed_cause"], held["note"]) == ("gpu-out-of-memory", "it was the card")
        assert "answered as profile-missing" in everything(app)
        await press(app, pilot, "u", "y")
        assert page(archive[0])["group"]["confirmed_cause"] == "profile-missing"
        assert "(undone)" in everything(app)

    desk(story, "incident", uid=archive[0])


def test_state_owner_and_note_are_set(archive):
    async def story(app, pilot):
        await press(app, pilot, "s")
        app.screen.query_one(Input).insert_text_at_cursor("fix")
        await press(app, pilot, "enter")
        await press(app, pilot, "w")
        app.screen.query_one(Input).insert_text_at_cursor("ana")
        await press(app, pilot, "enter")
        await press(app, pilot, "t")
        app.screen.query_one(Input).insert_text_at_cursor("seen [bold]twice[/]")
        await press(app, pilot, "enter")
        group = page(archive[0])["group"]
        assert (group["state"], group["owner"]) == ("fixing", "ana")
        text = everything(app)
        assert "state fixing · owner ana" in text
        assert "note: seen [bold]twice[/]" in text
        await press(app, pilot, "t", "enter")
        assert "an empty note says nothing" in told(app)
        await press(app, pilot, "w", "down", "enter")
        assert page(archive[0])["group"]["owner"] is None
        await press(app, pilot, "s", "z", "z", "enter")
        assert "Nothing in the list fits" in told(app)
        await press(app, pilot, "escape")
        assert app.screen.name_of == "incident"

    desk(story, "incident", uid=archive[0])


def test_a_decision_of_the_history_is_taken_back_by_its_row(archive):
    with open_archive() as opened:
        curation.set_owner(opened, archive[0], "ana")
        curation.set_state(opened, archive[0], "fixing")

    async def story(app, pilot):
        row = next(one for one in app.screen.query(Row) if one.kind == "undo" and "owner" in str(one.visual))
        row.focus()
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Question)
        await press(app, pilot, "y")
        group = page(archive[0])["group"]
        assert (group["owner"], group["state"]) == (None, "fixing")

    desk(story, "incident", uid=archive[0])


def test_groups_are_merged_and_taken_apart(archive):
    first, other = page(archive[0])["group"]["id"], page(archive[2])["group"]["id"]

    async def story(app, pilot):
        await press(app, pilot, "x", "m")
        assert "merged into no other group" in told(app)
        app.screen.query_one(Input).insert_text_at_cursor(other)
        await press(app, pilot, "enter")
        assert isinstance(app.screen, Question)
        await press(app, pilot, "n", "m")
        app.screen.query_one(Input).insert_text_at_cursor(other)
        await press(app, pilot, "enter", "y")
        assert page(first)["group"]["merged_into"] == other
        await press(app, pilot, "m")
        assert "merged into" in everything(app)
        await press(app, pilot, "x", "y")
        assert page(first)["group"]["merged_into"] is None
        await press(app, pilot, "m")
        app.screen.query_one(Input).insert_text_at_cursor("g-zzzzzzzz")
        await press(app, pilot, "enter", "y")
        assert "no group is called" in told(app)

    desk(story, "incident", uid=first)


def test_similar_failures_and_articles_are_opened(archive):
    unheard = archive[-1]

    async def story(app, pilot):
        near = [row for row in app.screen.query(Row) if row.kind == "incident"]
        if near:
            near[0].focus()
            await press(app, pilot, "enter")
            assert app.screen.uid == near[0].value
            await press(app, pilot, "escape")
        await press(app, pilot, "a")
        assert app.screen.name_of == "incident"
        assert "Nobody knows the cause yet" in told(app)

    desk(story, "incident", uid=unheard)

    async def known(app, pilot):
        await press(app, pilot, "a")
        assert app.screen.name_of == "article"
        await press(app, pilot, "escape")
        row = next(one for one in app.screen.query(Row) if one.kind == "copy")
        row.focus()
        await press(app, pilot, "enter")
        assert app.clipboard == "https://ci/1"
        row = next(one for one in app.screen.query(Row) if one.kind == "fix")
        row.focus()
        await press(app, pilot, "enter")
        assert app.screen.name_of == "article"

    desk(known, "incident", uid=archive[0])


def test_the_stored_log_is_opened_as_a_sheet(archive):
    async def story(app, pilot):
        row = next(one for one in app.screen.query(Row) if one.kind == "line")
        row.focus()
        await press(app, pilot, "enter")
        assert app.screen.name_of == "logs"
        (view,) = app.logs.views
        assert (view.sheet.name, view.sheet.filed) == (f"{archive[0]}.log", archive[0])
        await settled(app, pilot)
        assert view.sheet.incident.causes[0].id == "profile-missing"
        assert "nobody has seen" in seen(app)

    desk(story, "incident", uid=archive[0])


def test_a_read_only_desk_decides_nothing(archive):
    async def story(app, pilot):
        for key in "cswtmxu":
            await press(app, pilot, key)
            assert app.screen.name_of == "incident"
        assert "read-only" in told(app)
        assert "read-only" in text_of(app.screen)
        await press(app, pilot, "l")
        assert app.screen.name_of == "logs"

    desk(story, "incident", uid=archive[0], chosen=Settings(read_only=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("uid", "words"),
    [("i-nothere4", "no incident is called"), ("junk", "is no id"), ("g-zz", "too short")],
)
def test_an_id_that_is_none_is_told(archive, size, uid, words):
    async def story(app, pilot):
        assert words in " ".join(seen(app).split())
        await press(app, pilot, "c", "u", "l", "a", "i", "r")
        assert "The page is not there" in told(app)
        await press(app, pilot, "escape")
        assert app.screen.name_of == "logs"

    desk(story, "incident", size, uid=uid)


def test_without_an_archive_nothing_is_known_and_none_is_made(tmp_path, monkeypatch):
    path = folders(tmp_path, monkeypatch)

    async def story(app, pilot):
        assert "there is no archive yet" in " ".join(seen(app).split())
        assert not path.exists()

    desk(story, "incident", uid="i-abcdefgh")


def test_text_of_logs_and_people_stays_text(tmp_path, monkeypatch):
    path = folders(tmp_path, monkeypatch)
    where = Origin("box[/]", "github", "org/[red]repo", "[bold]main\x1b[0m", "a" * 40, "https://ci/[x]", "job[/b]")
    text = PROFILE_MISSING + " [/bold] \x1b[2J 模型 \u202e"
    (name,) = file_all(path, [new_build(diagnose(text, name=HOSTILE), kept(text), "today", where, Run(key="1"))])
    with open_archive() as opened:
        curation.add_note(opened, name, "a [/] note \x1b]0;x\x07 \u202e")
        curation.set_owner(opened, name, "[bold]me")

    async def story(app, pilot):
        text = everything(app)
        assert "[bold]main" in text
        assert "owner [bold]me" in text
        assert not {"\x1b", "\u202e", "\x07"} & set(seen(app))

    desk(story, "incident", uid=name)
    desk(story, "incident", (80, 24), uid=name)
