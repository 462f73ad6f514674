"""The log view, driven by keys and mouse as a person does; and its parts without a screen."""

# ruff: noqa: SLF001 -- what is on the screen, and how much was read, has no public name

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App
from textual.containers import Vertical

from triage.tui.document import Document, open_file
from triage.tui.widgets import _log_keys
from triage.tui.widgets._log_cells import cropped, wrapped
from triage.tui.widgets._log_place import Place
from triage.tui.widgets.log_view import (
    Copied,
    CursorMoved,
    ErrorStrip,
    FilterDone,
    LogView,
    MarksChanged,
    Role,
    SearchCounted,
    SearchDone,
)

NUMBERED = b"".join(b"line %d\n" % number for number in range(1, 1001))


class Desk(App):
    """A view with its strip above, which remembers what it is told."""

    def __init__(self, document):
        super().__init__()
        self.document = document
        self.said = []

    def compose(self):
        with Vertical():
            yield ErrorStrip(self.document)
            yield LogView(self.document)

    def _heard(self, message):
        self.said.append(message)

    on_copied = on_cursor_moved = on_marks_changed = on_search_done = on_search_counted = on_filter_done = _heard
    on_error_strip_jumped = _heard


def held(data, finish=True):
    document = Document.growing("log")
    document.append(data)
    if finish:
        document.finish()
    return document


def driven(data, size=(60, 12), **options):
    """Runs a coroutine function as a test: it gets the app's pilot and the view."""
    document = data if isinstance(data, Document) else held(data, **options)

    def run(body):
        async def inner():
            app = Desk(document)
            async with app.run_test(size=size) as pilot:
                view = app.query_one(LogView)
                view.focus()
                await settle(pilot)
                await body(pilot, view)

        asyncio.run(inner())

    return run


async def settle(pilot):
    """Until the threads have ended and what they found is on the screen."""
    for _ in range(2):
        while not all(worker.is_finished for worker in pilot.app.workers):  # noqa: ASYNC110 -- threads
            await asyncio.sleep(0.002)
        await pilot.pause()


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def screen(pilot):
    strips = pilot.app.screen._compositor.render_strips()
    return ["".join(part.text for part in strip).rstrip() for strip in strips]


def styles(pilot, row, text):
    """The style of the first segment with a text in a row of the screen."""
    strip = pilot.app.screen._compositor.render_strips()[row]
    return next(part.style for part in strip if text in part.text)


def heard(pilot, kind):
    return [message for message in pilot.app.said if isinstance(message, kind)]


@pytest.mark.parametrize(
    ("keys", "cursor", "top"),
    [
        ("j", 2, 0),
        ("down down k", 2, 0),
        ("up", 1, 0),
        ("space", 11, 10),
        ("pagedown pageup", 1, 0),
        ("G", 1000, 989),
        ("end b", 990, 979),
        ("G k k", 998, 989),
        ("G g", 1, 0),
        ("end home", 1, 0),
        ("G j", 1000, 989),
        ("ctrl+d", 6, 5),
        ("ctrl+d ctrl+u", 1, 0),
        ("j j space", 13, 10),
        ("G pagedown", 1000, 989),
    ],
)
def test_keys_move_the_cursor_and_the_screen(keys, cursor, top):
    @driven(NUMBERED)
    async def _(pilot, view):
        await press(pilot, *keys.split())
        assert (view.cursor, view._place.top, view.scroll_y) == (cursor, top, top)
        row = screen(pilot)[1 + cursor - 1 - top]
        assert row.startswith(f"  {cursor:4}>line {cursor}")
        assert view.touched
        assert heard(pilot, CursorMoved)[-1:] == [] or heard(pilot, CursorMoved)[-1].line == cursor


def test_every_binding_has_an_action_with_words_and_an_id():
    ids = [binding.id for binding in _log_keys.BINDINGS]
    assert len(ids) == len(set(ids))
    for binding in _log_keys.BINDINGS:
        assert binding.id == f"log.{binding.action}"
        assert binding.description
        assert inspect.getdoc(getattr(LogView, f"action_{binding.action}"))


