"""Putting statements and imports into a script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.source import Source


def insert_before(source: Source, node: cst.CSTNode, lines: Iterable[str]) -> None:
    """Writes lines before the statement of a node, as far in as the statement."""
    start, _ = source.span(source.statement(node))
    line = source.data.rfind(b"\n", 0, start) + 1
    indent = source.data[line:start].decode()
    source.insert(start, "".join(f"{text}{source.newline}{indent}" for text in lines))


def insert_after(source: Source, node: cst.CSTNode, lines: Iterable[str]) -> None:
    """Writes lines after the statement of a node, as far in as the statement."""
    start, end = source.span(source.statement(node))
    line = source.data.rfind(b"\n", 0, start) + 1
    indent = source.data[line:start].decode()
    stop = source.data.find(b"\n", end)
    text = "".join(f"{source.newline}{indent}{text}" for text in lines)
    source.insert(len(source.data) if stop < 0 else stop, text)


def name_for(source: Source, module: str, name: str, before: cst.CSTNode) -> tuple[str, str | None]:
    """(expression, import line) by which a script can say ``module.name`` at a node.

    There is no line where it is imported already; a name that the script uses for something else is imported under
    another one.
    """
    import libcst as cst

    from triage.pysource.project import dotted_text

    for statement in _top_imports(source):
        if source.span(statement)[0] > source.span(before)[0]:
            break
        if isinstance(statement, cst.Import):
            for alias in statement.names:
                if dotted_text(alias.name) == module:
                    return f"{_known_as(alias) or module}.{name}", None
        elif (
            not isinstance(statement.names, cst.ImportStar) and statement.module is not None and not statement.relative
        ):
            for alias in statement.names:
                if dotted_text(statement.module) == module and dotted_text(alias.name) == name:
                    return _known_as(alias) or name, None
    top = name.partition(".")[0]
    taken = {node.value for node in source.find(cst.Name)}
    if top not in taken:
        return name, f"from {module} import {top}"
    return f"safe_{name}", f"from {module} import {top} as safe_{top}"


def add_imports(source: Source, lines: Iterable[str], before: cst.CSTNode) -> None:
    """Writes import lines behind the last import that stands at the top of the file, before the statement of a node."""
    lines = [line for line in dict.fromkeys(lines) if line]
    if not lines:
        return
    limit = source.span(before)[0]
    last = None
    for statement in _top_imports(source):
        if source.span(statement)[1] < limit:
            last = statement
    if last is not None:
        insert_after(source, last, lines)
        return
    first = next((each for each in source.module.body if not _is_text(each)), None)
    if first is not None:
        insert_before(source, first, [*lines, ""])


def _top_imports(source: Source) -> list[cst.Import | cst.ImportFrom]:
    """Imports at the top level of a file, outside of any block."""
    import libcst as cst

    return [
        small for line in source.module.body if isinstance(line, cst.SimpleStatementLine)
        for small in line.body if isinstance(small, cst.Import | cst.ImportFrom)
    ]  # fmt: skip


def _known_as(alias: cst.ImportAlias) -> str | None:
    import libcst as cst

    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return None


def _is_text(statement: cst.CSTNode) -> bool:
    """A docstring, or ``from __future__``."""
    import libcst as cst

    if not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        return False
    small = statement.body[0]
    if isinstance(small, cst.Expr):
        return isinstance(small.value, cst.SimpleString | cst.ConcatenatedString)
    return (
        isinstance(small, cst.ImportFrom) and isinstance(small.module, cst.Name) and small.module.value == "__future__"
    )
