"""A build that runs Triton, as far as files, command and log tell: its repositories, models and server."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from triage.errors import UsageError
from triage.tritonrepo import files, layout, requests
from triage.tritonrepo.config import Config
from triage.tritonrepo.interface import Interface
from triage.tritonrepo.layout import Folder, Repository, Version
from triage.tritonrepo.pymodel.model import PyModel
from triage.tritonrepo.reading import interface_of, python_of

if TYPE_CHECKING:
    from triage.site import Site

_PATHS = (
    re.compile(r"\|\s*model_repository_path\[\d+\]\s*\|\s*(\S+)"),
    re.compile(r"(?:file for read|read text proto from) (\S+)/[^\s/]+/config\.pbtxt"),
    re.compile(r"file not found in '([^'\s]+)/[^'\s/]+/\d+/[^'\s/]+'"),
)
_FLAG = re.compile(r"--model-(?:repository|store)(?:[=\s\"',]+)([^\s\"',)\]]+)")
_TRITON = re.compile(
    r"tritonserver|tritonclient|triton_python_backend|pytriton|--model-repository|/v2/models/|config\.pbtxt"
)
_STRICT = re.compile(r"\|\s*strict_model_config\s*\|\s*1\s*\|")
_NO_AUTO = re.compile(r"--disable-auto-complete-config\b|--strict-model-config[= ](?:true|1)\b")
_REPOSITORY_NAMES = ("models", "model_repository", "model-repository", "repository", "repo", "model_repo", "triton")
_LARGEST_CONFIG = 1 << 20


class Model(NamedTuple):
    """A model of a repository. ``config`` is None where there is none; ``version`` is the one that is loaded."""

    site: Site
    repository: Repository
    folder: Folder
    config: Config | None
    version: Version | None

    @property
    def name(self) -> str:
        """What clients call it."""
        return self.folder.name

    @property
    def path(self) -> str:
        """Where its config.pbtxt is, or belongs."""
        return layout.joined(self.folder.path, layout.CONFIG)

    @property
    def backend(self) -> str | None:
        """The backend that it asks for, or the one that its files are for; a known model.py goes before others."""
        if self.config is not None and self.config.readable:
            if self.config.is_ensemble:
                return files.ENSEMBLE
            told = self.config.word("backend") or files.platforms().get(self.config.word("platform") or "")
            if told:
                return told
        held = self.version.files if self.version else ()
        return next((kind.backend for kind in files.KINDS if kind.file in (*held, *self._folders())), None)

    def _folders(self) -> tuple[str, ...]:
        return self.version.folders if self.version else ()

    def interface(self) -> Interface | None:
        """What the model file says of its tensors; None where it cannot be read."""
        return interface_of(self.site, self.folder, self.version, self.config, self.backend)

    def python(self) -> PyModel | None:
        """Its model.py as read; None where there is none."""
        return python_of(self.site, self.folder, self.version, self.config)


class Survey:
    """What is known of a build's repositories. ``repositories`` are those that the server was given, or looks given."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @cached_property
    def repositories(self) -> tuple[Repository, ...]:
        """The repositories, those that the server names first."""
        if not _about_triton(self.site):
            return ()
        return tuple(layout.read(self.site.root, path) for path in _repositories(self.site))

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """Every folder of the repositories; those that the log names come first."""
        found = [
            _model(self.site, repository, folder) for repository in self.repositories for folder in repository.folders
        ]
        return tuple(sorted(found, key=lambda model: f"'{model.name}'" not in self.site.log))

    def model(self, name: str) -> Model | None:
        """A model by its name."""
        return next((model for model in self.models if model.name == name), None)

    @cached_property
    def strict(self) -> bool:
        """Whether every config.pbtxt must be complete: the server is told not to fill it in."""
        if _STRICT.search(self.site.log):
            return True
        told = [" ".join(self.site.command), *(text for _, text in requests.scripts(self.site))]
        return "strict_model_config" not in self.site.log and any(_NO_AUTO.search(text) for text in told)

    @cached_property
    def missing_backends(self) -> tuple[str, ...]:
        """Backends that the server did not find."""
        found = re.findall(r"unable to find backend library for backend '([^']{1,100})'", self.site.log)
        found += re.findall(r"unable to find 'libtriton_(\w{1,60})\.so'", self.site.log)
        return tuple(dict.fromkeys(found))

    @cached_property
    def without_gpu(self) -> bool:
        """Whether the log says that the server sees no GPU."""
        return bool(
            re.search(
                r"kind KIND_GPU but no GPUs are available|server does not support GPUs|"
                r"compute compatibility of [\d.]+ are:\s*(?:[\"\\|]|$)|no CUDA-capable device|"
                r"CUDA driver version is insufficient|Failed to initialize NVML|cuda_memory_manager.{0,40}disabled",
                self.site.log, re.MULTILINE,
            )
        )  # fmt: skip


