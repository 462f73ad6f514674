"""The lists of incidents and of groups: filter, counts, order, columns, pages, merging; and what goes wrong."""

import contextlib
import shutil
import sqlite3

import pytest
from archived import HOSTILE, SIZES, desk, file_all, fill, folders, press, seen, settled, told, typed
from filing import build_of
from support import PROFILE_MISSING
from textual.widgets import Input, OptionList

from triage.archive.completing import completed, place_of, proposals, standing, toggled
from triage.archive.filters import parse, written
from triage.records import Origin
from triage.tui import screens
from triage.tui.columns import Column, fitted, needed, widths
from triage.tui.lists import GROUPS, INCIDENTS
from triage.tui.settings import Settings, recall
from triage.tui.widgets.facets import Facets
from triage.tui.widgets.filter_line import FilterLine
from triage.tui.widgets.pick import Pick, PickSome
from triage.tui.widgets.question import Question

MANY = 3000


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "archive.db"
    fill(path, MANY)
    return path


@pytest.fixture
def empty(tmp_path, monkeypatch):
    return folders(tmp_path, monkeypatch)


@pytest.fixture
def many(empty, template):
    shutil.copy(template, empty)
    return empty


# -- what is typed


@pytest.mark.parametrize(
    ("text", "key", "typed_", "first"),
    [
        ("cau", "", "cau", "cause:"),
        ("-ca", "", "ca", "cause:"),
        ("state:kn", "state", "kn", "known"),
        ("state:new,kn", "state", "kn", "known"),
        ("branch:main cause:prof", "cause", "prof", "profile-missing"),
        ('cause:"prof', "cause", "prof", "profile-missing"),
        ("version:>=1", "version", "1", "10.3"),
        ("since:3", "since", "3", "30d"),
        ("repository:or", "repo", "or", "org/repo"),
    ],
)
def test_what_may_follow_is_proposed(text, key, typed_, first):
    held = {"cause": ["opset-unsupported", "profile-missing"], "version": ["10.3", "8.6"], "repo": ["org/repo"]}
    place = place_of(text, len(text))
    assert (place.key, place.typed) == (key, typed_)
    assert proposals(place, lambda name: held.get(name, []))[0] == first


def test_a_proposal_is_put_in_with_quotes_where_it_needs_them():
    text = "state:new mod"
    text, cursor = completed(text, place_of(text, len(text)), "model:")
    assert (text, cursor) == ("state:new model:", 16)
    text, _ = completed(text, place_of(text, cursor), 'my "big" model')
    assert text == 'state:new model:"my \\"big\\" model" '
    assert parse(text).terms[1].values[0].text == 'my "big" model'


@pytest.mark.parametrize(
    ("key", "value"), [("cause", "x"), ("model", 'a "b", c'), ("model", None), ("version", "10.3")]
)
def test_a_value_is_asked_for_then_excluded_then_forgotten(key, value):
    start = parse("branch:main model:other")
    asked = toggled(start, key, value)
    excluded = toggled(asked, key, value)
    assert standing(asked, key, value) == "asked"
    assert standing(excluded, key, value) == "excluded"
    assert toggled(excluded, key, value) == start
    assert parse(written(asked)) == asked


def test_columns_shrink_then_go_unless_they_were_chosen():
    columns = [Column("a", "a", str), Column("b", "b", str, 1, 4), Column("c", "c", str, 2, 4)]
    assert widths(columns, [5, 10, 10], 40, keep=False) == [5, 10, 10]
    assert widths(columns, [5, 10, 10], 20, keep=False) == [5, 7, 4]
    assert widths(columns, [5, 10, 10], 12, keep=False) == [5, 5, 0]
    kept = widths(columns, [5, 10, 10], 12, keep=True)
    assert (kept, needed(kept)) == ([5, 4, 4], 17)


