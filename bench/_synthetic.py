"""Incidents at scale, made from the real messages of rules and fixtures.

A failure is a real line whose operator, names and clauses were changed so that its
signature is its own. An incident is a failure as some build told it: other paths,
shapes, names, versions. A twin tells a failure in slightly other words. All is a
function of the seed and a number, so that the same call gives the same rows.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from bench import _words as words
from triage.signature import sign

ROOT = Path(__file__).resolve().parent.parent
HOLE = re.compile(r"<([a-z]+)>")
OPERATOR = re.compile(r"\b(?:" + "|".join(words.OPERATORS) + r")\b")
IDENTIFIER = re.compile(r"(?<!['\"\w/.<])[a-z]+(?:_[a-z]+)+(?!['\"\w/.])")
START = 1_760_000_000  # seconds since 1970: the first incident
_MASK = (1 << 64) - 1


class Sample(NamedTuple):
    """A real decisive line with its labels."""

    tool: str
    stage: str
    cause: str
    line: str


class Failure(NamedTuple):
    """One signature: ``sample`` says which real line it was made from."""

    number: int
    sample: int
    tool: str
    stage: str
    cause: str
    hash: str
    text: str
    line: str
    kept: dict[str, list[str]]


class Row(NamedTuple):
    """One incident as an archive files it; ``when`` is in seconds since 1970."""

    failure: int
    tool: str
    tool_version: str
    stage: str
    model: str
    precision: str
    engine_version: str
    cause: str
    hash: str
    text: str
    line: str
    host: str
    ci: str
    repository: str
    branch: str
    commit: str
    run: str
    when: int


class Twin(NamedTuple):
    """A new log's line that tells an archived failure; ``text`` is its template.

    ``renamed``: a name that no mask hides is another one, so every failure made from
    the same ``sample`` is as good a twin.
    """

    failure: int
    sample: int
    tool: str
    text: str
    line: str
    renamed: bool


class Dice:
    """A cheap stream of numbers from a seed and a place (splitmix64)."""

    def __init__(self, seed: int, place: int) -> None:
        self.state = (seed * 0x9E3779B97F4A7C15 + place * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & _MASK

    def below(self, limit: int) -> int:
        """A number in 0 … limit - 1."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        value = self.state
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
        return (value ^ (value >> 31)) % limit

    def one(self, options: tuple[str, ...]) -> str:
        """One of the options."""
        return options[self.below(len(options))]


@cache
def samples() -> tuple[Sample, ...]:
    """Every distinct failure line of rules/ and fixtures/."""
    found: dict[tuple[str, str], Sample] = {}
    for sample in (*_of_rules(), *_of_fixtures()):
        signature = sign(sample.tool, sample.stage, sample.line)
        if 20 <= len(signature.template) < 400:
            found.setdefault((sample.tool, signature.template.lower()), sample)
    return tuple(found.values())


def _of_rules() -> Iterator[Sample]:
    for path in sorted((ROOT / "rules").rglob("*.yaml")):
        rule = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        if rule.get("cause") and rule.get("says", "cause") in ("cause", "end", "hint"):
            for hit in rule["hits"]:
                text = hit if isinstance(hit, str) else hit["text"]
                yield Sample(rule["tool"], rule.get("stage", "build"), rule["cause"], text.strip().split("\n")[0])


def _of_fixtures() -> Iterator[Sample]:
    for path in sorted((ROOT / "fixtures" / "logs").glob("*/expect.yaml")):
        expect = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        if expect["causes"][0] != "no-failure" and expect.get("evidence"):
            lines = (path.parent / "log.txt").read_text("utf-8", "replace").split("\n")
            line = lines[expect["evidence"][0] - 1].strip()
            yield Sample(expect.get("tool") or "other", expect.get("stage") or "build", expect["causes"][0], line)


def make(place: int, seed: int = 0) -> Failure:
    """The failure at a place; the first round of places are the real lines themselves."""
    known = samples()
    number, variant = place % len(known), place // len(known)
    sample = known[number]
    line = sample.line if not variant else _varied(sample.line, Dice(seed, place))
    signature = sign(sample.tool, sample.stage, line)
    return Failure(
        place, number, sample.tool, sample.stage, sample.cause,
        signature.hash, signature.template, line, dict(signature.kept),
    )  # fmt: skip


def _varied(line: str, dice: Dice) -> str:
    """Another failure of the same kind: other operator, other names, another clause."""
    line = OPERATOR.sub(lambda _: dice.one(words.OPERATORS), line, count=1)
    line = IDENTIFIER.sub(lambda _: _identifier(dice), line, count=1)
    chosen = dice.below(8)
    if chosen < 3:
        line = f"{line} {dice.one(words.WHERE).format(_identifier(dice))}"
    elif chosen < 5:
        line = f"{line} {dice.one(words.CLAUSES)} {dice.one(words.WHERE).format(_identifier(dice))}"
    elif chosen < 6:
        line = f"{dice.one(words.OUTER).format(_identifier(dice))}: {line}"
    elif chosen < 7:
        line = _inserted(line, dice.one(words.WHERE).format(_identifier(dice)), dice)
    else:
        line = f"{_inserted(line, dice.one(words.CLAUSES), dice)} ({dice.one(words.OPERATORS)} of {_identifier(dice)})"
    return line


