"""Show the article of a cause (what it means, how to tell, how to cure) or of a repair (what it changes)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage explain profile-missing
triage explain opset-unsupported --format json
triage explain convert_opset
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage explain``."""
    parser.add_argument("cause", help="id of a cause (triage causes lists them) or of a repair")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")


def run(arguments: Namespace) -> int:
    """Prints the article; an unknown id is answered with the closest ones."""
    from triage.folders import data_folder
    from triage.knowledge import article_body
    from triage.library import load_library

    knowledge = load_library().knowledge
    if arguments.cause not in knowledge.ids():
        return _repair(arguments, knowledge.ids())
    article = knowledge.article(arguments.cause)
    body = article_body(data_folder("kb"), article.path)
    if arguments.format == "json":
        import json

        row = {**article._asdict(), "fixes": [fix._asdict() for fix in article.fixes], "body": body}
        print(json.dumps(row, ensure_ascii=False, indent=1))
        return 0
    lead = f"# {article.id}: {article.title}\n\nCovers: {article.covers}\n\n"
    fixes = "".join(f"- {fix.title} (`{fix.id}`, {fix.safety})\n" for fix in article.fixes)
    references = "".join(f"- {reference}\n" for reference in article.references)
    tail = (f"\n## Fixes\n\n{fixes}" if fixes else "") + (f"\n## References\n\n{references}" if references else "")
    sys.stdout.write(lead + body + tail)
    return 0


def _repair(arguments: Namespace, causes: list[str]) -> int:
    """The article of a repair is its module's own text."""
    from triage import discovery
    from triage.errors import UnknownName

    known = [name.replace("-", "_") for name in discovery.names("triage.fixes")]
    name = arguments.cause.replace("-", "_")
    if name not in known:
        raise UnknownName("cause or repair", arguments.cause, [*causes, *known])
    module = discovery.load("triage.fixes", name)
    title, _, body = (module.__doc__ or name).strip().partition("\n")
    if arguments.format == "json":
        import json

        row = {"id": name, "title": title, "safety": module.SAFETY, "causes": list(module.CAUSES), "body": body.strip()}
        print(json.dumps(row, ensure_ascii=False, indent=1))
        return 0
    answers = "".join(f"- {cause}\n" for cause in module.CAUSES)
    sys.stdout.write(f"# {name}: {title}\n\nSafety: {module.SAFETY}\n\n{body.strip()}\n")
    sys.stdout.write(f"\n## Answers\n\n{answers}" if answers else "")
    return 0
