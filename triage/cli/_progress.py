"""How a repair goes on, on standard error: one line an attempt, with its seconds while it runs."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from triage.remediate.state import State
    from triage.remedy import Attempt, Recipe


@contextmanager
def interruptible() -> Iterator[None]:
    """A polite request to end is taken like Ctrl-C: children are ended, and what was tried is told."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress:
    """Draws on a terminal, prints whole lines elsewhere, and nothing where it should be quiet."""

    def __init__(self, recipe: Recipe, *, quiet: bool) -> None:
        self._recipe = recipe
        self._quiet = quiet
        self._live = sys.stderr.isatty() and not quiet
        self._line = ""
        self._shown = -1

    def started(self, number: int, what: str) -> None:
        """An attempt begins."""
        self._line = f"{number:>3}  {what}" if number else f"     running {' '.join(self._recipe.command)}"
        self._shown = -1
        if self._live:
            self._draw(self._line)

    def diagnosed(self, state: State) -> None:
        """The build as it is was run."""
        cause = state.cause
        self._end(f"     {'it succeeds' if state.good else f'fails: {cause}'} ({_seconds(state)})")

    def running(self, seconds: float) -> bool:
        """Shows the seconds."""
        if self._live and int(seconds) != self._shown:
            self._shown = int(seconds)
            self._draw(f"{self._line}  {self._shown} s" if self._shown else self._line)
        return True

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over."""
        self._end(f"{attempt.number:>3}  {attempt.result:<9} {attempt.step.what} ({attempt.seconds:.1f} s)")

    def _draw(self, text: str) -> None:
        import os

        columns = os.get_terminal_size(sys.stderr.fileno()).columns
        sys.stderr.write(f"\r\x1b[K{text[: columns - 1]}")
        sys.stderr.flush()

    def _end(self, text: str) -> None:
        if self._quiet:
            return
        if self._live:
            sys.stderr.write("\r\x1b[K")
        print(text, file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _seconds(state: State) -> str:
    return f"{state.result.seconds:.1f} s" if state.result else "not run"
