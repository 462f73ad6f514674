"""What stands at the wrong place in a model's folder: its config, version folders and model file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from triage.errors import UsageError
from triage.remedy import Refusal
from triage.tritonrepo import files, layout
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.layout import CONFIG, KEEP, Folder, Version, joined
from triage.tritonrepo.moves import Plan
from triage.tritonrepo.pymodel.model import CLASS, read
from triage.tritonrepo.survey import Model, Survey, read_config

_NOT_THERE = re.compile(r"(?i)no such ?file|doesn't exist|does not exist|not found")
_LABELS = (".txt", ".md", ".rst", ".tar.gz", ".tgz", ".zip")


def of_model(found: Survey, model: Model) -> Iterator[Plan | Refusal]:
    """What stands wrong in a model's own folder."""
    yield from config_elsewhere(found, model)
    broken = [*_versions(found, model), *_ensemble_version(model)]
    yield from broken
    if not broken:
        yield from _file(found, model)
        yield from _half(found, model)


def config_elsewhere(found: Survey, model: Model) -> Iterator[Plan]:
    """config.pbtxt under another name, in a version folder, in the repository itself, or beside it."""
    folder = model.folder
    if folder.config is not None:
        return
    target = joined(folder.path, CONFIG)
    for version in reversed(folder.versions):
        for name in version.files:
            if name == CONFIG or layout.is_config(name):
                path = joined(version.path, name)
                yield Plan(folder.path, f"move {path} up to {target}", ((path, target),))
                return
    for path in (joined(folder.path, name) for name in folder.files if layout.is_config(name)):
        if _reads_as_config(found, path):
            yield Plan(folder.path, f"rename {path} to {CONFIG}", ((path, target),))
            return
    for path in _strewn(found, model):
        move = ((path, target),)
        what = f"{path} to {target}"
        if found.site.may_change(path):
            yield Plan(folder.path, f"move {what}", moves=move)
        else:
            yield Plan(folder.path, f"copy {what}", copies=move)
        return


def _strewn(found: Survey, model: Model) -> Iterator[str]:
    """Configs of this model in the repository's own folder, in a subfolder of the model, or elsewhere in the build."""
    site, name = found.site, model.folder.name
    lacking = [each for each in model.repository.folders if each.config is None and each.versions]
    for file in model.repository.files:
        if file == CONFIG or layout.is_config(file) or re.fullmatch(rf"{re.escape(name)}(?:[._-]config)?\.pbtxt", file):
            path = joined(model.repository.path, file)
            config = read_config(site, path)
            if config is not None and (config.word("name") == name or name in file or len(lacking) == 1):
                yield path
    for path in site.listing:
        if os.path.basename(path) != CONFIG:
            continue
        inside = path.startswith(f"{model.folder.path}/")
        beside = os.path.basename(os.path.dirname(path)) == name and not _in_repository(found, path)
        config = read_config(site, path) if inside or beside else None
        if config is not None and (inside or config.word("name") in (None, name)):
            yield path


def _in_repository(found: Survey, path: str) -> bool:
    return any(not each.path or path.startswith(f"{each.path}/") for each in found.repositories)


def _reads_as_config(found: Survey, path: str) -> bool:
    config = read_config(found.site, path)
    return config is not None and (bool(config.root.fields) or "data_type" in config.text)


def holds_model(found: Survey, path: str, backend: str | None) -> bool:
    """Whether a folder holds a file that this backend, or any, loads."""
    folders, names = layout.entries(found.site.root, path)
    wanted = files.endings(backend) if backend else ()
    return any(
        name.endswith(wanted) if wanted else files.backend_of(name) for name in (*names, *folders) if name != CONFIG
    )


