"""Join a tensor that is read under a wrong name to the one that is written.

What it changes: a node or an output of the ONNX model reads a name that nothing writes, while something writes a
name that nothing reads. Where the two names differ only in case, separators, a prefix or ``:0``, or where there is
just one of each and the graph is legal with them joined, the reader gets the tensor that is written.

When it is wrong: where the node that wrote the tensor was removed, and the unread tensor is another one. So a pair
that only fits by being alone counts only where outputs are compared.

Proof: outputs compared with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import files, fitting, liveness, match, order, proving, recast
from triage.remedy import Proposal

CAUSES = ("model-invalid",)
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal]:
    """A model with unwritten names that are needed, each with one partner."""
    for path, model in files.each(site):
        missing = _missing(model)
        if not missing:
            continue
        unread = _unread(model)
        pairs = match.alike(missing, unread)
        safety = None
        if not pairs and len(missing) == 1:
            alone = [name for name in unread if _likely(model, missing[0], name)]
            fitting_ones = [name for name in alone if _legal(model, {missing[0]: name})]
            pairs = {missing[0]: fitting_ones[0]} if len(fitting_ones) == 1 else {}
            safety = proving.safe_if_compared(site)
        if len(pairs) == len(missing):
            told = ", ".join(f"{name} is {pairs[name]}" for name in missing)
            yield Proposal(f"join names in {path}: {told}", {"model": path, "names": pairs}, safety)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with the names joined."""
    with files.edit(site, parameters["model"]) as model:
        _join(model, parameters["names"])


def _missing(model: Any) -> list[str]:
    """Names that an output depends on and that nothing writes."""
    wanted, _ = liveness.needed(model.graph)
    nowhere = {name for _, _, name in liveness.unwritten(model)} & wanted
    return sorted(nowhere | set(liveness.unwritten_outputs(model.graph)))


def _unread(model: Any) -> list[str]:
    """Names in the main graph that are written and neither read nor an output."""
    graph = model.graph
    read = {name for node in graph.node for name in order.reads(node)} | {value.name for value in graph.output}
    written = [*sorted(order.given(graph)), *(name for node in graph.node for name in node.output if name)]
    return [name for name in dict.fromkeys(written) if name not in read]


def _likely(model: Any, missing: str, unread: str) -> bool:
    """What a node writes may be meant anywhere; a stored tensor only where weights stand, never an input."""
    graph = model.graph
    if any(unread in node.output for node in graph.node):
        return True
    places = [place for node in graph.node for place, name in enumerate(node.input) if name == missing]
    return bool(places) and min(places) > 0 and unread in {tensor.name for tensor in graph.initializer}


def _join(model: Any, names: Mapping[str, str]) -> None:
    outputs = {value.name for value in model.graph.output}
    for missing, written in names.items():
        if missing in outputs:
            recast.rename(model.graph, written, missing)
        else:
            recast.rename(model.graph, missing, written)


def _legal(model: Any, names: Mapping[str, str]) -> bool:
    copy = type(model)()
    copy.CopyFrom(model)
    given = order.given(copy.graph)
    if any(name in {value.name for value in copy.graph.output} for name in names) and set(names.values()) & given:
        return False
    _join(copy, names)
    return order.has_order(copy.graph) and fitting.fits(copy)


def _misnamed(new: str) -> Any:
    def before(folder: str) -> None:
        from triage.onnxgraph.samples import two_layers

        model = two_layers()
        model.graph.node[1].input[0] = new
        files.save(model, f"{folder}/model.onnx")

    return before


def _cut(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    del model.graph.node[0]
    files.save(model, f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"), full_check=True)


_FOUND = Found(causes=("model-invalid",))
EXAMPLES = (
    Example(_misnamed("H1:0"), _after, found=_FOUND, needs=("onnx",)),
    Example(_cut, None, found=_FOUND, applies=False, needs=("onnx",)),
)