@pytest.mark.parametrize(
    ("text", "shown"), [("abc", "abc  "), ("abcdefg", "abcd…"), ("模型模型", "模型…"), ("模型模", "模型…")]
)
def test_text_takes_its_cells(text, shown):
    assert fitted(text, 5) == shown
    assert fitted("ab", 5, right=True) == "   ab"


def test_a_filter_becomes_arguments_of_the_command():
    chosen = parse('model:"my model" -branch:main "free text" version:>=10')
    assert INCIDENTS.command(chosen, "cause") == (
        "triage archive list 'model:\"my model\"' -branch:main '\"free text\"' 'version:>=10' --sort cause"
    )
    assert GROUPS.command(parse(""), "at") == "triage archive groups"


# -- the list


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("screen", "noun"), [("archive", "incidents"), ("groups", "groups")])
def test_a_full_archive_is_listed(many, size, screen, noun):
    async def story(app, pilot):
        text, listing = seen(app), app.screen.listing
        assert f"of {MANY:,} incidents" in text if screen == "archive" else " of " in text
        assert noun in text
        assert listing.query_one(Facets).display == (size[0] > 100)
        assert listing.table.has_focus
        await press(app, pilot, "j", "j", "k")
        assert listing.table.at == 1
        assert listing.kind.below(listing.table.row)[0][:20] in seen(app)

    desk(story, screen, size)


def test_pages_follow_when_the_cursor_comes_to_the_end(many):
    async def story(app, pilot):
        table = app.screen.listing.table
        for shown in (200, 300):
            await press(app, pilot, "G")
            assert len(table.rows) == shown
        assert len({row.hit.id for row in table.rows}) == 300
        assert "300 of 3,000" in seen(app)
        await press(app, pilot, "g", "pagedown", "pageup", "end", "home")
        assert table.at == 0

    desk(story, "archive")


def test_the_filter_is_live_and_says_what_is_wrong(many):
    async def story(app, pilot):
        listing = app.screen.listing
        await press(app, pilot, "slash")
        await typed(app, pilot, "cause:profile-missing")
        assert {row.hit.cause for row in listing.table.rows} == {"profile-missing"}
        assert app.command == "triage archive list cause:profile-missing"
        before = listing.table.rows
        for wrong, words in (("colour:x", "filter key"), ("cause:profil-missing", "Did you mean"), ('"open', "quote")):
            await typed(app, pilot, wrong)
            assert words in listing.query_one(FilterLine).fault
            assert words in seen(app)
            assert listing.table.rows == before
        await typed(app, pilot, "cause:profile-missing branch:nowhere")
        assert "No incident fits" in seen(app)
        await press(app, pilot, "enter")
        assert listing.table.has_focus
        await press(app, pilot, "backslash")
        assert len(listing.table.rows) == 100

    desk(story, "archive", (80, 24))


def test_keys_and_values_are_completed(many):
    async def story(app, pilot):
        line = app.screen.query_one(FilterLine)
        await press(app, pilot, "slash", "c", "a")
        assert line.is_proposing
        await press(app, pilot, "tab")
        assert line.text == "cause:"
        await press(app, pilot, "p", "r", "o", "f")
        assert "profile-missing" in [str(one.prompt) for one in line.query_one(OptionList).options]
        await press(app, pilot, "tab")
        assert line.text == "cause:profile-missing "
        for key in "state:":
            await pilot.press("colon" if key == ":" else key)
        await press(app, pilot, "down", "up", "down", "enter")
        assert line.text == "cause:profile-missing state:known "
        await press(app, pilot, "b", "r")
        await press(app, pilot, "escape")
        assert not line.is_proposing
        await press(app, pilot, "escape")
        assert app.screen.listing.table.has_focus
        await press(app, pilot, "escape")
        assert app.screen.name_of == "logs"

    desk(story, "archive")


