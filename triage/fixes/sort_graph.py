"""Sort the nodes topologically.

What it changes: the order of the nodes of the ONNX file (and of its subgraphs), so that every tensor is written
before it is read. Nodes, tensors and weights stay as they are.

When it is wrong: a graph with a cycle has no such order; then it is refused. Where a tensor that a node reads
is written by no one at all, sorting does not help: see remove_dead_nodes.

Proof: the outputs are the same bit for bit, for the same nodes compute the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.onnxgraph import files, liveness, order
from triage.remedy import Proposal, Refusal

CAUSES = ("model-invalid",)
SAFETY = "safe"
EVIDENT = True
_TOLD = 6


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each model whose nodes are out of order."""
    for path, model in files.each(site):
        late = order.first_late(model.graph)
        circle = order.cycle(model.graph) if late and not liveness.leftovers(model) else []
        if circle:
            yield Refusal(
                f"{path}: the nodes wait for each other in a circle ({' -> '.join(circle[:_TOLD])}), "
                "so no order of them can run",
                "export the model again: one of these inputs was meant to be another tensor",
            )
        elif late and order.has_order(model.graph):
            yield Proposal(f"sort the nodes of {path}: {late} is read before it is written", {"model": path})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the model with its nodes in order."""
    with files.edit(site, parameters["model"]) as model:
        order.sort(model.graph)


def _before(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    nodes = list(reversed(model.graph.node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    files.save(model, f"{folder}/model.onnx")


def _after(site: Site) -> None:
    import onnx

    onnx.checker.check_model(site.path("model.onnx"))


def _circle(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    model = two_layers()
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]
    files.save(model, f"{folder}/model.onnx")


def _in_order(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/model.onnx")


EXAMPLES = (
    Example(_before, _after, needs=("onnx",)),
    Example(_in_order, None, applies=False, needs=("onnx",)),
    Example(_circle, None, applies=False, needs=("onnx",)),
)