def _identifier(dice: Dice) -> str:
    """A name that no mask hides: ``decoder_cross_attn_q_proj``."""
    parts = [dice.one(words.BLOCKS), dice.one(words.LAYERS), dice.one(words.ENDS)]
    return "_".join(parts if dice.below(4) else parts[1:])


def _inserted(line: str, clause: str, dice: Dice) -> str:
    pieces = line.split(" ")
    at = 1 + dice.below(len(pieces))
    return " ".join([*pieces[:at], clause, *pieces[at:]])


def distinct(count: int, seed: int = 0) -> Iterator[Failure]:
    """``count`` failures of which no two have one signature."""
    seen: set[str] = set()
    place = 0
    while len(seen) < count:
        failure = make(place, seed)
        place += 1
        if failure.hash not in seen:
            seen.add(failure.hash)
            yield failure


def refilled(failure: Failure, dice: Dice) -> str:
    """The failure with other paths, shapes, names, versions; always the same signature."""
    counts: dict[str, int] = {}

    def value(match: re.Match[str]) -> str:
        kind = match[1]
        at = counts[kind] = counts.get(kind, -1) + 1
        options = words.VALUES.get(kind)
        old = failure.kept.get(kind, ())
        if options and dice.below(4):
            return dice.one(options)
        return old[at] if at < len(old) else match[0]

    line = HOLE.sub(value, failure.text)
    return line if sign(failure.tool, None, line).hash == failure.hash else failure.line


def incidents(count: int, signatures: int, seed: int = 0) -> Iterator[Row]:
    """``count`` incidents over ``signatures`` failures; few failures have most incidents, each has one."""
    every = max(1, count // signatures)
    places = array("Q")
    failures = distinct(signatures, seed)
    for number in range(count):
        dice = Dice(seed + 1, number)
        if number % every == 0 and len(places) < signatures:
            failure = next(failures)
            places.append(failure.number)
        else:
            share = dice.below(1 << 30) / (1 << 30)
            failure = make(places[int(len(places) * share**3)], seed)
        yield _row(failure, number, dice)


def _row(failure: Failure, number: int, dice: Dice) -> Row:
    commit = f"{dice.below(1 << 62):040x}"
    repository = dice.one(words.REPOSITORIES)
    return Row(
        failure.number, failure.tool, dice.one(words.VERSIONS), failure.stage,
        f"{dice.one(words.MODELS)}.onnx", dice.one(words.PRECISIONS), dice.one(words.VERSIONS), failure.cause,
        failure.hash, failure.text, refilled(failure, dice), f"gpu-{dice.below(64):02}", dice.one(words.CI),
        repository, dice.one(words.BRANCHES), commit,
        f"https://ci.example.org/{repository}/runs/{number}", START + number * 30 + dice.below(30),
    )  # fmt: skip


def twins(places: Sequence[int], count: int, seed: int = 0) -> Iterator[Twin]:
    """``count`` new logs' lines: archived failures with other values and in slightly other words."""
    number = 0
    while count:
        dice = Dice(seed + 2, number)
        number += 1
        failure = make(places[dice.below(len(places))], seed)
        line = _reworded(refilled(failure, dice), dice)
        renamed = not dice.below(4) and bool(IDENTIFIER.search(line))
        if renamed:
            line = IDENTIFIER.sub(lambda _, dice=dice: _identifier(dice), line)
        signature = sign(failure.tool, None, line)
        if signature.hash != failure.hash:
            count -= 1
            yield Twin(failure.number, failure.sample, failure.tool, signature.template, line, renamed)


def _reworded(line: str, dice: Dice) -> str:
    """One to three small changes of wording, as another version or caller of the tool makes them."""
    for _ in range(1 + dice.below(3)):
        chosen = dice.below(4)
        if chosen == 0:
            line = f"{dice.one(words.PREFIXES)}{line}"
        elif chosen == 1:
            line = _inserted(line, dice.one(words.FILLERS), dice)
        elif chosen == 2:
            pieces = line.split(" ")
            if len(pieces) > 4:
                del pieces[dice.below(len(pieces))]
            line = " ".join(pieces)
        else:
            for old, new in words.SYNONYMS[dice.below(len(words.SYNONYMS)) :] + words.SYNONYMS:
                if old in line:
                    line = line.replace(old, new, 1)
                    break
    return line
