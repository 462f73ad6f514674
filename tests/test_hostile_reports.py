"""What stands in a log goes through every report as plain text: each is read back by a parser of its format."""

import functools
import html.parser
import http.server
import json
import re
import shutil
import subprocess
import threading
import unicodedata
from urllib.parse import unquote

import jsonschema
import pytest
from support import PROFILE_MISSING, REPO

from triage import discovery
from triage.records import Changed, Evidence, Fix, RuledOut, Seen, Similar
from triage.service import diagnose
from triage.service.diagnosis import with_incidents

FORMATS = discovery.names("triage.reports")
CANARY = "c4n4ry"
LETTERS = "Ab3dEf6hIj9lMn2pQr5tUv8xYz1cDe4gHi7k"
ATTACKS = (
    "::error::x", "::set-output name=a::b", "::add-mask::x", "::stop-commands::x", "##[command]rm", "##[error]x",
    "##[add-mask]x", "##vso[task.setvariable variable=x]y", "%0A::error::x", "%250A::error::x",
    "::notice file=a,line=1::", "]]>", "<![CDATA[", "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>", "&e;",
    "&#0;", "&lt;script&gt;", "<script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">", "<svg onload=alert(1)>",
    "</title><script>document.title='pwned'</script>", "</style><script>document.title='pwned'</script>",
    "\" onmouseover=\"document.title='pwned'", "' autofocus onfocus=alert(1) x='", "{{ 7*7 }}", "{% raw %}", "{0}",
    "<iframe src=javascript:alert(1)>", "<a href=\"javascript:document.title='pwned'\">x</a>", "javascript:alert(1)",
    "[click](javascript:alert(1))", "[click](http://evil.example)", "![p](http://evil.example/p.png)",
    "<http://evil.example>", "[x]: http://evil.example", "http://evil.example/x", "ftp://evil.example",
    "WWW.evil.example", "mailto:a@evil.example", "@everyone", "@octocat", "@org/team", "#1", "!1", "&1", "%1", "~bug",
    '~"my label"', "$1", "^alert#1", "GH-1", "gh-12", "owner/repo#1", "group/project!1", "[vulnerability:1]",
    "[epic:1]", "*iteration:5", ":rocket:", "a@evil.example", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "abcdefda39a3ee5e6b4b0d3255bfef95601890afd80709", "0badc0de1", "$x^2$", "$$x$$", "[^1]", "[^1]: note",
    "[[_TOC_]]", "{+ add +}", "[- del -]", "```", "~~~", "`", "````", "</details>", "</summary>", "<details open>",
    "<!--", "-->", "# heading", "===", "---", "- [ ] task", "1. one", "| a | b |", "> quote", ">>>", "***", "_x_",
    "\\", "/close", "/assign @me", "/label ~bug", "\u202eevil\u202c", "\u2066x\u2069", "\u200f", "\x00", "\x1b[2J",
    "\x1b]0;pwned\x07", "\x9b2J", "\x85", "a\u2028b", "\ufeff", "\ufffe", "\U000e0041", "\x0b", "a\rb",
)  # fmt: skip
SECRETS = {
    "github": f"ghp_{LETTERS}",
    "gitlab": f"glpat-{LETTERS[:20]}",
    "aws": "AKIA" + LETTERS[:16].upper(),
    "bearer": f"Authorization: Bearer {LETTERS}",
    "key": f"-----BEGIN RSA PRIVATE KEY----- {LETTERS} -----END RSA PRIVATE KEY-----",
}


def from_logs(evil):
    """Reports of logs in which the attack stands: in evidence, captures, model and the name of the source."""
    text = f"{evil} {CANARY}"
    yield diagnose(f"trtexec --onnx={evil} --fp16\n{evil}\n{PROFILE_MISSING} {text}\n{text}\n", name=f"{text}.log")
    yield diagnose(f"{evil}\nFileNotFoundError: [Errno 2] No such file or directory: '/m/{text}'\n{evil}\n", name=evil)


def by_hand(evil):
    """A report with the attack in every field that a log, an archive or a bundle fills."""
    report = diagnose(PROFILE_MISSING, name=evil)
    (incident,) = report.diagnosis.incidents
    text = f"{evil} {CANARY} {evil}"
    cause = incident.causes[0]._replace(
        evidence=(Evidence(1, text, 0, len(evil), (text, evil), (evil,)), Evidence(3, evil)), why=text,
        captures={"x": evil}, fixes=(Fix("rebuild_profiles", text, "safe"),), by=evil,
    )  # fmt: skip
    incident = incident._replace(
        causes=(cause,), ruled_out=(RuledOut("profile-invalid", text),), model=text, precision=evil, stage="build",
        tool_version=evil, component=evil, needed=text, id=evil,
        seen=Seen("g1", text, 3, "2026-11-01", "2026-11-20", 2, 9, text, text, "profile-missing", evil),
        similar=(Similar("i1", 0.9, text, evil, evil, text),),
    )  # fmt: skip
    changed = Changed(text, evil, evil, ((1, text, 2),), (("package", text, evil, None),))
    return with_incidents(report, [incident])._replace(changed=changed)


