"""Compares outputs: names, shapes, types, NaN and infinity, and every number, in words and figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from triage.compare.tolerance import Tolerance

Outputs = Sequence[tuple[str, Any]]
_PIECE = 1 << 22  # values that are compared at a time
# how many times the effect of a change in the inputs' last bits a difference may have: to pass, and to be rounding
_CONDITION, _ROUNDING = 8.0, 64.0


class Pair(NamedTuple):
    """One feed's outputs on both sides. ``twin`` are the reference's for inputs that differ in their last bits."""

    label: str
    reference: Outputs
    deployed: Outputs
    twin: Outputs | None = None


class Verdict(NamedTuple):
    """``equal`` is None where the numbers prove nothing. ``rows``: one an output. ``remarks``: what else is said."""

    equal: bool | None
    rows: tuple[Mapping[str, Any], ...]
    remarks: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """What differs, in words; empty where nothing does."""
        return "; ".join(f"{row['name']}: {row['why']}" for row in self.rows if not row["equal"])


class Gap(NamedTuple):
    """Sizes of differences: the root of their mean square, and the largest."""

    mean: float
    most: float

    @classmethod
    def of(cls, values: Any) -> Gap:
        """Of an array of absolute values."""
        import numpy as np

        most = float(values.max()) if values.size else 0.0
        return cls(most * float(np.sqrt(np.mean((values / most) ** 2))), most) if most else cls(0.0, 0.0)

    def joined(self, other: Gap, whole: int, part: int) -> Gap:
        """With those of a further part of the same array of ``whole`` values."""
        share = part / max(whole, 1)
        return Gap((self.mean**2 + share * other.mean**2) ** 0.5, max(self.most, other.most))


class _Row:
    """One output over all feeds."""

    def __init__(self, name: str, tolerance: Tolerance) -> None:
        self.name = name
        self.tolerance = tolerance
        self.values = self.mismatched = 0
        self.max_abs = self.max_rel = self.atol = 0.0
        self.why: list[str] = []
        self.feeds = 0
        self.seen: list[Any] = []  # first values of each feed, to see whether they depend on it
        self.varies = False
        self.blank: set[str] = set()

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name, "values": self.values, "feeds": self.feeds, "max_abs": self.max_abs,
            "max_rel": self.max_rel, "mismatched": self.mismatched, "rtol": self.tolerance.rtol, "atol": self.atol,
            "equal": not self.why, "why": "; ".join(self.why[:3]),
        }  # fmt: skip


def compare(pairs: Sequence[Pair], tolerance: Tolerance) -> Verdict:
    """Compares the outputs of all feeds.

    Args:
        pairs: one a feed.
        tolerance: of the precision, or the recipe's.
    """
    rows: dict[str, _Row] = {}
    remarks: list[str] = []
    for pair in pairs:
        for name, want, got, twin in _paired(pair, remarks):
            row = rows.setdefault(name, _Row(name, tolerance))
            _add(row, pair.label, want, got, twin, remarks)
    told = tuple(row.plain() for row in rows.values())
    remarks += _constant(rows.values(), len(pairs))
    if any(not row["equal"] for row in told):
        return Verdict(False, told, _once(remarks))
    whole = all(row.feeds for row in rows.values()) and any(row.varies for row in rows.values())
    return Verdict(True if whole else None, told, _once(remarks))


def _once(remarks: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(remarks))


def _paired(pair: Pair, remarks: list[str]) -> Iterator[tuple[str, Any, Any, Any]]:
    """(name, reference, deployed, twin): by name, what is left in order; an output that is missing stays None."""
    got = dict(pair.deployed)
    twins = [array for _, array in pair.twin] if pair.twin and len(pair.twin) == len(pair.reference) else None
    names = {name for name, _ in pair.reference}
    spare = [name for name, _ in pair.deployed if name not in names]
    lost = [name for name, _ in pair.reference if name not in got]
    renamed = dict(zip(lost, spare, strict=True)) if len(lost) == len(spare) else {}
    if renamed:
        remarks.append("outputs renamed: " + ", ".join(f"{old} is {new}" for old, new in renamed.items()))
    elif spare:
        remarks.append(f"further outputs were not compared: {', '.join(spare)}")
    for place, (name, want) in enumerate(pair.reference):
        yield name, want, got.get(renamed.get(name, name)), twins[place] if twins else None


def _add(row: _Row, label: str, want: Any, got: Any, twin: Any, remarks: list[str]) -> None:
    import numpy as np

    if got is None:
        row.why.append("this output is missing")
        return
    want, got = np.asarray(want), np.asarray(got)
    if want.shape != got.shape:
        row.why.append(f"shape {list(got.shape)} instead of {list(want.shape)}{_transposed(want, got)} ({label})")
        return
    fault = _types(want, got)
    if fault:
        row.why.append(fault)
        return
    if want.dtype != got.dtype:
        remarks.append(f"{row.name} is now {got.dtype}, it was {want.dtype}")
    if want.dtype.kind in "fc" and want.dtype.itemsize:
        _add_floats(row, label, want, got, twin, remarks)
    else:
        _add_exact(row, label, want, got, twin)
    if not row.why:
        _remember(row, want)


def _types(want: Any, got: Any) -> str:
    """What is wrong with the types; wider or narrower numbers of the same kind are the same numbers."""
    kinds = {"f": "float", "c": "complex", "i": "integer", "u": "integer", "b": "bool", "U": "text"}
    one, two = kinds.get(want.dtype.kind, want.dtype.kind), kinds.get(got.dtype.kind, got.dtype.kind)
    return "" if one == two else f"{got.dtype} instead of {want.dtype}"


def _transposed(want: Any, got: Any) -> str:
    import numpy as np

    if want.ndim == got.ndim >= 2 and sorted(want.shape) == sorted(got.shape) and want.dtype.kind == "f":
        flipped = np.swapaxes(got, -1, -2)
        if flipped.shape == want.shape and np.allclose(flipped, want, rtol=1e-3, atol=1e-5):
            return ", with its last two axes swapped"
    return ""


def _add_floats(row: _Row, label: str, want: Any, got: Any, twin: Any, remarks: list[str]) -> None:
    import numpy as np

    size, noise = _size(want), _noise(want, twin)
    atol = _atol(row.tolerance, size, noise)
    if atol is None:
        remarks.append(f"{label}: {row.name} hangs on the inputs' last bits there and was not compared")
        return
    row.feeds += 1
    row.atol = max(row.atol, atol)
    one, two = want.reshape(-1), got.reshape(-1)
    wrong: list[Any] = []
    gaps = Gap(0.0, 0.0)
    for start in range(0, max(one.size, 1), _PIECE):
        a, b = (side[start : start + _PIECE].astype(_wide(side)) for side in (one, two))
        bad, gap = _compare_piece(row, a, b, atol)
        wrong.append(start + np.flatnonzero(bad))
        gaps = gaps.joined(gap, one.size, a.size)
    places = np.concatenate(wrong)
    row.values += one.size
    row.mismatched += places.size
    if places.size:
        row.why.append(f"{_how_many(places, want, got)} ({label})")
    else:
        row.why += _beyond_rounding(row.tolerance, size, gaps, noise, label)


def _beyond_rounding(tolerance: Tolerance, size: float, gaps: Gap, noise: Gap | None, label: str) -> Iterator[str]:
    """Differences that the tolerance lets pass, but that rounding does not make: other weights, other operators."""
    if tolerance.given or noise is None or not tolerance.rounding:
        return
    usual = tolerance.rounding * size
    limits = Gap(max(usual, _ROUNDING * noise.mean), max(5 * usual, _ROUNDING * noise.most))
    if gaps.mean > limits.mean or gaps.most > limits.most:
        times = max(one / limit if limit else 1e9 for one, limit in zip(gaps, limits, strict=True))
        yield f"small differences, but {times:.2g} times what rounding can make ({label})"


def _wide(array: Any) -> str:
    return "complex128" if array.dtype.kind == "c" else "float64"


def _compare_piece(row: _Row, a: Any, b: Any, atol: float) -> tuple[Any, Gap]:
    """Which values differ by too much, and the differences; NaN equals NaN, and infinity the same infinity."""
    import numpy as np

    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(all="ignore"):
        gap, height = np.abs(b - a), np.abs(a)
        wrong = ~(gap <= row.tolerance.rtol * height + atol)
    same = (np.isnan(a) & np.isnan(b)) | (a == b)
    gaps = Gap.of(gap[finite])
    row.max_abs = max(row.max_abs, gaps.most)
    telling = finite & (height > atol)
    if telling.any():
        row.max_rel = max(row.max_rel, float((gap[telling] / height[telling]).max()))
    return np.where(finite, wrong, ~same), gaps


def _how_many(places: Any, want: Any, got: Any) -> str:
    import numpy as np

    first = places[0]
    a, b = want.reshape(-1)[first], got.reshape(-1)[first]
    text = f"{places.size:,} of {want.size:,} values differ, the first is {b:.6g} instead of {a:.6g}"
    if want.ndim >= 1 and want.shape[0] > 1 and want.size:
        items = np.unique(places // (want.size // want.shape[0]))
        if items.size < want.shape[0]:
            text += f"; only in rows {', '.join(map(str, items[:5]))} of {want.shape[0]}"
    if not np.isnan(want).any() and np.isnan(got).any():
        text += "; there is NaN where the reference has numbers"
    return text


def _size(array: Any) -> float:
    """Root of the mean square of the finite values."""
    import numpy as np

    return Gap.of(np.abs(array[np.isfinite(array)].astype(_wide(array)))).mean


def _noise(want: Any, twin: Any) -> Gap | None:
    """The effect that a change in the inputs' last bits has; None where it was not tried."""
    import numpy as np

    if twin is None or np.shape(twin) != want.shape:
        return None
    both = np.isfinite(want) & np.isfinite(twin)
    return Gap.of(np.abs(want[both].astype(_wide(want)) - np.asarray(twin)[both].astype(_wide(want))))


