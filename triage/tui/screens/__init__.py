"""Screens of the desk, one module each; the desk finds them by looking here.

A module has::

    TITLE: str                        what the screen is called, in one or two words
    HELP: str                         what it is for and how it is used, in Markdown; ``?`` shows it
    make(**arguments) -> Screen       the screen
    ENTRY: bool = False               it can be opened from anywhere, with no arguments: the palette lists it

Nothing of a screen is imported before it is opened.
"""

from __future__ import annotations

from types import ModuleType

from triage import discovery


def names() -> list[str]:
    """Ids of all screens."""
    return discovery.names(__name__)


def module(name: str) -> ModuleType:
    """The module of a screen. Raises UnknownName."""
    return discovery.load(__name__, name)
