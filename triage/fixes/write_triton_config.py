"""Write config.pbtxt from the model.

What it changes: a config.pbtxt where none is and Triton needs one: backend, max_batch_size, and name, data type and
dims of every input and output, as the model file or the code of model.py has them. What they leave open is taken from
the ensembles that run the model, then from requests and expected answers stored in the build.

When it is wrong: where a config.pbtxt exists elsewhere; then that one is put into its place
(repair_repository_layout). Settings such as batching delays or instance groups are not guessed; Triton's defaults
hold.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import ensembles, hints, samples
from triage.tritonrepo.config import Config
from triage.tritonrepo.fitting import enough
from triage.tritonrepo.interface import DIRECTIONS, Interface
from triage.tritonrepo.misplaced import config_elsewhere
from triage.tritonrepo.survey import Model, Survey
from triage.tritonrepo.writing import tensor

CAUSES = (
    "model-config-invalid", "model-repository-invalid", "model-config-mismatch", "backend-init-failed",
    "ensemble-config-invalid", "input-name-mismatch", "output-mismatch",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for all models that need a config; a refusal where one does not tell enough."""
    found = Survey(site)  # its models change here, so that one config can tell about the next
    needed = [model for model in found.models if _needs(found, model) and site.may_change(model.path)]
    written: dict[str, str] = {}
    refused: dict[str, Refusal] = {}
    for _ in range(len(needed)):
        for model in needed:
            text = _text(found, model) if model.path not in written else ""
            if isinstance(text, Refusal):
                refused[model.path] = text
            elif text:
                written[model.path] = text
                refused.pop(model.path, None)
                known = model._replace(config=Config(text))
                found.models = tuple(known if each.path == model.path else each for each in found.models)
    if written:
        configs = [{"config": path, "text": text} for path, text in written.items()]
        yield Proposal(f"write {' and '.join(written)}", {"configs": configs})
    yield from refused.values()


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the files."""
    for each in parameters["configs"]:
        site.write_text(each["config"], each["text"])


def _needs(found: Survey, model: Model) -> bool:
    config = model.config
    if (config is not None and config.root.fields) or model.version is None or model.version.empty:
        return False
    if config is not None and not config.readable:
        return False
    if next(config_elsewhere(found, model), None) is not None:
        return False
    name = re.escape(model.name)
    complained = rf"/{name}/config\.pbtxt: No such file|backend for model '{name}'|for '{name}'|model '{name}'"
    python = model.python()
    return bool(
        found.strict or re.search(complained, found.site.log) or (python is not None and python.declared is None)
    )


def _text(found: Survey, model: Model) -> str | Refusal:
    known = hints.completed(found, model, model.interface())
    if model.backend is None:
        return "" if not found.strict else Refusal(
            f"no file in {model.folder.path} tells which backend loads it.", f"Write {model.path} by hand."
        )  # fmt: skip
    blank = [each.name for each in known.tensors if each.data_type is None]
    if not known.input or not known.output or blank:
        what = f"the data type of {', '.join(blank)}" if blank else "its inputs and outputs"
        return Refusal(f"nothing in the build tells {what} of the model {model.name}.", f"Write {model.path} by hand.")
    largest = _largest(found, model, known)
    lines = [f'name: "{model.name}"', f'backend: "{model.backend}"', f"max_batch_size: {largest}"]
    python = model.backend == "python"
    for direction in DIRECTIONS:
        for each in known.of(direction):
            dims = known.dims(each, largest)
            if dims is None and not python:
                return Refusal(f"nothing in the build tells the dims of {each.name}.", f"Write {model.path} by hand.")
            optional = "optional: true" if each.optional and direction == "input" else ""
            data_type = each.data_type or ""
            lines.append(
                f"{direction} {tensor(each.name, data_type, list(dims) if dims is not None else [-1], '', optional)}"
            )
    return "\n".join(lines) + "\n"


def _largest(found: Survey, model: Model, known: Interface) -> int:
    """A batch only where the model's own file, or an ensemble around it, says that there is one."""
    own = model.interface()
    joined = ensembles.largest_batch(found, model.name)
    if own is not None and own.most is not None:
        return own.most
    told = own is not None and bool(own.input) and all(each.dims is not None for each in own.input)
    if told and own is not None and own.takes_batches:
        return joined or enough(hints.wish(found, model).batch)
    return joined or 0 if not told and known.batch else 0


def _missing(folder: str) -> None:
    samples.repository(folder, config=None)


def _after(site: Site) -> None:
    config = Config(site.text("models/scorer/config.pbtxt"))
    told = [(entry.name, entry.data_type, entry.dims) for entry in config.tensors("input") + config.tensors("output")]
    assert told == [("features", "TYPE_FP32", (6,)), ("score", "TYPE_FP32", (2,))]  # noqa: S101
    assert (config.max_batch_size, config.word("backend")) == (8, "python")  # noqa: S101


_STRICT = ("python", "serve.py", "--disable-auto-complete-config")
EXAMPLES = (
    Example(_missing, _after, command=_STRICT, found=Found(causes=("model-config-invalid",), tool="triton")),
    Example(samples.repository, None, command=_STRICT, applies=False),
)
