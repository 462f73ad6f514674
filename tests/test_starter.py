"""The starter archive: every file is complete, true to the catalogue, and never diagnosed as another cause."""

import re
from pathlib import Path

import pytest
from support import CATALOGUE, KB, first_cause, read_yaml

from triage.rulebook.read import STAGES, TOOLS
from triage.service import diagnose

STARTER = KB / "starter"
GUIDE = CATALOGUE.parent / "FIELD-GUIDE.md"
FILES = sorted(STARTER.glob("*.yaml"))
NEEDED = {"title", "items", "kind", "tool", "stage", "cause", "state", "log", "note"}
OPTIONAL = {"silent", "model", "precision", "engine_version", "fix", "wrong"}
KINDS = {"case-study", "symptom", "message"}
# kinds of the guide that describe something going wrong: no such item may be explained away in the README
WORKED = {"case", "message", "symptom", "trigger", "code", "hidden", "pitfall", "risk", "finding", "cause", "class"}
SEED_PSEUDO_CODES = ("PARSE_ERROR", "EXECUTION_FAILED", "CALIBRATION_FAILED")
LAST_ITEM = 322

needs_guide = pytest.mark.skipif(not GUIDE.is_file(), reason="the field guide is not beside this checkout")
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def codes(text, letter):
    """Codes such as S-049 or X-04 in a text."""
    return set(re.findall(rf"\b{letter}-\d{{2,3}}\b", text))


def rows(letter):
    """First and second cell of the guide's table rows whose first cell is a code: {code: cell}."""
    found = re.findall(rf"^\| ({letter}-\d+) \| ([^|]*?) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def covered():
    """Items that some incident stands for."""
    return {item for path in FILES for item in read_yaml(path)["items"]}


def explained():
    """Items that the README lists as no incidents."""
    return codes((STARTER / "README.md").read_text(encoding="utf-8"), "S")


def test_there_is_a_starter_archive():
    kinds = {read_yaml(path)["kind"] for path in FILES}
    assert kinds == KINDS


@each
def test_file_is_complete(path: Path):
    entry = read_yaml(path)
    assert re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", path.stem)
    assert set(entry) >= NEEDED
    assert set(entry) <= NEEDED | OPTIONAL
    assert all(isinstance(entry[key], str) and entry[key].strip() for key in set(entry) - {"items", "silent"})
    assert "\n" not in entry["title"]
    assert not entry["title"].endswith(".")
    assert entry["kind"] in KINDS
    assert entry["state"] in {"known", "verified"}
    assert entry["tool"] in TOOLS
    assert entry["stage"] in STAGES
    assert entry.get("silent", True) is True
    assert entry["kind"] != "message" or "silent" not in entry


@each
def test_items_exist(path):
    items = read_yaml(path)["items"]
    assert items
    assert len(items) == len(set(items))
    assert all(re.fullmatch(r"S-\d{3}", item) and 1 <= int(item[2:]) <= LAST_ITEM for item in items)


@each
def test_cause_and_fix_are_known(path, library):
    entry = read_yaml(path)
    article = library.knowledge.article(entry["cause"])
    if "fix" in entry:
        assert entry["fix"] in {fix.id for fix in article.fixes}


@each
def test_corrections_are_cited(path):
    wrong = read_yaml(path).get("wrong")
    assert wrong is None or codes(wrong, "X")


@each
def test_log_is_real_form(path):
    log = read_yaml(path)["log"]
    assert not any(code in log for code in SEED_PSEUDO_CODES)


@each
def test_diagnosis_never_names_another_cause(path, library):
    entry = read_yaml(path)
    honest = {"unknown", "no-failure"} if "silent" in entry else {"unknown"}
    assert first_cause(diagnose(entry["log"], library=library)) in {entry["cause"], *honest}


def test_most_messages_are_named(library):
    logs = [entry for entry in map(read_yaml, FILES) if entry["kind"] == "message"]
    named = [entry for entry in logs if first_cause(diagnose(entry["log"], library=library)) == entry["cause"]]
    assert len(named) >= 0.95 * len(logs)


def test_readme_and_files_do_not_overlap():
    assert not covered() & explained()


@needs_guide
def test_every_item_of_the_guide_is_accounted_for():
    assert covered() | explained() == set(rows("S"))


@needs_guide
def test_every_worked_symptom_is_an_incident():
    worked = {item for item, kind in rows("S").items() if kind in WORKED}
    assert worked
    # S-247 is told as a case and is a success without figures
    assert worked - covered() == {"S-247"}


@needs_guide
def test_every_correction_is_carried():
    cited = {code for path in FILES for code in codes(read_yaml(path).get("wrong") or "", "X")}
    assert cited == set(rows("X"))