def test_keys_can_be_given_to_other_actions():
    @driven(NUMBERED)
    async def _(pilot, view):
        pilot.app.set_keymap({"log.bottom": "x"})
        await press(pilot, "x")
        assert view.cursor == 1000
        await press(pilot, "g", "G")
        assert view.cursor == 1


def test_an_empty_document_takes_every_key():
    @driven(b"")
    async def _(pilot, view):
        for binding in _log_keys.BINDINGS:
            await pilot.press(*binding.key.split(","))
        await settle(pilot)
        view.search("a")
        view.add_filter("b")
        view.goto(7)
        await settle(pilot)
        assert view.status.startswith("no lines")
        assert [row.strip() for row in screen(pilot)] == [""] * 12


def test_signs_and_colours_tell_the_roles():
    @driven(b"ok\nthe cause: bad opset 99\nnear\nfollows\n[E] loud\nlast\n")
    async def _(pilot, view):
        view.set_roles({2: Role("evidence", part="bad opset"), 3: "context", 4: "consequence"})
        view.marks = {6}
        await settle(pilot)
        assert screen(pilot)[1:7] == ["    1>ok", " ▶  2 the cause: bad opset 99", " │  3 near", " ·  4 follows",
                                      " ✗  5 [E] loud", "◆   6 last"]  # fmt: skip
        assert styles(pilot, 2, "bad opset").underline
        assert not styles(pilot, 2, "the cause").underline
        assert styles(pilot, 2, "the cause").bold
        assert styles(pilot, 4, "follows").color != styles(pilot, 1, "ok").color
        assert styles(pilot, 5, "[E]").color != styles(pilot, 1, "ok").color
        assert view.evidence == [2]
        view.set_roles({1: Role("evidence", 0, 1)})
        await settle(pilot)
        assert styles(pilot, 1, "o").underline
        assert not styles(pilot, 1, "k").underline
        assert screen(pilot)[2].startswith("    2 the")


def test_evidence_and_marks_are_reached_by_keys():
    @driven(NUMBERED)
    async def _(pilot, view):
        view.set_roles({40: "evidence", 700: "evidence", 50: "consequence"})
        await press(pilot, "]")
        assert view.cursor == 40
        await press(pilot, "]")
        assert view.cursor == 700
        await press(pilot, "]", "[")
        assert view.cursor == 700
        await press(pilot, "m", "j", "m", "g", "'")
        assert (view.cursor, view.marks) == (700, {700, 701})
        await press(pilot, "m", "'")
        assert (view.cursor, view.marks) == (701, {701})
        assert heard(pilot, MarksChanged)[-1].marks == {701}
        await press(pilot, "'")
        assert view.cursor == 701


def test_errors_are_reached_by_keys():
    lines = [b"fine\n"] * 5000
    lines[9] = lines[4000] = b"[E] broken\n"

    @driven(b"".join(lines))
    async def _(pilot, view):
        await press(pilot, "e")
        assert view.cursor == 10
        await press(pilot, "e")
        assert view.cursor == 4001
        await press(pilot, "e")
        assert view.cursor == 4001
        await press(pilot, "E", "E")
        assert view.cursor == 10


def test_a_search_highlights_goes_there_and_counts():
    data = NUMBERED.replace(b"line 500\n", b"\x1b[31mNEEDLE\x1b[0m and needle\n").replace(b"line 3\n", b"a needle\n")

    @driven(data)
    async def _(pilot, view):
        await press(pilot, *"jjjj")
        view.search("needle")
        await settle(pilot)
        assert view.cursor == 500
        assert (heard(pilot, SearchDone)[-1].line, heard(pilot, SearchDone)[-1].wrapped) == (500, False)
        assert heard(pilot, SearchCounted)[-1].lines == view.hit_lines == 2
        row = 1 + view.cursor - 1 - view._place.top
        assert styles(pilot, row, "NEEDLE").bgcolor == styles(pilot, row, "needle").bgcolor
        assert styles(pilot, row, " and ").bgcolor != styles(pilot, row, "needle").bgcolor
        await press(pilot, "n")
        assert (view.cursor, heard(pilot, SearchDone)[-1].wrapped) == (3, True)
        await press(pilot, "N")
        assert view.cursor == 500
        view.search("NEEDLE")
        await settle(pilot)
        assert view.hit_lines == 1


