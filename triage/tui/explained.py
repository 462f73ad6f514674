"""Actions that say why they cannot be done now, in place of doing nothing."""

from __future__ import annotations


class Explained:
    """A screen or widget whose actions may be out of place: ``why_not`` tells.

    The footer shows such an action dimmed; its key and the palette answer with the reason.
    """

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now, as a sentence; empty where it can."""
        del action
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Textual asks this before it acts, and to draw the footer."""
        del parameters
        return None if self.why_not(action) else True
