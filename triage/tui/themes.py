"""The desk's own themes: dark, light, and one of high contrast. Others come with Textual."""

from __future__ import annotations

from textual.theme import Theme

THEMES = (
    Theme(
        name="triage-dark", primary="#6aa5d8", secondary="#3f6d96", accent="#e0b050", warning="#e0b050",
        error="#ef7d7d", success="#7fc08b", foreground="#dcdfe4", background="#14171c", surface="#1a1e25",
        panel="#232933", dark=True,
    ),
    Theme(
        name="triage-light", primary="#1f5f99", secondary="#4d7ea8", accent="#8a5a00", warning="#8a5a00",
        error="#b3261e", success="#1d6b34", foreground="#1c1f24", background="#fbfbf9", surface="#f2f2ee",
        panel="#e4e4de", dark=False,
        variables={"text-disabled": "#6d7278", "foreground-disabled": "#6d7278"},  # Textual's own are too faint
    ),
    Theme(
        name="triage-contrast", primary="#00d7ff", secondary="#ffffff", accent="#ffff00", warning="#ffff00",
        error="#ff6060", success="#00ff00", foreground="#ffffff", background="#000000", surface="#000000",
        panel="#303030", dark=True, text_alpha=1.0,
    ),
)  # fmt: skip
