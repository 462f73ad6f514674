"""What the listing commands share: their arguments, tables that fit the terminal, and files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.cli._output import Output, use_colour, width

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.facets import Facet
    from triage.archive.finding import Total

FILTER_HELP = (
    'terms such as cause:profile-missing model:bert version:>=10 state:new since:7d "free text" -branch:main;'
    " all must hold, a,b is one of both, key:none is empty, * stands for any letters"
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLOURS = {"named": "32", "likely": "33", "unknown": "31", "new": "33", "reopened": "31", "fixing": "36"}


class Column(NamedTuple):
    """A column of a table; ``rank`` 0 is always whole, higher ranks are cut down to ``least``, then left out."""

    title: str
    cell: Callable[[Any], str]
    rank: int = 0
    least: int = 0


def add_filter(parser: ArgumentParser) -> None:
    """``FILTER …``, in which a leading dash negates a term and begins no option."""
    parser.add_argument("filter", nargs="*", metavar="FILTER", help=FILTER_HELP)
    if hasattr(parser, "parse_intermixed_args"):
        read = parser.parse_intermixed_args
        vars(parser)["parse_args"] = lambda values: read([_guarded(value) for value in values])


def _guarded(value: str) -> str:
    """Argparse takes what begins with a blank for no option; the filter drops the blank again."""
    negation = value.startswith("-") and not value.startswith("--") and value not in ("-", "-h")
    return f" {value}" if negation else value


def add_listing(parser: ArgumentParser, orders: Sequence[str]) -> None:
    """``FILTER --format --limit --cursor --sort --output --force --color``."""
    from triage.cli._archive import add_format

    add_filter(parser)
    add_format(parser, "table", "json", "jsonl", "csv")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="rows of a page, 1 to 1000 (default: 20)")
    parser.add_argument("--cursor", metavar="CURSOR", help="the page after the one that printed this cursor")
    parser.add_argument("--sort", choices=tuple(orders), default="at", help="default: at, newest first")
    parser.add_argument("--output", metavar="PATH", help="write to a file instead of standard output")
    parser.add_argument("--force", action="store_true", help="let --output replace an existing file")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colour of the table")


def check_limit(arguments: Namespace) -> None:
    """Refuses a page that is too short or too long; raises UsageError."""
    from triage.archive.finding import LONGEST_PAGE
    from triage.errors import UsageError

    if not 1 <= arguments.limit <= LONGEST_PAGE:
        raise UsageError(f"--limit {arguments.limit} is no page: write 1 to {LONGEST_PAGE}.")


def put(arguments: Namespace, text: str) -> None:
    """Prints, or writes the file whole or not at all."""
    with Output(arguments, sys.modules[__name__]) as output:
        output.write(text)


def as_json(name: str, rows: Sequence[Any], found: Any, **more: object) -> str:
    """The page with its filter, the next cursor and the total."""
    total = found.total
    data = {
        "filter": found.applied,
        "sort": found.order,
        "total": {
            "count": total.number,
            "more": total.bounded,
            "counted_since": total.since.isoformat() if total.since else None,
        },
        "cursor": found.cursor,
        **more,
        name: list(rows),
    }
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def as_jsonl(rows: Iterable[Any]) -> str:
    """One row a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_csv(names: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """A header and rows; a cell that a spreadsheet would take for a formula begins with an apostrophe."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_harmless(row[name]) for name in names])
    return stream.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def table(arguments: Namespace, columns: Sequence[Column], rows: Sequence[Any], under: Callable[[Any], str]) -> str:
    """Rows in columns that fit the terminal; ``under`` gives a line to stand below a row, or nothing."""
    cells = [[column.cell(row) for column in columns] for row in rows]
    wide = [max(map(_span, (column.title, *(row[i] for row in cells)))) for i, column in enumerate(columns)]
    wide = _fitted(columns, wide, width())
    paint = use_colour(arguments)
    lines = [_line([column.title for column in columns], wide)]
    for row, texts in zip(rows, cells, strict=True):
        lines.append(_line(texts, wide, paint=paint))
        below = under(row)
        if below:
            lines.append("  " + cut(below, width() - 2))
    return "\n".join(lines) + "\n"


def _fitted(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit: columns shrink, then the least important go (0), and what is left over is shared out."""
    wide = [min(n, c.least) if c.rank else n for n, c in zip(natural, columns, strict=True)]
    by_rank = sorted(range(len(columns)), key=lambda place: columns[place].rank)
    for place in reversed(by_rank):
        if columns[place].rank and _needed(wide) > room:
            wide[place] = 0
    for place in by_rank:
        if wide[place]:
            wide[place] = min(natural[place], wide[place] + max(room - _needed(wide), 0))
    return wide


def _needed(wide: Sequence[int]) -> int:
    return sum(one + 2 for one in wide if one) - 2


def _line(texts: Sequence[str], wide: Sequence[int], *, paint: bool = False) -> str:
    parts = []
    for text, room in zip(texts, wide, strict=True):
        if room:
            shown = cut(text, room)
            code = _COLOURS.get(text) if paint else None
            parts.append((f"\x1b[{code}m{shown}\x1b[0m" if code else shown) + " " * (room - _span(shown)))
    return "  ".join(parts).rstrip()


def cut(text: str, room: int) -> str:
    """Text that takes at most ``room`` columns."""
    if _span(text) <= room:
        return text
    used = 0
    for at, sign in enumerate(text):
        used += _span(sign)
        if used > room - 1:
            return text[:at] + "…"
    return text


def _span(text: str) -> int:
    """Columns that a text takes; east Asian signs take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(sign) else 1 + (east_asian_width(sign) in "WF") for sign in text)


def when(moment: datetime) -> str:
    """Day and minute in UTC; of times long past only the date."""
    old = datetime.now(UTC) - moment > timedelta(days=300)
    return f"{moment:%Y-%m-%d}" if old else f"{moment:%m-%d %H:%M}"


def footing(found: Any, shown: int, noun: str) -> str:
    """What stands under a table: the filter as it was understood, how many there are, the next page."""
    applied = f" · {found.applied}" if found.applied else ""
    if not shown:
        return f"no {noun} fits{applied}\n"
    lines = [f"{shown:,} of {found.total} {noun}{'' if found.total.number == 1 else 's'}{applied}"]
    if found.cursor:
        lines.append(f"next page: --cursor {found.cursor}")
    return "\n".join(lines) + "\n"


def facet_lines(facets: Sequence[Facet], total: Total) -> str:
    """Counts, one line a key."""
    from triage.ingest.text import plain

    over = (
        f"over the newest {total.number:,} of more, since {total.since:%Y-%m-%d %H:%M}" if total.since else "over all"
    )
    lines = [f"Counts {over}"]
    for facet in facets:
        counts = " · ".join(f"{'none' if value is None else plain(value)} {times:,}" for value, times in facet.counts)
        lines.append(cut(f"  {facet.key:<10} {counts}{f' · others {facet.others:,}' if facet.others else ''}", width()))
    return "\n".join(lines) + "\n"


def say_more(found: Any) -> None:
    """Tells on standard error that rows are left, where the format has no place for it."""
    if found.cursor:
        print(f"triage: more rows: --cursor {found.cursor}", file=sys.stderr)
