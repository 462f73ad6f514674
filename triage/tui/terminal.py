"""Keys and pastes from a real terminal.

Textual reads an escape sequence inside a pasted text as keys, and a byte that is no UTF-8 ends it. A log that is
pasted may hold both, and what is pasted must never act; so pastes are taken whole here, before keys are looked for.
"""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Generator, Iterable

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

BEGIN, END = "\x1b[200~", "\x1b[201~"
BITE = 1 << 16


class PasteParser(XTermParser):
    """Takes everything between the marks of a paste as text, whatever it holds."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._paste: list[str] | None = None
        self._edge = ""  # the last characters, of which a mark may be the start

    def feed(self, data: str) -> Iterable[Message]:
        """Messages of the next characters; empty data ends it."""
        if not data:
            yield from super().feed(data)
        while data:
            data = yield from (self._keys(data) if self._paste is None else self._pasted(self._paste, data))

    def _keys(self, data: str) -> Generator[Message, None, str]:
        """Hands on what stands before a paste; gives what follows its mark."""
        for known in range(len(BEGIN) - 1, 0, -1):
            if self._edge.endswith(BEGIN[:known]) and data.startswith(BEGIN[known:]):  # the mark came in two parts
                self._paste, self._edge = [], ""
                began = super().feed(BEGIN[known:] + END)  # its first part was handed on: that paste ends at once
                yield from (each for each in began if not isinstance(each, events.Paste))
                return data[len(BEGIN) - known :]
        before, mark, rest = data.partition(BEGIN)
        if before:
            yield from super().feed(before)
        self._edge = (self._edge + before)[-len(BEGIN) :]
        if mark:
            self._paste, self._edge = [], ""
        return rest

    def _pasted(self, paste: list[str], data: str) -> Generator[Message, None, str]:
        """Collects a paste up to its end; gives what follows."""
        text, mark, rest = (self._edge + data).partition(END)
        if mark:
            self._paste, self._edge = None, ""
            yield events.Paste("".join([*paste, text]).replace("\x00", ""))
            return rest
        keep = len(END) - 1
        paste.append(text[:-keep])
        self._edge = text[-keep:]
        return ""


class DeskDriver(LinuxDriver):
    """A terminal whose pastes are text."""

    def run_input_thread(self) -> None:
        """Reads until the program ends."""
        parser = PasteParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                data = os.read(self.fileno, BITE) if selector.select(0.1) else None
                if data == b"":
                    return  # the terminal is gone
                text = decode(data) if data else ""
                for message in parser.feed(text) if text else ():
                    self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)
