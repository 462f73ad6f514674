"""torch.onnx.dynamo_export(…) as torch.onnx.export(…, dynamo=True)."""

from __future__ import annotations

import libcst as cst

from triage.pysource import arguments, names
from triage.pysource.bindings import literal
from triage.pysource.calls import CallSite
from triage.pysource.source import Source

_EVERY = "dynamic_shapes=tuple({{axis: torch.export.Dim.AUTO for axis in range(value.dim())}} for value in ({inputs}))"


def as_export(site: CallSite) -> bool:
    """Rewrites one call; what it returns has the same ``save``. False where its arguments cannot be told apart."""
    call, source = site.node, site.source
    plain = arguments.positional(call)
    if not plain or any(arg.star for arg in call.args) or site.shift:
        return False
    texts = [source.code(plain[0].value)]
    inputs = [source.code(arg.value) for arg in plain[1:]]
    texts.append("(" + ", ".join(inputs) + ("," if len(inputs) == 1 else "") + ")")
    options = [arg for arg in call.args if arg.keyword is not None and arg.keyword.value == "export_options"]
    named = [arg for arg in call.args if arg.keyword is not None and arg not in options]
    if named:
        pairs = ", ".join(
            f'"{arg.keyword.value}": {source.code(arg.value)}' for arg in named if arg.keyword is not None
        )
        texts.append(f"kwargs={{{pairs}}}")
    texts.append("dynamo=True")
    texts += _options(site, options, inputs) if not named else []
    callee, needs = names.spelled(source, "torch.onnx.export")
    if needs is not None:
        names.add_import(source, f"import {needs}")
    source.replace(call, f"{callee}({', '.join(texts)})")
    _drop_options(site, options)
    return True


def _options(site: CallSite, options: list[cst.Arg], inputs: list[str]) -> list[str]:
    """ExportOptions(dynamic_shapes=True, opset_version=…) as arguments."""
    found = []
    for arg in options:
        for origin in site.flow.origins(site.source, arg.value):
            for one in origin.node.args if isinstance(origin.node, cst.Call) else ():
                key = one.keyword.value if one.keyword is not None else ""
                if key == "dynamic_shapes" and literal(one.value) is True and inputs:
                    found.append(_EVERY.format(inputs=", ".join(inputs) + ","))
                elif key == "opset_version":
                    found.append(f"opset_version={origin.source.code(one.value)}")
    return found


def _drop_options(site: CallSite, options: list[cst.Arg]) -> None:
    """The statement that makes the ExportOptions goes with the call that took them."""
    for arg in options:
        for origin in site.flow.origins(site.source, arg.value):
            up = origin.source.parent(origin.node)
            if isinstance(up, cst.Assign) and _used_once(origin.source, up):
                arguments.remove_statement(origin.source, origin.source.statement(up))


def _used_once(source: Source, assign: cst.Assign) -> bool:
    target = assign.targets[0].target
    if not isinstance(target, cst.Name) or len(assign.targets) > 1:
        return False
    return sum(node.value == target.value for node in source.find(cst.Name)) <= 2
