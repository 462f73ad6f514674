"""Replace the operator by simpler supported ones.

What it changes: nodes of the operator that the log names are written with plain operators that compute the same:
fused operators of ONNX Runtime (GroupNorm, SkipLayerNormalization, BiasGelu, FusedConv, QLinearAdd …), functions of
the standard (Mish, GroupNormalization, Gelu …) by their own definition, functions of the model by their body. Other
operators of ONNX Runtime that the installed one has no kernel for are replaced with them.

When it is wrong: an operator of a domain that nobody here defines. What it computes stands nowhere in the file; then
it is refused. So is a form of a known operator that has no exact counterpart. The fused operator may be faster where
it exists: keep the first file for that machine.

Proof: where the old model runs here, both give the same on random inputs. Each rewrite is tested against the kernel
of ONNX Runtime, or against the formula of the operator's description where there is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.fixes import CannotApply, Example, Found, Site, _operators
from triage.onnxgraph import decompose, evaluate, files, walk
from triage.remedy import Proposal, Refusal

CAUSES = (
    "operator-unsupported", "custom-op-unregistered", "node-placement-failed", "operator-dtype-unsupported",
    "opset-unsupported", "plugin-missing", "export-op-unsupported",
)  # fmt: skip
SAFETY = "safe"
_MICROSOFT = "com.microsoft"
_UNKNOWN = (
    "give the library that defines it (SessionOptions.register_custom_ops_library, or the plugin option of the tool), "
    "or export the model again without it"
)


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The operators that the log names, with those that would fail next; a refusal for what nobody knows."""
    for path, model in files.each(site):
        named = _operators.blamed(site, model)
        if not named:
            continue
        strange = [each for each in named if not decompose.known(model, *each)]
        usable = [each for each in named if each not in strange]
        yield from (_no_way(path, *each) for each in strange if _foreign(*each))
        if not usable:
            continue
        more = _without_kernel(model, usable)
        why = _refused(site, path, model, [*usable, *more])
        if why is not None and more:
            more, why = [], _refused(site, path, model, usable)
        if why is not None:
            yield Refusal(f"{', '.join(name for _, name in usable)} of {path} cannot be replaced exactly: {why}")
            continue
        every = [*usable, *more]
        names = ", ".join(name for _, name in every)
        yield Proposal(
            f"write {names} of {path} with plain operators",
            {"model": path, "operators": [list(each) for each in every]},
        )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the operators replaced."""
    path = parameters["model"]
    folder = os.path.dirname(site.path(path))
    wanted = [(domain, name) for domain, name in parameters["operators"]]
    with files.edit(site, path) as model:
        old = type(model)()
        old.CopyFrom(model)
        try:
            decompose.decompose(model, wanted, folder)
        except decompose.CannotRewrite as fault:
            raise CannotApply(str(fault)) from None
        why = _new_gap(site, old, model, folder) or evaluate.differs(old, model, folder)
        if why:
            raise CannotApply(why)


def _new_gap(site: Site, old: Any, new: Any, folder: str) -> str | None:
    """An operator that came in and that ONNX Runtime has no kernel for either, such as Erf in float64."""
    if site.found.tool != "onnxruntime":
        return None
    try:
        evaluate.Runner(new, folder, slow=False)
    except evaluate.CannotRun as fault:
        named = re.search(r"implementation for (?:the node )?(\w+)\(", str(fault))
        if named and named[1] not in {node.op_type for node in walk.nodes(old)}:
            return f"ONNX Runtime has no kernel for {named[1]}, which it would be written with"
    return None


def _foreign(domain: str, name: str) -> bool:
    """Whether nobody knows the operator: of no standard, and none of ONNX Runtime's."""
    from triage.onnxgraph import schemas

    return not (domain in ("", "ai.onnx.ml") and schemas.editions(name, domain))


def _no_way(path: str, domain: str, name: str) -> Refusal:
    if domain == _MICROSOFT:
        why = f"no way is known to write {domain}::{name} of {path} with plain operators"
        return Refusal(why, "use the model as it was before it was optimised for another device")
    if domain == "ai.onnx.contrib":
        why = f"{domain}::{name} of {path} is defined in a library of its own"
        return Refusal(why, "pip install onnxruntime-extensions, and register its get_library_path() with the session")
    return Refusal(f"what {domain or 'ai.onnx'}::{name} computes cannot be known from {path}", _UNKNOWN)


def _refused(site: Site, path: str, model: Any, wanted: Sequence[tuple[str, str]]) -> str | None:
    trial = type(model)()
    trial.CopyFrom(model)
    try:
        decompose.decompose(trial, wanted, os.path.dirname(site.path(path)))
    except decompose.CannotRewrite as fault:
        return str(fault)
    return None


def _without_kernel(model: Any, named: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Other operators of ONNX Runtime in the model that the CPU has no kernel for, where one such was named."""
    if not any(domain == _MICROSOFT for domain, _ in named):
        return []
    there = {(walk.domain_of(node.domain), node.op_type) for node in walk.nodes(model)}
    kernels = evaluate.kernels()
    others = sorted(each for each in there if each[0] == _MICROSOFT and each not in named)
    return [each for each in others if kernels and each not in kernels and decompose.known(model, *each)]


_MODEL = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
graph (float[N, 2, 3, 4] x) => (float[N, 2, 3, 4] y)
<float[4] gamma = {1, 2, 3, 4}, float[4] beta = {0, 1, 0, 1}>
{
    y = com.microsoft.GroupNorm<groups = 2, activation = 1, epsilon = 0.001>(x, gamma, beta)
}
"""
_LOG = "NOT_IMPLEMENTED : Could not find an implementation for GroupNorm(1) node with name ''\n"
_FOUND = Found(causes=("operator-unsupported",), captures={"op": "GroupNorm"})


def _write(folder: str, text: str) -> None:
    from onnx import parser

    files.save(parser.parse_model(text), f"{folder}/model.onnx")


def _before(folder: str) -> None:
    _write(folder, _MODEL)


def _strange(folder: str) -> None:
    _write(folder, _MODEL.replace("com.microsoft.GroupNorm", "acme.GroupNorm").replace('"com.microsoft"', '"acme"'))


def _after(site: Site) -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(site.path("model.onnx"), providers=["CPUExecutionProvider"])
    data = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)
    (got,) = session.run(None, {"x": data})
    rows = data.reshape(2, 6, 2, 2)
    even = (rows - rows.mean((1, 3), keepdims=True)) / np.sqrt(rows.var((1, 3), keepdims=True) + 0.001)
    scaled = even.reshape(data.shape) * np.array([1, 2, 3, 4]) + np.array([0, 1, 0, 1])
    np.testing.assert_allclose(got, scaled / (1 + np.exp(-scaled)), rtol=1e-3, atol=1e-5)


EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("onnx", "onnxruntime")),
    Example(_strange, None, found=_FOUND, log=_LOG, applies=False, needs=("onnx",)),
)
