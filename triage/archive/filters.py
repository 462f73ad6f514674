r"""The filter syntax that every face shares: text -> Filter -> the same text again. Pure.

::

    cause:a,b model:bert* version:>=10 since:7d "optimization profile" -branch:main

Terms are joined by AND. The same key twice, and a comma inside a value, mean OR; ``-`` negates.
``key:none`` asks for what is empty (``version:none`` for one without a number too), ``*`` stands for
any letters. Quotes hold a value together and
take the meaning out of all signs in it; inside them ``\"`` is a quote and ``\\`` a backslash.
What has no key is searched in the text: a word, a phrase in quotes, ``begin*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from triage.archive import states
from triage.archive.filter_values import UNIT_NAMES, span_of, version_span
from triage.archive.words import LONGEST, words
from triage.errors import UnknownName, UsageError

TEXT = "text"
STATES = tuple(states.STATES)
VERDICTS = ("named", "likely", "unknown")
OPEN = ("model", "host", "branch", "repo", "source", "owner", "component", "ci")
EXACT = ("cause", "tool", "stage", "precision", "rule", "signature", "commit", "group", "id", "confirmed")
FIXED = {"state": STATES, "verdict": VERDICTS}
VERSIONS = ("version", "engine")
TIMES = ("since", "until")
KEYS = (*OPEN, *EXACT, *FIXED, *VERSIONS, *TIMES)
NEVER_EMPTY = ("cause", "tool", "state", "verdict", "signature", "group", "id", "source", *TIMES)
_ALIASES = {"repository": "repo"}
_KEY = re.compile(r"[a-z][a-z_-]*", re.IGNORECASE)
_OPERATORS = (">=", "<=", ">", "<")
_SIGNS = re.compile(r'[\s",*\\<>]|\.\.')

_Sign = tuple[str, bool]  # a letter, and whether it stood in quotes


class Value(NamedTuple):
    """One value of a term.

    ``op`` is ``is``, ``none``, ``like`` (``parts`` with any letters between them), ``>=`` ``>`` ``<=`` ``<``,
    or ``..`` (``parts`` are both ends); of free text ``is`` (a phrase) or ``begins`` (its last word goes on).
    """

    op: str
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The first part; the whole value where there is one."""
        return self.parts[0] if self.parts else ""


class Term(NamedTuple):
    """A key with the values of which one must fit, or none where ``negated``."""

    key: str
    values: tuple[Value, ...]
    negated: bool = False


class Filter(NamedTuple):
    """Terms that must all hold. Printed by ``written``."""

    terms: tuple[Term, ...] = ()


def parse(text: str, now: datetime | None = None) -> Filter:
    """Reads a filter.

    Args:
        text: terms with blanks between them.
        now: what ``since:7d`` counts from when the values are checked; the present moment.

    Raises:
        UnknownName: a key, state or verdict that does not exist; proposes one.
        UsageError: a quote, number, version or time that cannot be read; says which term and what to write.
    """
    if "\0" in text or not _is_text(text):
        raise UsageError(f"the filter {ascii(text)[:60]} holds a sign that no text has (NUL, or half of a letter).")
    found: dict[tuple[str, bool, int], Term] = {}
    for raw, signs in _tokens(text):
        term = _term(raw, signs, now)
        # every piece of text must be there; of one key's values one suffices
        place = (term.key, term.negated, len(found) if term.key == TEXT else -1)
        before = found[place].values if place in found else ()
        found[place] = term._replace(values=tuple(dict.fromkeys((*before, *term.values))))
    return Filter(tuple(dict.fromkeys(found.values())))


def parse_arguments(arguments: Iterable[str], now: datetime | None = None) -> Filter:
    """Reads a filter from a command's arguments, whose quotes the shell has taken off.

    An argument with blanks is one term (``"free text"``, ``"source:my build.log"``) unless it holds
    quotes or a second key; then it is read as a line of terms. Raises as ``parse``.
    """
    return parse(" ".join(_requoted(argument.strip()) for argument in arguments), now)


def written(chosen: Filter) -> str:
    """The canonical text of a filter; ``parse`` gives the same filter for it."""
    return " ".join(_written_term(term) for term in chosen.terms)


def with_term(chosen: Filter, key: str, value: str) -> Filter:
    """The filter with one more term, as a face adds when a count is picked."""
    return parse(f"{written(chosen)} {key}:{_quoted(value) if value != 'none' else value}")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _requoted(argument: str) -> str:
    pieces = argument.split()
    if len(pieces) < 2 or '"' in argument or any(_key_of(piece) in KEYS for piece in pieces[1:]):
        return argument
    dash = "-" if argument.startswith("-") else ""
    key = _key_of(argument)
    lead = f"{dash}{argument.removeprefix('-').partition(':')[0]}:" if key in KEYS else dash
    value = argument[len(lead) :].strip()
    if value.endswith("*") and "*" not in value[:-1]:
        return f"{lead}{_quoted(value[:-1])}*"
    return f"{lead}{_quoted(value)}"


def _key_of(piece: str) -> str | None:
    head, colon, _ = piece.removeprefix("-").partition(":")
    return _ALIASES.get(head.lower(), head.lower()) if colon and _KEY.fullmatch(head) else None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _tokens(text: str) -> list[tuple[str, list[_Sign]]]:
    """Pieces between blanks, each as it was typed and as signs that know whether they were quoted."""
    found: list[tuple[str, list[_Sign]]] = []
    signs: list[_Sign] = []
    start, at, inside = 0, 0, False
    while at < len(text):
        sign, follows = text[at], text[at + 1 : at + 2]
        step = 1
        if sign.isspace() and not inside:
            if signs:
                found.append((text[start:at], signs))
            signs, start = [], at + 1
        elif sign == "\\" and (follows == '"' or (inside and follows == "\\")):
            signs.append((follows, True))
            step = 2
        elif sign == '"':
            inside = not inside
            signs.append(("", True))  # so that "" is a piece too
        else:
            signs.append((sign, inside))
        at += step
    if inside:
        raise UsageError(f'{text[start:][:60]!r}: a quote is not closed. Write "two words", or \\" for a quote itself.')
    if signs:
        found.append((text[start:], signs))
    return found


