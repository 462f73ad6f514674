"""Correct operator domains and opset imports.

What it changes: the list of opset imports of an ONNX file and of its local functions (a domain that is used and not
listed is added, one that is listed twice is kept once), and the domain of nodes whose operator only another known
domain has (Relu in com.microsoft, FastGelu in ai.onnx, a call of a local function without its domain).

When it is wrong: where two domains have an operator of that name the file does not say which was meant; then nothing
is proposed. An operator of someone's own domain that nothing here defines cannot be replaced: what it computes is not
in the file. Where ai.onnx itself is missing, an opset at which all nodes are legal is taken, and that is only proposed
as safe where all of them mean the same at every such opset.

Proof: the same operators run; the outputs are compared as the recipe says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import domains, files, proving, readers, schemas, strays, versions, walk
from triage.remedy import Proposal, Refusal

CAUSES = ("custom-op-unregistered", "model-invalid", "opset-unsupported")
SAFETY = "safe"
EVIDENT = True

_USUAL = {domains.CONTRIB: 1, domains.ML: 3}


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model what its imports and domains lack."""
    for path, model in files.each(site):
        homes = [each for each in domains.strangers(model) if each.home is not None]
        if homes:
            told = ", ".join(
                f"{_name(each.domain, each.op)} -> {_name(each.home or '', each.op)}" for each in homes[:3]
            )
            yield Proposal(f"{path}: {told}", {"model": path, "homes": list(map(list, homes))})
        yield from _doubled(site, path, model)
        lacking = sorted({domain for _, domain in domains.missing(model)})
        if lacking:
            yield from _lacking(site, path, model, lacking)
        yield from _unknown(site, path, model)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the imports and domains."""
    with files.edit(site, parameters["model"]) as model:
        homes = {(op, domain): home for op, domain, home in parameters.get("homes", ())}
        for node in walk.nodes(model):
            node.domain = homes.get((node.op_type, walk.domain_of(node.domain)), node.domain)
        for domain, version in parameters.get("keep", {}).items():
            walk.set_version(model, domain, version)
        for holder, domain in list(domains.missing(model)):
            version = parameters.get("add", {}).get(domain) or walk.version_of(model.opset_import, domain)
            walk.set_version(holder, domain, version or _usual(model, domain))


def _name(domain: str, op: str) -> str:
    return f"{domain or 'ai.onnx'}::{op}"


def _doubled(site: Site, path: str, model: Any) -> Iterator[Proposal]:
    for domain, found in domains.doubled(model).items():
        plain = domain != "" or _same_at(model, found)
        for version in sorted(set(found), reverse=True):
            yield Proposal(
                f"{path}: list {domain or 'ai.onnx'} once, with opset {version}",
                {"model": path, "keep": {domain: version}},
                safety=None if plain else proving.safe_if_compared(site),
            )


def _lacking(site: Site, path: str, model: Any, lacking: list[str]) -> Iterator[Proposal]:
    told = ", ".join(domain or "ai.onnx" for domain in lacking)
    if "" not in lacking or walk.version_of(model.opset_import) is not None:
        yield Proposal(f"{path}: add the opset imports that are missing: {told}", {"model": path})
        return
    limit = readers.highest_opset(site)
    fitting = [each for each in strays.common(model) if not limit or each <= limit.version]
    if fitting:
        plain = _same_at(model, [fitting[0], fitting[-1]])
        yield Proposal(
            f"{path}: add the opset imports that are missing: {told}, with opset {fitting[-1]}",
            {"model": path, "add": {"": fitting[-1]}}, safety=None if plain else proving.safe_if_compared(site),
        )  # fmt: skip


def _unknown(site: Site, path: str, model: Any) -> Iterator[Refusal]:
    """An operator that nothing here defines."""
    if "custom-op-unregistered" not in site.found.causes or any(
        name.endswith((".so", ".dll", ".dylib")) for name in site.listing
    ):
        return
    for each in domains.strangers(model):
        if each.home is None:
            yield Refusal(
                f"{path} uses {_name(each.domain, each.op)}, which neither ONNX nor ONNX Runtime defines; the file has "
                "no function of that name and no library lies beside it, so what it computes cannot be known",
                f"load the library that defines {each.op}, or export the model without it",
            )


def _same_at(model: Any, opsets: list[int]) -> bool:
    first, last = min(opsets), max(opsets)
    return all(versions.plainly_same(node, first, last) for node in walk.of_domain(walk.nodes(model)))


def _usual(model: Any, domain: str) -> int:
    """The version of a domain where the model does not say it: 1, or the oldest that has all its operators."""
    if domain in _USUAL:
        return _USUAL[domain]
    used = list(walk.of_domain(walk.nodes(model), domain))
    return max([schemas.editions(node.op_type, domain)[0] for node in used if schemas.editions(node.op_type, domain)],
               default=1)  # fmt: skip


def _sample(folder: str, *, domain: str, imports: tuple[str, ...], op: str = "Scaler") -> None:
    from onnx import helper

    attributes: dict[str, Any] = {"offset": [1.0], "scale": [2.0]} if op == "Scaler" else {}
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node(op, ["r"], ["y"], domain=domain, **attributes)]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, ["n", 3])], [helper.make_tensor_value_info("y", 1, ["n", 3])]
    )
    opsets = [helper.make_opsetid(each, 17 if not each else 1) for each in imports]
    files.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), f"{folder}/model.onnx")


def _without_import(folder: str) -> None:
    _sample(folder, domain="ai.onnx.ml", imports=("",))


def _in_wrong_domain(folder: str) -> None:
    _sample(folder, domain="com.microsoft", imports=("", "com.microsoft", "ai.onnx.ml"))


def _of_someone(folder: str) -> None:
    _sample(folder, domain="acme", imports=("", "acme"), op="FusedRope")


def _after(site: Site) -> None:
    import numpy as np
    import onnx

    model = onnx.load(site.path("model.onnx"))
    onnx.checker.check_model(model, full_check=True)
    given = proving.outputs(model, {"x": np.array([[-1, 2, 3]], np.float32)})[0]
    np.testing.assert_allclose(given, [[-2, 2, 4]])


EXAMPLES = (
    Example(_without_import, _after, found=Found(("model-invalid",)), needs=("onnx",)),
    Example(_in_wrong_domain, _after, found=Found(("custom-op-unregistered",)), needs=("onnx",)),
    Example(_of_someone, None, found=Found(("custom-op-unregistered",)), applies=False, needs=("onnx",)),
)
