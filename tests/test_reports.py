"""Reports as files that are read in a diff, and Markdown that cannot be broken out of.

TRIAGE_UPDATE_GOLDEN=1 pytest tests/test_reports.py writes the files anew.
"""

import difflib
import json
import os
import re

import pytest
from support import FIXTURES, PROFILE_MISSING, REPO, first_cause

from triage import discovery
from triage.reports._advice import advice_for
from triage.service import diagnose

GOLDEN = REPO / "fixtures" / "golden"
CASES = ("trt86-profile-missing-bert-mask", "ort-input-dtype-double")
ENDINGS = {"text": "txt", "json": "json", "jsonl": "jsonl", "markdown": "md"}


def report_of(case):
    return diagnose((FIXTURES / case / "log.txt").read_bytes(), name=f"{case}/log.txt")


def render(report, form):
    return discovery.load("triage.reports", form).render([report])


def test_every_format_has_golden_files():
    assert set(ENDINGS) == set(discovery.names("triage.reports"))


@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("case", CASES)
def test_golden(case, form):
    path = GOLDEN / f"{case}.{ENDINGS[form]}"
    have = render(report_of(case), form)
    if os.environ.get("TRIAGE_UPDATE_GOLDEN"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        path.write_text(have, encoding="utf-8")
    want = path.read_text(encoding="utf-8") if path.is_file() else ""
    diff = difflib.unified_diff(want.splitlines(), have.splitlines(), path.name, "now", lineterm="")
    assert want == have, "\n".join(["the report changed; TRIAGE_UPDATE_GOLDEN=1 takes it over", *diff])


@pytest.mark.parametrize("case", CASES)
def test_json_and_jsonl_say_the_same(case):
    report = report_of(case)
    assert json.loads(render(report, "json")) == json.loads(render(report, "jsonl"))


PARTS = ("Decisive lines", "Why", "What to do", "Similar incidents")


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.parametrize("case", CASES)
def test_the_five_parts_stand_in_order(case, form):
    report = report_of(case)
    text = render(report, form)
    places = [text.index(part) for part in (first_cause(report), *PARTS)]
    assert places == sorted(places)


def test_the_text_report_points_under_the_matched_words():
    lines = render(diagnose(PROFILE_MISSING), "text").split("\n")
    row = next(index for index, line in enumerate(lines) if "▶ 1 │" in line)
    start, length = lines[row + 1].index("^"), lines[row + 1].count("^")
    assert "optimization profile" in lines[row][start : start + length] or lines[row].endswith("…")


@pytest.mark.parametrize("width", [20, 60, 100, 200])
def test_the_text_report_keeps_to_the_width(width):
    text = discovery.load("triage.reports", "text").render([diagnose(PROFILE_MISSING + " word" * 200)], False, width)
    excerpt = [line for line in text.split("\n") if "│" in line]
    assert max(map(len, excerpt)) <= max(width, 60)


def test_a_report_without_a_failure_says_so():
    report = diagnose("all is well\n", name="ok.log")
    assert "NO FAILURE" in render(report, "text")
    assert "no failure" in render(report, "markdown")
    assert json.loads(render(report, "json"))["verdict"] == "no-failure"


# --- Markdown

EVIL = (
    "@octocat", "@org/team", "#123", "GH-123", "owner/repo#12", "<script>alert(1)</script>", "<img src=x onerror=y>",
    "[click](http://evil.example)", "![p](http://evil.example/p.png)", "```", "~~~", "</details>", "<!--", "-->",
    "# heading", "| a | b |", "***", "_x_", "http://evil.example/x", "www.evil.example", "\\", "&amp;", "::error::x",
)  # fmt: skip


def hostile_reports():
    """Reports in which hostile text stands in evidence, captures, facts and the name of the source."""
    for evil in EVIL:
        yield evil, diagnose(f"{PROFILE_MISSING} {evil} --onnx={evil}.onnx\n", name=f"{evil}.log")
        yield evil, diagnose(f"ModuleNotFoundError: No module named '{evil}'\n", name=f"a {evil} b")
        yield evil, diagnose(f"FileNotFoundError: [Errno 2] No such file or directory: '/m/{evil}'\n")
        yield evil, diagnose(f"trtexec --onnx={evil} --fp16\n{PROFILE_MISSING}\n")


def own_lines(markdown):
    """The lines of a report outside its code blocks."""
    return [line for line in markdown.split("\n") if line.strip() and not line.startswith("    ")]


def test_excerpts_do_not_start_markup_of_their_own():
    for _, report in hostile_reports():
        for line in own_lines(render(report, "markdown")):
            bare = re.sub(r"`[^`]*`|\\\\|\\.", "", line)
            assert not set(bare) & set("<[]")


def test_excerpts_cannot_ping():
    for _, report in hostile_reports():
        assert not [line for line in own_lines(render(report, "markdown")) if re.search(r"@\w", line)]


@pytest.mark.parametrize("pattern", [r"#\d", r"\bGH-\d", r"https?://evil", r"www\.evil"])
def test_excerpts_cannot_link_by_themselves(pattern):
    for _, report in hostile_reports():
        for line in own_lines(render(report, "markdown")):
            assert not re.search(pattern, line.replace("\\", ""))


def test_parsed_markdown_holds_only_the_markup_of_the_report():
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    for evil, report in hostile_reports():
        tokens = parser.parse(render(report, "markdown"))
        kinds = {token.type for token in tokens}
        inline = {child.type for token in tokens for child in token.children or ()}
        assert not kinds & {"html_block", "table_open", "hr", "blockquote_open"}, evil
        assert not inline & {"html_inline", "image", "link_open"}, evil
        headings = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
        assert len(headings) == 1, evil
        blocks = [token.content for token in tokens if token.type == "code_block"]
        assert any(line.split(": ", 1)[0].isdigit() for block in blocks for line in block.split("\n")) or not blocks


def test_evidence_is_whole_inside_its_block():
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    for evil, report in hostile_reports():
        if not report.diagnosis.incidents:
            continue
        line = report.diagnosis.incidents[0].causes[0].evidence[0]
        blocks = [token.content for token in parser.parse(render(report, "markdown")) if token.type == "code_block"]
        assert f"{line.line}: {line.text}" in blocks[0], evil


def test_commands_are_a_code_block():
    """What is ready to copy must not be read as Markdown."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    markdown = render(report_of(CASES[1]), "markdown")
    command = advice_for(report_of(CASES[1]).diagnosis.incidents[0].causes[0].id).commands[0].strip()
    assert any(command in token.content for token in parser.parse(markdown) if token.type in ("code_block", "fence"))
