"""The rules in the desk: browsing, testing on the open log, editing, drafting; and what goes wrong."""

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from archived import HOSTILE, SIZES, desk, file_all, folders, press, seen, settled, told, typed
from filing import UNHEARD, build_of
from textual import events
from textual.widgets import Input, OptionList, TextArea

from triage.errors import TriageError
from triage.library import load_library
from triage.service.rules import MARKS, SILENT, SPEAKS, read_one, rule_path, words_on
from triage.tui import rulework, sheets
from triage.tui.settings import Settings
from triage.tui.sheets import READING
from triage.tui.widgets.answer import Row
from triage.tui.widgets.rule_view import RuleView

FIXTURES = Path(__file__).parents[2] / "fixtures" / "logs"
LOG = (FIXTURES / "local-vllm-numba-engine-core" / "log.txt").read_text(encoding="utf-8")
OUT_OF_MEMORY = "llama-cpp/kv-cache-device-memory"


@pytest.fixture(autouse=True)
def archive_path(tmp_path, monkeypatch):
    return folders(tmp_path, monkeypatch)


def sheet_of(text):
    """A log as the desk has it when it is answered."""
    sheet, chunks = sheets.pasted(text)
    sheets.read(sheet, chunks, opinion=False)
    return sheet


async def paste(app, pilot, text):
    app.post_message(events.Paste(text))
    await pilot.pause(0.2)
    for _ in range(600):
        if app.logs.views and all(view.sheet.state != READING for view in app.logs.views):
            break
        await pilot.pause(0.05)
    await settled(app, pilot)


# -- what every rule says of a log


def test_the_rules_that_speak_are_those_of_the_answer():
    words = words_on([LOG.encode()], load_library())
    speaking = {word.rule: word for word in words if word.state == SPEAKS}
    assert speaking["other/module-not-found"].places[0].line == 61
    assert {word.state for word in words} == {SPEAKS, SILENT, MARKS}
    assert all(word.why for word in words if word.state == SILENT and word.says != "noise")
    assert next(iter(words)).state == SPEAKS


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_pieces_do_not_matter(size):
    data = LOG.encode()
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    assert words_on(parts, load_library()) == words_on([data], load_library())


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe\x00", b"all is well\n"])
def test_a_log_without_failures_has_no_word(data):
    assert [word for word in words_on([data], load_library()) if word.state == SPEAKS] == []


def test_broken_lines_are_joined_as_the_diagnosis_joins_them():
    words = words_on([b"ModuleNotFoundError: No module\nnamed 'onnx'\n"], load_library())
    assert [word.rule for word in words if word.state == SPEAKS] == ["other/module-not-found"]


def test_a_rule_is_read_from_its_file():
    source, faults = read_one(OUT_OF_MEMORY)
    assert source.hits
    assert faults == []
    assert rule_path(OUT_OF_MEMORY).endswith("kv-cache-device-memory.yaml")
    with pytest.raises(TriageError, match="no rule"):
        rule_path("no/such-rule")


# -- browsing


@pytest.mark.parametrize("size", SIZES)
def test_browsing_and_finding(size):
    async def story(app, pilot):
        rows = app.screen.query_one("#rules", OptionList)
        assert rows.option_count > 1000
        assert "llama-cpp" in seen(app)
        await press(app, pilot, "slash")
        await typed(app, pilot, "kv-cache device")
        assert "1 rule" in seen(app)
        assert app.command == f"triage rules show {OUT_OF_MEMORY}"
        assert "names the cause" in seen(app)
        await press(app, pilot, "enter")
        assert app.focused is rows
        await press(app, pilot, "tab")
        assert isinstance(app.focused, Row)
        await press(app, pilot, "tab")
        assert app.focused is rows
        await press(app, pilot, "a")
        assert app.screen.name_of == "article"
        await press(app, pilot, "escape", "escape")
        assert app.screen.name_of == "logs"

    desk(story, "rules", size)


def test_walking_shows_rule_after_rule():
    async def story(app, pilot):
        shown = []
        for key in ("j", "down", "j", "k"):
            await press(app, pilot, key)
            shown.append(app.screen.chosen)
        assert len(set(shown)) == 3
        assert shown[1] == shown[3]

    desk(story, "rules")


def test_a_search_without_a_hit_says_so():
    async def story(app, pilot):
        await press(app, pilot, "slash")
        await typed(app, pilot, "[bold]zork")
        assert "no rule has these words" in seen(app)
        assert app.screen.chosen == ""
        await press(app, pilot, "enter", "a")
        assert "No rule is chosen." in told(app)

    desk(story, "rules")