def test_a_live_search_starts_where_the_cursor_was():
    @driven(b"a\n" * 50 + b"ab\n" + b"a\n" * 50 + b"abc\n")
    async def _(pilot, view):
        for text in ("a", "ab", "abc", "ab"):
            view.search(text)
        await settle(pilot)
        assert view.cursor == 51
        for text in ("abc", "abcd"):
            view.search(text)
            await settle(pilot)
        assert (view.cursor, view.search_fault) == (102, "not found")
        assert heard(pilot, SearchDone)[-1].line is None
        view.search("/a(/")
        await settle(pilot)
        assert "missing )" in heard(pilot, SearchDone)[-1].fault
        assert "missing )" in view.status
        view.search("")
        await settle(pilot)
        assert "a(" not in view.status


def test_a_filter_keeps_numbers_and_the_cursor():
    @driven(NUMBERED)
    async def _(pilot, view):
        view.goto(505)
        view.add_filter("5")
        await settle(pilot)
        assert (view.cursor, view.kept, heard(pilot, FilterDone)[-1].lines) == (505, 271, 271)
        view.add_filter("50", keep=False)
        await settle(pilot)
        assert view.cursor == 510
        assert "   510>line 510" in "\n".join(screen(pilot))
        await press(pilot, "j", "g")
        assert view.cursor == 5
        assert screen(pilot)[1:4] == ["     5>line 5", "    15 line 15", "    25 line 25"]
        view.goto(300)
        await settle(pilot)
        assert view.cursor == 305
        view.set_filter((), ())
        await settle(pilot)
        assert (view.cursor, view.kept) == (305, None)


def test_a_filter_that_keeps_nothing_and_a_bad_one():
    @driven(NUMBERED)
    async def _(pilot, view):
        view.add_filter("/(/")
        await settle(pilot)
        assert view.kept is None
        view.add_filter("zork")
        await settle(pilot)
        assert view.kept == 0
        await press(pilot, "j", "G", "space", "e", "y")
        view.set_filter((), ())
        await settle(pilot)
        assert screen(pilot)[1].endswith("line 1")


def test_a_filter_goes_on_with_what_comes():
    @driven(b"keep 1\nno\nkee", finish=False)
    async def _(pilot, view):
        view.add_filter("keep")
        await settle(pilot)
        assert view.kept == 1
        view.document.append(b"p 2\nno\nkeep 3\n")
        view.document_changed()
        await settle(pilot)
        assert list(view.shown_lines.kept) == [1, 3, 5]


def test_following_stays_at_the_end_until_one_goes_up():
    @driven(NUMBERED, finish=False)
    async def _(pilot, view):
        view.following = True
        await settle(pilot)
        assert view.cursor == 1000
        view.document.append(b"one more\nand ano")
        view.document_changed()
        await settle(pilot)
        assert (view.cursor, view.following) == (1002, True)
        view.document.append(b"ther\n")
        view.document_changed()
        await settle(pilot)
        assert screen(pilot)[-1].endswith("and another")
        await press(pilot, "b")
        assert not view.following
        view.document.append(b"more\n" * 50)
        view.document_changed()
        await settle(pilot)
        assert view._place.top < 990
        await press(pilot, "G")
        assert view.following
        view.following = False
        view.document.append(b"more\n" * 50)
        view.document_changed()
        await settle(pilot)
        assert view.cursor == 1052


