"""List rules: ids, what they say and which cause they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage rules list --cause profile-missing
triage rules list --tool tensorrt --format json
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules list``."""
    parser.add_argument("--cause", help="only rules for this cause")
    parser.add_argument("--tool", help="only rules for this tool")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: Namespace) -> int:
    """One line a rule."""
    from triage.library import load_library

    library = load_library()
    if arguments.cause:
        library.knowledge.article(arguments.cause)
    rows = [
        {"id": rule.id, "says": rule.says, "cause": rule.cause, "tool": rule.tool, "status": rule.status}
        for rule in library.rulebook.rules()
        if (not arguments.cause or arguments.cause in (rule.cause, *rule.also))
        and (not arguments.tool or rule.tool == arguments.tool)
    ]
    if arguments.format == "json":
        import json

        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['id']:<52} {row['says']:<8} {row['cause'] if row['says'] in ('cause', 'end', 'hint') else ''}")
    return 0
