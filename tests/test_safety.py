"""All log text is hostile: to the terminal, to Markdown, to the regex engine, to memory."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import MESSAGES, PROFILE_MISSING, run_cli

from triage import discovery
from triage.masks import mask, redact
from triage.service import diagnose

FORMATS = discovery.names("triage.reports")
HOSTILE = {
    "clear screen": "\x1b[2J\x1b[H",
    "window title": "\x1b]0;pwned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "link": "\x1b]8;;http://evil.example\x07text\x1b]8;;\x07",
    "unfinished link": "\x1b]8;;http://evil.example",
    "bell": "\x07\x07",
    "backspace": "safe\b\b\b\bevil",
    "carriage return": "evil\rgood",
    "right to left": "\u202eevil\u202c",
    "isolates": "\u2066evil\u2069",
    "marks": "\u200e\u200f",
    "eight bit controls": "\x9b2J\x9d0;x\x9c",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "zero": "a\x00b",
    "delete": "a\x7fb",
    "half of a pair": "a\udc9bb",
    "device control": "\x1bP$q\x1b\\",
    "byte order mark": "a\ufeffb",
    "arabic letter mark": "a\u061cb",
    "invisible operators": "a\u2061\u2064b",
    "tag letters": "a\U000e0041b",
}


def rendered(log, form, colour=False):
    report = diagnose(log.encode("utf-8", "surrogateescape") if isinstance(log, str) else log, name="build.log")
    return discovery.load("triage.reports", form).render([report], colour)


def dangerous(text):
    """Characters that steer a terminal or reorder what is read."""
    return {
        hex(ord(char))
        for char in text
        if char not in "\n\t\u200b" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }


INVISIBLE = {"arabic letter mark", "invisible operators", "tag letters"}


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.parametrize(
    "name",
    list(HOSTILE),
)
def test_no_control_reaches_the_reader(name, form):
    evil = HOSTILE[name]
    log = (
        f"before {evil} line\n"
        f"{PROFILE_MISSING} {evil} --onnx={evil}x.onnx\n"
        f"after {evil} line\n"
        f"ModuleNotFoundError: No module named 'a{evil}b'\n"
    )
    assert dangerous(rendered(log, form)) == set()


@pytest.mark.parametrize("form", FORMATS)
def test_colour_of_the_report_is_the_only_sequence(form):
    text = rendered(f"{PROFILE_MISSING}\x1b[5m\x1b]0;x\x07\n", form, colour=True)
    assert "\x1b[5m" not in text
    assert "\x1b]" not in text


@pytest.mark.parametrize("name", ["window title", "right to left", "carriage return", "clear screen"])
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_no_control_comes_from_the_name_of_a_source(name, form):
    report = diagnose(PROFILE_MISSING, name=f"logs.zip!{HOSTILE[name]}.log")
    assert dangerous(discovery.load("triage.reports", form).render([report])) == set()


@pytest.mark.parametrize("name", ["window title", "clear screen"])
def test_no_control_comes_with_an_error(tmp_path, name):
    done = run_cli("diagnose", tmp_path / f"{HOSTILE[name].replace('/', '')}.log")
    assert dangerous(done.stderr.decode()) == set()


# --- nothing breaks it

PIECES = st.one_of(
    st.binary(max_size=120),
    st.sampled_from([message.encode() for _, message in MESSAGES]),
    st.sampled_from([HOSTILE[name].encode("utf-8", "surrogateescape") for name in HOSTILE]),
    st.sampled_from(
        [b"{", b'{"log": "', b'"}', b"\n", b"\r", b"\xff\xfe", b"#10 5.6 ", b"Traceback (most recent call last):\n"]
    ),
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=12), st.sampled_from([b"", b"\n", b" "]))
def test_no_bytes_break_a_diagnosis_or_a_report(parts, glue):
    log = glue.join(parts)
    report = diagnose(log)
    for form in FORMATS:
        text = discovery.load("triage.reports", form).render([report])
        text.encode("utf-8")
    diagnosis = report.diagnosis
    assert diagnosis.size >= 0
    lines = log.count(b"\n") + 1
    if diagnosis.environment.get("encoding") is None:
        for incident in diagnosis.incidents:
            assert all(1 <= line.line <= lines for cause in incident.causes for line in cause.evidence)


@given(st.lists(st.text(max_size=60), max_size=8), st.lists(st.text(max_size=60), max_size=8))
def test_random_lines_around_a_message_do_not_hide_it(before, after):
    strip = {ord("\x1b"): "x", ord("\0"): "0"}
    log = "\n".join([*(t.translate(strip) for t in before), PROFILE_MISSING, *(t.translate(strip) for t in after)])
    causes = [c.id for i in diagnose("first line\n" * 20 + log).diagnosis.incidents for c in i.causes]
    assert "profile-missing" in causes


LONG = {
    "one letter": "a" * 1_000_000,
    "quotes": "'" * 300_000,
    "brackets": "(" * 300_000 + ")" * 300_000,
    "quote pairs": "'a' " * 100_000,
    "slashes": "/a" * 200_000,
    "digits": "1" * 300_000,
    "blanks": " " * 500_000 + "x",
    "dots": "1.1" * 150_000,
    "colons": "a::" * 150_000,
    "wrappers": "> " * 200_000,
    "stamps": "2026-11-20T10:26:19.1Z " * 20_000,
    "json": "{" * 20_000 + '"' * 20_000,
    "escapes": "\x1b[" * 200_000,
    "backslashes": "\\" * 400_000,
    "carriage returns": "\r" * 400_000,
    "errors": "Error Code 4: Internal Error (" * 20_000,
    "words of rules": "Could not find any implementation for node " * 20_000,
    "secrets": "token=" * 100_000,
    "addresses": "https://a:b" * 60_000,
    "tracebacks": "Traceback (most recent call last):\n" * 30_000,
}


@pytest.mark.parametrize("name", LONG)
def test_long_repetitions_come_to_an_end(name):
    log = f"{LONG[name]}\n{PROFILE_MISSING} {LONG[name][:3000]}\n"
    report = diagnose(log)
    assert "profile-missing" in {cause.id for incident in report.diagnosis.incidents for cause in incident.causes}
    assert len(discovery.load("triage.reports", "json").render([report])) < 200_000


@pytest.mark.parametrize("name", LONG)
def test_masks_of_long_repetitions_come_to_an_end(name):
    text = LONG[name][:60_000]
    assert isinstance(redact(text), str)
    assert isinstance(mask(text)[0], str)


def test_deep_json_is_a_line_like_any_other():
    line = '{"log":' + '{"a":' * 3000 + "1" + "}" * 3001
    assert diagnose(f"{line}\n{PROFILE_MISSING}\n").diagnosis.verdict == "named"


def test_deep_json_with_a_message_inside():
    line = '{"a":' + "[" * 6000 + f'"{PROFILE_MISSING}"' + "]" * 6000 + "}"
    assert diagnose(f"{line}\n").diagnosis.failure


MEASURE = """
import resource, sys
from triage.library import load_library
from triage.pipeline import diagnose_chunks
from triage.service import diagnose
message = sys.argv[1].encode() + b"\\n"
library = load_library()
diagnose(message * 100)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
block = message * 10_000
diagnosis = diagnose_chunks((block for _ in range(300)), library)
print(diagnosis.lines, diagnosis.verdict, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="measures with getrusage")
@pytest.mark.parametrize("kind", ["failures", "quiet lines"])
def test_memory_does_not_grow_with_three_million_lines(kind):
    message = MESSAGES[1][1] if kind == "failures" else "[11/20/2026-10:26:19] [I] still building the engine"
    done = subprocess.run([sys.executable, "-c", MEASURE, message], capture_output=True, text=True, check=True)
    lines, verdict, growth = done.stdout.split()
    assert (lines, verdict) == ("3000000", "named" if kind == "failures" else "no-failure")
    assert int(growth) < 250


BOMB = """
import gzip, io, resource, sys
from triage.library import load_library
from triage.service import diagnose, diagnose_inputs
library = load_library()
diagnose("x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
(found,) = diagnose_inputs([sys.argv[1]], library)
print(found.report.diagnosis.lines, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="measures with getrusage")
def test_memory_does_not_grow_with_what_an_archive_unpacks_to(tmp_path):
    import zlib

    path = tmp_path / "bomb.gz"
    packer = zlib.compressobj(9, wbits=31)
    block = (b"a" * 1023 + b"\n") * 1024
    with path.open("wb") as stream:
        for _ in range(500):
            stream.write(packer.compress(block))
        stream.write(packer.flush())
    done = subprocess.run([sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True)
    lines, growth = done.stdout.split()
    assert lines == str(500 * 1024)
    assert int(growth) < 250
