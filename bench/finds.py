"""Twins found: recall against exhaustive search and latency, with 100,000 and 1,000,000 signatures.

usage: python -m bench.finds [floor] [100000] [1000000]

The twins are failures of the archive as another log tells them: other paths, shapes, versions,
one to three changes of wording, and every fourth with other names. Groups stand in a SQLite file;
what is timed is a look-up from text to reasons, the reading of the candidates from SQLite included.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

from bench._material import median_seconds
from bench._synthetic import Twin, distinct, samples, twins
from triage.archive.candidates import CandidateIndex
from triage.diagnose.similar import FLOOR, SHARED, Known, Near, nearest, shared_words
from triage.signature import sign

QUERIES = 300
LookUp = Callable[[Twin, float, float], Sequence[Near]]  # with floor and share of own words


def floor() -> None:
    """What a score says: pairs of the rules' and fixtures' samples with one cause and with two."""
    found = samples()
    texts = [sign(sample.tool, sample.stage, sample.line).template for sample in found]
    causes = np.unique([sample.cause for sample in found], return_inverse=True)[1]
    scores = process.cdist(texts, texts, scorer=fuzz.ratio, dtype=np.float32, workers=-1)
    first, second = np.nonzero(np.triu(scores >= 50, 1))
    near, same = scores[first, second], causes[first] == causes[second]
    shared = np.array([shared_words(texts[a], texts[b]) for a, b in zip(first, second, strict=True)])
    told = list(twins(range(100_000), 3000))
    known = {failure.number: failure.text for failure in distinct(100_000)}
    kept = [t for t in told if not t.renamed and t.failure in known]
    own = np.array([fuzz.ratio(t.text, known[t.failure]) for t in kept])
    own_shared = np.array([shared_words(t.text, known[t.failure]) for t in kept])
    print(f"{len(texts)} sample texts, {len(kept)} reworded twins")
    print("floor | pairs of samples | of one cause | with own words shared | of one cause | twins kept | with both")
    for score in range(50, 100, 5):
        above, both = near >= score, (near >= score) & (shared >= SHARED)
        kept_share, kept_both = (own >= score).mean(), ((own >= score) & (own_shared >= SHARED)).mean()
        print(
            f"{score / 100:.2f}  | {above.sum():7} | {same[above].mean():.2f} | {both.sum():7} "
            f"| {same[both].mean():.2f} | {kept_share:.3f} | {kept_both:.3f}"
        )
    print(f"chosen: floor {FLOOR}, own words {SHARED}")


def measure(count: int) -> None:
    """Recall and latency with so many signatures, exhaustive search and candidates in one run."""
    failures = [(f.number + 1, f.tool, f.text, f.sample) for f in distinct(count)]
    sample_of = {row[0]: row[3] for row in failures}
    questions = list(twins([row[0] - 1 for row in failures], QUERIES))
    known = [Known(*row[:3]) for row in failures]
    exact = _five_best(questions, [row.text for row in known])
    with tempfile.TemporaryDirectory() as folder:
        base = _database(Path(folder) / "archive.db", failures)
        start = time.perf_counter()
        index = CandidateIndex(folder, "bench")
        index.follow(base.execute("SELECT id, tool, text FROM groups ORDER BY id"))
        size = sum(path.stat().st_size for path in Path(index.path).iterdir()) / 1e6
        print(f"{count} signatures, {len(questions)} twins; index {time.perf_counter() - start:.0f} s, {size:.0f} MB")
        print("way | twin in first five | renamed twin | exact five | p50 ms | p95 ms")

        def exhaustive(twin: Twin, floor: float, shared: float) -> Sequence[Near]:
            return nearest(twin.text, twin.tool, known, floor=floor, shared=shared)

        def indexed(twin: Twin, floor: float, shared: float) -> Sequence[Near]:
            return nearest(twin.text, twin.tool, _candidates(twin.text, index, base), floor=floor, shared=shared)

        _row("exhaustive", exhaustive, questions, sample_of, None)
        _row("candidates", indexed, questions, sample_of, exact)
        print(f"one look-up in a fresh process: {_cold(folder, questions[0].text):.0f} ms more than an empty process")


def _five_best(questions: list[Twin], texts: list[str]) -> np.ndarray:
    """The five best scores of each question, 0 to 100; scores are the yardstick, since equal ones have no order."""
    best = []
    for start in range(0, len(questions), 50):  # 50 times a million scores are 200 MB
        part = [question.text for question in questions[start : start + 50]]
        scores = process.cdist(part, texts, scorer=fuzz.ratio, dtype=np.float32, workers=-1)
        best.append(-np.sort(np.partition(-scores, 5, axis=1)[:, :5], axis=1))
    return np.concatenate(best)


def _database(path: Path, failures: list[tuple[int, str, str, int]]) -> sqlite3.Connection:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE groups (id INTEGER PRIMARY KEY, tool TEXT, text TEXT, filler TEXT)")
    base.executemany("INSERT INTO groups VALUES (?, ?, ?, ?)", ((*row[:3], "x" * 120) for row in failures))
    base.commit()
    return base


def _candidates(text: str, index: CandidateIndex, base: sqlite3.Connection) -> list[Known]:
    """What the index proposes, and every group that it does not hold yet."""
    found = index.search(text)
    holes = ",".join("?" * len(found.ids))
    rows = base.execute(f"SELECT id, tool, text FROM groups WHERE id IN ({holes})", found.ids).fetchall()  # noqa: S608
    rows += base.execute("SELECT id, tool, text FROM groups WHERE id > ?", (found.watermark,)).fetchall()
    return [Known(*row) for row in rows]


def _row(
    name: str, look_up: LookUp, questions: list[Twin], sample_of: dict[int, int], exact: np.ndarray | None
) -> None:
    """One line of the table; the first look-ups warm up and are not timed."""
    times, own, renamed = [], [], []
    for question in questions[:5]:
        look_up(question, FLOOR, SHARED)
    for question in questions:
        start = time.perf_counter()
        answer = look_up(question, FLOOR, SHARED)
        times.append((time.perf_counter() - start) * 1e3)
        if question.renamed:
            renamed.append(any(sample_of[near.key] == question.sample for near in answer))
        else:
            own.append(any(near.key == question.failure + 1 for near in answer))
    five = "1    " if exact is None else f"{_share_of_five(look_up, questions, exact):.3f}"
    p95 = statistics.quantiles(times, n=20)[-1]
    print(
        f"{name} | {np.mean(own):.3f} | {np.mean(renamed):.3f} | {five} | {statistics.median(times):.1f} | {p95:.1f}",
        flush=True,
    )


def _share_of_five(look_up: LookUp, questions: list[Twin], exact: np.ndarray) -> float:
    """Share of the five best by ``ratio`` alone that are reached; equal scores have no order."""
    shares = []
    for question, best in zip(questions, exact, strict=True):
        answer = look_up(question, 0.0, 0.0)
        shares.append(sum(near.score * 100 >= best[-1] - 0.01 for near in answer) / 5)
    return float(np.mean(shares))


_ONCE = """
import sqlite3, sys
from triage.archive.candidates import CandidateIndex
from triage.diagnose.similar import Known, nearest
found = CandidateIndex(sys.argv[1], "bench").search(sys.argv[2])
base = sqlite3.connect(sys.argv[1] + "/archive.db")
holes = ",".join("?" * len(found.ids))
rows = base.execute(f"SELECT id, tool, text FROM groups WHERE id IN ({holes})", found.ids)
assert nearest(sys.argv[2], "other", [Known(*row) for row in rows], floor=0.0, shared=0.0)
"""


def _cold(folder: str, text: str) -> float:
    """Median time of a whole process with one look-up, in ms, less that of an empty one."""
    once = median_seconds([sys.executable, "-c", _ONCE, folder, text])
    return (once - median_seconds([sys.executable, "-c", "pass"])) * 1e3


def main() -> None:
    """Runs the parts that were asked for, or all."""
    for part in sys.argv[1:] or ["floor", "100000", "1000000"]:
        floor() if part == "floor" else measure(int(part))


if __name__ == "__main__":
    main()
