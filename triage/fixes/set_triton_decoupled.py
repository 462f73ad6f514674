"""Say whether the model answers once or as often as it likes.

What it changes: decoupled in model_transaction_policy of a Python model's config.pbtxt. It is set where the code sends
its answers through get_response_sender, and taken out where execute returns a list and never asks for a sender.

When it is wrong: where the code does both, or where it cannot be seen; then nothing is proposed. A decoupled model is
asked over gRPC streaming, not over HTTP.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import changes, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.layout import joined
from triage.tritonrepo.pymodel.model import CLASS
from triage.tritonrepo.survey import Model, survey

CAUSES = ("model-code-error", "configuration-error", "model-config-invalid", "model-config-mismatch")
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal]:
    """One proposal for each model whose code does not do what its config says."""
    ways = []
    for model in survey(site).models:
        config = model.config
        if config is None or not config.readable or model.backend != "python":
            continue
        policy = config.root.first("model_transaction_policy")
        said = policy is not None and policy.plain("decoupled") is True
        sends = _sends(site, model)
        if sends is None or sends == said:
            continue
        if sends:
            new = config.remove(config.root, "model_transaction_policy")
            new = new.append("model_transaction_policy { decoupled: true }")
        else:
            new = config.remove(config.root, "model_transaction_policy")
        how = "sends its answers itself" if sends else "returns a list"
        what = f"{'' if sends else 'not '}decoupled, as execute {how}"
        ways.append(Way(model.path, config.text, new.text, what))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the policy."""
    changes.apply(site, parameters)


def _sends(site: Site, model: Model) -> bool | None:
    """Whether execute sends its answers itself (True) or returns them (False); None where that is not clear."""
    path = joined(model.version.path, "model.py") if model.version is not None else ""
    if not path or not site.has(path):
        return None
    try:
        tree = ast.parse(site.text(path))
    except SyntaxError:
        return None
    owner = next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == CLASS), None)
    methods = [node for node in (owner.body if owner else ()) if isinstance(node, ast.FunctionDef)]
    execute = next((node for node in methods if node.name == "execute"), None)
    if execute is None:
        return None
    asks = any(isinstance(node, ast.Attribute) and node.attr == "get_response_sender" for node in ast.walk(tree))
    answers = [node.value for node in ast.walk(execute) if isinstance(node, ast.Return) and node.value is not None]
    answers = [value for value in answers if not (isinstance(value, ast.Constant) and value.value is None)]
    if asks == bool(answers):
        return None
    return asks


def _set(folder: str) -> None:
    samples.repository(folder, samples.CONFIG + "model_transaction_policy { decoupled: true }\n")


def _after(site: Site) -> None:
    assert Config(site.text("models/scorer/config.pbtxt")).root.first("model_transaction_policy") is None  # noqa: S101


EXAMPLES = (Example(_set, _after), Example(samples.repository, None, applies=False))
