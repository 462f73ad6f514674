"""Reports as files that are read in a diff, and Markdown that cannot be broken out of.

TRIAGE_UPDATE_GOLDEN=1 pytest tests/test_reports.py writes the files anew.
"""

import difflib
import json
import os
import re

import pytest
from support import FIXTURES, MESSAGES, PROFILE_MISSING, REPO, first_cause

from triage import discovery
from triage.cli import main
from triage.library import load_library
from triage.records import Evidence
from triage.remedy import Recipe, Remediation
from triage.reports._advice import advice_for
from triage.reports._fit import fit, utf8_size
from triage.reports._places import log_path, place_of
from triage.service import diagnose
from triage.service.diagnosis import with_incidents

GOLDEN = REPO / "fixtures" / "golden"
CASES = ("trt86-profile-missing-bert-mask", "ort-input-dtype-double")
ENDINGS = {
    "text": "txt", "json": "json", "jsonl": "jsonl", "markdown": "md", "comment": "comment.md", "summary": "summary.md",
    "github": "github.txt", "gitlab": "gitlab.json", "junit": "junit.xml", "sarif": "sarif.json", "html": "html",
}  # fmt: skip


def report_of(case):
    return diagnose((FIXTURES / case / "log.txt").read_bytes(), name=f"{case}/log.txt")


def render(report, form):
    return discovery.load("triage.reports", form).render([report])


def steady(text, form):
    """A report as it is kept: of SARIF's rules those that are used, and no version of ours."""
    if form != "sarif":
        return text
    document = json.loads(text)
    (run,) = document["runs"]
    used = {result["ruleId"] for result in run["results"]}
    driver = run["tool"]["driver"]
    driver["rules"] = [rule for rule in driver["rules"] if rule["id"] in used]
    driver["semanticVersion"] = "0"
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def test_every_format_has_golden_files():
    assert set(ENDINGS) == set(discovery.names("triage.reports"))


@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("case", CASES)
def test_golden(case, form):
    path = GOLDEN / f"{case}.{ENDINGS[form]}"
    have = steady(render(report_of(case), form), form)
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


# --- places in the user's sources


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ('  File "export.py", line 12, in main', ("export.py", 12)),
        ('  File "./tools/export.py", line 12', ("tools/export.py", 12)),
        ('  File "/home/runner/work/net/net/src/export.py", line 3, in f', ("src/export.py", 3)),
        ('  File "/__w/net/net/export.py", line 3, in f', ("export.py", 3)),
        ('  File "/github/workspace/a b/export.py", line 3, in f', ("a b/export.py", 3)),
        ('  File "/builds/team/net/export.py", line 3, in f', ("export.py", 3)),
        ('  File "/builds/Zx9_abcd/0/team/net/export.py", line 3, in f', ("export.py", 3)),
        ('  File "/var/jenkins_home/workspace/net_PR-7/export.py", line 3, in f', ("export.py", 3)),
        ('  File "/buildkite/builds/host-1/org/net/export.py", line 3, in f', ("export.py", 3)),
        (r'  File "D:\a\net\net\src\export.py", line 3, in f', ("src/export.py", 3)),
        ("model.py:12: UserWarning: x", ("model.py", 12)),
        ("loc(model.mlir:3:4): error", ("model.mlir", 3)),
        ("# File: /github/workspace/model.py:12 in forward", ("model.py", 12)),
        ("src/plugin.cu(120): error: identifier is undefined", ("src/plugin.cu", 120)),
        ("src/plugin.cpp:12:5: error: no match", ("src/plugin.cpp", 12)),
        ("pb_stub.cc:366] Failed to initialize Python stub", None),
        ("ERROR 11-20 10:26:19 [core.py:396] failed", None),
        ("4: [network.cpp::validate::3062] Error Code 4", None),
        ("/onnxruntime_src/onnxruntime/core/session.cc:12: error: x", None),
        ('  File "/usr/lib/python3.11/runpy.py", line 3, in f', None),
        ('  File "/home/runner/work/net/net/.venv/lib/python3.11/site-packages/torch/x.py", line 3', None),
        ('  File "venv/lib/python3.11/site-packages/torch/x.py", line 3, in f', None),
        ('  File "<frozen importlib._bootstrap>", line 3, in f', None),
        ('  File "<string>", line 3, in f', None),
        ('  File "../other/export.py", line 3, in f', None),
        ('  File "/github/workspace/../../etc/x.py", line 3, in f', None),
        ('  File "/home/anna/export.py", line 3, in f', None),
        (r'  File "C:\Users\anna\export.py", line 3, in f', None),
        ('  File "export.py", line 0, in f', None),
        ("see http://host.example/export.py:12: x", None),
    ],
)
def test_a_place_is_the_users_own(line, place):
    cause = diagnose(PROFILE_MISSING).diagnosis.incidents[0].causes[0]
    assert place_of(cause._replace(evidence=(Evidence(1, line),))) == place