def _term(raw: str, signs: list[_Sign], now: datetime | None) -> Term:
    negated = len(signs) > 1 and signs[0] == ("-", False)
    if negated:
        signs = signs[1:]
    colon = signs.index((":", False)) if (":", False) in signs else 0
    head = "".join(sign for sign, quoted in signs[:colon] if not quoted)
    if not colon or not _KEY.fullmatch(head) or len(head) != colon:
        return Term(TEXT, (_text(raw, signs),), negated)
    key = _ALIASES.get(head.lower(), head.lower())
    if key not in KEYS:
        raise _unknown_key(head, raw)
    values = tuple(_value(key, raw, part, now) for part in _split(signs[colon + 1 :], ","))
    return Term(key, values, negated)


def _unknown_key(head: str, raw: str) -> UnknownName:
    fault = UnknownName("filter key", head.lower(), (*KEYS, *_ALIASES))
    hint = f" To look for it as text, write it in quotes: {_quoted(raw.removeprefix('-')[:80])}"
    fault.args = (f"{fault}{hint}",)
    return fault


def _text(raw: str, signs: list[_Sign]) -> Value:
    goes_on = signs[-1] == ("*", False)
    found = words(_plain(signs))
    if not found:
        raise UsageError(f"{raw[:60]!r} holds no letter or digit to look for. Write a word, or key:value.")
    if len(found) >= LONGEST:
        raise UsageError(f"{raw[:60]!r}… is too long to look for: {LONGEST:,} letters at most.")
    return Value("begins" if goes_on else "is", (found,))


def _plain(signs: Sequence[_Sign]) -> str:
    return "".join(sign for sign, _ in signs)


def _split(signs: Sequence[_Sign], at: str) -> list[list[_Sign]]:
    parts: list[list[_Sign]] = [[]]
    for sign in signs:
        if sign == (at, False):
            parts.append([])
        else:
            parts[-1].append(sign)
    return parts


def _value(key: str, raw: str, signs: list[_Sign], now: datetime | None) -> Value:
    text = _plain(signs)
    bare = not any(quoted for _, quoted in signs)
    if not text.strip():
        empty = "" if key in NEVER_EMPTY else f" To find where it is empty, write {key}:none."
        raise UsageError(f"{raw[:60]!r}: a value is missing. Write {key}:{_EXAMPLES.get(key, 'value')}.{empty}")
    if bare and text.lower() == "none":
        if key in NEVER_EMPTY:
            raise UsageError(f"{raw[:60]!r}: {key} is never empty. Write {key}:{_EXAMPLES.get(key, 'value')}.")
        return Value("none", ())
    if key in TIMES:
        span_of(text, now)
        return Value("is", (text.lower() if text.lower() in UNIT_NAMES else text,))
    if key in VERSIONS:
        return _version(key, raw, text)
    if key in FIXED:
        if text.lower() not in FIXED[key]:
            raise UnknownName(key, text.lower(), FIXED[key])
        return Value("is", (text.lower(),))
    parts = tuple(_plain(part) for part in _split(signs, "*"))
    if key in EXACT:
        parts = tuple(part.lower() for part in parts)
    return Value("like" if len(parts) > 1 else "is", parts)


def _version(key: str, raw: str, text: str) -> Value:
    op = next((op for op in _OPERATORS if text.startswith(op)), "")
    low, dots, high = text.partition("..")
    if dots and not op:
        value = Value("..", (low.strip(), high.strip()))
    else:
        value = Value(op or "is", (text[len(op) :].strip().removesuffix(".*"),))
    spans = [version_span(part, f"{raw[:60]!r}", key) for part in value.parts]
    if value.op == ".." and spans[0].low > spans[1].low:
        raise UsageError(f"{raw[:60]!r}: the range ends before it begins. Write {key}:{value.parts[1]}..{value.text}.")
    return value


def _written_term(term: Term) -> str:
    dash = "-" if term.negated else ""
    if term.key == TEXT:
        value = term.values[0]
        shown = _quoted(value.text) if " " in value.text else value.text
        return f"{dash}{shown}{'*' if value.op == 'begins' else ''}"
    return f"{dash}{term.key}:" + ",".join(_written_value(term.key, value) for value in term.values)


def _written_value(key: str, value: Value) -> str:
    if value.op == "none":
        return "none"
    if key in VERSIONS:
        return "..".join(value.parts) if value.op == ".." else f"{'' if value.op == 'is' else value.op}{value.text}"
    if value.op == "is" and value.text.lower() == "none":
        return _quoted(value.text)
    return "*".join(_quoted(part) if _SIGNS.search(part) else part for part in value.parts)


_EXAMPLES = {
    "cause": "profile-missing",
    "tool": "tensorrt",
    "state": "|".join(STATES),
    "verdict": "|".join(VERDICTS),
    "version": ">=10",
    "engine": "10.3",
    "since": "7d",
    "until": "2026-11-01",
    "confirmed": "yes",
    "model": "bert",
    "group": "g-7c2mzzq41xpa",
    "id": "i-4kq2m7x2ab3c",
}
