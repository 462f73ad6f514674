"""Figures over the labelled corpus, where it is beside the checkout."""

import pytest
from support import CORPUS, cause_of, read_yaml

CASES = sorted(path.parent for path in CORPUS.glob("*/*/case.yaml")) if CORPUS.is_dir() else []
pytestmark = pytest.mark.skipif(not CASES, reason="the corpus is not beside the checkout")


@pytest.fixture(scope="module")
def answers(library):
    return [(read_yaml(case / "case.yaml")["causes"], cause_of((case / "log.txt").read_bytes())) for case in CASES]


def test_share_of_right_first_causes(answers):
    right = sum(cause in wanted for wanted, cause in answers)
    assert right / len(answers) >= 0.90


def test_share_of_wrong_causes(answers):
    """Unknown and no-failure are no answers; a named cause that is not acceptable is wrong."""
    failing = [(wanted, cause) for wanted, cause in answers if wanted[0] != "no-failure"]
    wrong = [pair for pair in failing if pair[1] not in ("unknown", "no-failure") and pair[1] not in pair[0]]
    assert len(wrong) / len(failing) <= 0.05


def test_no_alarm_on_successful_logs(answers):
    quiet = [cause for wanted, cause in answers if wanted[0] == "no-failure"]
    assert quiet
    assert set(quiet) == {"no-failure"}
