"""The command palette: what can be done from here, by name."""

import asyncio

import pytest
from archived import desk, folders, press, seen, settled, told
from textual import events

from triage.tui.app import Desk
from triage.tui.palette import DeskCommands
from triage.tui.settings import Settings
from triage.tui.sheets import READING


@pytest.fixture(autouse=True)
def _own(tmp_path, monkeypatch):
    folders(tmp_path, monkeypatch)
    monkeypatch.setattr(Desk, "COMMANDS", {DeskCommands})


async def hits(app, query=""):
    """What the palette would show for the screen that is there: name -> (hit, help)."""
    provider = DeskCommands(app.screen)
    await provider.startup()
    found = provider.search(query) if query else provider.discover()
    return {hit.text: hit async for hit in found}


def ask(query="", before=None, chosen=None):
    """The hits on a desk after a story."""
    result = {}

    async def run():
        app = Desk(chosen=chosen)
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            await pilot.pause()
            if before:
                await before(app, pilot)
            result.update(await hits(app, query))
            result["app"] = app

    asyncio.run(run())
    result.pop("app")
    return result


def test_what_the_keys_do_stands_there_with_its_keys():
    found = ask()
    assert "Open (o)" in " ".join(found).replace("o ^o", "o")
    assert any(name.startswith("Quit (") for name in found)
    assert all(hit.help for hit in found.values())


def test_what_cannot_be_done_now_says_why():
    found = ask()
    assert found["Close log (X)"].help == "✗ not now: No log is open."


def test_screens_are_offered_without_importing_them():
    found = ask()
    assert found["Go to: Rules"].help
    assert "Go to: Logs" not in found
    assert "Go to: Article" not in found


def test_recent_files_filters_and_themes(tmp_path):
    log = tmp_path / "[bold]old.log"
    log.write_text("x\n", encoding="utf-8")

    async def before(app, _pilot):
        app.memory.recent = [str(log), str(tmp_path / "gone.log")]
        app.memory.filters = {"mine": "cause:plugin-missing"}

    found = ask(before=before)
    assert f"Open again: {log}" in found
    assert not any("gone.log" in name for name in found)
    assert found["Archive: mine"].help == "saved filter cause:plugin-missing"
    assert {"Theme: triage-dark", "Theme: triage-light", "Theme: triage-contrast"} <= set(found)
    assert "Theme: nord" not in found
    assert "Theme: nord" in ask("theme nord")


def test_articles_are_found_by_name():
    found = ask("plugin missing")
    assert "Cause: plugin-missing" in found
    assert any(name.startswith("Repair: ") for name in ask("raise opset"))


def test_an_open_log_can_be_turned_to():
    async def before(app, pilot):
        for text in ("first log\n", "second log\n"):
            app.post_message(events.Paste(text))
            await pilot.pause(0.3)
        for _ in range(400):
            if len(app.logs.views) == 2 and all(view.sheet.state != READING for view in app.logs.views):
                break
            await pilot.pause(0.05)
        app.logs.action_previous_log()
        await pilot.pause(0.2)

    assert any(name.startswith("Open log: ") for name in ask(before=before))


async def until(pilot, holds):
    for _ in range(600):
        if holds():
            return
        await pilot.pause(0.05)
    raise AssertionError("it did not come")


async def choose(app, pilot, words, shown):
    """Opens the palette, types, waits for a hit and takes it."""
    await press(app, pilot, "ctrl+p", *words)
    await until(pilot, lambda: shown in seen(app))
    await pilot.pause(0.5)
    await press(app, pilot, "enter")


def test_choosing_goes_there_and_says_why_not():
    async def story(app, pilot):
        await choose(app, pilot, "go to: rules", "Go to: Rules")
        await until(pilot, lambda: getattr(app.screen, "name_of", "") == "rules")
        await settled(app, pilot)
        await choose(app, pilot, "test on the log", "not now: No log is open")
        await until(pilot, lambda: "No log is open" in told(app))

    desk(story, "article", (100, 40), about="plugin-missing")


def test_a_theme_is_taken():
    async def story(app, pilot):
        await choose(app, pilot, "theme: triage-light", "Theme: triage-light")
        await until(pilot, lambda: app.theme == "triage-light")

    desk(story, "rules", (100, 40), chosen=Settings())
