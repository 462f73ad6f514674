"""The desk as people use it: paste, open, look, act, by keys alone."""

import asyncio
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input, OptionList

from triage.tui import settings
from triage.tui.app import Desk, dropped
from triage.tui.screens.help import text_of
from triage.tui.sheets import DONE, FAILED, READING
from triage.tui.widgets.answer import Answer, Row
from triage.tui.widgets.log_view import LogView
from triage.tui.widgets.welcome import Welcome

FIXTURES = Path(__file__).parents[2] / "fixtures" / "logs"
FAILING = FIXTURES / "gguf-bad-magic" / "log.txt"
GOOD = FIXTURES / "trt86-ok-resnet-verbose" / "log.txt"
WAIT = 30.0


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIAGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("TRIAGE_DATABASE_URL", raising=False)


def desk(story, *sources, size=(140, 45), **options):
    """Runs a story(app, pilot) on a desk."""

    async def run():
        app = Desk([str(source) for source in sources], **options)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await story(app, pilot)
        return app

    return asyncio.run(run())


async def until(pilot, seen, what="what was waited for"):
    """Waits until something is seen."""
    for _ in range(int(WAIT / 0.05)):
        if seen():
            await pilot.pause()
            return
        await pilot.pause(0.05)
    raise AssertionError(f"{what} did not come")


async def answered(app, pilot, count=1):
    def done():
        views = app.logs.views
        return len(views) >= count and all(view.sheet.state != READING for view in views) and app.logs.current

    await until(pilot, done, "the answer")
    await pilot.pause(0.1)


async def paste(app, pilot, text):
    app.post_message(events.Paste(text))
    await pilot.pause()


def said(app):
    """All text of the answer."""
    answer = app.logs.current.query_one(Answer)
    return "\n".join(str(block.visual) for block in answer.children)


def told(app):
    """All notifications."""
    return "\n".join(note.message for note in app._notifications)  # noqa: SLF001


def test_an_empty_desk_says_how_to_begin():
    async def story(app, pilot):
        assert app.screen.query_one(Welcome).display
        await pilot.press("f")
        await pilot.press("X")
        await pilot.pause()
        assert "No log is open" in told(app)

    desk(story)


def test_a_paste_is_answered_and_its_line_shown():
    async def story(app, pilot):
        await paste(app, pilot, FAILING.read_text())
        await answered(app, pilot)
        assert "model-file-corrupt" in said(app)
        view = app.logs.current.log_view
        assert view.has_focus
        assert view.cursor == 7
        assert view.evidence == [6, 7]
        assert app.command == "triage diagnose -"
        assert not app.screen.query_one(Welcome).display

    for size in ((80, 24), (140, 45)):
        desk(story, size=size)


def test_a_good_log_raises_no_alarm():
    async def story(app, pilot):
        await answered(app, pilot)
        assert "NO FAILURE" in said(app)
        await pilot.press("f")
        await pilot.pause()
        assert "shows no failure" in told(app)
        assert len(app.screen_stack) == 2

    desk(story, GOOD)


