"""The command palette: everything that can be done from here, by name.

What cannot be done now stands there, too, with its reason; to choose it says the reason.
"""

from __future__ import annotations

import ast
import os
from asyncio import to_thread
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from triage.ingest.text import plain
from triage.tui import screens
from triage.tui.explained import Explained

if TYPE_CHECKING:
    from textual.fuzzy import Matcher

    from triage.tui.app import Desk

MOST_RECENT = 12
MOST = 60


class Command(NamedTuple):
    """A thing that can be done: its name, a line about it, and how. ``early``: shown before anything is typed."""

    name: str
    about: str
    act: Callable[[], Any]
    early: bool = True


class DeskCommands(Provider):
    """Offers the desk's commands to Textual's palette."""

    async def startup(self) -> None:
        """Collects them once, as the screen below stands."""
        self._commands = list(self._all())
        self._articles: list[Command] | None = None

    async def discover(self) -> Hits:
        """What is shown before anything is typed."""
        for command in self._commands:
            if command.early:
                yield DiscoveryHit(Content(command.name), command.act, command.name, command.about)

    async def search(self, query: str) -> Hits:
        """Those whose name fits, best first; the best of the many articles only."""
        if self._articles is None:
            self._articles = await to_thread(lambda: list(self._read_articles()))
        matcher, words = self.matcher(query), _flat(query).split()
        scored = [(_score(matcher, words, each), each) for each in (*self._commands, *self._articles)]
        for score, command in sorted(scored, key=lambda pair: -pair[0])[:MOST]:
            if score > 0:
                yield Hit(score, matcher.highlight(command.name), command.act, command.name, command.about)

    @property
    def desk(self) -> Desk:
        """The program."""
        desk: Any = self.app
        return desk  # type: ignore[no-any-return]

    def _all(self) -> Iterator[Command]:
        yield from self._actions()
        yield from self._screens()
        yield from self._logs()
        yield from self._recent()
        yield from self._filters()
        yield from self._themes()

    # -- what the keys do here

    def _actions(self) -> Iterator[Command]:
        """Every action of the screen and of the widget that has the focus, with its keys."""
        keys: dict[tuple[int, str], list[str]] = {}
        told: dict[tuple[int, str], Any] = {}
        for key, active in self.screen.active_bindings.items():
            if not active.binding.description or active.binding.system:
                continue
            place = (id(active.node), active.binding.action)
            keys.setdefault(place, []).append(self.app.get_key_display(active.binding.with_key(key, None)))
            told[place] = active
        for place, active in sorted(told.items(), key=lambda pair: not pair[1].binding.show):
            why = _why_not(active.node, active.binding.action)
            shown = " ".join(dict.fromkeys(keys[place]))
            name = f"{active.binding.description} ({shown})"
            about = f"✗ not now: {why}" if why else active.binding.tooltip or _about(active)
            act = partial(self._act, active.binding.action, active.node)
            yield Command(name, about, act, early=bool(active.binding.id))  # those without are Textual's own moves

    async def _act(self, action: str, node: Any) -> None:
        """Does it, as its key would; what is out of place says why."""
        await self.app.run_action(action, default_namespace=node)

    # -- where one can go

    def _screens(self) -> Iterator[Command]:
        here = getattr(self.screen, "name_of", "")
        for name, title, about in _entries():
            if name != here:
                yield Command(f"Go to: {title}", about, partial(self.desk.go, name))

    def _logs(self) -> Iterator[Command]:
        for view in getattr(self.desk.logs, "views", ()):
            sheet = view.sheet
            about = f"{sheet.state}, {sheet.document.lines:,} lines"
            yield Command(f"Open log: {plain(sheet.name)}", about, partial(self._turn, sheet))

    def _turn(self, sheet: Any) -> None:
        while len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        self.desk.logs.turn_to(sheet)

    def _recent(self) -> Iterator[Command]:
        opened = {view.sheet.path for view in getattr(self.desk.logs, "views", ())}
        paths = [path for path in self.desk.memory.recent if path not in opened and os.path.isfile(path)]
        for path in paths[:MOST_RECENT]:
            yield Command(f"Open again: {plain(path)}", "a log that was open before", partial(self.desk.open, path))

    def _filters(self) -> Iterator[Command]:
        for name, text in self.desk.memory.filters.items():
            go = partial(self.desk.go, "archive", text=text)
            yield Command(f"Archive: {plain(name)}", f"saved filter {plain(text)}", go)

    def _themes(self) -> Iterator[Command]:
        for name in sorted(self.app.available_themes, key=lambda each: (not each.startswith("triage"), each)):
            now = name == self.app.theme
            about = "the present theme" if now else "colours of the desk; they are remembered"
            yield Command(f"Theme: {name}", about, partial(self._theme, name), early=name.startswith("triage"))

    def _theme(self, name: str) -> None:
        self.app.theme = name

    def _read_articles(self) -> Iterator[Command]:
        """Causes and repairs. In a thread: the knowledge may still have to be read."""
        from triage.errors import TriageError
        from triage.library import load_library

        try:
            knowledge = load_library().knowledge
        except TriageError:
            return
        fixes: dict[str, str] = {}
        for cause in knowledge.ids():
            article = knowledge.article(cause)
            fixes.update((fix.id, fix.title) for fix in article.fixes)
            yield Command(f"Cause: {cause}", article.title, partial(self.desk.go, "article", about=cause), early=False)
        for fix, title in sorted(fixes.items()):
            yield Command(f"Repair: {fix}", title, partial(self.desk.go, "article", about=fix), early=False)


def _flat(text: str) -> str:
    return text.lower().replace("-", " ").replace("_", " ")


def _score(matcher: Matcher, words: Sequence[str], command: Command) -> float:
    """0 to 1: whole words of the name before letters of it, and those before words of what it is about."""
    name = _flat(command.name)
    if all(word in name for word in words):
        return 0.8 + 0.2 * sum(len(word) for word in words) / len(name)
    letters = 0.7 * min(matcher.match(command.name), 1.0)
    about = 0.2 if all(word in f"{name} {_flat(command.about)}" for word in words) else 0.0
    return max(letters, about)


@cache
def _entries() -> tuple[tuple[str, str, str], ...]:
    """Id, title and first line of the screens that open with no arguments; read from their files, not imported."""
    found = []
    for name in screens.names():
        with open(os.path.join(os.path.dirname(str(screens.__file__)), f"{name.replace('-', '_')}.py"), "rb") as stream:
            tree = ast.parse(stream.read())
        values = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }  # fmt: skip
        if values.get("ENTRY"):
            about = (ast.get_docstring(tree) or "").partition("\n")[0]
            found.append((name, str(values.get("TITLE", name)), about))
    return tuple(found)


def _why_not(node: Any, action: str) -> str:
    name = action.partition("(")[0].rpartition(".")[2]
    return node.why_not(name) if isinstance(node, Explained) else ""


def _about(active: Any) -> str:
    """The first line of what the action says of itself."""
    name = active.binding.action.partition("(")[0].rpartition(".")[2]
    said = (getattr(active.node, f"action_{name}", None).__doc__ or "").strip()
    return said.split("\n")[0]
