"""Keys and looks of the log view. Each key has an id, so that a keymap can give the action another one."""

from __future__ import annotations

from textual.binding import Binding, BindingType


def _key(keys: str, action: str, words: str, *, show: bool = False, display: str | None = None) -> Binding:
    return Binding(keys, action, words, show=show, key_display=display, id=f"log.{action}")


BINDINGS: list[BindingType] = [
    _key("j,down", "down", "Down"),
    _key("k,up", "up", "Up"),
    _key("space,pagedown", "page_down", "Page down"),
    _key("b,pageup", "page_up", "Page up"),
    _key("ctrl+d", "half_down", "Half a page down"),
    _key("ctrl+u", "half_up", "Half a page up"),
    _key("g,home", "top", "First line"),
    _key("G,end", "bottom", "Last line"),
    _key("left", "left", "Scroll left"),
    _key("right", "right", "Scroll right"),
    _key("0", "line_start", "Start of the lines"),
    _key("n", "next_hit", "Next hit"),
    _key("N", "previous_hit", "Previous hit"),
    _key("e", "next_error", "Next error", show=True),
    _key("E", "previous_error", "Previous error"),
    _key("right_square_bracket", "next_evidence", "Next evidence", show=True, display="]"),
    _key("left_square_bracket", "previous_evidence", "Previous evidence", display="["),
    _key("m", "mark", "Mark the line"),
    _key("apostrophe", "next_mark", "Next mark", display="'"),
    _key("w", "wrap", "Wrap lines"),
    _key("V", "select", "Select lines"),
    _key("shift+down", "select_down", "Select down"),
    _key("shift+up", "select_up", "Select up"),
    _key("escape", "unselect", "End the selection"),
    _key("y", "copy", "Copy"),
]

NAMES = (
    "gutter",
    "cursor",
    "selected",
    "evidence",
    "part",
    "context",
    "consequence",
    "error",
    "mark",
    "hit",
    "clip",
    "cut",
)
COMPONENTS: set[str] = {f"log-view--{name}" for name in NAMES}
CSS = """
LogView {
    height: 1fr;
    overflow-x: hidden;
    overflow-y: scroll;
    scrollbar-size-vertical: 1;
    background: $surface;
    color: $foreground;
    & > .log-view--gutter { color: $foreground-muted; text-style: not bold; }
    & > .log-view--cursor { background: $block-cursor-blurred-background; }
    & > .log-view--selected { background: $screen-selection-background; }
    & > .log-view--evidence { color: $text-error; text-style: bold; }
    & > .log-view--part { text-style: underline; }
    & > .log-view--context { color: $text-accent; }
    & > .log-view--consequence { color: $text-muted; text-style: dim; }
    & > .log-view--error { color: $text-error; }
    & > .log-view--mark { color: $text-accent; text-style: bold; }
    & > .log-view--hit { color: $background; background: $warning; text-style: bold; }
    & > .log-view--clip { color: $text-warning; }
    & > .log-view--cut { color: $text-muted; text-style: italic; }
    &:focus > .log-view--cursor { background: $primary-muted; }
}
"""
