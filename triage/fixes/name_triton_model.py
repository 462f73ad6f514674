"""Make the model's folder and its name one.

What it changes: Triton wants the folder to be called as config.pbtxt names the model. Either the folder is renamed or
the name in config.pbtxt is set: to what clients, scripts, requests and ensembles ask for.

When it is wrong: where clients that are not part of the build ask for the other name.

Proof: Triton loads the model under the name that clients ask for; the outputs are compared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import ensembles, moves, requests, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.layout import CONFIG, joined
from triage.tritonrepo.moves import Plan
from triage.tritonrepo.survey import Model, Survey, survey
from triage.tritonrepo.words import closest

CAUSES = ("model-config-invalid", "model-repository-invalid", "model-not-found")
SAFETY = "safe"
EVIDENT = True
_UNKNOWN = re.compile(r"(?:Request for unknown model: |poll model )'([^']{1,200})'(?: is not found|: model not found)")


def propose(site: Site) -> Iterator[Proposal]:
    """Both ways, the one that clients ask for first."""
    found = survey(site)
    plans = [plan for model in found.models for plan in _differing(found, model)]
    yield from moves.proposals(site, plans or list(_unknown(found)))


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Renames the folder, or writes the name."""
    moves.apply(site, parameters)


def _differing(found: Survey, model: Model) -> Iterator[Plan]:
    config = model.config
    name = config.word("name") if config is not None and config.readable else None
    if config is None or name is None or name == model.name:
        return
    wanted, held = _asked(found, name), _asked(found, model.name)
    folder_first = wanted and not held
    target = joined(model.repository.path, name)
    if not found.site.has(target) and "/" not in name and name.strip() == name:
        what = f"rename the folder {model.folder.path} to {name}"
        yield Plan(model.folder.path, what, ((model.folder.path, target),), rank=0 if folder_first else 1)
    what = f'name: "{model.name}" instead of "{name}" in {model.path}'
    new = config.put_word("name", model.name)
    yield Plan(
        model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),), rank=1 if folder_first else 0
    )


def _asked(found: Survey, name: str) -> bool:
    return requests.mentioned(found.site, name) or next(ensembles.uses(found, name), None) is not None


def _unknown(found: Survey) -> Iterator[Plan]:
    """Clients ask for a model that is there under another name."""
    known = {model.name for model in found.models}
    for name in dict.fromkeys(_UNKNOWN.findall(found.site.log)):
        if name in known:
            continue
        yield from _loaded(found, name)
        free = [model for model in found.models if not _asked(found, model.name) and model.folder.versions]
        near = closest(name, [model.name for model in free], 0.6)
        chosen = [model for model in free if model.name in near[:1]] or (free if len(free) == 1 else [])
        for model in chosen:
            target = joined(model.repository.path, name)
            config = model.config
            ways: tuple[Way, ...] = ()
            if config is not None and config.readable and config.word("name"):
                path = joined(target, CONFIG)
                ways = (Way(path, config.text, config.put_word("name", name).text, f"name {name}"),)
            what = f"rename the folder {model.folder.path} to {os.path.basename(target)}, as clients ask for it"
            sure = bool(near) or bool(found.site.verify)  # it may be another model
            moved = ((model.folder.path, target),)
            yield Plan(model.folder.path, what, moved, ways=ways, safety=None if sure else "unsafe")


def _loaded(found: Survey, name: str) -> Iterator[Plan]:
    """The command loads a model by a misspelt name."""
    near = closest(name, [model.name for model in found.models], 0.6)
    words = tuple(
        word.replace(name, near[0]) if near and word in (name, f"--load-model={name}") else word
        for word in found.site.command
    )
    if near and words != found.site.command:
        yield Plan(near[0], f"load {near[0]} instead of {name}", command=words, rank=-1)


def _other_folder(folder: str) -> None:
    samples.repository(folder)
    os.rename(f"{folder}/models/scorer", f"{folder}/models/resnet50")
    samples.put(folder, "client.py", 'MODEL = "scorer"\n')


def _other_name(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace('"scorer"', '"resnet50"'))
    samples.put(folder, "client.py", 'MODEL = "scorer"\n')


def _after(site: Site) -> None:
    assert Config(site.text("models/scorer/config.pbtxt")).word("name") == "scorer"  # noqa: S101
    assert site.has("models/scorer/1/model.py")  # noqa: S101


EXAMPLES = (
    Example(_other_folder, _after, command=("python", "client.py")),
    Example(_other_name, _after, command=("python", "client.py")),
    Example(samples.repository, None, applies=False),
)