def _versions(found: Survey, model: Model) -> Iterator[Plan]:
    """Version folders that are missing or that Triton does not take for versions."""
    folder, backend = model.folder, _backend(model)
    if backend == files.ENSEMBLE or any(holds_model(found, each.path, backend) for each in folder.versions):
        return
    moves: list[tuple[str, str]] = []
    taken = {version.name: version for version in folder.versions}
    for name in folder.others:
        path = joined(folder.path, name)
        if holds_model(found, path, backend) and not inner_models(found, folder):
            number = _number(name)
            while number in taken and not taken[number].empty:
                number = str(int(number) + 1)
            target = joined(folder.path, number)
            if number in taken:
                moves += [
                    (joined(path, each), joined(target, each))
                    for part in layout.entries(found.site.root, path)
                    for each in part
                    if each not in KEEP
                ]
            else:
                moves.append((path, target))
            taken[number] = layout.Version(number, target, ("moved",), ())
    if moves:
        what = " and ".join(f"{source} to {target}" for source, target in moves[:3])
        yield Plan(folder.path, f"rename {what}", tuple(moves))
        return
    beside = _beside(found, model, backend)
    if beside:
        number = folder.versions[-1].name if folder.versions else "1"
        target = joined(folder.path, number)
        moves = [(joined(folder.path, name), joined(target, name)) for name in beside]
        if not any(found.site.has(each[1]) for each in moves):
            yield Plan(folder.path, f"move {', '.join(beside)} into {target}", tuple(moves))


def _beside(found: Survey, model: Model, backend: str | None) -> list[str]:
    """What lies beside config.pbtxt and belongs into a version folder; empty where no model file is there."""
    folder = model.folder
    if not holds_model(found, folder.path, backend):
        return []
    kept = _referred(model.config)
    names = [
        name for name in folder.files
        if name not in KEEP and name not in kept and not layout.is_config(name) and not name.endswith(_LABELS)
    ]  # fmt: skip
    inner = [name for name in folder.others if name not in kept and name not in ("configs", "__pycache__")]
    return names + inner


def _referred(config: Config | None) -> set[str]:
    """Files that config.pbtxt looks for in the model's own folder."""
    if config is None:
        return set()
    found = {str(node.plain("label_filename")) for node in config.root.each("output")}
    for value in config.parameters().values():
        found.add(value.rpartition("$$TRITON_MODEL_DIRECTORY/")[2].split("/")[0])
    return found


def _number(name: str) -> str:
    match = re.search(r"\d+", name)
    return str(int(match[0])) if match and int(match[0]) > 0 else "1"


def _ensemble_version(model: Model) -> Iterator[Plan]:
    if model.config is not None and model.config.is_ensemble and not model.folder.versions:
        target = joined(model.folder.path, "1")
        others = [name for name in model.folder.others if re.search(r"\d|latest|v", name)]
        if len(others) == 1:
            source = joined(model.folder.path, others[0])
            yield Plan(model.folder.path, f"rename {source} to {target}", ((source, target),), made=(target,))
        else:
            yield Plan(model.folder.path, f"make the version folder {target}", made=(target,))


def _backend(model: Model) -> str | None:
    config = model.config
    if config is None or not config.readable:
        return None
    if config.is_ensemble:
        return files.ENSEMBLE
    told = config.word("backend") or files.platforms().get(config.word("platform") or "")
    return told if told in files.backends() else None


def _file(found: Survey, model: Model) -> Iterator[Plan | Refusal]:
    """The model file under another name, one folder too deep, or elsewhere."""
    version, config = model.version, model.config
    if version is None or (config is not None and (not config.readable or config.is_ensemble)):
        return
    if version.empty and any(not each.empty for each in model.folder.versions):
        return  # an older version holds the model: see set_triton_version_policy
    backend = _backend(model)
    if backend is None and config is not None and (config.word("backend") or config.word("platform")):
        return  # a backend of its own, or a misspelt one: see set_triton_backend
    told = config.word("default_model_filename") if config is not None else None
    wanted = told or (files.default_file(backend) if backend else None)
    held = (*version.files, *version.folders)
    other = bool(told and backend and files.endings(backend) and not told.endswith(files.endings(backend)))
    if (
        (wanted in held and not other)
        or (backend is None and any(kind.file in held for kind in files.KINDS))
        or backend in ("vllm", "dali")
    ):
        return
    own = [kind.backend for kind in files.KINDS if kind.file in held]
    other_backend = bool(own) and backend not in own and not told and renamed(found, model, backend) is None
    if (backend is not None and wanted is None) or other_backend:
        return  # its backend is wrong, not its file
    yield from _found_file(found, model, backend, wanted)


