"""Every fixture log is diagnosed as expected; what is still wrong is written down as ``now:``."""

import pytest
from support import evidence_lines, first_cause, fixture_cases, read_yaml

from triage.rulebook.read import STAGES, TOOLS
from triage.service import diagnose

CASES = fixture_cases()
EXPECT = {case: read_yaml(case / "expect.yaml") for case in CASES}
QUIET = [case for case in CASES if EXPECT[case]["causes"] == ["no-failure"]]
POINTING = [c for c in CASES if c not in QUIET and EXPECT[c].get("evidence") and "now" not in EXPECT[c]]
# what is wrong at present: remove the entry when the test says that it passes
WRONG_CAUSE = {}
WRONG_FORM = {"ort-opt-missing": "optimize is no stage"}
WRONG_EVIDENCE = {
    "local-triton-remote-code": "points to the question, not to the server's own line",
}
pytestmark = pytest.mark.skipif(not CASES, reason="no fixture logs in this checkout")


def marked(wrong, cases=CASES):
    """The cases, those that are known to be wrong as strict expected failures."""
    return [
        pytest.param(case, id=case.name, marks=pytest.mark.xfail(strict=True, reason=wrong[case.name]))
        if case.name in wrong
        else pytest.param(case, id=case.name)
        for case in cases
    ]


def expected(case):
    return EXPECT[case]


def report_of(case):
    return diagnose((case / "log.txt").read_bytes(), name=case.name)


def test_there_are_failing_and_successful_fixtures():
    assert QUIET
    assert len(CASES) > 2 * len(QUIET)


@pytest.mark.parametrize("case", marked(WRONG_FORM))
def test_expectation_is_well_formed(case, library):
    expect = expected(case)
    known = {*library.knowledge.ids()}
    assert set(expect["causes"]) <= known
    assert expect.get("now") is None or (expect["now"] in known and expect["now"] not in expect["causes"])
    assert expect.get("tool") in (*TOOLS, None)
    assert expect.get("stage") in (*STAGES, None)
    assert expect["origin"]
    count = (case / "log.txt").read_bytes().count(b"\n") + 1
    assert all(1 <= line <= count for line in expect.get("evidence") or ())


@pytest.mark.parametrize("case", marked(WRONG_CAUSE))
def test_first_cause(case):
    expect = expected(case)
    cause = first_cause(report_of(case))
    if "now" in expect:
        assert cause == expect["now"], "the present answer of a known fault changed: correct or remove now:"
    else:
        assert cause in expect["causes"]


@pytest.mark.parametrize("case", marked(WRONG_EVIDENCE, POINTING))
def test_evidence_points_to_the_decisive_line(case):
    wanted = expected(case)["evidence"]
    found = evidence_lines(report_of(case))
    near = any(abs(line - other) <= 2 for line in found for other in wanted)
    assert near, f"points to {found}, wanted {wanted}"


@pytest.mark.parametrize("case", QUIET, ids=lambda case: case.name)
def test_successful_logs_raise_no_alarm(case):
    diagnosis = report_of(case).diagnosis
    assert not diagnosis.failure
    assert diagnosis.incidents == ()
    assert diagnosis.primary is None
