"""The article of a cause or of a repair, as data and as text."""

from __future__ import annotations

from typing import Any

from triage import discovery
from triage.errors import UnknownName
from triage.folders import data_folder
from triage.knowledge import Article, Knowledge, article_body
from triage.library import load_library

FIXES = "triage.fixes"


def explained(name: str) -> str:
    """The article in Markdown. Raises UnknownName, with the closest ids."""
    knowledge = load_library().knowledge
    return _cause_text(knowledge.article(name)) if name in knowledge.ids() else _repair_text(name, knowledge)


def as_data(name: str) -> dict[str, Any]:
    """The article as plain data. Raises UnknownName, with the closest ids."""
    knowledge = load_library().knowledge
    if name not in knowledge.ids():
        return _repair(name, knowledge)
    article = knowledge.article(name)
    body = article_body(data_folder("kb"), article.path)
    return {**article._asdict(), "fixes": [fix._asdict() for fix in article.fixes], "body": body}


def _cause_text(article: Article) -> str:
    body = article_body(data_folder("kb"), article.path)
    fixes = "".join(f"- {fix.title} (`{fix.id}`, {fix.safety})\n" for fix in article.fixes)
    references = "".join(f"- {reference}\n" for reference in article.references)
    tail = (f"\n## Fixes\n\n{fixes}" if fixes else "") + (f"\n## References\n\n{references}" if references else "")
    return f"# {article.id}: {article.title}\n\nCovers: {article.covers}\n\n{body}{tail}"


def _repair_text(name: str, knowledge: Knowledge) -> str:
    row = _repair(name, knowledge)
    answers = "".join(f"- {cause}\n" for cause in row["causes"])
    head = f"# {row['id']}: {row['title']}\n\nSafety: {row['safety']}\n\n{row['body']}\n"
    return head + (f"\n## Answers\n\n{answers}" if answers else "")


def _repair(name: str, knowledge: Knowledge) -> dict[str, Any]:
    """The article of a repair is its module's own text; of one for a person only, what the causes say of it."""
    asked = name.replace("-", "_")
    known = [each.replace("-", "_") for each in discovery.names(FIXES)]
    if asked in known:
        module = discovery.load(FIXES, asked)
        title, _, body = (module.__doc__ or asked).strip().partition("\n")
        causes = list(module.CAUSES)
        return {"id": asked, "title": title, "safety": module.SAFETY, "causes": causes, "body": body.strip()}
    listed = {
        (fix.id, cause): fix.title for cause in knowledge.ids() for fix in knowledge.article(cause).fixes
    }  # fmt: skip
    causes = [cause for fix, cause in listed if fix == asked]
    if not causes:
        raise UnknownName("cause or repair", name, [*knowledge.ids(), *known, *(fix for fix, _ in listed)])
    body = "Only a person can do this: triage changes no environment and fetches nothing. The causes say how."
    return {"id": asked, "title": listed[asked, causes[0]], "safety": "manual", "causes": causes, "body": body}