def test_the_nearest_frame_next_to_the_decisive_line_is_the_place():
    log = (
        'Traceback (most recent call last):\n  File "run.py", line 3, in <module>\n'
        '  File "/github/workspace/tools/export.py", line 12, in main\n    import onnx\n'
        "ModuleNotFoundError: No module named 'onnx'\n"
    )
    report = diagnose(log, name="/srv/x/build.log")
    assert place_of(report.diagnosis.incidents[0].causes[0]) == ("tools/export.py", 12)
    assert "::error file=tools/export.py,line=12,title=Named" in render(report, "github")
    (issue,) = json.loads(render(report, "gitlab"))
    assert issue["location"] == {"path": "tools/export.py", "lines": {"begin": 12}}
    (result,) = json.loads(render(report, "sarif"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "tools/export.py"
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "build.log"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("build.log", "build.log"),
        ("./logs/build.log", "logs/build.log"),
        ("/srv/x/build.log", "build.log"),
        ("../x/build.log", "build.log"),
        ("logs.zip!1_build.txt", "logs.zip!1_build.txt"),
        ("/builds/team/net/logs/a.log", "logs/a.log"),
        ("https://host.example/a/build.log?token=1", "build.log"),
        ("-", "build.log"),
        ("", "build.log"),
        ("/", "build.log"),
        (r"C:\logs\build.log", "build.log"),
    ],
)
def test_a_log_has_a_relative_path(source, path):
    assert log_path(source) == path


# --- many reports, and the limits of hosts


def many(count, verdict="named"):
    """Reports of as many different failures."""
    report = diagnose(PROFILE_MISSING, name="build.log")
    (incident,) = report.diagnosis.incidents
    cause = incident.causes[0]._replace(verdict=verdict)
    for number in range(count):
        signature = incident.signature._replace(hash=f"{verdict}{number:06}")
        yield with_incidents(report, [incident._replace(signature=signature, causes=(cause,))])._replace(
            source=f"{number}.log"
        )


def test_a_step_shows_ten_of_a_kind_and_says_how_many_more():
    reports = [*many(7, "unknown"), *many(13, "likely"), *many(4), *many(8, "unknown"), *many(2)]
    lines = discovery.load("triage.reports", "github").render(reports).splitlines()
    kinds = [line[2:].partition(" ")[0] for line in lines]
    assert kinds == ["error"] * 10 + ["warning"] * 8 + ["notice"]
    assert [line.partition("title=")[2][:5] for line in lines[:5]] == ["Named"] * 4 + ["Likel"]
    assert "7 more" in lines[-1]


@pytest.mark.parametrize("form", ["github", "gitlab", "sarif", "summary", "html"])
def test_the_same_failure_in_several_logs_is_said_once(form):
    reports = [diagnose(PROFILE_MISSING, name=name) for name in ("a.log", "b.log", "c.log")]
    renderer = discovery.load("triage.reports", form)
    one, three = renderer.render(reports[:1]), renderer.render(reports)
    counted = {"github": "::error", "gitlab": "check_name", "sarif": '"ruleId"', "summary": "### ", "html": "<article"}
    assert one.count(counted[form]) == three.count(counted[form]) == 1


