"""What must not change the first cause: wrappers, windows, repetition, chunking, encoding."""

import json
import random
from functools import cache

import pytest
from support import evidence_lines, first_cause, fixture_cases, lab_cases

from triage.ingest.decode import detect_encoding
from triage.pipeline import diagnose_chunks
from triage.records import Report
from triage.reports import json as json_report
from triage.reports import text as text_report
from triage.service import diagnose

FIXTURE_CASES = fixture_cases()
LAB_CASES = lab_cases()[::5]
LARGEST = 60_000
pytestmark = pytest.mark.skipif(not FIXTURE_CASES, reason="no fixture logs in this checkout")


@cache
def log_of(case):
    data = (case / "log.txt").read_bytes()
    encoding = detect_encoding(data)
    return data[encoding.mark :].decode(encoding.name, "replace")


@cache
def report_of(case):
    return diagnose(log_of(case))


def cases():
    """Fixtures and a sample of the lab corpus that are small enough to be diagnosed many times."""
    return [case for case in (*FIXTURE_CASES, *LAB_CASES) if len(log_of(case)) <= LARGEST]


def each(change):
    """A change of every line; line ends stay."""
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


def stamped(line):
    return f"2026-11-20T10:26:19.1234567Z {line}"


def json_lines(text):
    rows = [{"log": f"{line}\n", "stream": "stderr", "time": "2026-11-20T10:26:19Z"} for line in text.split("\n")]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def json_lines_of_go(text):
    """Go writes < > & as escapes, and so does Docker."""
    escapes = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))
    for char, escape in escapes:
        text = text.replace(char, f"@@{escape[1:]}@@")
    text = json_lines(text)
    for _, escape in escapes:
        text = text.replace(f"@@{escape[1:]}@@", escape)
    return text


WRAPPED = {
    "GitHub Actions": each(stamped),
    "GitHub Actions error marker": each(lambda line: stamped(f"##[error]{line}")),
    "GitLab": each(lambda line: f"2026-11-20T10:26:19.123456Z 00O {line}"),
    "Jenkins clock": each(lambda line: f"10:26:19  {line}"),
    "Jenkins stamp": each(lambda line: f"[2026-11-20T10:26:19.123Z] {line}"),
    "docker compose": each(lambda line: f"server-1  | {line}"),
    "kubectl": each(lambda line: f"[pod/model-0/server] {line}"),
    "container runtime": each(lambda line: f"2026-11-20T10:26:19.123456789Z stderr F {line}"),
    "BuildKit": each(lambda line: f"#10 5.638 {line}"),
    "Ray": each(lambda line: f"(Worker pid=4711) {line}"),
    "Ray with address": each(lambda line: f"(Worker pid=4711, ip=10.0.0.1) {line}"),
    "rank": each(lambda line: f"[rank0]: {line}"),
    "pytest": each(lambda line: f"E       {line}"),
    "quote": each(lambda line: f"> {line}"),
    "four blanks": each(lambda line: f"    {line}"),
    "tab": each(lambda line: f"\t{line}"),
    "colour": each(lambda line: f"\x1b[31;1m{line}\x1b[0m"),
    "colour of every word": each(lambda line: f"\x1b[36m{line}\x1b[0m".replace(" ", "\x1b[0m \x1b[36m")),
    "CRLF": each(lambda line: f"{line}\r"),
    "trailing blanks": each(lambda line: f"{line}   "),
    "breaks": each(lambda line: f"{line}<br/>"),
    "JSON lines": json_lines,
    "JSON lines of Go": json_lines_of_go,
    "compose around a stamp": each(lambda line: f"server-1  | {stamped(line)}"),
    "byte order mark": lambda text: "\ufeff" + text,
    "repeated": lambda text: f"{text.rstrip()}\n{text}",
    "quiet lines around": lambda text: "Step 1/3 : FROM image\n" * 5 + text.rstrip() + "\nbye\n" * 5,
    "UTF-16 with mark": lambda text: b"\xff\xfe" + text.encode("utf-16-le", "replace"),
    "UTF-16 big endian with mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be", "replace"),
    "UTF-16 without mark": lambda text: text.encode("utf-16-le", "replace"),
    "UTF-16 big endian without mark": lambda text: text.encode("utf-16-be", "replace"),
}