_SURVEYS: WeakKeyDictionary[Site, Survey] = WeakKeyDictionary()


def survey(site: Site) -> Survey:
    """What is known of a build; looked up once for all fixes that are asked, before anything is changed."""
    found = _SURVEYS.get(site)
    if found is None:
        found = _SURVEYS[site] = Survey(site)
    return found


def read_config(site: Site, path: str | None) -> Config | None:
    """The config.pbtxt at a path."""
    if path is None or not os.path.isfile(site.path(path)) or os.path.getsize(site.path(path)) > _LARGEST_CONFIG:
        return None
    return Config(site.text(path))


def _model(site: Site, repository: Repository, folder: Folder) -> Model:
    config = read_config(site, folder.config)
    version = folder.newest
    if config is not None and config.readable:
        policy = config.root.first("version_policy")
        wanted = policy.first("specific") if policy else None
        named = [str(node.value) for node in wanted.each("versions")] if wanted else []
        version = next((each for each in reversed(folder.versions) if each.name in named), version)
    return Model(site, repository, folder, config, version)


def _about_triton(site: Site) -> bool:
    """Whether this build has to do with Triton at all: numbered folders are found elsewhere too."""
    if site.found.tool == "triton" or any(os.path.basename(path).startswith("config.pb") for path in site.listing):
        return True
    told = (" ".join(site.command), site.log, *(text for _, text in requests.scripts(site)))
    return any(_TRITON.search(text) for text in told)


def _repositories(site: Site) -> list[str]:
    for found in (_logged(site), _flagged(site), _looking(site)):
        kept = [path for path in dict.fromkeys(found) if _usable(site, path)]
        if kept:
            return kept
    return []


def _logged(site: Site) -> Iterator[str]:
    for pattern in _PATHS:
        for path in pattern.findall(site.log):
            found = inside(site, path)
            if found is not None:
                yield found


def _flagged(site: Site) -> Iterator[str]:
    for text in (" ".join(site.command), *(text for _, text in requests.scripts(site))):
        for path in _FLAG.findall(text):
            found = inside(site, path)
            if found is not None:
                yield found


def _looking(site: Site) -> Iterator[str]:
    """Folders in which models lie; those that the command or a script names first."""
    named = [inside(site, word) for word in site.command[1:]]
    for _, text in requests.scripts(site):
        named += [inside(site, word) for word in re.findall(r"""["']([\w./-]{1,200})["']""", text)]
    parents = list(dict.fromkeys(_parents(site)))
    found = [path for path in dict.fromkeys(named) if path and os.path.isdir(site.path(path))]
    for path in found:
        if any(parent.startswith(f"{path}/") for parent in parents) and path in _REPOSITORY_NAMES:
            yield path
    found += [folder for folder in parents if folder not in found]
    for path in found:
        repository = layout.read(site.root, path)
        if any(layout.is_model(folder) for folder in repository.folders) and not any(
            layout.is_version(folder.name) and not folder.versions for folder in repository.folders
        ):
            yield path


def _parents(site: Site) -> Iterator[str]:
    for path in site.listing:
        if os.path.basename(path) == layout.CONFIG:
            folder = os.path.dirname(path)
            if layout.is_version(os.path.basename(folder)):
                folder = os.path.dirname(folder)
            yield os.path.dirname(folder)
    for path in site.listing:
        folder = os.path.dirname(path)
        if layout.is_version(os.path.basename(folder)) and files.backend_of(path):
            yield os.path.dirname(os.path.dirname(folder))


def inside(site: Site, path: str) -> str | None:
    """A path as one inside the build; None where it lies elsewhere."""
    for root in (site.built, site.root, site.workspace.origin):
        if root and (path == root or path.startswith(root + "/")):
            return os.path.relpath(path, root).removeprefix(".") if path == root else os.path.relpath(path, root)
    if os.path.isabs(path):
        return None
    clean = os.path.normpath(path).replace(os.sep, "/")
    return "" if clean == "." else clean


def _usable(site: Site, path: str) -> bool:
    try:
        return os.path.isdir(site.path(path))
    except UsageError:
        return False
