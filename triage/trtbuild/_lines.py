"""Lines put into a Python script: where they go, and where its builder configuration is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from triage.site import CannotApply

if TYPE_CHECKING:
    from triage.trtbuild.script import Script


class Lines:
    """Edits of one script; ``flush`` hands the inserted lines over once all are known."""

    def __init__(self, script: Script, *, local: bool) -> None:
        self.script = script
        self.source = script.source
        self.local = local
        self.added: dict[int, list[str]] = {}  # lines to insert, by the byte before which they go

    def flush(self) -> None:
        """Hands over the lines to insert."""
        for at, lines in self.added.items():
            self.source.insert(at, "".join(lines))

    def config(self) -> tuple[str, str, cst.Call]:
        """(name of the configuration, the builder's text, the call that makes it)."""
        for call in self.script.config_calls():
            if isinstance(call.func, cst.Attribute) and call.func.attr.value == "create_builder_config":
                held = self.source.above(call, cst.Assign, cst.WithItem, cst.AnnAssign)
                if isinstance(held, cst.WithItem) and held.asname:
                    return self.source.code(held.asname.name), self.source.code(call.func.value), call
                if isinstance(held, cst.Assign) and held.value is call:
                    return self.source.code(held.targets[0].target), self.source.code(call.func.value), call
                if isinstance(held, cst.AnnAssign) and held.value is call:
                    return self.source.code(held.target), self.source.code(call.func.value), call
        raise CannotApply(f"{self.script.name} makes no builder configuration under a name")

    def configure(self, text: str, keyword: str = "", value: str = "") -> None:
        """Lines after the configuration is made; a keyword of Polygraphy's ``CreateConfig``."""
        for call in self.script.named("CreateConfig"):
            if not keyword:
                raise CannotApply(f"{self.script.name} configures with Polygraphy, which has no such setting")
            self.keyword(call, keyword, value)
            return
        config, builder, call = self.config()
        self.after(call, text.format(config=config, builder=builder).replace("trt.", f"{self.script.alias}."))

    def keyword(self, call: cst.Call, keyword: str, value: str) -> None:
        """Gives a call's argument another value, or adds the argument."""
        for argument in call.args:
            if argument.keyword and argument.keyword.value == keyword:
                self.source.replace(argument.value, value)
                return
        end = self.source.span(call)[1] - 1
        ready = not call.args or self.source.data[:end].rstrip().endswith((b",", b"("))
        self.source.insert(end, f"{'' if ready else ', '}{keyword}={value}")

    def after(self, node: cst.CSTNode, text: str) -> None:
        """Lines after the statement that holds a node; the first lines of the block where that is a ``with``."""
        statement = self.source.statement(node)
        if isinstance(statement, cst.With) and isinstance(statement.body, cst.IndentedBlock):
            inside = any(
                self.source.span(item)[0] <= self.source.span(node)[0] < self.source.span(item)[1]
                for item in statement.items
            )
            if inside:
                self.before(statement.body.body[0], text)
                return
        end = self.source.data.find(b"\n", self.source.span(statement)[1])
        at = len(self.source.data) if end < 0 else end + 1
        lead = "" if end >= 0 else self.source.newline
        self.added.setdefault(at, []).append(lead + self.indented(statement, text))

    def before(self, node: cst.CSTNode, text: str) -> None:
        """Lines before the statement that holds a node."""
        statement = self.source.statement(node)
        start = self.source.data.rfind(b"\n", 0, self.source.span(statement)[0]) + 1
        self.added.setdefault(start, []).append(self.indented(statement, text))

    def indented(self, statement: cst.CSTNode, text: str) -> str:
        """Lines of text as they stand beside a statement."""
        start = self.source.span(statement)[0]
        lead = self.source.data[self.source.data.rfind(b"\n", 0, start) + 1 : start].decode()
        return "".join(f"{lead if line else ''}{line}{self.source.newline}" for line in text.split("\n"))

    def drop(self, call: cst.Call) -> None:
        """Leaves out the statement that a call is."""
        statement = self.source.statement(call)
        whole = isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1
        if not whole or not isinstance(statement.body[0], cst.Expr) or statement.body[0].value is not call:  # type: ignore[attr-defined]
            raise CannotApply(f"line {self.source.line(call)} of {self.script.name} does more than this one thing")
        block = self.source.parent(statement)
        alone = isinstance(block, cst.IndentedBlock) and len(block.body) == 1
        start, end = self.source.span(statement)
        if alone:
            self.source.replace(statement, "pass")
            return
        begin = self.source.data.rfind(b"\n", 0, start) + 1
        line = self.source.data.find(b"\n", end)
        self.source.remove(begin, len(self.source.data) if line < 0 else line + 1)
