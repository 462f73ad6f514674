"""Open the desk: paste a failing log, read the answer, act on it.

A log that is piped in is opened, too; keys then come from the terminal. ``triage`` alone opens the desk as well.
Settings stand in desk.toml of the configuration folder; what is given here goes before them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.tui.settings import Settings

EXAMPLE = """
triage tui
triage tui build.log server.log --follow
make engine 2>&1 | triage tui
triage tui --web --port 8000
"""
TERMINAL = "/dev/tty"
PORT = 8000


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage tui``."""
    parser.add_argument("inputs", nargs="*", metavar="FILE",
                        help="logs to open: path, archive of logs, http(s) address, or - for a pipe")  # fmt: skip
    parser.add_argument("--follow", action="store_true", help="follow the files as they grow")
    parser.add_argument("--theme", metavar="NAME", help="triage-dark, triage-light, triage-contrast, or one of Textual")
    parser.add_argument("--keys", choices=("plain", "vim"), help="set of keys (default: plain)")
    parser.add_argument("--read-only", action="store_true", help="file, decide and apply nothing")
    parser.add_argument("--web", action="store_true", help="serve the desk to a browser on this machine, until Ctrl-C")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"port for --web (default {PORT})")


def run(arguments: Namespace) -> int:
    """Runs the desk until it is left."""
    import gc

    _need("textual", "tui")
    chosen = _settings(arguments)
    if arguments.web:
        return _serve(arguments)
    sources = list(arguments.inputs) if _in_browser() else _at_terminal(arguments.inputs)
    from triage.tui.app import Desk

    desk = Desk(sources, follow=arguments.follow, chosen=chosen)
    if arguments.theme:
        desk.theme = _theme(arguments.theme, desk.available_themes)
    gc.freeze()  # what is loaded so far stays: it need not be looked through
    gc.enable()  # the entry point turned it off
    return _live(desk)


def opens_desk() -> bool:
    """Whether ``triage`` without a word opens the desk: a person sits at a terminal that can show it."""
    from importlib.util import find_spec

    at_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
    return at_terminal and os.environ.get("TERM", "dumb") != "dumb" and find_spec("textual") is not None


def _need(module: str, extra: str) -> None:
    from importlib.util import find_spec

    from triage.errors import MissingExtra

    if find_spec(module) is None:
        raise MissingExtra("the desk" if extra == "tui" else "the desk in a browser", extra)


def _settings(arguments: Namespace) -> Settings:
    """What desk.toml says, with what was typed before it."""
    from dataclasses import replace

    from triage.tui.settings import read_settings

    chosen = read_settings()
    return replace(chosen, keys=arguments.keys or chosen.keys, read_only=arguments.read_only or chosen.read_only)


def _theme(name: str, known: object) -> str:
    from triage.errors import UnknownName

    names: list[str] = list(known)  # type: ignore[call-overload]
    if name not in names:
        raise UnknownName("theme", name, names)
    return name


def _live(desk: object) -> int:
    """Runs the program on a loop of its own: threads that still wait for a pipe do not hold it up at the end."""
    import asyncio

    if os.name == "posix" and not _in_browser():
        from triage.tui.terminal import DeskDriver

        desk.driver_class = DeskDriver  # type: ignore[attr-defined]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    desk.run(loop=loop)  # type: ignore[attr-defined]
    code: int | None = desk.return_code  # type: ignore[attr-defined]
    return 3 if code else 0


# -- the terminal


def _in_browser() -> bool:
    """Whether the server of ``--web`` started us: it speaks through pipes."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith("WebDriver")


def _at_terminal(inputs: list[str]) -> list[str]:
    """What is to be opened, once keys come from a terminal.

    Raises:
        UsageError: there is no terminal, or it cannot show the desk.
    """
    from triage.errors import UsageError

    if not sys.stdout.isatty() or not sys.stderr.isatty():
        raise UsageError(
            "the desk needs a terminal on standard output and standard error. For a script: triage diagnose LOG"
        )
    if os.environ.get("TERM") == "dumb":
        raise UsageError("this terminal (TERM=dumb) cannot show the desk. Type: triage diagnose LOG")
    if sys.stdin is not None and sys.stdin.isatty():
        if "-" in inputs:
            raise UsageError("- is a pipe, and nothing is piped in. Start the desk with triage tui and paste the log.")
        return list(inputs)
    _move_pipe()
    return list(inputs) or ["-"]


def _move_pipe() -> None:
    """Puts the terminal where keys are read, standard input; what was piped in is read from elsewhere.

    Raises:
        UsageError: there is no terminal to read keys from.
    """
    from triage.errors import UsageError

    if sys.__stdin__ is None:
        raise UsageError("keys cannot be read: standard input is closed.")
    try:
        terminal = os.open(TERMINAL, os.O_RDWR)
    except OSError as fault:
        raise UsageError(
            f"keys cannot be read: standard input is no terminal, and {TERMINAL} cannot be opened ({fault.strerror})."
        ) from None
    sys.stdin = open(os.dup(0), encoding="utf-8", errors="surrogateescape")
    os.dup2(terminal, 0)
    os.close(terminal)


# -- the browser


def _serve(arguments: Namespace) -> int:
    """Serves the same desk on loopback."""
    _need("textual_serve", "web")
    from triage.errors import UsageError

    if "-" in arguments.inputs:
        raise UsageError("a pipe cannot be shown in a browser. Write it to a file and name that.")
    from triage.tui.web import serve

    serve([sys.executable, "-P", "-m", "triage", "tui", *_again(arguments)], arguments.port)
    return 0


def _again(arguments: Namespace) -> list[str]:
    """The same arguments for the desk behind the page."""
    words = [os.path.abspath(path) if os.path.exists(path) else path for path in arguments.inputs]
    words += ["--follow"] if arguments.follow else []
    words += ["--theme", arguments.theme] if arguments.theme else []
    words += ["--keys", arguments.keys] if arguments.keys else []
    return [*words, *(["--read-only"] if arguments.read_only else [])]
