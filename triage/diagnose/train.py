"""Examples -> a classifier with its card: features, weights, the lead from which it speaks, held-out figures.

One ridge regression onto the causes over hashed word and character n-grams. It is solved
in its dual form, because that gives exact held-out answers for nothing (``holdout``).
The same examples give the same answers; a card lists them, so that drift is seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

from triage.diagnose import features, normal
from triage.diagnose.examples import Example
from triage.diagnose.features import expand
from triage.diagnose.figures import Figures, Outcome, choose_lead, count, held_out, outcome

RIDGE = 0.15
BUCKETS = 2**15  # of each kind of n-gram
MOST = 9000  # rows; memory and time grow with their square and cube: 9000 need 1.5 GB
PRUNED = 0.02  # smaller weights are dropped: a third of the file, the same best causes, leads 0.02 smaller
STEP = 0.005  # weights are rounded to this
OUTSIDE_EVERY = 4  # the question without the true cause is asked of every fourth test


class Card(NamedTuple):
    """What is known of a model. ``outcomes``: held-out answers by example, ``+`` right, ``-`` wrong, ``.`` silent."""

    id: str
    made: str
    normal: int
    features: int
    lead: float
    counts: dict[str, int]
    keys: tuple[str, ...]
    outcomes: dict[str, str]
    wording: Figures
    rule: Figures


class Trained(NamedTuple):
    """A model that was just trained: the parts that are stored, and its card."""

    state: dict[str, Any]
    card: Card


def key_of(example: Example) -> str:
    """Eight digits that stand for an example's text and cause."""
    return f"{crc32(f'{example.text}|{example.cause}'.encode()):08x}"


def train(examples: Iterable[Example], made: str) -> Trained:
    """Trains on all examples and measures on held-out ones.

    Args:
        examples: from rules, articles, fixtures and confirmed incidents; at most MOST count, incidents give way first.
        made: when, as ISO 8601; it becomes a part of the model's id.

    Raises:
        UsageError: fewer than two causes.
    """
    from triage.errors import UsageError

    rows = thin(examples)
    if len({example.cause for example in rows}) < 2:
        raise UsageError("a classifier needs examples of two causes or more; confirm some incidents first")
    texts = [expand(example.text) for example in rows]
    union = counters()
    matrix = union.fit_transform(texts)
    return _assembled(rows, texts, union, matrix, made)


def _assembled(rows: list[Example], texts: list[str], union: Any, matrix: Any, made: str) -> Trained:
    from triage.diagnose import holdout

    solved = holdout.solve(matrix, rows, texts, RIDGE)
    tests = [row for row, example in enumerate(rows) if example.asked]
    keys = [key_of(example) for example in rows]
    outside = holdout.answers(solved, rows, tests[::OUTSIDE_EVERY], "cause")
    worded = holdout.answers(solved, rows, tests, "wording")
    lead = choose_lead(worded, outside, rows)
    known, unknown = held_out(worded, outside, rows, keys)
    unseen = [outcome(answer, lead, rows, keys) for answer in holdout.answers(solved, rows, tests, "rule")]
    identity = f"{made[:10]}-{crc32(' '.join([made, *sorted(keys)]).encode()):08x}"
    card = Card(
        identity, made, normal.VERSION, features.VERSION, lead, _counts(rows), tuple(sorted(set(keys))),
        {one.key: _mark(one) for one in known}, count(known, unknown), count(unseen, unknown),
    )  # fmt: skip
    state = {
        "id": identity,
        "normal": normal.VERSION,
        "features": features.VERSION,
        "union": union,
        "weights": _small(holdout.weights(solved, matrix, rows)),
        "causes": list(solved.causes),
        "lead": float(lead),
    }
    return Trained(state, card)


def thin(examples: Iterable[Example]) -> list[Example]:
    """Every text and cause once, in a fixed order, and at most MOST of them; confirmed incidents are drawn by lot."""
    once: dict[tuple[str, str], Example] = {}
    for example in sorted(examples, key=lambda one: (one.text, one.cause, not one.asked, -one.weight, one.origin)):
        first = once.setdefault((example.text, example.cause), example)
        both = first.rules | example.rules, first.wordings | example.wordings
        once[example.text, example.cause] = first._replace(rules=both[0], wordings=both[1])
    rows = sorted(once.values(), key=lambda example: (example.kind == "incident", key_of(example), example.text))
    return rows[:MOST]


def counters() -> Any:
    """Counts word and character n-grams of ``expand``ed texts; not yet fitted. Rows have unit length."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import FeatureUnion, make_pipeline

    def counted(**kind: Any) -> Any:
        hashed = HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None, lowercase=False, **kind)
        return make_pipeline(hashed, TfidfTransformer(sublinear_tf=True))

    half = 0.5**0.5  # both halves have unit length, and so has the whole
    return FeatureUnion(
        [
            ("words", counted(ngram_range=(1, 2), token_pattern=r"\S+")),  # noqa: S106  a pattern
            ("letters", counted(analyzer="char_wb", ngram_range=(3, 5))),
        ],
        transformer_weights={"words": half, "letters": half},
    )


def _small(weights: Any) -> Any:
    """Weights as a sparse matrix of rounded numbers: few of them matter, and round ones compress."""
    import numpy as np
    from scipy.sparse import csr_matrix

    dense = np.asarray(weights, dtype=np.float32)
    rounded = np.where(np.abs(dense) < PRUNED, 0, np.round(dense / STEP) * STEP)
    return csr_matrix(rounded.astype(np.float32))


def _mark(one: Outcome) -> str:
    if one.named is None:
        return "."
    return "+" if one.right else "-"


def _counts(rows: Iterable[Example]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for example in rows:
        counts[example.kind] = counts.get(example.kind, 0) + 1
    return dict(sorted(counts.items()))