def _found_file(found: Survey, model: Model, backend: str | None, wanted: str | None) -> Iterator[Plan | Refusal]:
    version, config = model.version, model.config
    assert version is not None  # noqa: S101 -- asked before
    told = config.word("default_model_filename") if config is not None else None
    standard = files.default_file(backend or "")
    if told and standard in version.files and config is not None:
        new = config.put_word("default_model_filename", standard or "")
        what = f"default_model_filename {standard} instead of {told}"
        yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),))
        return
    name = candidate(found, model, backend)
    if name is not None:
        target = wanted or files.default_file(files.backend_of(name) or "") or name
        move = (joined(version.path, name), joined(version.path, target))
        yield Plan(model.folder.path, f"rename {move[0]} to {target}", (move,))
        if config is not None:
            new = config.put_word("default_model_filename", name)
            what = f'default_model_filename: "{name}"'
            yield Plan(model.folder.path, what, ways=(Way(model.path, config.text, new.text, what),), rank=1)
        return
    codes = [each for each in version.files if each.endswith(".py") and CLASS in _classes(found, model, each)]
    if len(codes) > 1 and backend in (None, "python"):
        told = " and ".join(codes)
        yield Refusal(
            f"{version.path} holds {told}, and nothing tells which of them is the model.",
            f"Rename the right one to {wanted or 'model.py'}, or name it as default_model_filename.",
        )
        return
    yield from _deeper(found, model, backend, wanted)


def renamed(found: Survey, model: Model, backend: str | None) -> str | None:
    """The file that its backend would load under the right name; none where the server has not this backend."""
    name = candidate(found, model, backend)
    code = model._replace(config=None).python()
    used = {os.path.basename(path) for path in code.files} if code is not None else set()
    return None if name in used or backend in found.missing_backends else name


def candidate(found: Survey, model: Model, backend: str | None) -> str | None:
    """The file of the version folder that must be the model, under whatever name; None where it is not clear."""
    version = model.version
    if version is None:
        return None
    held = (*version.files, *version.folders)
    wanted = files.endings(backend) if backend else tuple(ending for kind in files.KINDS for ending in kind.endings)
    names = [name for name in held if name.endswith(wanted) and not layout.is_config(name)]
    if backend is None and any(name.endswith(".py") for name in names):
        names = [name for name in names if name.endswith(".py")]
    if backend in (None, "python"):
        classes = {name: _classes(found, model, name) for name in names if name.endswith(".py")}
        exact = [name for name, held_ in classes.items() if CLASS in held_]
        if not exact:
            exact = [name for name, held_ in classes.items() if any("execute" in methods for methods in held_.values())]
        names = exact or (names if backend is None and not classes else [])
        bare = [name for name in version.files if name in ("model", "model.py.txt", "model.python") and not names]
        names += bare if backend == "python" else []
    return names[0] if len(names) == 1 else None


def _classes(found: Survey, model: Model, name: str) -> dict[str, tuple[str, ...]]:
    version = model.version
    assert version is not None  # noqa: S101
    path = found.site.path(joined(version.path, name))
    return dict(read(path, model.name, version.name, found.site.path(model.folder.path)).classes)


def _deeper(found: Survey, model: Model, backend: str | None, wanted: str | None) -> Iterator[Plan | Refusal]:
    """The model file in a folder inside the version folder, in another place of the build, or nowhere."""
    version, site = model.version, found.site
    assert version is not None  # noqa: S101
    inner = [name for name in version.folders if holds_model(found, joined(version.path, name), backend)]
    if len(inner) == 1:
        source = joined(version.path, inner[0])
        moves = tuple(
            (joined(source, name), joined(version.path, name))
            for part in layout.entries(site.root, source) for name in part
        )  # fmt: skip
        if not any(site.has(target) for _, target in moves):
            yield Plan(model.folder.path, f"move the files of {source} up into {version.path}", moves)
            return
    if wanted is None or wanted in model.folder.files:
        return  # see _half
    outside = [] if backend == "python" else [
        path for path in site.listing
        if path.endswith(files.endings(backend or "") or (wanted,)) and not _in_repository(found, path)
    ]  # fmt: skip
    exact = [
        path for path in outside if os.path.basename(path) in (wanted, f"{model.name}{os.path.splitext(wanted)[1]}")
    ]
    chosen = exact if len(exact) == 1 else outside
    if len(chosen) == 1:
        target = joined(version.path, wanted)
        what = f"copy {chosen[0]} to {target}"  # it may be another model, or an older one
        safety = None if site.verify else "unsafe"
        yield Plan(model.folder.path, what, copies=((chosen[0], target),), safety=safety)
    elif _is_built(found, joined(version.path, wanted)):
        return
    elif backend in (None, "python", "onnxruntime", "pytorch", "tensorrt", "openvino") and not _other_kind(
        version.files
    ):
        yield Refusal(
            f"{joined(version.path, wanted)} is missing, and no such model lies anywhere in the build.",
            f"Put the model file into {version.path}.",
        )


