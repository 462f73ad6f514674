"""What to do about a cause: words and commands from its article, ready to copy."""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """Title of the cause, the first words of its cure, and its first block of commands."""

    title: str
    words: str
    commands: tuple[str, ...]


def advice_for(cause: str) -> Advice:
    """Reads the article of one cause."""
    from triage.folders import data_folder
    from triage.knowledge import article_body
    from triage.library import load_library

    article = load_library().knowledge.article(cause)
    body = article_body(data_folder("kb"), article.path)
    section = body.partition("## How to cure")[2].partition("\n## ")[0]
    prose, commands = _split(section)
    return Advice(article.title, " ".join(prose.split("\n\n")[0].split()), tuple(commands[:14]))


def _split(section: str) -> tuple[str, list[str]]:
    """(prose before the first code block, lines of that block)."""
    before, _, rest = section.strip().partition("```")
    block = rest.partition("\n")[2].partition("```")[0]
    commands = [line.rstrip() for line in block.split("\n")]
    while commands and not commands[-1]:
        commands.pop()
    return before.strip(), commands
