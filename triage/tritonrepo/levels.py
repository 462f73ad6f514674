"""Models at the wrong level of a repository, and folders in it that are no models."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from triage.remedy import Refusal
from triage.tritonrepo import files, layout, requests
from triage.tritonrepo.layout import CONFIG, KEEP, Folder, Repository, joined
from triage.tritonrepo.misplaced import holds_model, inner_models, of_model
from triage.tritonrepo.moves import Plan
from triage.tritonrepo.survey import Model, Survey, inside, read_config

_NO_PATH = re.compile(r"failed to stat file ([^\s'\"]{1,300})")
_UNKNOWN = re.compile(r"(?:Request for unknown model: |poll model )'([^']{1,200})'(?: is not found|: model not found)")


def plans(found: Survey) -> Iterator[Plan | Refusal]:
    """Everything that stands wrong, with the moves that put it right."""
    yield from _absent(found)
    yield from _outside(found)
    for repository in found.repositories:
        shallow = list(_shallow(found, repository))
        yield from shallow
        if not shallow:
            for folder in repository.folders:
                yield from _deep(found, repository, folder)
    for model in found.models:
        if inner_models(found, model.folder) or _is_shallow(model.repository):
            continue
        yield from of_model(found, model)
        yield from _stray(found, model)


def _absent(found: Survey) -> Iterator[Plan]:
    """The server was given a path that is not there, and the repository lies under another name."""
    for said in dict.fromkeys(_NO_PATH.findall(found.site.log)):
        path = inside(found.site, said)
        if not path or found.site.has(path) or len(found.repositories) != 1 or not found.repositories[0].path:
            continue
        held = found.repositories[0].path
        words = tuple(_with_path(word, path, held) for word in found.site.command)
        if words != found.site.command:
            yield Plan(held, f"give {held} as the repository, for {path} is not there", command=words, rank=-1)
        yield Plan(held, f"rename {held} to {path}, which the server is given", ((held, path),))


def _with_path(word: str, old: str, new: str) -> str:
    """A word of the command with another path, alone or behind an equals sign."""
    head, sign, tail = word.rpartition("=")
    return f"{head}{sign}{new}" if tail.rstrip("/").removeprefix("./") == old else word


def _outside(found: Survey) -> Iterator[Plan]:
    """Clients ask for a model whose folder lies beside the repository."""
    asked = dict.fromkeys(_UNKNOWN.findall(found.site.log))
    for name in asked:
        if found.model(name) is not None or len(found.repositories) != 1 or not found.repositories[0].path:
            continue
        repository = found.repositories[0].path
        folders = [path for path in layout.below(found.site.root, "") if os.path.basename(path) == name]
        held = [path for path in folders if layout.is_model(layout.read_folder(found.site.root, path))]
        if len(held) == 1:
            target = joined(repository, name)
            yield Plan(held[0], f"move {held[0]} into the repository {repository}", ((held[0], target),))


def _deep(found: Survey, repository: Repository, folder: Folder) -> Iterator[Plan]:
    moves: list[tuple[str, str]] = []
    inner = inner_models(found, folder)
    for each in inner:
        if each.name == folder.name:
            names = [name for part in layout.entries(found.site.root, each.path) for name in part]
            moves += [(joined(each.path, name), joined(folder.path, name)) for name in names]
        else:
            moves.append((each.path, joined(repository.path, each.name)))
    if moves and not any(found.site.has(target) for _, target in moves):
        others = [name for name in folder.others if name not in {each.name for each in inner}]
        if not others and not [name for name in folder.files if name not in KEEP]:
            what = ", ".join(f"{each.path}" for each in inner)
            yield Plan(folder.path, f"move {what} up one level", tuple(moves))


def _is_shallow(repository: Repository) -> bool:
    return CONFIG in repository.files and any(
        layout.is_version(folder.name) and folder.config is None for folder in repository.folders
    )


def _shallow(found: Survey, repository: Repository) -> Iterator[Plan]:
    """A repository that is itself a model: its files go into a folder of the model's name."""
    versions = [folder for folder in repository.folders if layout.is_version(folder.name)]
    if not versions or any(layout.is_model(folder) for folder in repository.folders) or not repository.path:
        return
    if CONFIG not in repository.files and not any(
        files.backend_of(name) for folder in versions for name in folder.files
    ):
        return
    config = read_config(found.site, joined(repository.path, CONFIG))
    name = (
        (config.word("name") if config is not None else None) or _asked_name(found) or os.path.basename(repository.path)
    )
    names = [folder.name for folder in repository.folders] + [each for each in repository.files if each not in KEEP]
    moves = tuple((joined(repository.path, each), joined(repository.path, name, each)) for each in names)
    if name == os.path.basename(repository.path):
        yield from _parent_in_command(found, repository)
    if name not in names:
        yield Plan(repository.path, f"move the model in {repository.path} into {joined(repository.path, name)}", moves)


def _parent_in_command(found: Survey, repository: Repository) -> Iterator[Plan]:
    """The command names the model's folder where it must name the one around it."""
    parent = os.path.dirname(repository.path)
    words = tuple(_with_path(word, repository.path, parent) for word in found.site.command)
    if parent and words != found.site.command:
        yield Plan(repository.path, f"give {parent} as the repository", command=words, rank=-1)


def _asked_name(found: Survey) -> str | None:
    for _, text in requests.scripts(found.site):
        match = re.search(r"""/models/([\w.-]+)/infer|model_name\s*=\s*["']([\w.-]+)["']""", text)
        if match:
            return match[1] or match[2]
    return None


def _stray(found: Survey, model: Model) -> Iterator[Plan]:
    """A folder that is no model and that the server takes for one."""
    folder = model.folder
    empty = folder.config is None and not any(
        files.backend_of(name) for version in folder.versions for name in version.files
    )
    empty = empty and not any(files.backend_of(name) for name in folder.files) and not inner_models(found, folder)
    holds = any(holds_model(found, joined(folder.path, name), None) for name in folder.others)
    named = f"'{folder.name}'" in found.site.log and re.search(
        rf"(?:model directory|failed to load(?: model)?) '{re.escape(folder.name)}'", found.site.log
    )
    outside = joined(os.path.dirname(model.repository.path), folder.name)
    if empty and not holds and named and model.repository.path and not found.site.has(outside):
        yield Plan(
            folder.path, f"move {folder.path}, which is no model, out of the repository", ((folder.path, outside),)
        )
