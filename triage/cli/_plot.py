"""Statistics as a picture (SVG or PNG) by matplotlib, which is an optional part.

Bars lie down, so that long names stay readable; unknown incidents are hatched as well as coloured
(Okabe and Ito's palette, told apart by every eye); the same figures give the same bytes.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from triage.bars import percent
from triage.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from triage.archive.statistics import Table, Week

KINDS = (".svg", ".png")
_BLUE, _ORANGE = "#0072B2", "#E69F00"
_LONGEST_LABEL = 44
_FEW = 20  # weeks whose shares have room above their bars
_OTHER_SCRIPTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "PingFang SC", "Microsoft YaHei")
_SETTINGS: Any = {
    "svg.hashsalt": "triage",  # ids inside the picture do not change from run to run
    "svg.fonttype": "path",
    "text.parse_math": False,  # a dollar sign in a model's name is a dollar sign
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "font.size": 9,
    "hatch.linewidth": 0.8,
}


def check_target(path: str, *, force: bool) -> None:
    """Refuses before any work is done.

    Raises:
        UsageError: another ending than .svg or .png, no such folder, or the file exists.
        MissingExtra: matplotlib is not installed.
    """
    if os.path.splitext(path)[1].lower() not in KINDS:
        raise UsageError(f"{path}: a picture ends in {' or '.join(KINDS)}. Write --plot statistics.svg")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(f"{path}: its folder does not exist.")
    if os.path.exists(path) and not force:
        raise UsageError(f"{path} exists. Add --force to replace it.")
    try:
        import matplotlib as mpl  # noqa: F401 -- asked for here, so that its absence is said before the work
    except ImportError:
        raise MissingExtra("--plot", "plot") from None


def draw(path: str, title: str, tables: Sequence[Table], weeks: Sequence[Week], top: int) -> None:
    """Writes the picture whole or not at all.

    Args:
        path: ends in .svg or .png.
        title: above everything.
        tables: one panel each, the ``top`` most frequent values; ``week`` is drawn from ``weeks``.
        weeks: without gaps, oldest first.
        top: bars in a panel at most; the others are summed up below it.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    temporary = f"{path}.{os.getpid()}.tmp"
    kind = os.path.splitext(path)[1][1:].lower()
    with mpl.rc_context(_SETTINGS | {"font.family": _fonts()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a sign that no font here has is drawn as a box
        heights = [2.6 if table.by == "week" else 0.8 + 0.24 * min(len(table.rows), top) for table in tables]
        figure = Figure(figsize=(9, sum(heights) + 0.6), layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        FigureCanvasAgg(figure)  # never a window
        figure.suptitle(_cut(title, 100), x=0.01, ha="left", fontsize=12)
        grid = figure.subplots(len(tables), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
        for axes, table in zip(grid[:, 0], tables, strict=True):
            if table.by == "week":
                _draw_weeks(axes, weeks)
            else:
                _draw_table(axes, table, top)
        metadata = {"Date": None, "Creator": "triage"} if kind == "svg" else {"Software": "triage"}
        try:
            figure.savefig(temporary, format=kind, dpi=150, metadata=metadata)
            os.replace(temporary, path)
        except OSError as fault:
            raise UsageError(f"{path} cannot be written: {fault.strerror}") from None
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)


def _fonts() -> list[str]:
    """The font that comes with matplotlib, and those of this machine that have the signs of other scripts."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in there)]


def _draw_table(axes: Any, table: Table, top: int) -> None:
    from triage.archive.statistics import TITLES, most_frequent

    rows, others = most_frequent(table, top)
    labels = [_cut(row.value or "(not known)", _LONGEST_LABEL) for row in rows]
    counts = [row.incidents for row in rows]
    places = range(len(labels))
    axes.barh(places, counts, color=_BLUE, height=0.72)
    axes.set_yticks(places, labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)  # the first on top, no empty room
    axes.set_xlim(0, max(counts) * 1.22)  # room for the figures behind the bars
    for place, row in zip(places, rows, strict=True):
        text = f"{row.incidents:,}  ({percent(row.share)})"
        axes.annotate(text, (row.incidents, place), xytext=(4, 0), textcoords="offset points", va="center")
    name = TITLES.get(table.by, table.by)
    axes.set_title(f"By {name}")
    axes.set_ylabel(name)
    rest = f"; not drawn: {others.value} with {others.incidents:,} ({percent(others.share)})" if others else ""
    axes.set_xlabel(f"incidents{rest}")
    _whole_numbers(axes.xaxis)
    axes.tick_params(axis="y", length=0)


def _draw_weeks(axes: Any, weeks: Sequence[Week]) -> None:
    places = range(len(weeks))
    known = [week.incidents - week.unknown for week in weeks]
    axes.bar(places, known, color=_BLUE, width=0.8, label="cause known")
    unknown = [place for place in places if weeks[place].unknown]
    if unknown:
        axes.bar(
            unknown, [weeks[place].unknown for place in unknown], bottom=[known[place] for place in unknown],
            width=0.8, label="unknown" + (", share in %" if len(weeks) <= _FEW else ""),
            color=_ORANGE, edgecolor="black", linewidth=0.4, hatch="////",
        )  # fmt: skip
    for place, week in enumerate(weeks):
        if week.unknown and len(weeks) <= _FEW:
            axes.annotate(
                f"{week.rate:.0%}", (place, week.incidents), xytext=(0, 2), textcoords="offset points",
                ha="center", fontsize=7,
            )  # fmt: skip
    step = -(-len(weeks) // 14)
    ticks = list(range(0, len(weeks), step))
    axes.set_xticks(ticks, [weeks[at].week for at in ticks], rotation=30, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, max(len(weeks), 8) - 0.4)
    axes.set_ylim(0, max(week.incidents for week in weeks) * 1.12)
    axes.set_title("By week")
    axes.set_xlabel("ISO week, UTC")
    axes.set_ylabel("incidents")
    _whole_numbers(axes.yaxis)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.2)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _cut(text: str, room: int) -> str:
    """The middle goes: beginnings and endings tell names apart."""
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    if len(text) <= room:
        return text
    half = (room - 1) // 2
    return f"{text[: room - 1 - half]}…{text[-half:]}"
