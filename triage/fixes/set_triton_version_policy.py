"""Let the version policy pick a version that is there.

What it changes: version_policy in config.pbtxt where it picks no version that lies in the model's folder, or one whose
folder holds no model: the versions that are there are named. As a second way the only version folder is renamed to the
version that the policy names. A version that clients ask for is loaded too.

When it is wrong: where the version that was meant is missing in this copy. Then put its folder into the repository.
Another version may give other answers, so this needs --unsafe where the recipe compares no outputs.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal
from triage.tritonrepo import moves, samples
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.layout import joined
from triage.tritonrepo.moves import Plan
from triage.tritonrepo.survey import Model, survey

CAUSES = ("model-repository-invalid", "model-config-invalid", "ensemble-config-invalid", "model-not-found")
SAFETY = "safe"
EVIDENT = True
_UNKNOWN = r"unknown model: '{}' version (\d+) is not found"


def propose(site: Site) -> Iterator[Proposal]:
    """The policy is changed first, the folder second."""
    plans = [plan for model in survey(site).models for plan in _plans(site, model)]
    if not site.verify:  # another version may give other answers
        plans = [plan._replace(safety="unsafe") for plan in plans]
    yield from moves.proposals(site, plans)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the policy, or renames the folder."""
    moves.apply(site, parameters)


def _plans(site: Site, model: Model) -> Iterator[Plan]:
    config = model.config
    policy = config.root.first("version_policy") if config is not None and config.readable else None
    if config is None or not model.folder.versions:
        return
    yield from _asked(site, model, config)
    if policy is None:
        yield from _newest(model, config)
        return
    there = [version.name for version in model.folder.versions]
    specific, latest = policy.first("specific"), policy.first("latest")
    wanted = [str(node.value) for node in specific.each("versions")] if specific else []
    if specific is not None and not set(wanted) & set(there):
        what = f"version_policy of {model.name}: {', '.join(there)} instead of {', '.join(wanted) or 'none'}"
        new = config.put_list(specific, "versions", [int(name) for name in there])
        yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),))
        if len(wanted) == len(there) == 1:
            source, target = (joined(model.folder.path, name) for name in (there[0], wanted[0]))
            yield Plan(model.folder.path, f"rename the folder {source} to {wanted[0]}", ((source, target),), rank=1)
    elif latest is not None and not latest.plain("num_versions"):
        what = f"version_policy of {model.name}: the latest version instead of none"
        new = config.put(latest, "num_versions", "1")
        yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),))


def _asked(site: Site, model: Model, config: Config) -> Iterator[Plan]:
    """Clients ask for a version that is not loaded, or not there."""
    there = [version.name for version in model.folder.versions]
    for version in dict.fromkeys(re.findall(_UNKNOWN.format(re.escape(model.name)), site.log)):
        if version in there:
            new = config.remove(config.root, "version_policy")
            new = new.append(f"version_policy {{ specific {{ versions: [ {', '.join(there)} ] }} }}")
            what = f"version_policy of {model.name}: {', '.join(there)}, for clients ask for {version}"
            yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),))
        elif len(there) == 1:
            source, target = (joined(model.folder.path, name) for name in (there[0], version))
            what = f"rename the folder {source} to {version}, as clients ask for it"
            yield Plan(model.folder.path, what, ((source, target),))


def _newest(model: Model, config: Config) -> Iterator[Plan]:
    """The newest version is loaded; where its folder is empty, an older one that holds the model is named."""
    full = [version for version in model.folder.versions if not version.empty]
    if config.is_ensemble or not full or not model.folder.versions[-1].empty:
        return
    line = f"version_policy {{ specific {{ versions: [ {full[-1].name} ] }} }}"
    what = f"version_policy of {model.name}: {full[-1].name}, for {model.folder.versions[-1].path} is empty"
    yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, config.append(line).text, what),))


def _empty(folder: str) -> None:
    samples.repository(folder, file="2/model.py")
    samples.put(folder, "models/scorer/3/.gitkeep", "")


def _absent(folder: str) -> None:
    samples.repository(
        folder, samples.CONFIG + "version_policy: { specific: { versions: [ 4 ] } }\n", file="2/model.py"
    )


def _there(folder: str) -> None:
    samples.repository(
        folder, samples.CONFIG + "version_policy: { specific: { versions: [ 2 ] } }\n", file="2/model.py"
    )


def _after(site: Site) -> None:
    policy = Config(site.text("models/scorer/config.pbtxt")).root.first("version_policy")
    specific = policy.first("specific") if policy else None
    assert specific is not None  # noqa: S101
    assert [node.value for node in specific.each("versions")] == [2]  # noqa: S101


EXAMPLES = (Example(_absent, _after), Example(_empty, _after), Example(_there, None, applies=False))