def test_a_fingerprint_is_the_failures_own():
    def fingerprints(reports):
        return [
            issue["fingerprint"] for issue in json.loads(discovery.load("triage.reports", "gitlab").render(reports))
        ]

    assert len(set(fingerprints(list(many(50))))) == 50
    moved = diagnose("\n\n\nmore\n" + PROFILE_MISSING, name="other.log")
    assert fingerprints([moved]) == fingerprints([diagnose(PROFILE_MISSING, name="build.log")])


def test_sarif_has_no_more_results_than_a_host_takes(monkeypatch):
    from triage.reports import sarif

    monkeypatch.setattr(sarif, "MOST", 20)
    results = json.loads(sarif.render(list(many(30))))["runs"][0]["results"]
    assert len(results) == 20
    assert all(len(result["properties"]["tags"]) <= 20 for result in results)


def test_sarif_of_a_good_log_declares_all_causes_and_no_result():
    (run,) = json.loads(render(diagnose("all is well\n"), "sarif"))["runs"]
    assert run["results"] == []
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(load_library().knowledge.ids())


def test_a_summary_stays_below_the_limit_and_counts_the_rest():
    wide = "é" * 1990
    reports = []
    for report in many(300):
        (incident,) = report.diagnosis.incidents
        cause = incident.causes[0]._replace(evidence=tuple(Evidence(line, wide) for line in range(1, 9)), why=wide)
        reports.append(with_incidents(report, [incident._replace(causes=(cause,))]))
    text = discovery.load("triage.reports", "summary").render(reports)
    assert 400_000 < len(text.encode()) < 1_000_000
    shown = text.count("### Named")
    assert f"And {300 - shown} more failures" in text
    assert text.count("<details>") == text.count("</details>") == shown - 1


def test_junit_has_a_case_for_each_failure_and_for_a_good_log():
    junitparser = pytest.importorskip("junitparser")
    reports = [diagnose(PROFILE_MISSING, name="bad.log"), diagnose("all is well\n", name="good.log")]
    suites = junitparser.JUnitXml.fromstring(discovery.load("triage.reports", "junit").render(reports).encode())
    assert (suites.tests, suites.failures) == (2, 1)
    bad, good = (next(iter(suite)) for suite in suites)
    assert bad.name.startswith("Named: profile-missing")
    assert bad.result[0].type == "profile-missing"
    assert "bad.log:1: " in bad.result[0].text
    assert "What to do: " in bad.result[0].text
    assert good.is_passed


@pytest.mark.parametrize("limit", [40, 60, 100, 200, 500])
def test_fit_keeps_the_limit_and_closes_what_it_cuts(limit):
    parts = ["# head\n\n```bash\n" + "word word\n" * 8 + "```", *(f"part {number} " + "x" * 30 for number in range(9))]
    text = fit(parts, limit, lambda number: f"{number} more")
    assert len(text) <= limit
    assert text.count("```") % 2 == 0
    whole = sum(part in text for part in parts[1:])
    assert f"{9 - whole} more" in text or whole == 9


def test_fit_leaves_what_fits_as_it_is():
    assert fit(["a", "b"], 3) == "a\nb"
    assert fit([], 10) == ""
    assert fit(["a"], 30, left=4) == "a\nand 4 more"
    assert utf8_size("é") == 2


# --- one document of many logs

WHOLE = sorted(name for name in ENDINGS if getattr(discovery.load("triage.reports", name), "WHOLE", False))


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """More logs than one process takes."""
    folder = tmp_path_factory.mktemp("logs")
    texts = (PROFILE_MISSING, "all is well", "ModuleNotFoundError: No module named 'onnx'", MESSAGES[2][1])
    for number in range(52):
        (folder / f"{number:02}.log").write_text(texts[number % 4] + "\n", encoding="utf-8")
    return sorted(map(str, folder.iterdir()))


