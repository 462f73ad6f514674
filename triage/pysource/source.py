"""One Python file: its tree, where each node stands, and edits that leave every other byte as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar, overload

import libcst as cst
from libcst import metadata

from triage.site import CannotApply

A = TypeVar("A", bound=cst.CSTNode)
B = TypeVar("B", bound=cst.CSTNode)
C = TypeVar("C", bound=cst.CSTNode)


class Edit(NamedTuple):
    """Bytes ``start`` to ``end`` of a file become ``text``."""

    start: int
    end: int
    text: str


class Source:
    """A parsed file. Offsets are bytes; nodes are those of ``module``.

    Raises:
        ValueError: the text is no Python of this interpreter's grammar.
    """

    def __init__(self, text: str, path: str = "") -> None:
        self.path = path
        try:
            self.data = text.encode()
            wrapper = metadata.MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
        except (cst.ParserSyntaxError, UnicodeEncodeError, RecursionError) as fault:
            raise ValueError(f"{path or 'the text'} is no Python: {str(fault).split(chr(10))[0]}") from None
        self.module: cst.Module = wrapper.module
        self.newline = self.module.default_newline
        self._spans: Any = wrapper.resolve(metadata.ByteSpanPositionProvider)
        self._parents: Any = wrapper.resolve(metadata.ParentNodeProvider)
        self._scopes: Any = wrapper.resolve(metadata.ScopeProvider)
        self._nodes: list[cst.CSTNode] = list(_walk(self.module))
        self.edits: list[Edit] = []
        self.leaving: list[cst.CSTNode] = []  # arguments that go, all of one call at once
        self.aliases: list[tuple[cst.Import | cst.ImportFrom, cst.ImportAlias, str]] = []  # imported names that go

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """First byte of a node, and the byte after it: with its own brackets, without white space around it."""
        first = last = self._spans[node]
        if isinstance(node, cst.BaseExpression) and node.lpar and node.rpar:
            first, last = self._spans[node.lpar[0]], self._spans[node.rpar[-1]]
        return first.start, last.start + last.length

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.data[start:end].decode()

    def edited(self, node: cst.CSTNode) -> str:
        """The text of a node with the edits inside it; they are taken up, for an edit of what holds it."""
        start, end = self.span(node)
        inside = [edit for edit in self.edits if start <= edit.start and edit.end <= end]
        self.edits[:] = [edit for edit in self.edits if edit not in inside]
        parts, position = [], start
        for edit in sorted(dict.fromkeys(inside), key=lambda each: (each.start, each.end)):
            parts += [self.data[position : edit.start], edit.text.encode()]
            position = edit.end
        return b"".join([*parts, self.data[position:end]]).decode()

    def line(self, node: cst.CSTNode) -> int:
        """The line on which a node begins, from 1 on."""
        return self.data.count(b"\n", 0, self.span(node)[0]) + 1

    def lines(self, node: cst.CSTNode) -> range:
        """All lines that a node covers."""
        start, end = self.span(node)
        first = self.data.count(b"\n", 0, start) + 1
        return range(first, first + self.data.count(b"\n", start, max(start, end - 1)) + 1)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that holds this one."""
        found: cst.CSTNode | None = self._parents.get(node)
        return found

    @overload
    def above(self, node: cst.CSTNode, one: type[A], /) -> A | None: ...
    @overload
    def above(self, node: cst.CSTNode, one: type[A], two: type[B], /) -> A | B | None: ...
    @overload
    def above(self, node: cst.CSTNode, one: type[A], two: type[B], three: type[C], /) -> A | B | C | None: ...
    def above(self, node: cst.CSTNode, *kinds: type[Any]) -> Any:
        """The nearest node of these kinds that holds this one."""
        up = self.parent(node)
        while up is not None and not isinstance(up, kinds):
            up = self.parent(up)
        return up

    def statement(self, node: cst.CSTNode) -> cst.CSTNode:
        """The whole statement, with a line of its own, that a node stands in."""
        at: cst.CSTNode | None = node
        while at is not None:
            up = self.parent(at)
            if isinstance(at, cst.SimpleStatementLine | cst.BaseCompoundStatement) and isinstance(
                up, cst.IndentedBlock | cst.Module
            ):
                return at
            at = up
        raise CannotApply(f"line {self.line(node)} of {self.path} is no statement of its own")

    def scope(self, node: cst.CSTNode) -> Any:
        """The scope in which a node's names are looked up; None where there is none."""
        at: cst.CSTNode | None = node
        while at is not None:
            found = self._scopes.get(at)
            if found is not None:
                return found
            at = self.parent(at)
        return None

    def top(self, name: str) -> cst.FunctionDef | cst.ClassDef | None:
        """The function or class of this name at the top of the file."""
        for node in self.find(cst.FunctionDef, cst.ClassDef):
            if node.name.value == name and self.above(node, cst.FunctionDef, cst.ClassDef) is None:
                return node
        return None

    @overload
    def find(self, one: type[A], /) -> Iterator[A]: ...
    @overload
    def find(self, one: type[A], two: type[B], /) -> Iterator[A | B]: ...
    @overload
    def find(self, one: type[A], two: type[B], three: type[C], /) -> Iterator[A | B | C]: ...
    def find(self, *kinds: type[Any]) -> Iterator[Any]:
        """Every node of these kinds, in the order of the text."""
        for node in self._nodes:
            if isinstance(node, kinds):
                yield node

    def replace(self, node: cst.CSTNode, text: str) -> None:
        """Writes another text in a node's place."""
        self.edits.append(Edit(*self.span(node), text))

    def insert(self, at: int, text: str) -> None:
        """Writes a text before a byte."""
        self.edits.append(Edit(at, at, text))

    def remove(self, start: int, end: int) -> None:
        """Leaves out some bytes."""
        self.edits.append(Edit(start, end, ""))


def inner_first(source: Source, nodes: Iterable[A]) -> list[A]:
    """Nodes in an order in which what stands inside another one comes before it."""

    def key(node: cst.CSTNode) -> tuple[int, int]:
        start, end = source.span(node)
        return -start, end - start

    return sorted(nodes, key=key)


def apply_edits(text: str, edits: list[Edit], path: str = "") -> str:
    """The text with its edits.

    Raises:
        CannotApply: two edits meet, or what comes out is no Python.
    """
    data, position, parts = text.encode(), 0, []
    for edit in sorted(dict.fromkeys(edits), key=lambda each: (each.start, each.end)):
        if edit.start < position:
            raise CannotApply(f"two changes of {path} meet at byte {edit.start}")
        parts += [data[position : edit.start], edit.text.encode()]
        position = edit.end
    result = b"".join([*parts, data[position:]]).decode()
    try:
        compile(result, path or "source", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as fault:
        raise CannotApply(f"the changed {path} would be no Python: {fault}") from None
    return result


def parse(text: str, path: str = "") -> Source | None:
    """The source of a text; None where it is no Python."""
    try:
        return Source(text, path)
    except ValueError:
        return None


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))
