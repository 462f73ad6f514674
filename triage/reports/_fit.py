"""Parts of Markdown within a limit: whole ones while they fit, then how many more there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

CUT = "… cut here"


def utf8_size(text: str) -> int:
    """Bytes of a text, for limits that count bytes."""
    return len(text.encode("utf-8", "replace"))


def fit(
    parts: Sequence[str],
    limit: int,
    more: Callable[[int], str] = lambda number: f"and {number} more",
    size: Callable[[str], int] = len,
    left: int = 0,
) -> str:
    """The parts, joined by line ends, in at most ``limit``.

    The first part always stands, shortened where it must be; of the others only whole ones. A last line counts what
    is left out, and the ``left`` ones that are no part at all.
    """
    last = [more(left)] if left else []
    whole = "\n".join([*parts, *last])
    if size(whole) <= limit or not parts:
        return whole
    room = limit - size("\n" + more(len(parts) - 1 + left)) if parts[1:] or left else limit
    kept = [shortened(parts[0], room, size)]
    used = size(kept[0])
    for part in parts[1:]:
        used += size("\n" + part)
        if used > room:
            break
        kept.append(part)
    out = len(parts) - len(kept) + left
    return "\n".join([*kept, more(out)] if out else kept)


def shortened(text: str, limit: int, size: Callable[[str], int] = len) -> str:
    """The first lines of a text; an open code block or fold is closed."""
    if size(text) <= limit:
        return text
    lines: list[str] = []
    fence, folds, used = "", 0, 0
    ending: list[str] = []
    for line in text.split("\n"):
        next_fence, next_folds = _after(line, fence, folds)
        closing = [next_fence] * bool(next_fence) + ["", CUT] + ["", "</details>"] * next_folds
        if used + size(line + "\n" + "\n".join(closing)) > limit:
            break
        lines.append(line)
        used += size(line + "\n")
        fence, folds, ending = next_fence, next_folds, closing
    return "\n".join([*lines, *ending]) if lines else text[: max(limit // 4, 0)].rpartition("\n")[0]


def _after(line: str, fence: str, folds: int) -> tuple[str, int]:
    """(the fence that is open, the folds that are open) behind a line."""
    if fence:
        return ("" if line.rstrip() == fence else fence), folds
    if line.startswith("```"):
        return line[: len(line) - len(line.lstrip("`"))], folds
    if not line.startswith("    "):
        folds += line.count("<details") - line.count("</details>")
    return "", max(folds, 0)
