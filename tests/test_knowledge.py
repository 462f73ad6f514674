"""The catalogue of causes and the tables of version facts."""

import re
from datetime import date

import pytest
from support import CATALOGUE, KB, read_yaml

from triage.errors import KnowledgeFault, UnknownName
from triage.knowledge import HEADINGS, SAFETIES, Knowledge, article_body, compile_knowledge

ARTICLES = sorted((KB / "causes").rglob("*.md"))
TABLES = sorted((KB / "compat").glob("*.yaml"))


@pytest.fixture(scope="session")
def knowledge(library):
    return library.knowledge


def test_ids_are_stems_and_groups_are_folders(knowledge):
    assert {path.stem: path.parent.name for path in ARTICLES} == {
        cause: knowledge.article(cause).group for cause in knowledge.ids()
    }


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_article_has_its_four_headings_with_real_text(path, knowledge):
    article = knowledge.article(path.stem)
    sections = re.split(r"^## ", article_body(str(KB), article.path), flags=re.MULTILINE)
    bodies = dict(section.split("\n", 1) for section in sections if section.strip())
    assert tuple(bodies) == HEADINGS
    assert {heading: body for heading, body in bodies.items() if len(body.split()) < 6} == {}
    assert not re.search(r"\b(?:TODO|TBD|FIXME|lorem)\b", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_article_names_known_causes_and_safe_words(path, knowledge):
    article = knowledge.article(path.stem)
    known = set(knowledge.ids())
    assert set(article.explained_by) <= known - {article.id}
    assert set(article.confused_with) <= known - {article.id}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]+", fix.id) for fix in article.fixes)
    assert all(fix.title and fix.safety in SAFETIES for fix in article.fixes)
    assert all(reference.startswith("https://") or len(reference.split()) > 1 for reference in article.references)
    if article.group != "none":
        assert article.fixes
        assert article.evidence_needed


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_backquoted_causes_of_the_last_section_exist(path, knowledge):
    """A pointer such as ``- `other-cause`: ...`` must lead somewhere."""
    body = article_body(str(KB), knowledge.article(path.stem).path)
    last = body.partition("## When it is something else")[2]
    pointers = re.findall(r"^[-*] `([a-z0-9]+(?:-[a-z0-9]+)+)`\s*[:,]", last, flags=re.MULTILINE)
    assert set(pointers) <= set(knowledge.ids())


@pytest.mark.parametrize("path", ARTICLES, ids=lambda path: path.stem)
def test_code_blocks_of_an_article_are_closed(path):
    assert path.read_text(encoding="utf-8").count("```") % 2 == 0


def test_no_cause_explains_itself_through_others(knowledge):
    def reaches(start):
        seen, stack = set(), list(knowledge.deeper(start))
        while stack:
            cause = stack.pop()
            if cause not in seen:
                seen.add(cause)
                stack.extend(knowledge.deeper(cause))
        return seen

    assert [cause for cause in knowledge.ids() if cause in reaches(cause)] == []


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_has_a_source_and_a_date(path):
    document = read_yaml(path)
    assert document["table"] == path.stem
    assert len(document["what"]) > 10
    assert document["rows"]
    columns = set(document.get("columns", ())) | {"source", "date", "verified", "notes", "note"}
    for row in document["rows"]:
        assert len(str(row["source"])) > 5
        assert isinstance(row["date"], date)
        assert set(row) <= columns, row


def test_catalogue_equals_the_specification(knowledge):
    if not CATALOGUE.is_file():
        pytest.skip("the specification is not beside the checkout")
    wanted = {entry["id"]: (group, entry["covers"]) for group, rows in read_yaml(CATALOGUE).items() for entry in rows}
    articles = map(knowledge.article, knowledge.ids())
    assert {article.id: (article.group, article.covers) for article in articles} == wanted


def test_an_unknown_cause_is_answered_with_the_closest(knowledge):
    with pytest.raises(UnknownName, match="profile-missing"):
        knowledge.article("profile-mising")
    with pytest.raises(UnknownName, match="cuda-driver"):
        knowledge.table("cuda-drivers")


