"""The text of a log of any size, with a cursor line, roles, search, filters, marks and a selection.

Only the lines on the screen are read and styled. Roles come from outside; lines that look
like errors are seen by themselves. Every role has a sign in the gutter as well as a colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.style import Style
from textual.strip import Strip

from triage.tui.document import Document
from triage.tui.widgets import _log_keys
from triage.tui.widgets._log_messages import (
    Copied,
    CursorMoved,
    FilterDone,
    MarksChanged,
    SearchCounted,
    SearchDone,
    SearchProgress,
)
from triage.tui.widgets._log_rows import EVIDENCE, Gutter, Painter, Role, Row, Span, role_span, shown
from triage.tui.widgets._log_select import Selecting
from triage.tui.widgets.error_strip import ErrorStrip

__all__ = [
    "Copied", "CursorMoved", "ErrorStrip", "FilterDone", "LogView", "MarksChanged", "Role", "SearchCounted",
    "SearchDone", "SearchProgress",
]  # fmt: skip


class LogView(Selecting, can_focus=True, inherit_bindings=False):
    """A log. Call ``document_changed`` when its document has grown."""

    BINDINGS: ClassVar = _log_keys.BINDINGS
    COMPONENT_CLASSES: ClassVar = _log_keys.COMPONENTS
    DEFAULT_CSS = _log_keys.CSS
    ALLOW_SELECT = False

    def __init__(self, document: Document, *, id: str | None = None) -> None:  # noqa: A002  Textual's word
        super().__init__(document)
        if id is not None:
            self.id = id
        self.roles: dict[int, Role] = {}
        self._evidence: list[int] = []
        self._version = document.version

    def on_mount(self) -> None:
        """Shows what is there."""
        self.document_changed()

    def document_changed(self) -> None:
        """Takes in lines that came since, and looks for errors in them."""
        if self._version != self.document.version:
            self._begin_again()
        self.rows_changed()
        self.filter_more()
        self.look()

    def _begin_again(self) -> None:
        """The log was cut short or replaced: nothing known of its lines holds."""
        self._version = self.document.version
        self._filter_ticket += 1
        self._filter_upto, self._filtering = 0, False
        if self.shown_lines.kept is not None:
            del self.shown_lines.kept[:]
        self._anchor = None
        self.shown_lines.forget()
        self.set_roles({})
        self.notify(self.document.remark, markup=False)

    def rows_changed(self) -> None:
        """Fits the view to the lines there are now."""
        at_end = self.following
        if self.total and self.document.lines >= self.total:
            self.shown_lines.forget(self.total)  # the last line may have been a part of one
        self.total = self.document.lines
        self.news += 1
        self.kept = None if self.shown_lines.kept is None else len(self.shown_lines.kept)
        self._fit()
        if self._wanted and self._wanted <= self.total:
            wanted, self._wanted = self._wanted, 0
            self.jump(wanted)
        elif at_end:
            self._to_end()
        elif self.cursor > self.total:
            self.cursor = max(1, self.total)

    def set_roles(self, roles: Mapping[int, Role | str]) -> None:
        """What lines are: evidence, context or consequence; with a Role also which part of the line decides."""
        self.roles = {line: Role(role) if isinstance(role, str) else role for line, role in roles.items()}
        self._evidence = sorted(line for line, role in self.roles.items() if role.kind == EVIDENCE)
        self.news += 1
        self._redraw()

    @property
    def evidence(self) -> list[int]:
        """The decisive lines, in order."""
        return self._evidence

    @property
    def status(self) -> str:
        """Where one is and what is on, in words."""
        parts = [f"line {self.cursor:,} of {self.total:,}" if self.total else "no lines"]
        if self.kept is not None:
            more = "+" if self._capped else " so far" if self._filtering else ""
            parts.append(f"{self.kept:,}{more} kept by the filter")
        if self.search_text:
            count = f"{self.hit_lines:,} lines" if self.hit_lines is not None else ""
            parts.append(" ".join(filter(None, (self.search_text, self.search_fault or count))))
        if self.selection:
            parts.append(f"lines {self.selection[0]:,} to {self.selection[1]:,} selected")
        parts += [word for word, on in (("wrapped", self.wrap), ("at the end, following", self.following)) if on]
        return " · ".join(parts)

    def goto(self, line: int) -> None:
        """Puts the cursor on a line; waits for one that is not known yet."""
        if line > self.document.lines and not (self.document.complete and self.document.finished):
            self._wanted = line
        self._origin = max(1, line)
        self.jump(line)

    # -- drawing

    def notify_style_update(self) -> None:
        """Another theme."""
        super().notify_style_update()
        self._painter = None

    def render_line(self, y: int) -> Strip:
        """One row of the screen."""
        painter = self._painter
        if painter is None:
            painter = self._painter = Painter(
                self.rich_style, self._style, Gutter.of(self.room.width, self.total), self.room.width
            )
        rows = self._rows()
        return painter.row(self._row(*rows[y])) if y < len(rows) else painter.blank()

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"log-view--{name}", partial=True)

    def _row(self, index: int, sub: int) -> Row:
        lines = self.shown_lines
        line = lines.line(index)
        text = shown(line)
        role = self.roles.get(line.number)
        spans: list[Span] = [(len(line.text), len(text), "cut")] if line.cut else []
        part = role_span(role, line.text) if role else None
        spans += [part] if part else []
        spans += [(start, end, "hit") for start, end in lines.hits(line)]
        low, high = self.selection or (0, 0)
        return Row(
            line=line,
            text=text,
            slice=lines.slice(index, sub, self.left, max(0, self.room.width - self.gutter_width)),
            first=sub == 0,
            left=-1 if self.wrap else self.left,
            spans=spans,
            role=role.kind if role else "error" if line.loud else "",
            marked=line.number in self._marks,
            cursor=line.number == self.cursor,
            selected=low <= line.number <= high,
        )

    # -- evidence and wrapping

    def action_next_evidence(self) -> None:
        """To the next decisive line."""
        self.to_next(self._evidence, "evidence in this log")

    def action_previous_evidence(self) -> None:
        """To the decisive line before."""
        self.to_previous(self._evidence, "evidence in this log")

    def action_wrap(self) -> None:
        """Long lines take several rows, or are cut at the right."""
        self.wrap = not self.wrap
