"""Names of modules and what is in them, as the imports of one file spell them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst
from libcst import metadata

from triage.pysource.arguments import remove_statement
from triage.pysource.bindings import bindings, import_of
from triage.pysource.project import dotted_text
from triage.pysource.source import Source

ROOTS = (
    "numpy",
    "torch",
    "torch.linalg",
    "torch.optim",
    "torch.onnx",
    "torch.export",
    "PIL.Image",
    "onnx",
    "onnx.helper",
    "onnx.shape_inference",
    "onnxruntime",
    "peft",
    "transformers",
    "scipy.integrate",
    "scipy.signal.windows",
    "tensorrt",
    "numpy.exceptions",
    "numpy.char",
    "numpy.rec",
    "torch.utils",
)  # fmt: skip -- what is there once the package itself is imported


def full_name(source: Source, node: cst.CSTNode) -> str | None:
    """The full name of a name or attribute by the file's imports alone: ``np.bool`` -> ``numpy.bool``."""
    text = dotted_text(node)
    root = node
    while isinstance(root, cst.Attribute):
        root = root.value
    if not text or not isinstance(root, cst.Name):
        return None
    first, _, rest = text.partition(".")
    for assignment in bindings(source, root):
        if isinstance(assignment, metadata.ImportAssignment):
            for module, level, original in import_of(assignment, first):
                if not level:
                    return ".".join(filter(None, (module, original, rest)))
    return None


def spelled(source: Source, name: str) -> tuple[str, str | None]:
    """How a file writes a full name, and the module that it must import for it (None: nothing more).

    Builtins and numbers stay as they are.
    """
    sign, name = ("-", name[1:]) if name.startswith("-") else ("", name)
    module = name.rpartition(".")[0]
    if not module or not module[0].isalpha():
        return sign + name, None
    for known, text in known_names(source):
        if known == name:
            return sign + text, None
    best = max(
        ((known, text) for known, text in known_names(source) if known == module or module.startswith(known + ".")),
        key=lambda pair: len(pair[0]), default=None,
    )  # fmt: skip
    if best is None:
        return sign + name, module
    known, text = best
    needs = None if known == module or module in ROOTS else module
    if needs is not None and text != known:  # the module is imported under its own name
        return sign + name, module
    return f"{sign}{text}{name[len(known) :]}", needs


def free(source: Source, name: str) -> str:
    """A name that the file does not use yet."""
    while re.search(rf"\b{name}\b".encode(), source.data):
        name += "_"
    return name


def known_names(source: Source) -> Iterator[tuple[str, str]]:
    """(full name, text) of everything that top-level imports of a file bind."""
    for node in imports(source):
        if isinstance(node, cst.Import):
            for alias in node.names:
                full = dotted_text(alias.name)
                if alias.asname is not None:
                    yield full, dotted_text(alias.asname.name)
                else:
                    yield full, full
                    yield full.split(".")[0], full.split(".")[0]
        elif not node.relative and not isinstance(node.names, cst.ImportStar) and node.module is not None:
            base = dotted_text(node.module)
            for alias in node.names:
                bound = alias.asname.name if alias.asname is not None else alias.name
                yield f"{base}.{dotted_text(alias.name)}", dotted_text(bound)


def imports(source: Source) -> Iterator[cst.Import | cst.ImportFrom]:
    """Import statements that bind names for the whole file, also those in try and if."""
    for node in source.find(cst.Import, cst.ImportFrom):
        if source.above(node, cst.FunctionDef, cst.ClassDef, cst.Lambda) is None:
            yield node


def add_import(source: Source, text: str) -> None:
    """Adds an import statement before the file's first one (behind ``from __future__``), or at its top."""
    line = text + source.newline
    if any(edit.text == line for edit in source.edits):
        return
    for node in imports(source):
        if isinstance(node, cst.ImportFrom) and node.module is not None and dotted_text(node.module) == "__future__":
            continue
        statement = source.statement(node)
        if isinstance(source.parent(statement), cst.Module):
            source.insert(source.span(statement)[0], line)
            return
    source.insert(_top(source), line)


def _top(source: Source) -> int:
    """Behind the docstring, or the top."""
    body = source.module.body
    first = body[0] if body else None
    if isinstance(first, cst.SimpleStatementLine) and isinstance(first.body[0], cst.Expr) and isinstance(
        first.body[0].value, cst.SimpleString | cst.ConcatenatedString
    ):  # fmt: skip
        end = source.data.find(b"\n", source.span(first)[1])
        return len(source.data) if end < 0 else end + 1
    return source.span(first)[0] if first is not None else 0


def remove_alias(source: Source, node: cst.Import | cst.ImportFrom, alias: cst.ImportAlias, instead: str = "") -> None:
    """Notes that one name goes out of an import statement; ``finish`` rewrites each statement once.

    Args:
        source: the file.
        node: the import statement.
        alias: the name in it.
        instead: a whole statement that comes in its place, empty for none.
    """
    source.aliases.append((node, alias, instead))


def finish(source: Source) -> None:
    """Rewrites the import statements from which names go."""
    statements = {id(node): node for node, _, _ in source.aliases}
    for node in statements.values():
        gone = {id(alias): instead for each, alias, instead in source.aliases if each is node}
        _rewrite(source, node, gone)
    source.aliases.clear()


def _rewrite(source: Source, node: cst.Import | cst.ImportFrom, gone: dict[int, str]) -> None:
    entries = () if isinstance(node.names, cst.ImportStar) else tuple(node.names)
    fresh = list(dict.fromkeys(text for text in gone.values() if text))
    statement = source.statement(node)
    start = source.span(statement)[0]
    indent = source.data[source.data.rfind(b"\n", 0, start) + 1 : start].decode()
    kept = [place for place, one in enumerate(entries) if id(one) not in gone]
    if not kept:
        if fresh:
            source.replace(node, (source.newline + indent).join(fresh))
        else:
            remove_statement(source, statement)
        return
    for place, one in enumerate(entries):
        if id(one) in gone and place < kept[-1]:
            source.remove(source.span(one)[0], source.span(entries[place + 1])[0])
    if kept[-1] < len(entries) - 1:
        source.remove(_alias_end(source, entries[kept[-1]]), _alias_end(source, entries[-1]))
    if fresh:
        source.insert(start, "".join(text + source.newline + indent for text in fresh))


def _alias_end(source: Source, alias: cst.ImportAlias) -> int:
    return source.span(alias.asname.name if alias.asname is not None else alias.name)[1]