def _atol(tolerance: Tolerance, size: float, noise: Gap | None) -> float | None:
    """The absolute part of the tolerance; None where the reference itself is not steady enough to compare with."""
    if tolerance.given:
        return tolerance.atol
    most = max(tolerance.rtol, tolerance.atol) * size
    if noise is None:
        return min(tolerance.atol * max(1.0, size), most)
    usual = min(tolerance.atol, most)
    return None if noise.most > max(most, usual) else max(usual, min(_CONDITION * noise.most, most))


def _add_exact(row: _Row, label: str, want: Any, got: Any, twin: Any) -> None:
    """Whole numbers, truth values and texts: equal, but for what the precision, or a tie, lets flip."""
    import numpy as np

    differs = want != got
    if twin is not None and np.shape(twin) == want.shape:
        differs &= want == twin
    wrong = np.flatnonzero(differs)
    row.feeds += 1
    row.values += want.size
    row.mismatched += wrong.size
    gap = 0
    if want.dtype.kind in "iu" and wrong.size:
        a, b = (side.reshape(-1)[wrong].astype(np.float64) for side in (want, got))
        gap = int(np.abs(a - b).max())
        row.max_abs = max(row.max_abs, float(gap))
    steps = want.dtype.itemsize == 1 and want.dtype.kind in "iu" and gap <= row.tolerance.step
    if wrong.size and not steps and wrong.size > row.tolerance.flips * want.size:
        a, b = want.reshape(-1)[wrong[0]], got.reshape(-1)[wrong[0]]
        row.why.append(f"{wrong.size:,} of {want.size:,} values differ, the first is {b} instead of {a} ({label})")


