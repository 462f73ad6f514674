"""What an exported model is made of: the calls and names that its expression goes back to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.calls import CallSite
    from triage.pysource.flow import Flow
    from triage.pysource.source import Source
    from triage.site import Site

# full name -> (keyword, place) of the model
EXPORTS = {
    "torch.onnx.export": ("model", 0), "torch.onnx.dynamo_export": ("model", 0), "torch.export.export": ("mod", 0),
    "torch.jit.trace": ("func", 0), "torch.jit.script": ("obj", 0), "openvino.convert_model": ("input_model", 0),
    "coremltools.convert": ("model", 0), "torch_tensorrt.compile": ("module", 0),
    "torch.export.export_for_training": ("mod", 0), "torch.onnx.utils.export": ("model", 0),
}  # fmt: skip


def flow_of(site: Site) -> Flow:
    """Values of a build's Python files; a value that comes from itself, as in ``model = model.half()``, ends there."""
    from triage.pysource.flow import Flow, Origin
    from triage.pysource.project import Project

    class Guarded(Flow):
        def __init__(self, project: Project) -> None:
            super().__init__(project)
            self._busy: set[int] = set()

        def origins(self, source: Source, node: cst.CSTNode) -> list[Origin]:
            if id(node) in self._busy:
                return [Origin(source, node)]
            self._busy.add(id(node))
            try:
                return super().origins(source, node)
            finally:
                self._busy.discard(id(node))

    return Guarded(Project(site))


class Exported(NamedTuple):
    """A call that exports, and the expression of its model."""

    call: CallSite
    model: cst.BaseExpression


def exports(flow: Flow) -> list[Exported]:
    """Calls that export a model, in the build's files."""
    from triage.pysource.calls import calls

    found = []
    for call in calls(flow, lambda name: name in EXPORTS):
        model = call.value(*EXPORTS[call.name])
        if model is not None:
            found.append(Exported(call, model))
    return found


class Chain:
    """Everything that goes into an exported model, as far as the text tells.

    ``calls`` are (source, call); ``names`` are (source, name) with the calls that each name may be.
    """

    def __init__(self, flow: Flow, exported: Exported) -> None:
        self.calls: list[tuple[Source, cst.Call]] = []
        self.names: list[tuple[Source, cst.Name, list[cst.CSTNode]]] = []
        self._flow = flow
        self._end = exported.call.source.span(exported.call.node)[1]
        self._source = exported.call.source
        self._scope = exported.call.source.scope(exported.call.node)
        self._seen: set[int] = set()
        self._follow(exported.call.source, exported.model, 0)

    def has(self, call: cst.Call) -> bool:
        """Whether a call is in the chain."""
        return any(each is call for _, each in self.calls)

    def methods(self, name: str) -> list[tuple[Source, cst.Call]]:
        """Calls of a method of this name."""
        import libcst as cst

        return [
            (source, call) for source, call in self.calls
            if isinstance(call.func, cst.Attribute) and call.func.attr.value == name
        ]  # fmt: skip

    def _follow(self, source: Source, node: cst.CSTNode, depth: int) -> None:
        import libcst as cst

        if id(node) in self._seen or depth > 16:
            return
        self._seen.add(id(node))
        for each in descend(node):
            if isinstance(each, cst.Call):
                self.calls.append((source, each))
            if isinstance(each, cst.Name) and _is_value(source, each):
                origins = [one for one in self._flow.origins(source, each) if self._is_before(one.source, one.node)]
                self.names.append((source, each, [one.node for one in origins]))
                for one in origins:
                    if not isinstance(one.node, cst.FunctionDef | cst.ClassDef) and one.node is not each:
                        self._follow(one.source, one.node, depth + 1)
            if isinstance(each, cst.Call):
                for one in self._flow.origins(source, each):
                    if one.node is not each and not isinstance(one.node, cst.FunctionDef | cst.ClassDef):
                        self._follow(one.source, one.node, depth + 1)

    def _is_before(self, source: Source, node: cst.CSTNode) -> bool:
        """What a straight script does after the export does not go into it."""
        if source is not self._source or source.scope(node) is not self._scope:
            return True
        return source.span(node)[0] < self._end


def descend(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and all below it, without the insides of functions."""
    import libcst as cst

    stack = [node]
    while stack:
        each = stack.pop()
        yield each
        if not isinstance(each, cst.Lambda | cst.FunctionDef | cst.ClassDef):
            stack.extend(reversed(each.children))


def _is_value(source: Source, name: cst.Name) -> bool:
    """Not the name of an attribute or of a keyword."""
    import libcst as cst

    up = source.parent(name)
    if isinstance(up, cst.Attribute):
        return up.value is name
    return not (isinstance(up, cst.Arg) and up.keyword is name)