def test_a_file_that_was_replaced_begins_again(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(NUMBERED)

    @driven(open_file(str(path)))
    async def _(pilot, view):
        view.set_roles({2: "evidence"})
        await press(pilot, "G")
        path.write_bytes(b"new one\nnew two\n")
        assert view.document.grown()
        view.document_changed()
        await settle(pilot)
        assert (view.total, view.cursor, view.evidence) == (2, 2, [])
        assert screen(pilot)[1:3] == ["    1 new one", "    2>new two"]


def test_selected_lines_are_copied_as_they_are_shown():
    @driven(b"one\n\x1b[31mtwo\x1b[0m\nthree\nfour\n")
    async def _(pilot, view):
        await press(pilot, "y")
        await press(pilot, "j", "V", "j")
        assert "lines 2 to 3 selected" in view.status
        await press(pilot, "y")
        assert [message.text for message in heard(pilot, Copied)] == ["one", "two\nthree"]
        assert view.selection is None
        await press(pilot, "shift+down", "shift+up", "shift+up")
        assert view.selection == (2, 3)
        await press(pilot, "k")
        assert view.selection is None
        await press(pilot, "V", "G", "escape")
        assert view.selection is None


def test_escape_without_a_selection_is_for_others():
    class Outer(Desk):
        BINDINGS = [("escape", "leave", "Leave")]  # noqa: RUF012
        left = 0

        def action_leave(self):
            self.left += 1

    async def body():
        app = Outer(held(NUMBERED))
        async with app.run_test() as pilot:
            app.query_one(LogView).focus()
            await press(pilot, "V", "escape")
            assert app.left == 0
            await press(pilot, "escape")
            assert app.left == 1

    asyncio.run(body())


def test_the_mouse_puts_the_cursor_selects_and_scrolls():
    @driven(NUMBERED)
    async def _(pilot, view):
        await pilot.click(LogView, offset=(20, 4))
        await settle(pilot)
        assert view.cursor == 5
        await pilot.mouse_down(LogView, offset=(20, 2))
        await pilot.hover(LogView, offset=(20, 6))
        await pilot.mouse_up(LogView, offset=(20, 6))
        await settle(pilot)
        assert view.selection == (3, 7)
        view.post_message(wheel(view))
        await settle(pilot)
        assert (view._place.top, view.cursor, view.selection) == (3, 7, None)


def wheel(view):
    from textual.events import MouseScrollDown

    return MouseScrollDown(view, 5, 5, 0, 0, 0, shift=False, meta=False, ctrl=False, screen_x=5, screen_y=6)


def test_the_scroll_bar_moves_the_lines():
    @driven(NUMBERED)
    async def _(pilot, view):
        view.scroll_to(y=400, animate=False)
        await settle(pilot)
        assert view._place.top == 400
        assert screen(pilot)[1].endswith("line 401")
        view.scroll_to(y=10**9, animate=False)
        await settle(pilot)
        assert screen(pilot)[-1].endswith("line 1000")


def test_long_lines_are_cut_scrolled_or_wrapped():
    @driven(b"short\n" + b"".join(b"%09d|" % number for number in range(20)) + b"\nlast\n")
    async def _(pilot, view):
        row = screen(pilot)[2]
        assert row.endswith("»")
        assert cell_len(row) == view.room.width
        await press(pilot, "right", "right")
        assert view.left == 16
        assert "«01|000000002|" in screen(pilot)[2]
        await press(pilot, "left")
        assert view.left == 8
        await press(pilot, "0", "w")
        rows = screen(pilot)[1:]
        assert [row[:6] for row in rows[:6]] == ["    1>", "    2 ", "     ┆", "     ┆", "     ┆", "    3 "]
        text = "".join(row[6:] for row in rows[1:5])
        assert text == "".join(f"{number:09}|" for number in range(20))
        await press(pilot, "G")
        assert view.cursor == 3
        await press(pilot, "w")
        assert view.cursor == 3


def test_a_wrapped_line_longer_than_the_screen_is_read_row_by_row():
    @driven(b"first\n" + b"".join(b"%04d " % number for number in range(200)) + b"\nlast\n", size=(50, 8))
    async def _(pilot, view):
        await press(pilot, "w", "j")
        seen = set()
        for _ in range(24):
            seen.update(word for row in screen(pilot)[1:] for word in row[6:].split() if len(word) == 4)
            await pilot.press("j")
            await pilot.pause()
        assert view.cursor == 3
        assert len({word for word in seen if word.isdigit()}) > 170
        for _ in range(28):
            await pilot.press("k")
        await settle(pilot)
        assert (view.cursor, view._place.top, view._place.sub) == (1, 0, 0)


def test_wide_characters_keep_the_screen_straight():
    data = ("漢字" * 60 + "\nx" + "🙂" * 80 + "\ne\u0301" * 3 + "\n👨\u200d👩\u200d👧 family\n").encode()

    @driven(data, size=(51, 14))
    async def _(pilot, view):
        for keys in ((), ("w",), ("w", "right"), ("right",)):
            await press(pilot, *keys)
            for strip in pilot.app.screen._compositor.render_strips():
                assert sum(cell_len(part.text) for part in strip) == 51


@pytest.mark.parametrize("size", [(20, 5), (35, 4), (80, 24), (200, 60), (5, 2), (1, 1)])
def test_any_size_is_drawn(size):
    @driven(NUMBERED + b"w" * 500 + b"\n[E] x\n", size=size)
    async def _(pilot, view):
        await press(pilot, "G", "w", "k", "right", "w", "g")
        view.search("line 77")
        await settle(pilot)
        assert view.cursor == 77
        if size[0] >= 20:
            assert "line 77" in "\n".join(screen(pilot))


def test_a_resize_keeps_the_cursor_in_sight():
    @driven(NUMBERED, size=(60, 30))
    async def _(pilot, view):
        view.goto(500)
        for size in ((60, 6), (20, 4), (120, 40)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert "line 500" in "\n".join(screen(pilot))


HOSTILE = [
    (b"\x1b[2J\x1b[Hgone\x1b]52;c;aGk=\x07", "gone"),
    ("\u202eevil\u2066 \u200fx".encode(), "evil x"),
    (b"[red]r[/] [@click=app.quit]q[/] [/]", "[red]r[/] [@click=app.quit]q[/] [/]"),
    (b"a\x08\x08b\x9b1mc\x00d", "ab\ufffd1mcd"),
    (b"\xff\xfe broken \xc3(", "\ufffd\ufffd broken \ufffd("),
]


@pytest.mark.parametrize(("raw", "text"), HOSTILE)
def test_hostile_text_is_plain_text(raw, text):
    @driven(raw + b"\nnext\n")
    async def _(pilot, view):
        assert screen(pilot)[1] == f"    1>{text}".rstrip()
        assert screen(pilot)[2] == "    2 next"
        await press(pilot, "y", "w")
        assert heard(pilot, Copied)[-1].text == text


def test_ten_megabytes_in_one_line_cost_a_screen():
    document = held(b"first\n" + b"word " * 2_000_000 + b"\nlast\n")

    @driven(document)
    async def _(pilot, view):
        before = document.bytes_read
        for keys in ("right", "w", "j", "G", "k", "g", "w"):
            await press(pilot, keys)
        assert document.bytes_read - before < 1 << 20
        assert len(view.shown_lines._lines) == 3
        view.search("last")
        await settle(pilot)
        assert view.cursor == 3


def test_two_million_lines_are_scrolled_to_the_end():
    document = held(b"".join(b"%d\n" % number for number in range(1, 2_000_001)))

    @driven(document)
    async def _(pilot, view):
        before = document.bytes_read
        await press(pilot, "G")
        assert screen(pilot)[-1] == "  2000000>2000000"
        assert (view.scroll_y, view.max_scroll_y) == (1_999_989, 1_999_989)
        await press(pilot, "b", "b")
        view.goto(1_234_567)
        await settle(pilot)
        assert "1234567>1234567" in "\n".join(screen(pilot))
        assert document.bytes_read - before < 2 << 20
        assert len(view.shown_lines._lines) < 600


def test_a_line_that_is_not_known_yet_is_waited_for():
    @driven(b"", finish=False)
    async def _(pilot, view):
        view.goto(600)
        await settle(pilot)
        view.document.append(NUMBERED[:3000])
        view.document_changed()
        await settle(pilot)
        view.document.append(NUMBERED[3000:])
        view.document_changed()
        await settle(pilot)
        assert view.cursor == 600


def test_a_view_may_be_told_things_before_it_is_on_the_screen():
    class Early(Desk):
        def compose(self):
            view = LogView(self.document)
            view.set_roles({500: "evidence"})
            view.marks = {499}
            view.goto(500)
            view.search("line 501")
            view.search("")
            assert view.status.startswith("line 500 of 1,000")
            yield view

    async def body():
        app = Early(held(NUMBERED))
        async with app.run_test(size=(60, 12)) as pilot:
            await settle(pilot)
            assert screen(pilot)[3:5] == ["◆  499 line 499", " ▶ 500>line 500"]
            assert not app.query_one(LogView).touched

    asyncio.run(body())


def test_the_strip_shows_errors_the_place_and_the_evidence():
    lines = [b"fine fine\n"] * 1000
    lines[500:510] = [b"[E] bad..\n"] * 10
    lines[900] = b"[E] bad..\n"

    @driven(b"".join(lines), size=(50, 12))
    async def _(pilot, view):
        strip = pilot.app.query_one(ErrorStrip)
        row = strip.cells(50)
        assert (row[25], row[45], row.count(" ")) == ("█", "▁", 48)
        view.set_roles({901: "evidence"})
        await settle(pilot)
        assert strip.cells(50)[45] == "▼"
        assert screen(pilot)[0][45] == "▼"
        assert styles(pilot, 0, " ").underline
        await pilot.click(ErrorStrip, offset=(25, 0))
        await settle(pilot)
        assert view.cursor in range(499, 512)
        assert styles(pilot, 0, "█").underline


def test_another_theme_is_taken():
    @driven(NUMBERED)
    async def _(pilot, view):
        before = styles(pilot, 2, "line 2").color
        pilot.app.theme = "textual-light"
        await settle(pilot)
        assert styles(pilot, 2, "line 2").color != before


def test_a_view_that_goes_away_stops_its_threads():
    @driven(held(b"x y z\n" * 3_000_000))
    async def _(pilot, view):
        view.search("zork")
        view.add_filter("q")
        await view.remove()
        await settle(pilot)
        assert not pilot.app.query(LogView)


# -- parts without a screen

TEXTS = st.text(st.sampled_from("ab 漢🙂é\u0301\u200d\ufe0f❤👨"), max_size=40)


@given(TEXTS, st.integers(2, 12))
def test_wrapping_loses_nothing_and_fits(text, width):
    rows = wrapped(text, width)
    assert "".join(text[row.start : row.end] for row in rows) == text
    assert all(row.cells <= width for row in rows)
    assert len(rows) <= max(1, len(text))


@given(TEXTS, st.integers(0, 30), st.integers(1, 12))
def test_a_window_of_cells_fits(text, left, width):
    piece = cropped(text, left, width)
    assert piece.cells <= width
    assert piece.start <= piece.end <= len(text)


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 8), st.lists(st.integers(-20, 20), max_size=8))
def test_places_are_those_of_all_rows_in_a_list(heights, height, moves):
    rows = [(index, row) for index, count in enumerate(heights) for row in range(count)]
    place = Place(lambda index: heights[index])
    place.count, place.height = len(heights), height
    at = 0
    for move in moves:
        place.move(move)
        at = max(0, min(at + move, len(rows) - height))
        assert place.visible() == rows[at : at + height]
        assert place.at_end == (at >= len(rows) - height)
    for index in range(len(heights)):
        place.show(index)
        seen = place.visible()
        assert (index, 0) in seen
        assert len(seen) == min(height, len(rows))