# what is wrong at present, with the present answer: remove the entry when the test says that it changed
KNOWN = {"repeated": {"torch-ok-graph-breaks": "no-failure -> export-data-dependent-control-flow"}}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_wrapping_does_not_change_the_first_cause(wrapping):
    changed = {}
    for case in cases():
        before, after = first_cause(report_of(case)), first_cause(diagnose(WRAPPED[wrapping](log_of(case))))
        if before != after:
            changed[case.name] = f"{before} -> {after}"
    assert changed == KNOWN.get(wrapping, {})


LINE_FOR_LINE = [name for name in WRAPPED if name not in ("repeated", "quiet lines around")]


@pytest.mark.parametrize("wrapping", LINE_FOR_LINE)
def test_wrapping_does_not_move_the_evidence(wrapping):
    changed = {}
    for case in cases()[::4]:
        report = diagnose(WRAPPED[wrapping](log_of(case)))
        if first_cause(report) == first_cause(report_of(case)) and evidence_lines(report) != evidence_lines(
            report_of(case)
        ):
            changed[case.name] = (evidence_lines(report_of(case)), evidence_lines(report))
    assert changed == {}


def asks_for_other_lines(case, library):
    """Whether the rule that was found needs a second line: a window may lose that one."""
    report = report_of(case)
    if not report.diagnosis.incidents:
        return True
    named = {cause.by.removeprefix("rule:") for cause in report.diagnosis.incidents[0].causes}
    return any(rule.id in named and (rule.needs or rule.then or rule.when) for rule in library.rulebook.rules())


@pytest.mark.parametrize("seed", range(3))
def test_a_window_that_holds_the_evidence_names_the_same_cause(seed, library):
    chance = random.Random(seed)  # noqa: S311  a sample, not a secret
    changed = {}
    chosen = [case for case in cases() if not asks_for_other_lines(case, library)]
    assert len(chosen) > len(cases()) / 2
    for case in chosen:
        lines, evidence = log_of(case).split("\n"), evidence_lines(report_of(case))
        start = chance.randint(0, min(evidence) - 1)
        end = chance.randint(max(evidence), len(lines))
        after = first_cause(diagnose("\n".join(lines[start:end])))
        if after != first_cause(report_of(case)):
            changed[case.name] = f"lines {start + 1} to {end}: {first_cause(report_of(case))} -> {after}"
    assert changed == {}


# --- chunks


def chunked(data, sizes):
    position = 0
    while position < len(data):
        size = next(sizes)
        yield data[position : position + size]
        position += size


def report_of_chunks(case, library, sizes):
    return Report(case.name, diagnose_chunks(chunked(log_of(case).encode(), sizes), library))


def endless(size):
    while True:
        yield size


def random_sizes(seed):
    chance = random.Random(seed)  # noqa: S311  a sample, not a secret
    return iter(lambda: chance.randint(1, 300), None)


def differing(library, sizes):
    """Names of the cases whose JSON report is another one when the log comes in pieces."""
    return [
        case.name
        for case in cases()
        if json_report.render([report_of_chunks(case, library, sizes())])
        != json_report.render([report_of_chunks(case, library, endless(1 << 30))])
    ]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_pieces_of_any_size_give_the_same_report(library, size):
    assert differing(library, lambda: endless(size)) == []


def test_pieces_of_random_sizes_give_the_same_report(library):
    assert differing(library, lambda: random_sizes(1)) == []


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_pieces_of_any_size_give_the_same_cause(library, size):
    assert [
        case.name
        for case in cases()
        if first_cause(report_of_chunks(case, library, endless(size))) != first_cause(report_of(case))
    ] == []


def test_lines_around_the_evidence_do_not_depend_on_the_pieces(library):
    case = next(case for case in FIXTURE_CASES if len(evidence_lines(report_of(case))) and "\n" in log_of(case))
    whole = report_of_chunks(case, library, endless(1 << 30))
    assert text_report.render([report_of_chunks(case, library, endless(20))]) == text_report.render([whole])


def test_the_same_bytes_give_the_same_report():
    for case in cases()[::7]:
        data = log_of(case)
        assert json_report.render([diagnose(data)]) == json_report.render([diagnose(data)])