def _remember(row: _Row, want: Any) -> None:
    import numpy as np

    flat = want.reshape(-1)
    head = flat[: 1 << 16]
    telling = head[np.isfinite(head)] if head.dtype.kind in "fc" else head
    if not telling.size:
        row.blank.add("NaN or infinite" if head.size else "empty")
        return
    if np.any(telling != telling[0]):
        row.varies = True
    else:
        row.blank.add(f"{telling[0]!s} everywhere")
        row.varies = row.varies or any(each[0] != telling[0] for each in row.seen)
    row.seen = [*row.seen[-2:], telling]


def _constant(rows: Iterable[_Row], feeds: int) -> Iterator[str]:
    """Outputs that prove little."""
    for row in rows:
        if not row.varies and row.blank and not row.why:
            what = ", ".join(sorted(row.blank))
            yield f"{row.name} is {what} on both sides: a comparison of constant outputs proves little"
        elif not row.why and len(row.seen) > 1 and feeds > 1 and _unmoved(row.seen):
            yield f"{row.name} is the same for every feed"
        if "NaN or infinite" in row.blank and row.varies:
            yield f"{row.name} holds only NaN or infinity for some feeds, on both sides at the same places"


def _unmoved(seen: Sequence[Any]) -> bool:
    import numpy as np

    return all(each.shape == seen[0].shape and np.array_equal(each, seen[0]) for each in seen[1:])