def test_a_count_is_asked_for_excluded_and_forgotten(many):
    async def story(app, pilot):
        listing = app.screen.listing
        await press(app, pilot, "f")
        facets = listing.query_one(Facets)
        assert facets.display
        assert facets.has_focus
        await press(app, pilot, "j", "enter")
        (term,) = listing.chosen.terms
        assert (term.key, term.negated) == ("cause", False)
        assert {row.hit.cause for row in listing.table.rows} == {term.values[0].text}
        assert f"✓ {term.values[0].text}"[:20] in seen(app)
        place = next(at for at, one in enumerate(facets.options) if str(one.prompt).startswith("✓"))
        facets.highlighted = place
        await press(app, pilot, "enter")
        assert listing.chosen.terms[0].negated
        assert term.values[0].text not in {row.hit.cause for row in listing.table.rows}
        facets.highlighted = 0
        await press(app, pilot, "enter")
        assert not listing.chosen.terms
        await press(app, pilot, "f")
        assert not facets.display

    desk(story, "archive", (80, 24))


def test_rows_are_sorted_by_key_and_by_heading(many):
    async def story(app, pilot):
        listing = app.screen.listing
        orders = []
        for _ in INCIDENTS.orders:
            await press(app, pilot, "s")
            orders.append(listing.order.name)
            keys = [getattr(row.hit, listing.order.column, None) or "" for row in listing.table.rows]
            if listing.order.name in ("cause", "model"):
                assert keys == sorted(keys)
        assert orders == ["first", "cause", "model", "at"]
        await press(app, pilot, "S")
        assert "--sort model" in app.command
        await pilot.click(listing.table, offset=(20, 0))
        await settled(app, pilot)
        assert listing.order.name == "at"
        assert "when▼" in seen(app)
        await pilot.click(listing.table, offset=(3, 0))
        await settled(app, pilot)
        assert "does not sort by id" in told(app)

    desk(story, "archive")


def test_columns_are_chosen_and_remembered(many):
    async def story(app, pilot):
        await press(app, pilot, "c")
        assert isinstance(app.screen, PickSome)
        await press(app, pilot, "j", "space", "enter")
        assert "when" not in app.memory.columns["archive"]
        assert "when" not in seen(app).splitlines()[2]
        await press(app, pilot, "c", "escape", "e")
        assert "precision" in seen(app)
        await press(app, pilot, "l", "h")

    desk(story, "archive")
    assert "when" not in recall().columns["archive"]

    async def again(app, pilot):
        assert "when" not in seen(app).splitlines()[2]
        await press(app, pilot, "c", "d")
        assert "when" in seen(app).splitlines()[2]

    desk(again, "archive")


def test_filters_are_saved_found_replaced_and_deleted(many):
    async def story(app, pilot):
        line = app.screen.query_one(FilterLine)
        await press(app, pilot, "w", "v")
        assert "filter is empty" in told(app)
        assert "No filter is saved yet" in told(app)
        line.put("branch:dev")
        await settled(app, pilot)
        await press(app, pilot, "w", "d", "e", "v", "enter")
        assert recall().filters == {"dev": "branch:dev"}
        line.put("branch:main")
        await press(app, pilot, "w", "d", "e", "v", "enter")
        assert isinstance(app.screen, Question)
        await press(app, pilot, "n", "v")
        assert isinstance(app.screen, Pick)
        await press(app, pilot, "enter")
        assert line.text == "branch:dev"
        await press(app, pilot, "v", "ctrl+d", "y")
        assert recall().filters == {}

    desk(story, "archive")


@pytest.mark.parametrize("screen", ["archive", "groups"])
def test_marked_rows_become_one_group_and_are_parted_again(many, screen):
    async def story(app, pilot):
        listing, table = app.screen.listing, app.screen.listing.table
        await press(app, pilot, "m")
        assert "Mark rows of two groups" in told(app)
        groups = [getattr(row.hit, "group", row.hit.id) for row in table.rows]
        other = next(at for at, name in enumerate(groups) if name != groups[0])
        await press(app, pilot, "space")
        table.at = other
        await press(app, pilot, "space")
        assert "2 marked" in seen(app)
        table.at = other
        await press(app, pilot, "m")
        assert groups[other] in seen(app)
        await press(app, pilot, "n")
        assert len(table.marked) == 2
        await press(app, pilot, "m", "y")
        assert f"merged into {groups[other]}" in told(app)
        assert groups[0] not in [getattr(row.hit, "group", row.hit.id) for row in listing.table.rows]
        await press(app, pilot, "u")
        assert "Undone: merge" in told(app)
        await press(app, pilot, "space", "n", "r")
        assert not table.marked

    desk(story, screen)