def test_how_often_a_rule_spoke(archive_path):
    file_all(archive_path, [build_of("ModuleNotFoundError: No module named 'onnx'\n")])

    async def story(app, pilot):
        await press(app, pilot, "slash")
        await typed(app, pilot, "other/module-not-found")
        app.screen.query_one(RuleView).scroll_home(animate=False)
        await pilot.pause(0.2)
        assert "It decided 1 incident," in seen(app)

    desk(story, "rules", (140, 80))


def test_an_archive_that_cannot_be_used_is_said(archive_path):
    archive_path.write_bytes(b"no database at all" * 100)

    async def story(app, pilot):
        app.screen.query_one(RuleView).scroll_home(animate=False)
        await pilot.pause(0.2)
        assert "The archive cannot be asked" in seen(app)

    desk(story, "rules", (140, 80))


def test_without_an_archive_none_is_made(archive_path):
    assert rulework.load_use().remark == "There is no archive yet."
    assert not archive_path.exists()


# -- testing on the open log


@pytest.mark.parametrize("size", SIZES)
def test_testing_on_the_open_log(size):
    async def story(app, pilot):
        await press(app, pilot, "t")
        assert "No log is open" in told(app)
        await paste(app, pilot, LOG)
        await press(app, pilot, "R", "t")
        assert app.screen.name_of == "rules"
        assert "that find something in <paste>" in seen(app)
        while app.screen.chosen != "other/module-not-found":
            await press(app, pilot, "j")
        assert "It speaks" in seen(app)
        line = next(row for row in app.screen.query(Row) if row.kind == "line")
        line.focus()
        await press(app, pilot, "enter")
        assert app.screen.name_of == "logs"
        assert app.logs.current.log_view.cursor == 61
        await press(app, pilot, "R", "t", "t")
        assert "1,0" in seen(app)

    desk(story, "rules", size)


def test_a_hostile_log_is_shown_as_plain_text():
    async def story(app, pilot):
        await paste(app, pilot, f"ModuleNotFoundError: No module named 'onnx' {HOSTILE} [/] 模型 🙂\n")
        await press(app, pilot, "R", "t")
        assert "[bold]x" in seen(app)
        assert "\x1b" not in seen(app)
        assert "\u202e" not in seen(app)

    desk(story, "rules")


# -- editing


