"""What a log view tells others."""

from __future__ import annotations

from textual.message import Message


class CursorMoved(Message):
    """The cursor is on another line."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


class Copied(Message):
    """A person wants this text on the clipboard; ``lines`` of the log."""

    def __init__(self, text: str, lines: int) -> None:
        super().__init__()
        self.text = text
        self.lines = lines


class MarksChanged(Message):
    """A mark was set or taken."""

    def __init__(self, marks: frozenset[int]) -> None:
        super().__init__()
        self.marks = marks


class SearchProgress(Message):
    """How far a search is, 0 to 1."""

    def __init__(self, text: str, done: float) -> None:
        super().__init__()
        self.text = text
        self.done = done


class SearchDone(Message):
    """A search ended: at a line, or nowhere (None); ``fault`` where the text is no pattern."""

    def __init__(self, text: str, line: int | None, fault: str = "", *, wrapped: bool = False) -> None:
        super().__init__()
        self.text = text
        self.line = line
        self.fault = fault
        self.wrapped = wrapped


class SearchCounted(Message):
    """How many lines a search hits; ``more`` where counting was given up."""

    def __init__(self, text: str, lines: int, more: bool) -> None:
        super().__init__()
        self.text = text
        self.lines = lines
        self.more = more


class FilterDone(Message):
    """A filter went through the log: lines kept; ``capped`` where there are more than can be listed."""

    def __init__(self, lines: int, capped: bool) -> None:
        super().__init__()
        self.lines = lines
        self.capped = capped