def test_a_row_is_opened_and_the_lists_lead_to_each_other(many):
    async def story(app, pilot):
        row = app.screen.listing.table.row
        await press(app, pilot, "enter")
        assert (app.screen.name_of, app.screen.uid) == ("incident", row.hit.id)
        await press(app, pilot, "escape")
        app.screen.query_one(FilterLine).put("branch:dev")
        await press(app, pilot, "i")
        assert app.screen.name_of == "groups"
        assert app.command == "triage archive groups branch:dev"
        await press(app, pilot, "x")
        assert app.clipboard == "triage archive groups branch:dev --limit 1000 --format csv --output groups.csv"
        await press(app, pilot, "t")
        assert app.screen.name_of == "statistics"
        await press(app, pilot, "escape", "escape")
        assert app.screen.name_of == "logs"

    desk(story, "archive")


def test_a_read_only_desk_merges_nothing(many):
    async def story(app, pilot):
        await press(app, pilot, "space", "j", "space", "m", "u")
        assert not isinstance(app.screen, Question)
        assert "read-only" in told(app)

    desk(story, "archive", chosen=Settings(read_only=True))


# -- when things are not as they should be


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", ["archive", "groups"])
def test_no_archive_is_no_fault_and_none_is_made(empty, size, screen):
    async def story(app, pilot):
        assert "There is no archive yet" in seen(app)
        await press(app, pilot, "enter", "space", "G", "g", "s", "f", "r", "m", "slash", "c")
        assert not empty.exists()

    desk(story, screen, size)


def too_new(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize("screen", ["archive", "groups"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.write_bytes(b"this is no database at all" * 200), "damaged"),
        (too_new, "Update triage"),
    ],
)
def test_an_archive_that_cannot_be_used_is_told_and_tried_again(many, template, screen, damage, words):
    damage(many)

    async def story(app, pilot):
        assert words in " ".join(seen(app).split())
        await press(app, pilot, "enter", "space", "m", "s")
        assert words in " ".join(seen(app).split())
        for spare in ("", "-wal", "-shm"):
            many.with_name(many.name + spare).unlink(missing_ok=True)
        shutil.copy(template, many)
        await press(app, pilot, "r")
        assert app.screen.listing.table.rows

    desk(story, screen, (80, 24))


def test_text_of_logs_and_people_stays_text(empty):
    origin = Origin("box[/]", "github", "org/[red]repo", "[bold]main\x1b[0m", "a" * 40, "https://ci/1", "job")
    file_all(empty, [build_of(PROFILE_MISSING, name=HOSTILE, origin=origin)])

    async def story(app, pilot):
        await press(app, pilot, "c", "j", "j", "j", "j", "space", "enter")
        text = seen(app)
        assert "[bold]main" in text or app.size.width < 100
        assert "\x1b" not in text
        assert "\u202e" not in text
        await press(app, pilot, "slash")
        await typed(app, pilot, "branch:[")
        assert app.screen.query_one(Input).value == "branch:["

    desk(story, "archive")
    desk(story, "archive", (80, 24))


def test_a_late_answer_is_dropped(many):
    async def story(app, pilot):
        listing = app.screen.listing
        kept = listing.table.rows
        asked = listing._asked  # noqa: SLF001
        listing._take(asked - 1, None, listing._page._replace(lines=()))  # noqa: SLF001
        assert listing.table.rows == kept

    desk(story, "archive")


@pytest.mark.parametrize("screen", ["archive", "groups", "statistics"])
def test_it_can_be_opened_from_anywhere(screen):
    assert screens.module(screen).ENTRY