def run_diagnose(capsys, *arguments):
    assert main(["diagnose", "--no-archive", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("form", WHOLE)
def test_several_logs_make_one_document(capsys, logs, tmp_path, form):
    reports = [diagnose(open(path, "rb").read(), name=path) for path in logs[:3]]
    want = discovery.load("triage.reports", form).render(reports)
    assert run_diagnose(capsys, "--format", form, *logs[:3]) == want
    assert run_diagnose(capsys, "--format", form, "--output", str(tmp_path / "out"), *logs[:3]) == ""
    assert (tmp_path / "out").read_text(encoding="utf-8") == want


@pytest.mark.parametrize("form", ["gitlab", "junit"])
def test_processes_that_share_the_work_make_the_same_document(capsys, logs, form):
    alone = run_diagnose(capsys, "--format", form, "--jobs", "1", *logs)
    assert run_diagnose(capsys, "--format", form, "--jobs", "2", *logs) == alone
    assert alone.count("check_name") == 3 or alone.count("<testsuite ") == 52


def test_the_archive_is_asked_for_a_document_too(capsys, logs, monkeypatch, tmp_path):
    monkeypatch.setenv("TRIAGE_DATA_DIR", str(tmp_path))
    assert main(["diagnose", "--format", "html", logs[0], logs[2]]) == 0
    page = capsys.readouterr().out
    assert page.count("<!doctype html>") == 1
    assert page.count("This failure is new here") == 2


@pytest.mark.parametrize("form", WHOLE)
def test_a_repair_has_a_clear_answer_in_every_format(form):
    module = discovery.load("triage.reports", form)
    if not hasattr(module, "repair"):
        pytest.skip("says so itself: wrong use")
    report = diagnose(PROFILE_MISSING)
    recipe = Recipe("build", "/x", ("make",), ())
    why = "the build passes & more"
    cured = Remediation(recipe, "cured", True, why, (), (), (), ("make",), "profile-missing")
    failed = cured._replace(status="not-cured", verified=None, why="nothing helped")
    texts = [module.repair(done, report) for done in (cured, failed)]
    assert all("profile-missing" in text for text in texts)
    if form in ("sarif", "gitlab"):
        assert all(json.loads(text) for text in texts)
    else:
        assert texts[0] != texts[1]


TRACEBACK = """\
Traceback (most recent call last):
  File "/home/runner/work/models/models/tools/export.py", line 12, in <module>
    main()
    ^^^^^^
  File "/home/runner/work/models/models/tools/export.py", line 7, in main
    torch.onnx.export(model, x, "m.onnx")
    ~~~~~~~~~~~~~~~~~^^^^^^^^^^^^^^^^^^^^
  File "/opt/python/lib/python3.13/site-packages/torch/onnx/utils.py", line 500, in export
    raise errors.UnsupportedOperatorError(
    ...<3 lines>...
    )
torch.onnx.errors.UnsupportedOperatorError: Exporting the operator 'aten::celu' to ONNX opset version 9 is not \
supported. Support for this operator was added in version 12, try exporting with this version.
"""


@pytest.mark.parametrize("prefix", ["", "2026-11-22T01:00:00.0000000Z "])
def test_an_annotation_stands_on_the_last_own_line_of_the_traceback(prefix):
    log = "".join(f"{prefix}{line}\n" for line in ["step 1 of 2", *TRACEBACK.splitlines()])
    assert render(diagnose(log, name="b.log"), "github").startswith("::error file=tools/export.py,line=7,title=")


def test_a_traceback_that_ended_before_is_not_taken_for_this_failure_s():
    log = TRACEBACK.replace("torch.onnx.errors", "warned.about") + "retrying\nfailed again\n" + PROFILE_MISSING
    assert "file=" not in render(diagnose(log, name="b.log"), "github").split("profile-missing")[1]
