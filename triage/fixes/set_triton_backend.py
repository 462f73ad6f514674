"""Name the backend that loads the model's file.

What it changes: backend and platform in config.pbtxt. A misspelt or missing backend becomes the one whose file lies in
the version folder; model.py goes before other files where the server has not the backend that was asked for. A platform
that Triton does not know, or that contradicts the backend, is taken out. An ensemble gets platform "ensemble".

When it is wrong: where the backend is right and only not installed. Then nothing is changed, and the answer is an image
that has it; a model.py beside the file is taken as the model because the server can load it.

Proof: Triton loads the model and answers; the outputs are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import changes, files, samples
from triage.tritonrepo.config import Config
from triage.tritonrepo.misplaced import candidate, renamed
from triage.tritonrepo.survey import Model, Survey, survey
from triage.tritonrepo.words import closest

CAUSES = (
    "backend-missing", "model-config-invalid", "model-repository-invalid", "model-file-missing", "request-timeout",
    "ensemble-config-invalid", "shared-library-load-failed", "server-unreachable", "cuda-unavailable",
)  # fmt: skip
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """One proposal for each backend that fits; a refusal where it is only not installed."""
    found = survey(site)
    ways: list[changes.Way] = []
    for model in found.models:
        if model.config is not None and model.config.readable:
            said = list(_ways(found, model, model.config))
            ways += [way for way in said if isinstance(way, changes.Way)]
            yield from (way for way in said if isinstance(way, Refusal))
    yield from changes.proposals(site, ways)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the backend."""
    changes.apply(site, parameters)


def _ways(found: Survey, model: Model, config: Config) -> Iterator[changes.Way | Refusal]:
    if config.root.first("ensemble_scheduling") is not None:
        if config.word("platform") != files.ENSEMBLE or config.word("backend"):
            new = _set(config, None, files.ENSEMBLE)
            yield changes.Way(model.path, config.text, new.text, 'platform: "ensemble"')
        return
    backend, platform = config.word("backend"), config.word("platform")
    held = _held(found, model)
    asked = backend or files.platforms().get(platform or "") or platform
    lacking = _lacking(found, model, asked)
    why = _wrong(found, model, config, held)
    if not (why or lacking):
        return
    choices = [each for each in _choices(held, asked) if each not in found.missing_backends]
    for rank, name in enumerate(choices):
        new = _set(config, name, None)
        if new.text != config.text:
            yield changes.Way(model.path, config.text, new.text, f'backend: "{name}"{why}', rank)
    if not choices and lacking:
        yield Refusal(
            f"this server has no backend {lacking}, and {model.folder.path} holds nothing that another backend loads.",
            f"Use an image or --backend-directory that has the backend {lacking}.",
        )


def _held(found: Survey, model: Model) -> list[str]:
    """Backends whose file lies in the version folder, Python first."""
    version, config = model.version, model.config
    names = (*version.files, *version.folders) if version else ()
    told = config.word("default_model_filename") if config is not None else None
    if told in names:
        own = files.backend_of(told or "")
        return [own] if own else []
    held = [kind.backend for kind in files.KINDS if kind.file in names]
    if not held:
        name = candidate(found, model, None)
        own = files.backend_of(name) if name else None
        held = [own] if own else []
    return list(dict.fromkeys(held))


def _lacking(found: Survey, model: Model, asked: str | None) -> str | None:
    """The backend of this model that the server did not find."""
    named = re.escape(model.name)
    for name in found.missing_backends:
        if name == asked or re.search(rf"'{named}'[^\n]{{0,200}}backend '{re.escape(name)}'", found.site.log):
            return name
    return None


def _wrong(found: Survey, model: Model, config: Config, held: list[str]) -> str:
    """What is wrong with the words themselves, for the title; empty where nothing is."""
    backend, platform = config.word("backend"), config.word("platform")
    name = re.escape(model.name)
    if platform and platform != files.ENSEMBLE and platform not in files.platforms():
        return f" instead of platform {platform}"
    if platform and backend and files.platforms().get(platform) not in (None, backend):
        refused = re.search(r"unexpected 'platform' and 'backend' pair", found.site.log)
        return f" without platform {platform}" if refused or not held or backend not in held else ""
    own = backend or files.platforms().get(platform or "")
    if own and held and own not in held and own in files.backends() and renamed(found, model, own) is None:
        return f", for the version folder holds {files.default_file(held[0])}"
    if not backend and not platform and re.search(rf"backend' for '{name}'|backend for model '{name}'", found.site.log):
        return ", as its file tells" if held else ""
    if (
        backend
        and backend not in files.backends()
        and backend in found.missing_backends
        and closest(backend, held, 0.6)
    ):
        return f" instead of {backend}"
    return ""


def _choices(held: list[str], asked: str | None) -> list[str]:
    near = closest(asked or "", held, 0.6) if asked else []
    if held:
        return list(dict.fromkeys(near + held))
    return closest(asked or "", files.backends(), 0.75)


def _set(config: Config, backend: str | None, platform: str | None) -> Config:
    """The config with exactly this backend or platform."""
    for name, value in (("backend", backend), ("platform", platform)):
        if value is None and any(field.name == name for field in config.root.fields):
            if name == "platform" and backend is not None and config.word("backend") is None:
                field = next(field for field in config.root.fields if field.name == "platform")
                text = f'{config.text[: field.start]}backend: "{backend}"{config.text[field.end :]}'
                return Config(text)
            config = config.remove(config.root, name)
        elif value is not None and config.word(name) != value:
            config = config.put_word(name, value)
    return config


def _typo(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace('"python"', '"pyton"'))


def _platform(folder: str) -> None:
    samples.repository(folder, samples.CONFIG.replace('backend: "python"', 'platform: "python"'))


def _after(site: Site) -> None:
    config = Config(site.text("models/scorer/config.pbtxt"))
    assert (config.word("backend"), config.word("platform")) == ("python", None)  # noqa: S101


_NOT_FOUND = "failed to load 'scorer' version 1: Invalid argument: unable to find backend library for backend 'pyton'"
EXAMPLES = (
    Example(_typo, _after, log=_NOT_FOUND),
    Example(_platform, _after),
    Example(samples.repository, None, applies=False),
)
