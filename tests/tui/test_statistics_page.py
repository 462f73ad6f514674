"""The statistics: charts and tables, filter, what is counted by, and the way to the incidents."""

import contextlib
import shutil
import sqlite3

import pytest
from archived import SIZES, desk, fill, folders, press, seen, settled, told, typed

from triage.archive.filters import parse, written
from triage.tui.settings import recall
from triage.tui.widgets.answer import Row
from triage.tui.widgets.figures import chart, of_week
from triage.tui.widgets.filter_line import FilterLine
from triage.tui.widgets.pick import PickSome


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("some") / "archive.db"
    fill(path, 400, cases=12)
    return path


@pytest.fixture
def empty(tmp_path, monkeypatch):
    return folders(tmp_path, monkeypatch)


@pytest.fixture
def some(empty, template):
    shutil.copy(template, empty)
    return empty


def everything(app):
    return "\n".join(str(block.visual) for answer in app.screen.query("Answer") for block in answer.children)


def test_a_chart_shows_what_is_there_at_all():
    assert chart([0, 1, 1000], 1, 2) == ["  █", " ▁█"]
    assert chart([2, 1], 4, 2) == ["███     ", "███ ███ "]
    assert chart([], 1, 2) == ["", ""]
    assert chart([0], 2, 1) == ["  "]


def test_a_week_is_a_filter():
    assert written(of_week(parse("branch:main since:3d"), "2026-W47")) == (
        "branch:main since:2026-11-16 until:2026-11-22"
    )
    assert written(of_week(parse(""), "2026-W01")) == "since:2025-12-29 until:2026-01-04"


@pytest.mark.parametrize("size", SIZES)
def test_figures_are_drawn(some, size):
    async def story(app, pilot):
        text = everything(app)
        for words in ("400 incidents in", "Incidents a week", "By cause", "By tool", "█", "Most frequent groups"):
            assert words in text
        assert "Incidents a week" in seen(app)
        assert app.command == "triage archive stats"
        lines = seen(app).splitlines()
        assert all(len(line) <= size[0] for line in lines)

    desk(story, "statistics", size)


def test_a_filter_counts_less_and_a_wrong_one_is_told(some):
    async def story(app, pilot):
        await press(app, pilot, "slash")
        await typed(app, pilot, "branch:dev")
        assert "400 incidents" not in everything(app)
        assert app.command == "triage archive stats branch:dev"
        await typed(app, pilot, "cause:profil-missing")
        assert "Did you mean" in app.screen.query_one(FilterLine).fault
        await typed(app, pilot, "branch:nowhere")
        assert "No incident fits" in seen(app)
        await press(app, pilot, "enter", "r")

    desk(story, "statistics")


def test_what_is_counted_by_is_chosen_and_remembered(some):
    async def story(app, pilot):
        await press(app, pilot, "b")
        assert isinstance(app.screen, PickSome)
        await press(app, pilot, "k", "space", "enter")
        assert "version" in recall().columns["statistics"]
        assert "By tool version" in everything(app)
        assert "--by version" in app.command
        await press(app, pilot, "b", "escape", "b", "d")
        assert app.command == "triage archive stats"

    desk(story, "statistics")


def test_more_rows_fewer_rows_and_the_command_to_a_file(some):
    async def story(app, pilot):
        rows = len(app.screen.query(Row))
        await press(app, pilot, "minus")
        assert len(app.screen.query(Row)) < rows
        await press(app, pilot, "plus", "plus", "plus", "plus")
        assert app.command == "triage archive stats --top 100"
        await press(app, pilot, "x")
        assert app.clipboard == "triage archive stats --top 100 --format csv > statistics.csv"

    desk(story, "statistics")


def test_rows_lead_to_their_incidents(some):
    async def story(app, pilot):
        await press(app, pilot, "i")
        assert app.screen.name_of == "archive"
        await press(app, pilot, "escape")
        row = next(one for one in app.screen.query(Row) if one.value.startswith("cause:"))
        row.focus()
        await press(app, pilot, "enter")
        assert app.screen.name_of == "archive"
        assert app.command == f"triage archive list {row.value}"
        assert app.screen.listing.table.rows
        await press(app, pilot, "escape")
        row = next(one for one in app.screen.query(Row) if one.kind == "incident")
        row.focus()
        await press(app, pilot, "enter")
        assert (app.screen.name_of, app.screen.uid) == ("incident", row.value)

    desk(story, "statistics")


def test_no_archive_is_no_fault(empty):
    async def story(app, pilot):
        assert "There is no archive yet" in seen(app)
        await press(app, pilot, "plus", "minus", "i", "x", "r")
        assert "Nothing is counted yet" in told(app)
        assert not empty.exists()

    desk(story, "statistics")


def test_an_archive_that_cannot_be_used_is_told(some, template):
    with contextlib.closing(sqlite3.connect(some)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    async def story(app, pilot):
        assert "Update triage" in " ".join(seen(app).split())
        for spare in ("", "-wal", "-shm"):
            some.with_name(some.name + spare).unlink(missing_ok=True)
        shutil.copy(template, some)
        await press(app, pilot, "r")
        await settled(app, pilot)
        assert "By cause" in everything(app)

    desk(story, "statistics", (80, 24))