# --- what is refused

GOOD = """---
title: A title
covers: "what it covers"
fixes:
  - {id: rebuild, title: "Build again", safety: safe}
---
## What it means
text
## How to tell
text
## How to cure
text
## When it is something else
text
"""
TABLE = "table: t\nrows:\n  - {a: 1, source: s, date: 2026-11-20}\n"

REFUSED = {
    "no front matter": ("causes/g/a.md", "# text\n", "front matter"),
    "bad YAML": ("causes/g/a.md", GOOD.replace("title: A", "title: [A"), "no YAML"),
    "no title": ("causes/g/a.md", GOOD.replace("title: A title\n", ""), "needs title and covers"),
    "missing heading": ("causes/g/a.md", GOOD.replace("## How to cure\n", ""), "headings must be"),
    "headings out of order": (
        "causes/g/a.md",
        GOOD.replace("How to cure", "X").replace("How to tell", "How to cure").replace("## X", "## How to tell"),
        "headings must be",
    ),
    "unknown id": ("causes/g/a.md", GOOD.replace("fixes:", "explained-by: [b]\nfixes:"), "'b', which is no cause"),
    "unknown confusion": ("causes/g/a.md", GOOD.replace("fixes:", "confused-with: [b]\nfixes:"), "which is no cause"),
    "no safety": ("causes/g/a.md", GOOD.replace(", safety: safe", ""), "safe, unsafe, manual"),
    "unknown blame": ("causes/g/a.md", GOOD.replace("fixes:", "blame: moon\nfixes:"), "blame must be infrastructure"),
    "transient perhaps": ("causes/g/a.md", GOOD.replace("fixes:", "transient: maybe\nfixes:"), "transient yes or no"),
    "blame is a word": ("causes/g/a.md", GOOD.replace("fixes:", "blame-unless: 404\nfixes:"), "must be a list"),
    "wrong safety": ("causes/g/a.md", GOOD.replace("safety: safe", "safety: sure"), "safe, unsafe, manual"),
    "row without source": ("compat/t.yaml", TABLE.replace(", source: s", ""), "source and a date"),
    "row without date": ("compat/t.yaml", TABLE.replace(", date: 2026-11-20", ""), "source and a date"),
    "wrong table name": ("compat/t.yaml", TABLE.replace("table: t", "table: u"), "needs table: t"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_knowledge_that_is_refused(tmp_path, case):
    where, text, reason = REFUSED[case]
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeFault) as caught:
        compile_knowledge(str(tmp_path))
    assert any(str(path.name) in fault and reason in fault for fault in caught.value.faults)


def test_all_faults_of_the_knowledge_come_together(tmp_path):
    for name in ("a", "b"):
        path = tmp_path / "causes" / "g" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# text\n", encoding="utf-8")
    with pytest.raises(KnowledgeFault) as caught:
        compile_knowledge(str(tmp_path))
    assert len(caught.value.faults) == 2


def test_the_good_knowledge_of_these_tests_loads(tmp_path):
    for where, text in (("causes/g/a.md", GOOD), ("compat/t.yaml", TABLE)):
        path = tmp_path / where
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    knowledge = Knowledge(compile_knowledge(str(tmp_path)))
    assert knowledge.ids() == ["a"]
    assert knowledge.table("t") == [{"a": 1, "source": "s", "date": "2026-11-20"}]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("compat/t.yaml", "table: [t\n"),
        ("causes/g/a.md", GOOD.replace("fixes:", "explained-by: 5\nfixes:")),
        ("causes/g/a.md", GOOD.replace("covers:", "colour: red\ncovers:")),
    ],
    ids=["table that is no YAML", "explained-by that is no list", "unknown key"],
)
def test_wrong_knowledge_is_refused_with_its_file(tmp_path, where, text):
    path = tmp_path / where
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeFault, match=path.name):
        compile_knowledge(str(tmp_path))
