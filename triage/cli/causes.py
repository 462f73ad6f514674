"""List the causes that triage can name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


EXAMPLE = """
triage causes
triage causes --group build
triage causes profile --format json
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage causes``."""
    parser.add_argument("word", nargs="?", help="only causes whose id, title or definition holds this word")
    parser.add_argument("--group", help="only one group: export model build load run accuracy environment")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: Namespace) -> int:
    """Prints id and title, group by group."""
    from triage.errors import UnknownName
    from triage.library import load_library

    knowledge = load_library().knowledge
    articles = [knowledge.article(cause) for cause in knowledge.ids()]
    groups = {article.group for article in articles}
    if arguments.group and arguments.group not in groups:
        raise UnknownName("group", arguments.group, groups)
    word = (arguments.word or "").lower()
    chosen = [
        article
        for article in articles
        if (not arguments.group or article.group == arguments.group)
        and word in f"{article.id} {article.title} {article.covers}".lower()
    ]
    if arguments.format == "json":
        import json

        rows = [{"id": a.id, "group": a.group, "title": a.title, "covers": a.covers} for a in chosen]
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return 0
    if not chosen:
        print(f"no cause mentions {arguments.word!r}")
    group = None
    for article in chosen:
        if article.group != group:
            group = article.group
            print(f"\n{group}")
        print(f"  {article.id:<34} {article.title}")
    return 0
