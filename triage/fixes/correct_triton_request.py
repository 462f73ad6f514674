"""Ask Triton for the names that the model has.

What it changes: a client's script, or a Python model that calls another model. The name of an input, of an output or
of a model that the server does not know becomes the one that it has. Only where one name is left that it can be: the
only one that the script does not use, or the only one that is spelt alike.

When it is wrong: another name may stand for another thing: logits are no probabilities, and version two is not version
one. Names that are not spelt alike are taken only where the outputs are compared.

Proof: the server answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import CannotApply, Example, Site
from triage.pysource import literals
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import samples
from triage.tritonrepo.survey import Survey, survey
from triage.tritonrepo.words import closest

CAUSES = ("input-name-mismatch", "model-not-found", "model-config-mismatch")
SAFETY = "safe"
EVIDENT = False
_TENSOR = re.compile(
    r"unexpected inference (?P<kind>input|output) '(?P<name>[^']{1,200})' for model '(?P<model>[^']{1,200})'"
)
_MODELS = (
    re.compile(r"Model '(?P<name>[^']{1,200})' is not ready"),
    re.compile(r"Request for unknown model: '(?P<name>[^']{1,200})' is not found"),
)
_ALIKE = 0.6


class Wrong(NamedTuple):
    """A name that the server refuses, what it names, and the names that it may be."""

    kind: str
    name: str
    known: tuple[str, ...]
    where: str


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each script that uses a refused name: the name that it must be."""
    found = survey(site)
    for wrong in dict.fromkeys(_wrong(found)):
        for path in site.scripts():
            text = site.text(path)
            own = {model.name for model in found.models if path.startswith(f"{model.folder.path}/")}
            new = _meant(wrong, text, own)
            if literals.renamed(text, wrong.kind, wrong.name, new or wrong.name) is None:
                continue
            if new is None:
                known = ", ".join(wrong.known) or "none"
                yield Refusal(
                    f"{path} asks for the {wrong.kind} {wrong.name}, {wrong.where} has {known}: which is meant "
                    "is not certain.", f"Ask for one of {known} in {path}.",
                )  # fmt: skip
                continue
            sure = bool(site.verify) or _plain(new) == _plain(wrong.name)
            parameters = {"file": path, "kind": wrong.kind, "old": wrong.name, "new": new}
            yield Proposal(
                f"{path}: {wrong.kind} {new} instead of {wrong.name}", parameters, None if sure else "unsafe"
            )


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the other name where the script asks for it."""
    path = parameters["file"]
    new = literals.renamed(site.text(path), parameters["kind"], parameters["old"], parameters["new"])
    if new is None:
        raise CannotApply(f"{path} does not ask for {parameters['old']}")
    site.write_text(path, new)


def _wrong(found: Survey) -> Iterator[Wrong]:
    for match in _TENSOR.finditer(found.site.log):
        model = found.model(match["model"])
        if model is None:
            continue
        known = model.interface()
        names = [each.name for each in known.of(match["kind"])] if known is not None else []
        if model.config is not None and model.config.readable:
            names = [each.name for each in model.config.tensors(match["kind"])] or names
        yield Wrong(match["kind"], match["name"], tuple(names), f"the model {model.name}")
    there = tuple(model.name for model in found.models)
    for pattern in _MODELS:
        for match in pattern.finditer(found.site.log):
            if there and match["name"] not in there:
                yield Wrong(literals.MODEL, match["name"], there, "the repository")


def _meant(wrong: Wrong, text: str, own: set[str]) -> str | None:
    """The only name that it can be: none where several can. A model that calls another does not mean itself."""
    used = literals.strings(text) | (own if wrong.kind == literals.MODEL else set())
    free = [name for name in wrong.known if name not in used]
    near = closest(wrong.name, free, _ALIKE)
    if len(near) == 1 or (near and _plain(near[0]) == _plain(wrong.name)):
        return near[0]
    return free[0] if len(free) == 1 and not near else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_CLIENT = """\
import tritonclient.http as http

tensor = http.InferInput("NAME", [1, 6], "FP32")
client = http.InferenceServerClient("localhost:8000")
print(client.infer("scorer", [tensor]).as_numpy("score"))
"""
_LOG = "unexpected inference input 'images' for model 'scorer'\n"


def _wrong_name(folder: str) -> None:
    samples.repository(folder)
    samples.put(folder, "client.py", _CLIENT.replace("NAME", "images"))


def _right_name(folder: str) -> None:
    samples.repository(folder)
    samples.put(folder, "client.py", _CLIENT.replace("NAME", "features"))


def _after(site: Site) -> None:
    assert site.text("client.py") == _CLIENT.replace("NAME", "features")  # noqa: S101


EXAMPLES = (
    Example(_wrong_name, _after, command=("python", "client.py"), log=_LOG, verify={"command": "python verify.py"}),
    Example(_right_name, None, command=("python", "client.py"), log=_LOG, applies=False),
)
