"""A strict reader of config.pbtxt that knows its messages: the tree, and the first fault as protobuf would tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from triage.tritonrepo import schema
from triage.tritonrepo.lexer import Token, place, tokens, unquoted
from triage.tritonrepo.schema import FieldType

_CLOSERS = {"{": "}", "<": ">", "[": "]"}
_TRUE, _FALSE = ("true", "True", "t", "1"), ("false", "False", "f", "0")
Plain = str | int | float | bool | None


@dataclass(slots=True)
class Node:
    """A value with its place: a message (``fields``), a list (``items``) or a scalar (``value``)."""

    kind: str
    start: int
    end: int = 0
    message: str = ""
    fields: list[Field] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)
    value: Plain = None

    def each(self, name: str) -> list[Node]:
        """Every value of a field of this message, those in lists one by one."""
        found: list[Node] = []
        for one in self.fields:
            if one.name == name:
                found += one.value.items if one.value.kind == "list" else [one.value]
        return found

    def first(self, name: str) -> Node | None:
        """The value of a field of this message."""
        found = self.each(name)
        return found[0] if found else None

    def plain(self, name: str) -> Plain:
        """The scalar of a field of this message; None where it is not given."""
        found = self.first(name)
        return found.value if found else None


@dataclass(slots=True)
class Field:
    """A field as written: from ``start`` (its name) to ``end`` (behind its value)."""

    name: str
    start: int
    name_end: int
    value: Node
    end: int = 0


class Open(NamedTuple):
    """An open bracket: the mark, its place, the message that it holds (empty in a list of scalars)."""

    mark: str
    start: int
    message: str


class Fault(NamedTuple):
    """The first thing that is wrong.

    ``kind`` is name (no field name here), field (no such field), value (of the wrong type), enum (no such value),
    mark (another mark expected), again (given twice), string (not closed), character, or end (brackets are open).
    ``at`` counts tokens; ``within`` are the brackets open there; ``known`` is the field whose value is at hand.
    """

    kind: str
    at: int
    offset: int
    words: str
    message: str
    within: tuple[Open, ...]
    known: FieldType | None = None
    expected: str = ""


class Parsed(NamedTuple):
    """What was read: ``root`` holds all up to the fault."""

    text: str
    tokens: list[Token]
    root: Node
    fault: Fault | None

    def where(self) -> str:
        """Line and column of the fault, with its words, as protobuf prints them."""
        if self.fault is None:
            return ""
        line, column = place(self.text, self.fault.offset)
        return f"{line}:{column}: {self.fault.words}"


def parse(text: str) -> Parsed:
    """Reads a whole config.pbtxt."""
    reader = _Reader(text)
    try:
        reader.message(reader.root, "")
    except _Stop as stop:
        return Parsed(text, reader.tokens, reader.root, stop.fault)
    return Parsed(text, reader.tokens, reader.root, None)


class _Stop(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.at = 0
        self.open: list[Open] = []
        self.root = Node("message", 0, len(text), schema.ROOT)

    def stop(self, kind: str, words: str, message: str, known: FieldType | None = None, expected: str = "") -> _Stop:
        token = self.tokens[self.at]
        if token.kind == "open":
            kind, words = "string", "String literals cannot cross line boundaries."
        elif token.kind == "odd":
            kind, words = "character", f"Interpreting non ascii codepoint {token.text.encode('utf-8', 'replace')[0]}."
        elif token.kind == "end":
            kind = "end"
        return _Stop(Fault(kind, self.at, token.start, words, message, tuple(self.open), known, expected))

    def take(self, mark: str) -> bool:
        if self.tokens[self.at].kind == "mark" and self.tokens[self.at].text == mark:
            self.at += 1
            return True
        return False

    def need(self, mark: str, message: str, known: FieldType | None) -> None:
        if not self.take(mark):
            words = f'Expected "{mark}", found "{self.tokens[self.at].text}".'
            raise self.stop("mark", words, message, known, mark)

    def message(self, node: Node, closer: str) -> None:
        given: set[str] = set()
        while True:
            token = self.tokens[self.at]
            if closer and self.take(closer):
                node.end = token.end
                self.open.pop()
                return
            if not closer and token.kind == "end":
                return
            if token.kind != "name":
                raise self.stop("name", f"Expected identifier, got: {token.text}", node.message)
            self.field(node, given)
            if not self.take(";"):
                self.take(",")

    def field(self, node: Node, given: set[str]) -> None:
        token = self.tokens[self.at]
        known = schema.fields(node.message).get(token.text)
        if known is None:
            words = f'Message type "inference.{node.message}" has no field named "{token.text}".'
            raise self.stop("field", words, node.message)
        group = known.oneof or known.name
        if not known.many and group in given:
            raise self.stop(
                "again", f'Non-repeated field "{known.name}" is specified multiple times.', node.message, known
            )
        given.add(group)
        self.at += 1
        if known.kind == "message":
            self.take(":")
        else:
            self.need(":", node.message, known)
        written = Field(known.name, token.start, token.end, Node("scalar", token.end))
        node.fields.append(written)
        self.value(written, node.message, known)
        written.end = written.value.end

    def value(self, written: Field, message: str, known: FieldType) -> None:
        """Nodes are put into the tree before they are read, so that it is there where a fault ends the reading."""
        token = self.tokens[self.at]
        if not known.many or not self.take("["):
            self.one(message, known, lambda node: setattr(written, "value", node))
            return
        listed = written.value = Node("list", token.start)
        self.open.append(Open("[", token.start, known.type if known.kind == "message" else ""))
        if not self.take("]"):
            while True:
                self.one(message, known, listed.items.append)
                if self.take("]"):
                    break
                self.need(",", message, known)
        self.open.pop()
        listed.end = self.tokens[self.at - 1].end

    def one(self, message: str, known: FieldType, put: Callable[[Node], None]) -> None:
        if known.kind == "message":
            self.inner(message, known, put)
        else:
            put({"string": self.string, "enum": self.enum}.get(known.kind, self.number)(message, known))

    def inner(self, message: str, known: FieldType, put: Callable[[Node], None]) -> None:
        token = self.tokens[self.at]
        mark = "<" if token.text == "<" and token.kind == "mark" else "{"
        self.need(mark, message, known)
        node = Node("message", token.start, message=known.type)
        put(node)
        self.open.append(Open(mark, token.start, known.type))
        self.message(node, _CLOSERS[mark])

    def string(self, message: str, known: FieldType) -> Node:
        first = self.tokens[self.at]
        if first.kind != "string":
            raise self.stop("value", f"Expected string, got: {first.text}", message, known, "string")
        said = ""
        while self.tokens[self.at].kind == "string":
            said += unquoted(self.tokens[self.at].text)
            self.at += 1
        return Node("scalar", first.start, self.tokens[self.at - 1].end, value=said)

    def enum(self, message: str, known: FieldType) -> Node:
        token = self.tokens[self.at]
        named = schema.values(known.type)
        if token.kind == "number" and token.text.isdigit() and int(token.text) in named.values():
            name = next(name for name, number in named.items() if number == int(token.text))
        elif token.kind == "name" and token.text in named:
            name = token.text
        elif token.kind in ("name", "number"):
            words = f'Unknown enumeration value of "{token.text}" for field "{known.name}".'
            raise self.stop("enum", words, message, known, known.type)
        else:
            words = f"Expected integer or identifier, got: {token.text}"
            raise self.stop("value", words, message, known, known.type)
        self.at += 1
        return Node("scalar", token.start, token.end, value=name)

    def number(self, message: str, known: FieldType) -> Node:
        first = self.tokens[self.at]
        negative = known.kind != "bool" and self.take("-")
        token = self.tokens[self.at]
        value = _number(token, known, negative=negative)
        if value is None:
            got = first.text if not negative or token.kind == "number" else token.text
            kind = {"whole": "integer", "float": "double", "bool": "identifier"}[known.kind]
            raise self.stop("value", f"Expected {kind}, got: {got}", message, known, known.kind)
        self.at += 1
        return Node("scalar", first.start, token.end, value=value)


def _number(token: Token, known: FieldType, *, negative: bool) -> int | float | bool | None:
    if known.kind == "bool":
        return True if token.text in _TRUE else False if token.text in _FALSE else None
    try:
        if known.kind == "float":
            named = token.kind == "name" and token.text.lower() in ("inf", "infinity", "nan")
            number = float(token.text.rstrip("fF") if token.kind == "number" else token.text)
            return (-number if negative else number) if named or token.kind == "number" else None
        whole = _whole(token)
    except ValueError:
        return None
    whole = -whole if negative else whole
    return whole if schema.in_range(whole, known.type) else None


def _whole(token: Token) -> int:
    if token.kind != "number":
        raise ValueError(token.text)
    octal = len(token.text) > 1 and token.text[0] == "0" and token.text.isdigit()
    return int(token.text, 8) if octal else int(token.text, 0)
