"""What changed since the last good build, as a record and as one sentence."""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from triage.diagnose.baseline import NewLine
from triage.environment.compare import Change, rank
from triage.environment.versions import short

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAMES = {
    "tensorrt": "TensorRT", "onnxruntime": "ONNX Runtime", "torch": "PyTorch", "onnx": "ONNX", "driver": "driver",
    "cuda": "CUDA", "cudnn": "cuDNN", "python": "Python", "numpy": "NumPy", "transformers": "Transformers",
    "tensorrt-llm": "TensorRT-LLM", "vllm": "vLLM", "peft": "PEFT", "polygraphy": "Polygraphy",
}  # fmt: skip
_FAMILIES = ("tensorrt-llm", "tensorrt", "onnxruntime")  # tensorrt-cu12-libs is TensorRT to its users


class Changes(NamedTuple):
    """A failed build against the last good one of the same kind.

    ``baseline`` is the good build's id, ``what`` says what it was (model, stage,
    target); both times are aware. The three lists have the most telling first.
    """

    baseline: str
    what: str
    worked: datetime
    failed: datetime
    new_lines: tuple[NewLine, ...] = ()
    environment: tuple[Change, ...] = ()
    parameters: tuple[Change, ...] = ()


def sentence(changes: Changes, today: date | None = None) -> str:
    """What changed in one sentence, such as "Worked with TensorRT 10.3 on Monday 16 Nov, fails with 10.7 today".

    Names the one or two most telling differences. Days are those of ``failed``'s time
    zone; ``today`` is the reader's day, default the day of the failure.
    """
    told = _most_telling(changes)
    failed = changes.failed
    worked = changes.worked.astimezone(failed.tzinfo)
    now = today or failed.date()
    if worked.date() == failed.date():
        before, after = f"at {worked:%H:%M}", f"at {failed:%H:%M}"
        after += "" if failed.date() == now else f" on {_day(failed.date(), now)}"
    else:
        before, after = (_when(moment.date(), now) for moment in (worked, failed))
    if not told:
        known = "no difference in packages, driver, GPU, flags, models or revision is known"
        return f"Worked {before}, fails {after}; {known}."
    old = _joined([_said(change, change.before, full=True) for change in told])
    new = _joined([_said(change, change.after, full=len(told) > 1) for change in told])
    return f"Worked {old} {before}, fails {new} {after}."


def _joined(said: list[str]) -> str:
    """``with A and B`` rather than ``with A and with B``."""
    same = all(text.startswith("with ") for text in said)
    return " and ".join(text.removeprefix("with ") if same and place else text for place, text in enumerate(said))


def _most_telling(changes: Changes) -> list[Change]:
    """The first change, and the next one that is of another family and nearly as telling."""
    told: list[Change] = []
    for change in sorted((*changes.environment, *changes.parameters), key=rank):
        if change.kind in ("platform", "environment variable", "revision") and told:
            break
        if _name(change) not in map(_name, told):
            told.append(change)
        if len(told) == 2:
            break
    return told


def _name(change: Change) -> str:
    family = next((name for name in _FAMILIES if (change.name + "-").startswith(name + "-")), change.name)
    return _NAMES.get(family, change.name) if change.kind != "flag" else change.name


def _said(change: Change, value: str | None, *, full: bool) -> str:
    """``with TensorRT 10.3``; not ``full``: the name was said already."""
    special = {
        "flag": _flag, "shape": _flag, "model": _file, "script": _file, "revision": _revision, "gpu": _place,
        "container": _place,
    }.get(change.kind)  # fmt: skip
    if special:
        return special(change, value)
    name = _name(change)
    if value is None:
        return f"without {name if full or change.before is None else 'it'}"
    if change.kind == "environment variable":
        return f"with {change.name}={value[:80]}"
    if change.before and change.after and change.direction:
        value = short(change.before, change.after)[value == change.after]
    return f"with {name} {value}" if full or change.before is None else f"with {value}"


def _revision(change: Change, value: str | None) -> str:
    if value is None:
        return f"without a known {change.name}"
    said = {"commit": f"at commit {value}", "branch": f"on branch {value}", "working folder": f"with {value}"}
    return said.get(change.name, f"from {value}")


def _place(change: Change, value: str | None) -> str:
    if value is None:
        return f"without a {change.kind.replace('gpu', 'GPU')}"
    return f"on {value}" if change.kind == "gpu" else f"in {value}"


def _flag(change: Change, value: str | None) -> str:
    name, _, part = change.name.partition(" ")
    name = ("--" if len(name) > 1 else "-") + name
    if value is None:
        return f"without {name}" + (f" for {part}" if part else "")
    value = value[:80]
    return f"with {name}={part}:{value}" if part else f"with {name}={value}" if value else f"with {name}"


def _file(change: Change, value: str | None) -> str:
    if value is None:
        return f"without {change.name}"
    if change.before is None or change.after is None:
        return f"with {change.name}"
    return f"with {'the former' if value == change.before else 'another'} {change.name}"


def _when(day: date, now: date) -> str:
    if day == now:
        return "today"
    return "yesterday" if (now - day).days == 1 else f"on {_day(day, now)}"


def _day(day: date, now: date) -> str:
    year = "" if day.year == now.year else f" {day.year}"
    return f"{_WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}{year}"