def _is_built(found: Survey, path: str) -> bool:
    """Whether the build itself writes this file."""
    built = os.path.join(found.site.built, path) if found.site.built else ""
    return path in found.site.outputs or bool(built and os.path.exists(built))


def _other_kind(names: tuple[str, ...]) -> bool:
    return any(files.backend_of(name) for name in names)


def _half(found: Survey, model: Model) -> Iterator[Plan | Refusal]:
    """Files that the log misses in the version folder and that lie beside config.pbtxt, or in another version."""
    version = model.version
    if version is None or version.empty:
        return
    missed = re.findall(
        rf"(?m)(?:^|[/'\"\s=(]){re.escape(version.path)}/([\w./-]{{1,200}}?)['\"\s\\:,)]", found.site.log
    )
    moves, copies, guessed = [], [], False
    for name in dict.fromkeys(missed):
        target = joined(version.path, name)
        try:
            there = found.site.has(target)
        except UsageError:
            continue
        if there:
            continue
        for source in (joined(model.folder.path, name), joined(model.folder.path, os.path.basename(name))):
            if os.path.isfile(found.site.path(source)):
                moves.append((source, target))
                break
        else:
            same = _same_ending(version, os.path.basename(name))
            if same:
                moves.append((joined(version.path, same), target))
            else:
                copies += _elsewhere(found, name, target)
            guessed = True  # it may hold another model's weights, or older ones
    if moves or copies:
        what = ", ".join(f"{source} to {target}" for source, target in (moves + copies)[:3])
        what = f"move {what}" if moves else f"copy {what}"
        safety = "unsafe" if guessed and not found.site.verify else None
        yield Plan(model.folder.path, what, tuple(moves), tuple(copies), safety=safety)
        return
    for name in dict.fromkeys(name for name in missed if ".." not in name):
        target = joined(version.path, name)
        lines = [line for line in found.site.log.split("\n") if _NOT_THERE.search(line) and target in line]
        if lines and not found.site.has(target) and not _is_built(found, target):
            yield Refusal(
                f"{target} is missing, and no file that it can be lies in the build.",
                f"Put {os.path.basename(name)} into {version.path}.",
            )


def _same_ending(version: Version, name: str) -> str | None:
    """The only file of the version folder with the ending of one that is missed."""
    ending = os.path.splitext(name)[1]
    found = [each for each in version.files if os.path.splitext(each)[1] == ending]
    return found[0] if ending not in ("", ".py") and len(found) == 1 else None


def _elsewhere(found: Survey, name: str, target: str) -> list[tuple[str, str]]:
    """The only file of this name outside of the repositories; another model's file is never taken."""
    base = os.path.basename(name)
    same = [path for path in found.site.listing if os.path.basename(path) == base and not _in_repository(found, path)]
    taken = len(same) == 1 and os.path.splitext(name)[1] not in ("", ".py")
    return [(same[0], target)] if taken else []


def inner_models(found: Survey, folder: Folder) -> list[Folder]:
    """Models that stand one level too deep in what is no model itself."""
    if folder.config is not None or any(not version.empty for version in folder.versions):
        return []
    inner = [layout.read_folder(found.site.root, joined(folder.path, name)) for name in folder.others]
    return [each for each in inner if layout.is_model(each) and each.versions]