@functools.cache
def hostile_reports():
    """Every attack in every way, with its attack."""
    return [(evil, report) for evil in ATTACKS for report in (*from_logs(evil), by_hand(evil))]


def rendered(form, report):
    return discovery.load("triage.reports", form).render([report])


@functools.cache
def hostile_texts(form):
    """Every attack, its report and its text in one format; SARIF with one of its rules, which are always the same."""
    from triage.reports import sarif

    sarif.catalogue[:] = sarif.rules()[:1]
    texts = [(evil, report, rendered(form, report)) for evil, report in hostile_reports()]
    sarif.catalogue.clear()
    return texts


def controls(text):
    """Characters that steer a terminal or reorder what is read."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return {hex(ord(char)) for char in text if char not in "\n\t\u200b" and unicodedata.category(char) in kinds}


def seen(text):
    """A text as a reader sees it."""
    return text.replace("\u200b", "")


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("json", "jsonl", "text")])
def test_no_control_character_is_left(form):
    assert {evil: found for evil, _, text in hostile_texts(form) if (found := controls(text))} == {}


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("json", "jsonl", "text")])
@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_is_left(form, kind):
    for report in (*from_logs(SECRETS[kind]), by_hand(SECRETS[kind])):
        assert LETTERS[:16] not in rendered(form, report)
        assert LETTERS[:16].upper() not in rendered(form, report)


# --- workflow commands

RUNNER = {
    "error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "set-output", "set-env", "add-path",
    "command", "save-state", "stop-commands", "add-matcher", "remove-matcher", "echo", "internal-set-repo-path",
}  # fmt: skip


def command_of(line):
    """What the runner makes of a line: (command, properties, data), or None.

    After the documented rules: ``::name a=b,c=d::data`` at the start of a line; the older ``##[name a=b;]data`` stands
    anywhere in it.
    """
    bare = line.lstrip()
    if bare.startswith("::") and (end := bare.find("::", 2)) >= 0:
        name, _, rest = bare[2:end].partition(" ")
        if name.lower() in RUNNER:
            pairs = (pair.partition("=") for pair in rest.strip().split(",") if "=" in pair)
            return name, {key: unescaped(value, ":,") for key, _, value in pairs}, unescaped(bare[end + 2 :])
    old = re.search(r"##\[([^\]]*)\](.*)", line)
    if old and old[1].partition(" ")[0].lower() in RUNNER:
        return old[1].partition(" ")[0], {"old": old[1]}, old[2]
    return None


def unescaped(text, more=""):
    for char in ("\r", "\n", *more, "%"):
        text = text.replace(f"%{ord(char):02X}", char)
    return text


def test_the_parser_of_commands_sees_what_it_should():
    assert command_of("  ::add-mask::x") == ("add-mask", {}, "x")
    assert command_of("a ##[error]x") == ("error", {"old": "error"}, "x")
    assert command_of("::error file=a%3Ab,line=1::x%0Ay%250A") == ("error", {"file": "a:b", "line": "1"}, "x\ny%0A")
    assert command_of("a ::error::x") is None


def test_nothing_in_a_log_is_a_workflow_command():
    for evil, report, text in hostile_texts("github"):
        commands = [command_of(line) for line in text.splitlines()]
        if not report.diagnosis.failure:
            assert commands == [None] * len(commands), evil
            continue
        for command, properties, data in commands:
            assert command in ("error", "warning"), evil
            assert set(properties) <= {"title", "file", "line"}, evil
            assert not [line for line in data.split("\n") if command_of(line)], evil
            assert not re.search(r"##(?:\[|vso)", data + properties["title"]), evil


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("github", "json", "jsonl")])
def test_no_line_of_another_report_is_a_workflow_command(form):
    assert [evil for evil, _, text in hostile_texts(form) if any(map(command_of, text.splitlines()))] == []


def test_no_wrapped_line_is_a_workflow_command():
    for width in range(60, 100):
        text = discovery.load("triage.reports", "text").render([by_hand("::add-mask::x ##[error]y")], False, width)
        assert not any(map(command_of, text.splitlines())), width


def test_an_annotation_says_what_stood_in_the_log():
    ((_, properties, data),) = [
        command_of(rendered("github", diagnose(f"{PROFILE_MISSING} 100% ::error::x a,b:c\n")).strip())
    ]
    assert "100% ::error::x a,b:c" in seen(data)
    assert properties["title"].startswith("Named: profile-missing.")


# --- documents


@pytest.fixture(scope="module")
def sarif_schema():
    schema = json.loads((REPO / "fixtures" / "schemas" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    return schema, validator


def test_sarif_stays_valid_and_its_places_relative(sarif_schema):
    schema, validator = sarif_schema
    whole = validator(schema)
    for evil, _, text in hostile_texts("sarif"):
        document = json.loads(text)
        whole.validate(document)
        for result in document["runs"][0]["results"]:
            places = [*result["locations"], *result.get("relatedLocations", [])]
            for uri in (place["physicalLocation"]["artifactLocation"]["uri"] for place in places):
                assert re.fullmatch(r"[\w.~%/!$&'()*+,;=@-]+", uri, re.ASCII), evil
                assert not uri.startswith("/"), evil
                assert ".." not in unquote(uri).split("/"), evil
            messages = [result["message"], *(place["message"] for place in places if "message" in place)]
            assert not [text for text in messages if re.search(r"\]\(|\{\d", text["text"])], evil


def test_the_catalogue_of_rules_is_valid_sarif(sarif_schema):
    schema, validator = sarif_schema
    document = json.loads(rendered("sarif", diagnose(PROFILE_MISSING)))
    validator(schema).validate(document)
    (result,) = document["runs"][0]["results"]
    assert result["ruleId"] in {rule["id"] for rule in document["runs"][0]["tool"]["driver"]["rules"]}


def test_code_quality_keeps_its_shape():
    for evil, _, text in hostile_texts("gitlab"):
        for issue in json.loads(text):
            assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}, evil
            assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
            assert re.fullmatch(r"[0-9a-f]{40}", issue["fingerprint"])
            path = issue["location"]["path"]
            assert path, evil
            assert not path.startswith(("/", "~/")), evil
            assert ".." not in path.split("/"), evil
            assert issue["location"]["lines"]["begin"] >= 1


def test_junit_is_read_back_whole():
    junitparser = pytest.importorskip("junitparser")
    defused = pytest.importorskip("defusedxml.ElementTree")
    for evil, report, text in hostile_texts("junit"):
        root = defused.fromstring(text.encode(), forbid_dtd=True)
        assert {element.tag for element in root.iter()} <= {"testsuites", "testsuite", "testcase", "failure"}, evil
        for suite in junitparser.JUnitXml.fromstring(text.encode()):
            assert suite.tests == len(list(suite)) >= 1
            assert suite.failures == sum(not case.is_passed for case in suite)
        line = report.diagnosis.incidents[0].causes[0].evidence[0].text if report.diagnosis.failure else ""
        if CANARY in line:
            assert CANARY in "".join(failure.text for failure in root.iter("failure")), evil


# --- the page


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words, self.odd = set(), set(), [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {
            (tag, name, value if name in ("href", "src", "http-equiv") else "") for name, value in attrs
        }

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.odd.append(data)

    unknown_decl = handle_pi = handle_comment


def test_the_page_is_made_of_our_own_elements_only():
    plain = Page(discovery.load("triage.reports", "html").render([by_hand("x"), diagnose("all is well")]))
    for evil, _, text in hostile_texts("html"):
        page = Page(text)
        assert page.tags <= plain.tags | {"nav"}, evil
        assert {name for _, name, _ in page.attributes} <= {name for _, name, _ in plain.attributes} | {"href"}, evil
        assert not [href for _, name, href in page.attributes if name == "href" and not href.startswith("#")], evil
        assert page.odd == []


def test_the_page_shows_the_attack_as_text():
    for evil in ("<script>alert(1)</script>", "</style>", "{{ 7*7 }}", "&lt;b&gt;", "]]>", '" x="', "<!-- x -->"):
        assert f"{evil} {CANARY} {evil}" in "".join(Page(rendered("html", by_hand(evil))).words)


def test_the_page_allows_only_its_own_style():
    import base64
    import hashlib

    text = rendered("html", by_hand("x"))
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'".replace(
        "+", "+"
    )
    assert "url(" not in style
    assert "@import" not in style


@pytest.fixture(scope="module")
def listener():
    """A web server that notes who asks: nothing in a page may."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def in_browser(folder, text):
    """The document as a real browser has it after loading."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    page = folder / "page.html"
    page.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_nothing_runs_in_a_browser(tmp_path, listener):
    address, asked = listener
    probes = (
        f"<img src={address}/image>", f"<script src={address}/script></script>",
        f"<link rel=stylesheet href={address}/style>",
        f"<iframe src={address}/frame></iframe>", f"<meta http-equiv=refresh content='0;url={address}/away'>",
        f"<style>@import '{address}/import'</style>", f"<base href={address}/>", f"<form action={address}/form>",
    )  # fmt: skip
    control = in_browser(tmp_path, f"<title>t</title><script>document.title='ran'</script>{probes[0]}")
    assert "<title>ran</title>" in control
    assert "/image" in asked  # the browser does run and fetch what it is allowed to
    asked.clear()
    whole = " ".join((*ATTACKS, *probes))
    reports = [by_hand(whole), *(report for evil in (*ATTACKS, *probes) for report in [by_hand(evil)])]
    document = in_browser(tmp_path, discovery.load("triage.reports", "html").render(reports))
    page = Page(document)
    assert asked == []
    assert "pwned" not in re.search(r"<title>(.*?)</title>", document, re.DOTALL)[1]
    assert page.tags.isdisjoint({"script", "img", "svg", "iframe", "form", "base", "link"})
    assert "document.title='pwned'" in "".join(page.words)


# --- Markdown

MARKDOWN = [form for form in FORMATS if discovery.load("triage.reports", form).MEDIA_TYPE == "text/markdown"]
# what the hosts turn into links and pings, in the text that is left when Markdown is read
REFERENCES = {
    "mention": r"(?<![\w`])@\w",
    "number": r"(?<!\w)(?:[\w./-]+)?[#!&%$]\d",
    "label": r"~[\w\"]",
    "GH": r"(?i)\bgh-\d",
    "commit": r"(?<![0-9A-Za-z_])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,40}(?![0-9A-Za-z_])",
    "emoji": r":[a-z]\w*:",
    "address": r"(?i)\w://|\bwww\.\w|mailto:|\w@\w",
    "gitlab": r"\[(?:vulnerability|epic|issue):|\*iteration:|\[\[|\^alert",
    "math": r"\$\w[^$]*\$",
    "diff": r"\{\+|\[-",
    "footnote": r"\[\^",
}


@pytest.fixture(scope="module", params=["commonmark", "gfm-like"])
def parser(request):
    made = pytest.importorskip("markdown_it").MarkdownIt(request.param)
    if request.param == "commonmark":
        return made.enable("table")
    pytest.importorskip("linkify_it")
    made.linkify.set({"fuzzy_link": False})  # no host makes a link of export.py
    return made


def tokens_of(parser, text):
    """Blocks and the parts of their lines."""
    blocks = parser.parse(text)
    return blocks, [part for block in blocks for part in block.children or ()]


def words_of(blocks):
    """The text that a host searches: without code."""
    return "\n".join(
        "".join("\n" if "break" in part.type else part.content for part in block.children if part.type != "code_inline")
        for block in blocks
        if block.children
    )


@pytest.mark.parametrize("form", MARKDOWN)
def test_markdown_holds_only_our_own_markup(parser, form):
    blocks, parts = tokens_of(parser, rendered(form, by_hand("x")))
    kinds = {block.type for block in blocks} | {"ordered_list_open", "ordered_list_close"}
    marks = {part.type for part in parts} | {"text_special", "softbreak", "code_inline", "strong_open", "strong_close"}
    own = {name: set(re.findall(pattern, words_of(blocks))) for name, pattern in REFERENCES.items()}
    for evil, report, text in hostile_texts(form):
        blocks, parts = tokens_of(parser, text)
        assert {block.type for block in blocks} <= kinds, evil
        assert {part.type for part in parts} <= marks - {"image", "html_inline", "link_open"}, evil
        html = [block.content for block in blocks if block.type == "html_block"]
        assert not [each for each in html if re.sub(r"</?(?:details|summary|b)>", "", each).count("<")], evil
        words = words_of(blocks)
        found = {name for name, pattern in REFERENCES.items() if set(re.findall(pattern, words)) - own[name]}
        assert found == set(), (evil, words)
        line = report.diagnosis.incidents[0].causes[0].evidence[0] if report.diagnosis.incidents else None
        if line and CANARY in line.text:
            assert any(CANARY in block.content for block in blocks if block.type == "code_block"), evil


@pytest.mark.parametrize("form", MARKDOWN)
def test_no_line_is_a_quick_action(form):
    for evil, _, text in hostile_texts(form):
        fenced = False
        for line in text.split("\n"):
            fenced ^= line.startswith("```")
            assert fenced or not line.startswith("/"), evil