@pytest.fixture
def own_rule(tmp_path, monkeypatch):
    """A rule file that the screen takes for the one that is chosen."""
    path = tmp_path / "rule.yaml"
    path.write_text(Path(rule_path(OUT_OF_MEMORY)).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("triage.service.rules.rule_path", lambda _name: str(path))
    return path


def test_a_rule_that_was_broken_in_the_editor_is_told(own_rule, monkeypatch, tmp_path):
    monkeypatch.setenv("VISUAL", "no-such-editor-at-all")
    monkeypatch.setattr("triage.tui.app.Desk.suspend", lambda _app: nullcontext())

    async def story(app, pilot):
        await press(app, pilot, "e")
        assert "cannot be started" in told(app)
        editor = tmp_path / "editor"
        editor.write_text('#!/bin/sh\necho "match: [" > "$1"\n', encoding="utf-8")
        editor.chmod(0o755)
        os.environ["VISUAL"] = str(editor)
        await press(app, pilot, "e")
        assert "The file is no rule now" in told(app)
        assert "It must not be loaded" in seen(app)

    desk(story, "rules")


def test_where_there_is_no_terminal_the_file_is_named(own_rule):
    async def story(app, pilot):
        await press(app, pilot, "e")
        assert "An editor needs a terminal" in told(app)

    desk(story, "rules")


def test_nothing_is_edited_or_saved_in_a_read_only_desk():
    async def story(app, pilot):
        await press(app, pilot, "e")
        assert "read-only" in told(app)

    desk(story, "rules", chosen=Settings(read_only=True))


# -- drafting

UNKNOWN = UNHEARD.format(n="conv_7")


@pytest.mark.parametrize("size", SIZES)
def test_drafting_trying_and_saving(size, tmp_path, archive_path):
    file_all(archive_path, [build_of(UNHEARD.format(n=n), minutes=at) for at, n in enumerate(("relu_1", "add_2"))])
    target = tmp_path / "new" / "twizzle.yaml"

    async def story(app, pilot):
        text = app.screen.query_one(TextArea)
        assert "cause: name-the-cause" in text.text
        assert "NOT READY" in seen(app)
        assert "Ctrl+G" in seen(app)
        await press(app, pilot, "ctrl+g")
        await typed(app, pilot, "plugin-missing")
        await press(app, pilot, "enter")
        assert "cause: plugin-missing" in text.text
        assert "SOUND" in seen(app)
        assert app.screen.tried[1].named
        assert "the answer would be plugin-missing" in " ".join(seen(app).split())
        app.screen.query_one("#path", Input).value = str(target)
        await press(app, pilot, "ctrl+s")
        assert "nothing speaks against it" in seen(app)
        assert not target.exists()
        await press(app, pilot, "n")
        assert not target.exists()
        await press(app, pilot, "ctrl+s", "y")
        assert target.read_text(encoding="utf-8") == text.text
        await press(app, pilot, "escape")
        assert app.screen.name_of == "logs"

    desk(story, "draft", size, sheet=sheet_of(UNKNOWN))


def test_a_draft_that_was_changed_is_not_lost_unasked(tmp_path):
    async def story(app, pilot):
        text = app.screen.query_one(TextArea)
        text.focus()
        await press(app, pilot, "x", "escape")
        assert "Leave without saving?" in seen(app)
        await press(app, pilot, "n")
        assert app.screen.name_of == "draft"
        await press(app, pilot, "ctrl+t")
        assert "NOT READY" in seen(app)
        app.screen.query_one("#path", Input).value = str(tmp_path)
        await press(app, pilot, "ctrl+s")
        assert "not ready" in seen(app)
        await press(app, pilot, "y")
        assert "cannot be written" in told(app)
        await press(app, pilot, "escape", "y")
        assert app.screen.name_of == "logs"

    desk(story, "draft", sheet=sheet_of(UNKNOWN))


def test_a_draft_without_a_usable_archive(archive_path):
    archive_path.write_bytes(b"no database at all" * 100)

    async def story(app, pilot):
        assert "The archive cannot be asked" in seen(app)
        assert "name-the-cause" in app.screen.query_one(TextArea).text

    desk(story, "draft", sheet=sheet_of(UNKNOWN))


def test_a_draft_in_a_read_only_desk():
    async def story(app, pilot):
        await press(app, pilot, "ctrl+s")
        assert "read-only" in told(app)

    desk(story, "draft", sheet=sheet_of(UNKNOWN), chosen=Settings(read_only=True))


def test_a_log_without_a_failure_gives_no_draft():
    async def story(app, pilot):
        assert "shows no failure" in seen(app)
        await press(app, pilot, "ctrl+t", "ctrl+n")
        assert "There is no draft." in told(app)
        assert "no other failure" in told(app)
        await press(app, pilot, "escape")
        assert app.screen.name_of == "logs"

    desk(story, "draft", sheet=sheet_of("all is well\n"))


def test_the_unknown_failure_comes_first_and_the_next_can_be_taken():
    sheet = sheet_of("ModuleNotFoundError: No module named 'onnx'\n" + "fine\n" * 60 + UNKNOWN)
    found = rulework.failures_of(sheet)

    async def story(app, pilot):
        before = app.screen.query_one(TextArea).text
        await press(app, pilot, "ctrl+n")
        assert app.screen.query_one(TextArea).text != before

    if len(found) > 1:
        desk(story, "draft", sheet=sheet)
    assert found


@pytest.mark.parametrize(
    "text", [f"[E] [TRT] {HOSTILE} the gleep is not twizzled [/bold]\n", "[E] \x1b[31m模型🙂 gleep twizzled\n"]
)
def test_a_hostile_message_is_drafted_as_plain_text(text):
    async def story(app, pilot):
        assert "\x1b" not in seen(app)
        assert "\u202e" not in seen(app)

    desk(story, "draft", sheet=sheet_of("ERROR: failed\n" + text))


def test_ids_follow_the_folder_of_rules(tmp_path):
    inside = os.path.join(rulework.rules_folder(), "tensorrt", "new-one.yaml")
    assert rulework.id_of(inside, "x/y") == "tensorrt/new-one"
    assert rulework.id_of(str(tmp_path / "a.yaml"), "x/y") == "x/y"


def test_a_document_gives_its_bytes_back():
    sheet = sheet_of(LOG)
    assert b"".join(rulework.chunks_of(sheet)) == LOG.encode()
    assert rulework.words_on_sheet(sheet)[1] == ""
