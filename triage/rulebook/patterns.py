"""How a pattern that a person wrote becomes something to scan with.

Three forms of one pattern:

- *written*: RE2 syntax, in a rule or format file;
- *line pattern*: quotes widened (a message may be quoted or escaped by the tool
  that repeats it), compiled with RE2 for one line, which gives the captures;
- *literals*: fixed words of which at least one stands in every match. All
  literals of all patterns make the one Hyperscan database that reads the log;
  the line pattern is tried only where one of its literals was seen.

Every engine used here runs in time linear in the text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from triage.linear import Program

SHORTEST_LITERAL = 3
SHORTEST_SIDE_LITERAL = 2
LONGEST_LITERAL = 32
_QUOTE = r"""\\{0,2}(?:["'`]|\xe2\x80[\x98\x99\x9c\x9d])"""
_GROUP_NAME = re.compile(r"\(\?P<\w+>")
_LONG_HOLE = re.compile(r"(\[\^(?!\\n\])[^\]]+\]|\\[Sw]|\[\\w[^\]]*\])\{([01]),\d{3,}\}")
_LAST_HOLE = re.compile(r"(?<!\\)(?:\+|\{1,\d+\})\??(\)*)$")
_PLAIN = re.compile(r"[^\w\s]+|\s+")
# words that stand in ordinary lines: a literal made of them alone is a poor anchor
_COMMON_WORDS = """
    error errors failed failure warning tensor model input output inputs outputs layer node the for not and with
    from this that type name shape could found file while onnx version value invalid unsupported supported
    expected runtime python torch tensorrt cuda loading onnxruntime transformers site packages lib llama plugin
    creator engine build building builder library memory device gpu cpu profile kernel format config configuration
    server backend available size dimensions dimension than more nvinfer resource timing cache serialization opset
    producer libnvinfer optimization retrieve providers provider load in of to is a an be by or on at must has
"""
_COMMON = re.compile(r"(?i)\b(?:" + "|".join(_COMMON_WORDS.split()) + r")\b")


class Literals(NamedTuple):
    """Words of which at least one stands in every match."""

    words: tuple[str, ...]
    caseless: bool

    def score(self) -> float:
        """Longer and rarer is better; many alternatives are worse."""
        worth = min(_worth(word) for word in self.words)
        return worth - 0.4 * (len(self.words) - 1) - (2.0 if self.caseless else 0.0)


def _worth(word: str) -> float:
    rare = _COMMON.sub("", word)
    rare = _PLAIN.sub("", rare)
    return min(len(word), LONGEST_LITERAL) * 0.5 + min(len(rare), 16) * 1.5


@cache
def widen_quotes(pattern: str) -> str:
    """Makes every quote outside a character class match any quote, escaped or not."""
    return "".join(_QUOTE if part in "\"'`" else part for part in _tokens(pattern))


def _tokens(pattern: str) -> Iterator[str]:
    """A pattern as single characters, escapes and whole character classes."""
    index = 0
    while index < len(pattern):
        end = index + 1
        if pattern[index] == "\\":
            end = index + 2
        elif pattern[index] == "[":
            end = _class_end(pattern, index)
        yield pattern[index:end]
        index = end


def _class_end(pattern: str, start: int) -> int:
    index = start + 1
    if pattern[index : index + 1] == "^":
        index += 1
    if pattern[index : index + 1] == "]":
        index += 1
    while index < len(pattern) and pattern[index] != "]":
        index += 2 if pattern[index] == "\\" else 1
    return index + 1


@cache
def compile_line(pattern: str) -> Program:
    """RE2 program for one line of bytes; raises ValueError with RE2's reason."""
    return Program(line_source(pattern))


def line_source(pattern: str) -> bytes:
    """The bytes handed to RE2: quotes widened, ``^`` and ``$`` at line ends.

    A hole counted up to a hundred or more is opened where its own class ends it: RE2
    would write it out a hundred times, which costs more than the whole diagnosis.
    """
    return b"(?m)" + _LONG_HOLE.sub(_opened, widen_quotes(pattern)).encode()


def _opened(match: re.Match[str]) -> str:
    return match[1] + ("+" if match[2] == "1" else "*")


@cache
def literals_of(pattern: str, shortest: int = SHORTEST_LITERAL) -> Literals:
    """The best literals of a pattern; raises ValueError where all are shorter than ``shortest``."""
    found = [c for c in _all_literals(pattern) if _usable(c, shortest)]
    if not found:
        raise ValueError(
            f"no fixed word of {shortest} letters or more stands in every match; add words that the tool always prints"
        )
    best = max(found, key=Literals.score)
    words = tuple(dict.fromkeys(word[:LONGEST_LITERAL] for word in best.words))
    return Literals(words, best.caseless)


@cache
def _all_literals(pattern: str) -> tuple[Literals, ...]:
    """Every set of words of which one stands in each match; raises ValueError for what is no pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from re import _parser  # type: ignore[attr-defined]

        try:
            tree = _parser.parse(widen_quotes(pattern))
        except re.error as fault:
            raise ValueError(str(fault)) from None
    return tuple(_candidates(list(tree), bool(tree.state.flags & re.IGNORECASE)))


def scan_source(pattern: str) -> str:
    """The pattern as Hyperscan takes it: no group names, no anchors (a wrapper may stand before).

    A hole at the end is cut to its first letter: Hyperscan reports every end of a match.
    """
    source = _GROUP_NAME.sub("(?:", widen_quotes(pattern))
    free = "".join(part for part in _tokens(source) if part not in ("^", "$"))
    return _LAST_HOLE.sub(r"\1", free)


def _usable(candidate: Literals, shortest: int = 1) -> bool:
    return bool(candidate.words) and all(len(w.strip()) >= shortest for w in candidate.words)


def _candidates(items: Iterable[Any], caseless: bool) -> list[Literals]:
    """Literal sets of a concatenation: each run of letters, and each branch."""
    found: list[Literals] = []
    run: list[str] = []

    def flush() -> None:
        if run:
            found.append(Literals(("".join(run),), caseless))
            run.clear()

    for op, argument in items:
        name = str(op)
        if name == "LITERAL":
            run.append(chr(argument))
            continue
        if name == "SUBPATTERN" and _is_plain(argument):
            run.extend(chr(value) for _, value in argument[3])
            continue
        whole = _alternatives(name, argument)
        if whole:
            found.append(Literals(tuple("".join(run) + word for word in whole), caseless))
        flush()
        found.extend(_nested(name, argument, caseless))
    flush()
    return found


def _alternatives(name: str, argument: Any) -> list[str]:
    """The words of ``(a|b|c)`` where every alternative is fixed, else nothing."""
    if name == "SUBPATTERN" and not argument[1] and not argument[2] and len(argument[3]) == 1:
        inner, value = argument[3][0]
        return _alternatives(str(inner), value)
    if name != "BRANCH" or not all(str(op) == "LITERAL" for branch in argument[1] for op, _ in branch):
        return []
    return ["".join(chr(value) for _, value in branch) for branch in argument[1]]


def _is_plain(argument: Any) -> bool:
    return not argument[1] and not argument[2] and all(str(op) == "LITERAL" for op, _ in argument[3])


def _nested(name: str, argument: Any, caseless: bool) -> list[Literals]:
    if name == "SUBPATTERN":
        added, removed, inner = argument[1], argument[2], argument[3]
        folded = (caseless or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        return _candidates(inner, folded)
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"} and argument[0] >= 1:
        return _candidates(argument[2], caseless)
    if name == "BRANCH":
        return _branch(argument[1], caseless)
    return []


def _branch(branches: Sequence[Any], caseless: bool) -> list[Literals]:
    words: list[str] = []
    folded = caseless
    for branch in branches:
        options = [c for c in _candidates(branch, caseless) if _usable(c)]
        if not options:
            return []
        best = max(options, key=Literals.score)
        words.extend(best.words)
        folded = folded or best.caseless
    return [Literals(tuple(words), folded)]
