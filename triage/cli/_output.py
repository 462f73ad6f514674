"""Where a command's data goes: standard output or a file, coloured or not."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Self, TextIO

from triage.folders import write_whole

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.records import Report


def add_output_arguments(parser: ArgumentParser) -> None:
    """``--format --output --force --quiet --color``."""
    from triage import discovery

    parser.add_argument(
        "--format", default="text", metavar="NAME", help=f"one of {', '.join(discovery.names('triage.reports'))}"
    )
    parser.add_argument("--output", metavar="PATH", help="write to a file instead of standard output")
    parser.add_argument("--force", action="store_true", help="let --output replace an existing file")
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks on standard error")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colour of text output")


def use_colour(arguments: Namespace, stream: TextIO | None = None) -> bool:
    """Follows --color, NO_COLOR, CLICOLOR_FORCE and the terminal; a file is no terminal."""
    if arguments.color != "auto":
        return bool(arguments.color == "always")
    if os.environ.get("NO_COLOR") or getattr(arguments, "output", None):
        return False
    terminal = (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
    return bool(os.environ.get("CLICOLOR_FORCE")) or terminal


def width(stream: TextIO | None = None) -> int:
    """Columns of the terminal, 100 where there is none."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return 100
    return max(os.get_terminal_size(stream.fileno()).columns, 60)


class Output:
    """Collects what a command prints; a file is written whole or not at all.

    A format with ``WHOLE`` draws all reports as one document, when the last one is in.
    """

    def __init__(self, arguments: Namespace, renderer: ModuleType, *, several: bool = False) -> None:
        from triage.errors import UsageError

        self._path: str | None = arguments.output
        self._list = renderer.__name__.endswith(".json")
        self._several = several
        self._parts: list[str] = []
        self._whole = renderer if getattr(renderer, "WHOLE", False) else None
        self._colour = use_colour(arguments)
        self._reports: list[Report] = []
        if self._path and os.path.exists(self._path) and not arguments.force:
            raise UsageError(f"{self._path} exists. Add --force to replace it.")

    def __enter__(self) -> Self:
        return self

    def write(self, text: str) -> None:
        """One report. Streams where the format allows it."""
        if self._path or self._list:
            self._parts.append(text)
            return
        sys.stdout.write(text)

    def collect(self, report: Report) -> None:
        """One report of the document that all of them make."""
        self._reports.append(report)

    def begin(self, text: str, *, only: bool) -> bool:
        """The start of a report whose rest comes later; False where it must wait (a file, a list, a document)."""
        if self._path or self._whole or (self._list and not only):
            return False
        self._list = self._list and not only
        sys.stdout.write(text)
        sys.stdout.flush()
        return True

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._whole and self._reports:
            self._parts.append(self._whole.render(self._reports, self._colour, width()))
        if kind is not None or not self._parts:
            return
        text = "".join(self._parts)
        if self._list and (self._several or len(self._parts) > 1):
            text = "[\n" + ",\n".join(part.rstrip("\n") for part in self._parts) + "\n]\n"
        if self._path:
            write_whole(self._path, text)
        else:
            sys.stdout.write(text)
