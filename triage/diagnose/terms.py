"""What a hole is called in a report: the field's term for what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from triage.diagnose.parts import NOUNS, Part

# words that give a value its part in the sentence
_ROLES = {
    "expected": "expected", "expects": "expected", "expect": "expected", "expecting": "expected",
    "got": "got", "actual": "got", "received": "got", "given": "got", "found": "found",
    "required": "wanted", "requires": "wanted", "require": "wanted", "needs": "wanted", "least": "wanted",
    "minimum": "wanted", "limit": "limit", "maximum": "limit", "max": "limit", "exceeds": "limit", "exceed": "limit",
    "than": "limit",
}  # fmt: skip
_COUNTED = {
    "opset": "opset", "version": "version", "profile": "profile", "device": "device", "gpu": "device",
    "axis": "axis", "dim": "axis", "dimension": "axis", "index": "index", "input": "index", "output": "index",
    "position": "index", "code": "code", "status": "code", "signal": "code", "exit": "code", "error": "code",
    "size": "size", "bytes": "size", "memory": "size", "line": "line", "rank": "rank", "ir": "version",
}  # fmt: skip
_WORDS_PASSED = "name named called with is of the a an was are id and for in on at as by"
_PASSED = frozenset(_WORDS_PASSED.split())
_BY_KIND = {
    "path": "path", "file": "path", "url": "url", "shape": "shape", "dtype": "dtype", "size": "size",
    "scoped": "node", "numbered": "node", "name": "name", "identifier": "name", "item": "name", "version": "version",
}  # fmt: skip
_TYPED = {"node": "op", "op": "op", "operator": "op", "layer": "layer", "model": "model", "pre-tokenizer": "name"}
_PLACES = frozenset({"path", "file", "url"})
_MAY_BE_PATHS = frozenset({"model", "library", "plugin", "package", "node", "layer", "tensor", "input", "output", "op"})
_UNNAMED = frozenset({"secret", "time", "uuid", "hash", "address", "ip", "email", "source", "duration"})
_REACH = 3
# what the user brings: such a value never becomes a fixed word of a pattern
USERS = frozenset({"model", "path", "url", "device", "version", "size", "shape"})


def term_of(parts: Sequence[Part], index: int) -> str | None:
    """The term for the hole at a place; None where it is not worth a capture."""
    part = parts[index]
    if part.literal or part.kind in _UNNAMED or (part.kind == "gap" and any(" " in v for v in part.values)):
        return None
    if part.kind == "dtype":
        return next((_ROLES[word] for word in _words_before(parts, index) if word in _ROLES), "dtype")
    if _leads(parts, index):
        return None
    return "op" if _is_called(parts, index) else _by_words(parts, index)


def _by_words(parts: Sequence[Part], index: int) -> str | None:
    """The term that the words around the hole give, else that of its kind."""
    part = parts[index]
    counted = part.kind in {"number", "version"} or all(v.lstrip("-").isdigit() for v in part.values)
    nouns = _COUNTED if counted else NOUNS
    before = list(_words_before(parts, index))
    for place, word in enumerate(before):
        if word in _ROLES:
            return _ROLES[word]
        if word == "type" and before[place + 1 : place + 2] and before[place + 1] in _TYPED:
            return _TYPED[before[place + 1]]
        if word in nouns:
            return _fitting(nouns[word], part)
    following = _word_after(parts, index)
    if following in nouns and (not counted or following == "bytes"):
        return _fitting(nouns[following], part)
    if part.text.endswith("ExecutionProvider"):
        return "provider"
    return "name" if part.kind == "gap" and not counted else _BY_KIND.get(part.kind)


def _leads(parts: Sequence[Part], index: int) -> bool:
    """``: NAME: message``: the name of a function in front of its message."""
    if not 0 < index < len(parts) - 2 or parts[index].kind not in {"identifier", "gap"}:
        return False
    return parts[index - 1].text == ":" and parts[index + 1].text == ":" and max(parts[index + 2].blanks) > 0


def _is_called(parts: Sequence[Part], index: int) -> bool:
    """``ArgMax(13)``: an operator with its version."""
    behind = [part.text for part in parts[index + 1 : index + 4 : 2]]
    return (
        behind == ["(", ")"]
        and parts[index + 2].kind == "number"
        and parts[index].kind in {"identifier", "item"}
        and parts[index].text[:1].isupper()
    )


def _fitting(term: str, part: Part) -> str:
    """A file stays a path, unless the noun says what it is; names of nodes look like paths too."""
    if part.kind in _PLACES and term not in _MAY_BE_PATHS:
        return _BY_KIND[part.kind]
    return "shape" if part.kind == "shape" else term


def _words_before(parts: Sequence[Part], index: int) -> Iterator[str]:
    """Words that may speak of the hole, nearest first; another hole or a comma ends the search."""
    seen = 0
    for back in range(index - 1, -1, -1):
        part = parts[back]
        if part.kind == "word":
            word = part.text.lower()
            if word not in _PASSED:
                seen += 1
                yield word
        elif part.kind != "mark" or part.text in ",;.":
            return
        if seen >= _REACH:
            return


def _word_after(parts: Sequence[Part], index: int) -> str:
    """The word right behind the hole and its closing quote."""
    after = index + 1
    if after < len(parts) and parts[after].text in {"'", '"', "`"}:
        after += 1
    return parts[after].text.lower() if after < len(parts) and parts[after].kind == "word" else ""


def names_ahead(parts: Sequence[Part], index: int) -> str | None:
    """The term that the words behind ``NAME:`` give to the name before the colon."""
    if parts[index].kind in _PLACES or index + 1 >= len(parts) or parts[index + 1].text != ":":
        return None
    for part in parts[index + 2 : index + 4]:
        if part.kind != "word":
            return None
        if part.text.lower() in NOUNS:
            return NOUNS[part.text.lower()]
    return None
