"""Held-out figures of the classifier, and the lead from which it speaks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

from triage.diagnose.examples import Example
from triage.diagnose.holdout import Answer

TARGET = 0.92  # fitted precision of the answers: two points above the promise, since choosing flatters
LEAST = 0.80  # fitted precision that even the faintest answer must have
LOG = 4.0  # a whole log counts as much as four samples, which are mostly single lines
OUTSIDE = 0.10  # share of failures whose cause no class stands for, assumed where the lead is chosen
FEWEST = 20  # answers below which a precision says nothing
NEVER = 1e9  # the lead of a model that never speaks
PARTS = 5


class Outcome(NamedTuple):
    """One held-out question: the true cause, what was named (None: abstained), and whether an expert accepts it."""

    key: str
    cause: str
    named: str | None
    right: bool


class Figures(NamedTuple):
    """How often it spoke and was right; ``outside`` counts questions whose true cause it could not know."""

    asked: int
    answered: int
    right: int
    outside_asked: int
    outside_answered: int
    causes: Mapping[str, tuple[int, int, int]]  # true cause -> asked, answered, right

    @property
    def precision(self) -> float:
        """Share of the answers that were right; 1 where none was given."""
        return self.right / self.answered if self.answered else 1.0

    @property
    def coverage(self) -> float:
        """Share of the questions that were answered."""
        return self.answered / self.asked if self.asked else 0.0

    @property
    def macro(self) -> float:
        """Mean over the true causes of the share of answers that were right, causes without an answer left out."""
        shares = [right / answered for _, answered, right in self.causes.values() if answered]
        return sum(shares) / len(shares) if shares else 1.0

    @property
    def precision_with_outside(self) -> float:
        """Precision where a tenth of the failures have a cause that no class stands for."""
        if not self.outside_asked or not self.asked:
            return self.precision
        wrong = self.outside_answered / self.outside_asked * OUTSIDE
        spoken = self.coverage * (1 - OUTSIDE)
        return self.right / self.asked * (1 - OUTSIDE) / (spoken + wrong) if spoken + wrong else 1.0


def count(outcomes: Sequence[Outcome], outside: Sequence[Outcome] = ()) -> Figures:
    """The figures of some outcomes."""
    causes: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for outcome in outcomes:
        row = causes[outcome.cause]
        row[0] += 1
        row[1] += outcome.named is not None
        row[2] += outcome.right
    totals = [sum(row[place] for row in causes.values()) for place in range(3)]
    return Figures(
        totals[0],
        totals[1],
        totals[2],
        len(outside),
        sum(outcome.named is not None for outcome in outside),
        {cause: (row[0], row[1], row[2]) for cause, row in sorted(causes.items())},
    )


def choose_lead(answers: Sequence[Answer], outside: Sequence[Answer], examples: Sequence[Example]) -> float:
    """The smallest lead whose answers hold the target; NEVER where none does.

    How likely an answer is right is fitted to its lead (logistic), since counting alone jumps with single answers.
    Samples of one rule count together as the root of their number, so that a rule with many wordings does not
    decide alone; answers without a true cause among the classes count as OUTSIDE of all.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    per_origin = Counter(examples[answer.example].origin for answer in answers)
    kinds = [examples[answer.example].kind for answer in answers]
    weight = [
        per_origin[examples[answer.example].origin] ** -0.5 if kind == "rule" else LOG
        for answer, kind in zip(answers, kinds, strict=True)
    ]
    weight += [OUTSIDE / (1 - OUTSIDE) * sum(weight) / max(1, len(outside))] * len(outside)
    right = [is_right(answer, examples) for answer in answers] + [False] * len(outside)
    if len(set(right)) < 2:
        return NEVER
    lead = np.array([answer.lead for answer in (*answers, *outside)])
    order = np.argsort(-lead, kind="stable")
    fitted = LogisticRegression(C=100).fit(lead[:, None], right, sample_weight=weight)
    share = np.array(weight)[order]
    sure = fitted.predict_proba(lead[order, None])[:, 1]
    last = np.append(np.diff(lead[order]) < 0, True)
    holds = np.flatnonzero((np.cumsum(sure * share) >= TARGET * np.cumsum(share)) & (sure >= LEAST) & last)
    return float(lead[order][holds[-1]]) if len(holds) and holds[-1] + 1 >= FEWEST else NEVER


def held_out(
    answers: Sequence[Answer], outside: Sequence[Answer], examples: Sequence[Example], keys: Sequence[str]
) -> tuple[list[Outcome], list[Outcome]]:
    """Outcomes of every question; the lead for one part of the origins is chosen on the other parts."""
    known: list[Outcome] = []
    unknown: list[Outcome] = []
    for part in range(PARTS):
        here = [a for a in answers if _part(a, examples) == part]
        there = [a for a in answers if _part(a, examples) != part]
        lead = choose_lead(there, [a for a in outside if _part(a, examples) != part], examples)
        known += [outcome(a, lead, examples, keys) for a in here]
        unknown += [outcome(a, lead, examples, keys) for a in outside if _part(a, examples) == part]
    return known, unknown


def _part(answer: Answer, examples: Sequence[Example]) -> int:
    return crc32(examples[answer.example].origin.encode()) % PARTS


def is_right(answer: Answer, examples: Sequence[Example]) -> bool:
    """Whether an expert would accept the answer."""
    example = examples[answer.example]
    return answer.cause in (example.cause, *example.also)


def outcome(answer: Answer, lead: float, examples: Sequence[Example], keys: Sequence[str]) -> Outcome:
    """What a model that speaks from this lead on makes of an answer."""
    spoken = answer.lead >= lead
    named = answer.cause if spoken else None
    right = spoken and is_right(answer, examples)
    return Outcome(keys[answer.example], examples[answer.example].cause, named, right)
