"""Honest held-out answers: each text is judged by a model that never saw its kind.

The classifier is a ridge regression onto the causes, so the answer of a model trained without some rows follows
exactly from the full one, and nothing is trained again. With A the kernel of all rows plus the ridge, ``dual`` the
weights of the rows and S the rows left out, the weights become ``dual - inv(A)[:, S] @ solve(inv(A)[S, S], dual[S])``.
Of each text just what is akin to it is left out; near-duplicates always, so that one template never
stands on both sides, and

- ``wording``: all samples of the patterns that match it, all sentences and article lines of their rules. The log is
  one that no rule matches because the tool words an old message anew;
- ``rule``: all that the rules brought which speak on it. Nothing of this kind was ever seen;
- ``cause``: also every row of its causes. No answer is right, and silence is asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz import fuzz, process
from scipy.linalg import inv
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from triage.diagnose.examples import Example
from triage.diagnose.features import length

ALIKE = 85  # RapidFuzz ratio from which two texts are the same message
LEFT_OUT = ("wording", "rule", "cause")
QUOTED = 80  # partial ratio from which an article's line quotes the message
_SHORT = 25  # a shorter text is no quotation
_TOUCHING = 0.1  # cosine below which two texts need no closer look


class Answer(NamedTuple):
    """What a model that never saw its kind says of an example: best cause, and its lead over the next one.

    The lead is the difference of the scores times the text's ``length``.
    """

    example: int
    cause: str
    lead: float


class Rows(NamedTuple):
    """The model in its dual form: a row an example, and which rows are akin to which."""

    inverse: Any
    dual: Any
    kernel: Any
    causes: Sequence[str]
    akin: Mapping[str, Sequence[frozenset[int]]]
    lengths: Sequence[float]


def solve(features: Any, examples: Sequence[Example], texts: Sequence[str], ridge: float) -> Rows:
    """Trains on all examples; ``features`` is a sparse matrix, a row an example, of unit length."""
    root = np.sqrt(np.array([example.weight for example in examples], dtype=np.float32))
    causes = sorted({example.cause for example in examples})
    number = {cause: place for place, cause in enumerate(causes)}
    wanted = np.zeros((len(examples), len(causes)), dtype=np.float32)
    wanted[range(len(examples)), [number[example.cause] for example in examples]] = root
    cosine = (features @ features.T).toarray().astype(np.float32)
    near = [twins | quotes for twins, quotes in zip(_twins(texts), _quotes(examples, texts, cosine), strict=True)]
    akin = {part: _akin(examples, near, part) for part in LEFT_OUT}
    kernel = cosine * root[None]
    system = kernel * root[:, None]
    system[np.diag_indices(len(examples))] += ridge
    inverse = inv(system, overwrite_a=True, check_finite=False)
    return Rows(inverse, inverse @ wanted, kernel, causes, akin, [length(text) for text in texts])


def weights(rows: Rows, features: Any, examples: Sequence[Example]) -> Any:
    """The same model in its primal form: features by causes."""
    root = np.sqrt(np.array([example.weight for example in examples], dtype=np.float32))
    return features.T @ (rows.dual * root[:, None])


def answers(rows: Rows, examples: Sequence[Example], tests: Sequence[int], left_out: str) -> list[Answer]:
    """For each test the answer without what is akin to it; ``left_out`` is one of LEFT_OUT."""
    scores = rows.kernel[tests] @ rows.dual
    through = rows.kernel[tests] @ rows.inverse
    out = []
    for place, row in enumerate(tests):
        gone = np.array(sorted(rows.akin[left_out][row]))
        part = np.linalg.solve(rows.inverse[np.ix_(gone, gone)], rows.dual[gone])
        score = scores[place] - through[place, gone] @ part
        second, first = np.argsort(score, kind="stable")[-2:]
        out.append(Answer(row, rows.causes[first], float(score[first] - score[second]) * rows.lengths[row]))
    return out


def _akin(examples: Sequence[Example], near: Sequence[set[int]], left_out: str) -> list[frozenset[int]]:
    """For every example the rows that must not be known while it is judged, itself among them."""
    holders: dict[str, set[int]] = defaultdict(set)
    for row, example in enumerate(examples):
        for name in _names(example, left_out, asks=False):
            holders[name].add(row)
    return [
        frozenset(near[row]).union(*(holders.get(name, ()) for name in _names(example, left_out, asks=True)))
        for row, example in enumerate(examples)
    ]


def _names(example: Example, left_out: str, *, asks: bool) -> set[str]:
    """What an example is known by; two that share a name are akin. Who asks names all its causes."""
    if left_out == "wording" and example.wordings and not asks:
        return set(example.wordings)
    names = {*example.rules, *example.wordings}
    if left_out == "cause":
        names |= {f"cause:{cause}" for cause in (example.cause, *(example.also if asks else ()))}
    return names


def _twins(texts: Sequence[str]) -> list[set[int]]:
    """For every text the rows of the same message, through any number of steps."""
    near = process.cdist(texts, texts, scorer=fuzz.ratio, score_cutoff=ALIKE, dtype=np.uint8, workers=-1)
    _, labels = connected_components(csr_matrix(near), directed=False)
    members: dict[int, set[int]] = defaultdict(set)
    for row, label in enumerate(labels):
        members[label].add(row)
    return [members[label] for label in labels]


def _quotes(examples: Sequence[Example], texts: Sequence[str], cosine: Any) -> list[set[int]]:
    """For every test the lines of articles that quote a part of it."""
    lines = [r for r, example in enumerate(examples) if example.kind == "article" and len(texts[r]) >= _SHORT]
    found: list[set[int]] = [set() for _ in examples]
    for row, example in enumerate(examples):
        if example.asked and len(texts[row]) >= _SHORT:
            near = [line for line in lines if cosine[row, line] >= _TOUCHING]
            found[row] = {
                line for line in near if fuzz.partial_ratio(texts[line], texts[row], score_cutoff=QUOTED) >= QUOTED
            }
    return found
