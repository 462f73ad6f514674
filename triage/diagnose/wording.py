"""The words of a drafted rule file: its id, its sentence, its YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from triage.diagnose.generalise import Choice, covered
from triage.diagnose.parts import Part
from triage.rulebook.patterns import literals_of

LONGEST_SENTENCE = 200
LONGEST_TOPIC = 60
_CLOSING = frozenset("'\"`)]}")
_DULL = frozenset(
    """the and for not was were has have had with that this from into are its can cannot could will does did but you
    your been than then there error failed""".split()  # noqa: SIM905 - a list of words reads better
)


def sentence(parts: Sequence[Part], choice: Choice, names: Mapping[int, str]) -> str:
    """The message with its captures in braces and an ellipsis for what changes without a name."""
    out = ""
    first, last = covered(parts, choice)
    while last < len(parts) and parts[last].kind == "mark" and parts[last].text in _CLOSING:
        last += 1
    for index in range(first, last):
        part = parts[index]
        if part.literal or index in choice.kept:
            word = part.text.replace("{", "(").replace("}", ")")
        else:
            word = f"{{{names[index]}}}" if index in names else "…"
        glue = " " if out and max(part.blanks) > 0 else ""
        if len(out) + len(glue) + len(word) > LONGEST_SENTENCE:
            return f"{out} …"
        out += glue + word
    return out.strip(" :,;-")


def topic(cause: str | None, label: str, taken: Collection[str]) -> str:
    """An id of the form ``cause-word-word`` that no other rule of the tool has."""
    fixed = re.sub(r"\{\w+\}|…", " ", label)
    words = [w.lower() for w in re.findall(r"[A-Za-z][A-Za-z]+", fixed) if len(w) > 2 and w.lower() not in _DULL]
    rare = [w for w in dict.fromkeys(words) if w not in (cause or "").split("-")]
    ranked = sorted(rare, key=lambda w: (-_worth(w), rare.index(w)))
    for count in range(2 if cause else 3, len(ranked) + 1):
        chosen = [w for w in rare if w in ranked[:count]]
        name = "-".join([*([cause] if cause else []), *chosen])[:LONGEST_TOPIC].strip("-")
        if name not in taken:
            return name
    base = "-".join([*([cause] if cause else []), *rare])[:LONGEST_TOPIC].strip("-") or "message"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _worth(word: str) -> float:
    return literals_of(word).score()


def write_rule(
    *,
    cause: str,
    tool: str,
    stage: str | None,
    patterns: Sequence[str],
    why: str,
    hits: Sequence[str],
    misses: Sequence[str],
    notes: Sequence[str],
) -> str:
    """The rule file as it is stored."""
    lines = [f"cause: {cause}", "status: experimental", f"tool: {tool}"]
    if stage:
        lines.append(f"stage: {stage}")
    lines.append("says: cause")
    if len(patterns) == 1:
        lines.append(f"match: {scalar(patterns[0])}")
    else:
        lines += ["any:", *(f"  - {scalar(pattern)}" for pattern in patterns)]
    lines.append(f"why: {scalar(why)}")
    lines += ["hits:", *(f"  - text: {scalar(text)}" for text in hits)]
    lines += ["misses:", *(f"  - text: {scalar(text)}" for text in misses)]
    if notes:
        lines += ["notes:", *(f"  - {scalar(note)}" for note in notes)]
    return "\n".join(lines) + "\n"


def scalar(text: str) -> str:
    """A string as YAML holds it on one line."""
    import yaml

    written: Any = yaml.dump(text, default_style="'", allow_unicode=True, width=1 << 20)
    return str(written).rstrip("\n")