HOSTILE = {
    "markup": "[red]ModuleNotFoundError[/]: No module named 'onnx' [/x][@click=app.quit]q[/]",
    "escapes": "\x1b]0;title\x07\x1b[2J\x1b[31mModuleNotFoundError: No module named 'onnx'\x1b[0m\x00\x08",
    "marks": "\u202eModuleNotFoundError: No module named 'onnx'\u2066",
    "wide": "模型转换失败 🚀🚀 ModuleNotFoundError: No module named 'onnx' 👩‍👩‍👧 e\u0301",
    "surrogates": "ModuleNotFoundError: No module named 'onnx' \udc80\udcff",
    "carriage": "10%\r20%\rModuleNotFoundError: No module named 'onnx'\r\n",
    "secret": "token=ghp_abcdefghijklmnopqrstuvwxyz0123456789 ModuleNotFoundError: No module named 'onnx'",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_shown_as_text(name):
    async def story(app, pilot):
        await paste(app, pilot, HOSTILE[name])
        await answered(app, pilot)
        assert "python-dependency-missing" in said(app)
        shown = "\n".join(strip.text for strip in (app.logs.current.log_view.render_line(y) for y in range(3)))
        assert "ModuleNotFoundError" in shown
        assert not any(ord(sign) < 32 or sign in "\u202e\u2066" for sign in shown.replace("\n", ""))
        assert "ghp_abc" not in shown + said(app)

    desk(story, size=(80, 24))


def test_one_line_of_ten_megabytes():
    async def story(app, pilot):
        await paste(app, pilot, "x" * (10 << 20) + " ModuleNotFoundError: No module named 'onnx'")
        await answered(app, pilot)
        assert app.logs.current.log_view.total == 1
        for key in ("w", "end", "right", "w", "e"):
            await pilot.press(key)

    desk(story)


def test_an_empty_paste_says_so_and_opens_nothing():
    async def story(app, pilot):
        await paste(app, pilot, "  \n ")
        await pilot.pause()
        assert "the paste is empty" in told(app)
        assert app.logs.views == []

    desk(story)


@pytest.mark.parametrize("name", ["nothing.log", "folder", "model.bin"])
def test_what_cannot_be_opened_says_why(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.bin").write_bytes(b"\x7fELF" + bytes(range(256)) * 40)

    async def story(app, pilot):
        await until(pilot, lambda: told(app), "the reason")
        assert name in told(app)

    desk(story, tmp_path / name)


def test_an_archive_opens_all_its_logs_and_keys_go_between_them(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "logs.zip", "w") as archive:
        archive.write(FAILING, "a.log")
        archive.write(FIXTURES / "trt-module-missing" / "log.txt", "b.log")

    async def story(app, pilot):
        await answered(app, pilot, 2)
        assert [view.sheet.name.rpartition("!")[2] for view in app.logs.views] == ["a.log", "b.log"]
        second = app.logs.current
        await pilot.press("comma")
        await pilot.pause()
        assert app.logs.current is not second
        await pilot.press("vertical_line")
        await pilot.pause()
        assert [view.display for view in app.logs.views] == [True, True]
        await pilot.press("vertical_line")
        await pilot.press("X")
        await pilot.pause()
        await pilot.press("X")
        await pilot.pause()
        assert app.logs.views == []
        assert app.screen.query_one(Welcome).display

    desk(story, tmp_path / "logs.zip")


def test_search_filter_and_lines():
    async def story(app, pilot):
        await answered(app, pilot)
        view = app.logs.current.log_view
        await pilot.press("slash", *"Trace", "enter")
        await until(pilot, lambda: view.cursor == 1, "the hit")
        assert view.has_focus
        await pilot.press("colon", *"5", "enter")
        assert view.cursor == 5
        await pilot.press("colon", *"five", "enter")
        await pilot.pause()
        assert "no line number" in told(app)
        await pilot.press("ampersand", *"GGUF", "enter")
        await until(pilot, lambda: view.kept == 3, "the filter")
        await pilot.press("backslash")
        await until(pilot, lambda: view.kept is None, "all lines")
        await pilot.press("tilde", *"GGUF", "enter")
        await until(pilot, lambda: view.kept == 4, "the other filter")
        await pilot.press("slash", "escape")
        assert not app.logs.current.query_one(".ask", Input).display
        assert len(app.logs.views) == 1

    desk(story, FAILING)


def test_rows_of_the_answer_go_to_lines_copy_commands_and_open_articles():
    async def story(app, pilot):
        await answered(app, pilot)
        view = app.logs.current
        await pilot.press("1", "colon", *"2", "enter", "tab")
        rows = [row.kind for row in view.query(Row)]
        assert {"line", "fix", "copy", "cause"} <= set(rows)
        next(row for row in view.query(Row) if row.kind == "line").focus()
        await pilot.press("enter")
        assert view.log_view.cursor == 7
        next(row for row in view.query(Row) if row.kind == "copy").focus()
        await pilot.press("enter")
        assert "git lfs pull" in app.clipboard
        next(row for row in view.query(Row) if row.kind == "fix").focus()
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen.name_of == "article"
        assert app.command.startswith("triage explain ")
        await pilot.press("j", "k", "space", "b", "G", "g", "Y")
        assert app.clipboard == app.command
        await pilot.press("escape")
        assert app.screen is app.logs

    desk(story, FAILING)


def test_confirming_correcting_noting_and_taking_back():
    from triage.service import curation
    from triage.service.filing import open_archive

    async def story(app, pilot):
        await answered(app, pilot)
        sheet = app.logs.current.sheet
        await pilot.press("c")
        await pilot.pause()
        assert app.screen.name_of == "confirm"
        await pilot.press(*"download", "enter")
        await until(pilot, lambda: app.screen is app.logs, "the decision")
        assert sheet.filed.startswith("i-")
        with open_archive() as archive:
            group = curation.page(archive, sheet.filed)["group"]
        assert group["confirmed_cause"] == "download-failed"
        assert sheet.filed in said(app)
        await pilot.press("t", *"seen at night", "enter")
        await until(pilot, lambda: "Noted" in told(app), "the note")
        await pilot.press("u")
        await until(pilot, lambda: "Undone" in told(app), "the undoing")
        await pilot.press("i")
        await pilot.pause()
        assert "filed already" in told(app)

    desk(story, FAILING)


def test_what_was_seen_before_is_told_and_nothing_is_filed_unasked(tmp_path):
    async def first(app, pilot):
        await answered(app, pilot)
        assert list(tmp_path.glob("data/*.db")) == []
        await pilot.press("i")
        await until(pilot, lambda: app.logs.current.sheet.filed, "the filing")

    async def second(app, pilot):
        await answered(app, pilot)
        assert "Seen once before" in said(app)
        assert any(row.kind == "incident" for row in app.logs.current.query(Row))

    desk(first, FAILING)
    desk(second, FAILING)


def test_a_desk_without_its_archive_answers_and_says_so(monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")

    async def story(app, pilot):
        await answered(app, pilot)
        assert "model-file-corrupt" in said(app)
        assert "archive cannot be asked" in said(app)
        await pilot.press("i")
        await until(pilot, lambda: "not filed" in told(app), "the fault")

    desk(story, FAILING)


def test_a_read_only_desk_decides_nothing():
    async def story(app, pilot):
        await answered(app, pilot)
        await pilot.press("c", "i", "t", "u")
        await pilot.pause()
        assert "read-only" in told(app)
        assert app.screen is app.logs

    desk(story, FAILING, chosen=settings.Settings(read_only=True))


def test_help_names_every_key_and_why_some_do_not_work_now():
    async def story(app, pilot):
        await answered(app, pilot)
        text = text_of(app.screen)
        for words in ("Search", "Next error", "Confirm", "Side by side", "Archive", "Quit", "Only one log is open"):
            assert words in text
        await pilot.press("question_mark")
        await pilot.pause()
        assert app.screen.name_of == "help"
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.logs

    desk(story, FAILING)


def test_the_picker_lists_completes_and_opens(tmp_path, monkeypatch):
    (tmp_path / "builds").mkdir()
    (tmp_path / "builds" / "failing.log").write_text(FAILING.read_text())
    monkeypatch.chdir(tmp_path)

    async def story(app, pilot):
        await pilot.press("o")
        await pilot.pause()
        assert app.screen.name_of == "files"
        await pilot.press(*"bui", "tab")
        assert app.screen.query_one("#path", Input).value.endswith("builds/")
        await pilot.press(*"nothing-like-it", "enter")
        await pilot.pause()
        assert "is not there" in told(app)
        app.screen.query_one("#path", Input).value = "builds/"
        await pilot.pause()
        assert app.screen.query_one(OptionList).option_count == 1
        await pilot.press("down", "enter")
        await answered(app, pilot)
        assert "model-file-corrupt" in said(app)
        assert app.memory.recent == [str(tmp_path / "builds" / "failing.log")]

    desk(story)


def test_a_dropped_file_is_opened_not_read_as_text(tmp_path):
    path = tmp_path / "a b.log"
    path.write_text(FAILING.read_text())
    assert dropped(f"'{path}'") == dropped(str(path)) == dropped(f"file://{str(path).replace(' ', '%20')}") == str(path)
    assert dropped(str(path).replace(" ", "\\ ")) == str(path)
    assert dropped(f"{path}\nanother line") is None
    assert dropped("Error: model.log is not there") is None

    async def story(app, pilot):
        await paste(app, pilot, f"'{path}'")
        await answered(app, pilot)
        assert app.logs.current.sheet.path == str(path)

    desk(story)


def test_a_growing_file_is_followed_until_its_failure_is_answered(tmp_path):
    path = tmp_path / "build.log"
    path.write_text("building\n")

    async def story(app, pilot):
        await answered(app, pilot)
        assert "NO FAILURE" in said(app)
        with path.open("a") as stream:
            stream.write(FAILING.read_text())
        await until(pilot, lambda: "model-file-corrupt" in said(app), "the new answer")
        assert app.logs.current.log_view.total == 8

    desk(story, path, follow=True)


def test_reading_can_be_stopped(tmp_path):
    path = tmp_path / "slow.log"
    path.write_bytes(b"line\n" * 100)

    async def story(app, pilot):
        await answered(app, pilot)
        sheet = app.logs.current.sheet
        sheet.state = READING
        await pilot.press("s")
        assert list(sheet_reads(sheet)) == ["stopped"]
        await pilot.press("s")
        await pilot.pause()
        assert "Nothing is being read" in told(app)

    desk(story, path)


def sheet_reads(sheet):
    from triage.tui import sheets

    sheets.read(sheet, iter([b"one\n", b"two\n"]))
    yield sheet.state


def test_places_marks_and_the_theme_are_remembered(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(FAILING.read_text())

    async def first(app, pilot):
        await answered(app, pilot)
        app.theme = "triage-light"
        await pilot.press("g", "j", "m", "j")
        await pilot.press("q")

    async def second(app, pilot):
        await answered(app, pilot)
        view = app.logs.current.log_view
        assert (view.cursor, view.marks, app.theme) == (3, {2}, "triage-light")

    desk(first, path)
    desk(second, path)


def test_keys_can_be_chosen():
    chosen = settings.Settings(remap={"log.search": "ctrl+f", "desk.help": "f2"})

    async def story(app, pilot):
        await answered(app, pilot)
        await pilot.press("ctrl+f")
        assert app.logs.current.query_one(".ask", Input).display
        await pilot.press("escape", "f2")
        await pilot.pause()
        assert app.screen.name_of == "help"

    desk(story, FAILING, chosen=chosen)
    assert settings.Settings(keys="vim").keymap["desk.close"] == "ctrl+w"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("theme = 3", "theme must be a str"), ("colour = 'red'", "colour is not known"),
        ("keys = 'emacs'", "keys must be"), ("theme = ", "cannot be read"),
        ("[remap]\n'log.search' = 3", "remap takes texts"),
    ],
)  # fmt: skip
def test_wrong_settings_say_what_and_where(tmp_path, text, fault):
    from triage.errors import UsageError

    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "desk.toml").write_text(text)
    with pytest.raises(UsageError, match=fault) as caught:
        settings.read_settings()
    assert "desk.toml" in str(caught.value)


def test_a_damaged_memory_is_no_obstacle(tmp_path):
    (tmp_path / "data").mkdir()
    for text in ("{", "[]", '{"recent": 3, "marks": {"a": [1]}, "zork": 1}'):
        (tmp_path / "data" / "desk.json").write_text(text)
        assert settings.recall().recent == []


def test_states_of_a_sheet_that_cannot_be_read():
    async def story(app, pilot):
        await answered(app, pilot)
        assert app.logs.current.sheet.state in (DONE, FAILED)
        assert app.logs.current.query_one(LogView).total == 7

    desk(story, FAILING, size=(40, 12))


def test_what_was_open_is_opened_again(tmp_path):
    paths = []
    for name in ("one.log", "two.log"):
        (tmp_path / name).write_text(FAILING.read_text())
        paths.append(tmp_path / name)

    async def first(app, pilot):
        await answered(app, pilot, 2)
        await pilot.press("q")

    async def second(app, pilot):
        assert [row.kind for row in app.screen.query(Row)] == ["session", "open", "open"]
        await pilot.press("tab", "enter")
        await answered(app, pilot, 2)
        assert sorted(view.sheet.path for view in app.logs.views) == sorted(map(str, paths))

    desk(first, *paths)
    desk(second)


def broken(text):
    raise RuntimeError(f"{len(text)} letters are too many")


def test_a_fault_of_the_desk_shows_no_text_of_logs(capfd):
    async def story(app, pilot):
        await pilot.pause()
        try:
            broken("the password is swordfish")
        except RuntimeError as fault:
            app._handle_exception(fault)  # noqa: SLF001

    with pytest.raises(RuntimeError, match="too many"):
        desk(story)
    shown = "".join(capfd.readouterr())
    assert "broke on its own" in shown
    assert shown.count("swordfish") == 1, "only the line of the program that holds it"
