"""A desk over a real archive, for the tests of its screens."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

from filing import kept
from support import FIXTURES, MESSAGES
from textual.widgets import Input

from triage.archive.filing import file_builds
from triage.archive.schema import require
from triage.archive.session import Archive
from triage.records import Origin
from triage.service import diagnose
from triage.service.filing import Run, new_build
from triage.tui.app import Desk

WAIT = 60.0
SIZES = ((80, 24), (140, 45))
NOW = datetime.now(UTC)
HOSTILE = "/srv/[bold]x[/]/\x1b[31m模型\u202e.onnx"


def folders(tmp_path, monkeypatch):
    """Folders of the test's own; gives the archive's path."""
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRIAGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("TRIAGE_DATABASE_URL", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "archive.db"


def fill(path, count, cases=24):
    """Files failures of fixtures, again and again, each as a run of its own."""
    chance = random.Random(7)  # noqa: S311 -- not for secrets
    logs = [(diagnose(text, name=f"{cause}.log"), kept(text)) for cause, text in MESSAGES]
    for folder in sorted(path for path in FIXTURES.iterdir() if (path / "log.txt").is_file()):
        data = (folder / "log.txt").read_bytes()
        if len(logs) < cases and len(data) < 20_000:
            report = diagnose(data, name=f"{folder.name}.log")
            logs += [(report, kept(data))] if report.diagnosis.failure else []
    builds = []
    for number in range(count):
        report, log = logs[min(int(chance.expovariate(0.3)), len(logs) - 1)]
        branch = chance.choice(["main", "dev", "feature/opset"])
        where = Origin("box", "github", "org/repo", branch, f"{number:040x}", f"https://ci/{number}", "build")
        run = Run(key=str(number), started=NOW - timedelta(hours=number))
        builds.append(new_build(report, log, "today", where, run))
    file_all(path, builds)


def file_all(path, builds):
    """Files builds into the archive of a file."""
    with Archive(f"sqlite:///{path}") as archive:
        require(archive)
        with archive.write() as connection:
            return [name for filed in file_builds(connection, builds) for name in filed.incidents]


def desk(story, screen, size=(140, 45), chosen=None, **arguments):
    """Runs a story(app, pilot) on a screen of the desk."""

    async def run():
        app = Desk(chosen=chosen)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            app.go(screen, **arguments)
            await settled(app, pilot)
            await story(app, pilot)
        return app

    return asyncio.run(run())


async def settled(app, pilot):
    """Waits until no worker of a screen runs."""
    await pilot.pause(0.05)
    for _ in range(int(WAIT / 0.02)):
        if not any(not worker.is_finished and worker.group != "warm" for worker in app.workers):
            break
        await pilot.pause(0.02)
    await pilot.pause(0.05)


async def press(app, pilot, *keys):
    """Presses keys, and waits for what they started."""
    for key in keys:
        await pilot.press(key)
    await settled(app, pilot)


async def typed(app, pilot, text):
    """Puts text into the line that has the keys, as if it were typed, and waits for the list."""
    line = app.focused
    assert isinstance(line, Input)
    line.value = ""
    line.insert_text_at_cursor(text)
    await pilot.pause(0.5)
    await settled(app, pilot)


def seen(app):
    """The text on the screen."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001
    return "\n".join("".join(part.text for part in strip) for strip in strips)


def told(app):
    """All notifications."""
    return "\n".join(note.message for note in app._notifications)  # noqa: SLF001
