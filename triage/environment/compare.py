"""What differs between two environments, or between what two commands were told; the most telling first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from triage.environment.records import Environment, ModelFile, Parameters
from triage.environment.versions import direction

# in this order; a family is a name and everything that starts with it and a hyphen
_TELLING = (
    "tensorrt", "onnxruntime", "torch", "onnx", "tensorrt-llm", "driver", "cuda", "cudnn", "gpu",
    "model", "shape", "flag", "script",
    "torch-tensorrt", "polygraphy", "transformers", "optimum", "peft", "vllm", "llama-cpp-python", "onnxscript",
    "onnxsim", "modelopt", "nvidia-modelopt", "tritonclient", "numpy", "protobuf", "python", "container",
    "environment variable", "revision",
)  # fmt: skip
_RANKS = {name: rank for rank, name in enumerate(_TELLING)}
_TEMPORARY = re.compile(r"(?:/(?:private/)?(?:var/)?(?:tmp|folders)|/dev/shm)/[^\s,:;=]*")


class Change(NamedTuple):
    """One thing that differs: None where it was not there. ``direction`` is up, down or empty.

    ``kind`` is package, driver, cuda, cudnn, gpu, tool, environment variable, container,
    revision, python or platform; of parameters flag, shape, model or script.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    direction: str = ""


def difference(before: Environment, after: Environment) -> tuple[Change, ...]:
    """Changes from one environment to another; versions that are equal as versions are no change.

    Packages are not compared where one list is of the build's Python and the other of triage's.
    """
    found = [
        *_mappings("tool", before.tools, after.tools),
        *_one("driver", "driver", before.driver, after.driver),
        *_one("cuda", "cuda", before.cuda, after.cuda),
        *_one("cudnn", "cudnn", before.cudnn, after.cudnn),
        *_gpus(before, after),
        *_mappings("environment variable", before.variables, after.variables, versions=False),
        *_mappings("platform", before.platform, after.platform, versions=False),
        *_container(before, after),
        *_revision(before, after),
    ]
    if (before.whose == "triage") == (after.whose == "triage"):
        found += _mappings("package", before.packages, after.packages)
        found += _one("python", "python", before.python, after.python)
    return _sorted(found)


def parameter_difference(before: Parameters, after: Parameters) -> tuple[Change, ...]:
    """Changes from what one command was told to what another was; temporary folders are no change."""
    return _sorted(
        [
            *_mappings("shape", before.shapes, after.shapes, versions=False),
            *_mappings("flag", _still(before.flags), _still(after.flags), versions=False),
            *_mappings("model", _models(before.models), _models(after.models), versions=False),
            *_mappings("script", _short(before.scripts), _short(after.scripts), versions=False),
        ]
    )


def _sorted(changes: list[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (rank(change), change.kind, change.name)))


def rank(change: Change) -> tuple[int, int]:
    """How telling a change is, least first; of a family its head, and what changed before what came or went."""
    if change.kind not in ("package", "tool"):
        return _RANKS.get(change.kind, len(_RANKS) + 1), 0
    name = change.name
    while name not in _RANKS and "-" in name:
        name = name.rpartition("-")[0]
    return _RANKS.get(name, len(_RANKS)), (name != change.name) + 2 * (None in (change.before, change.after))


def _one(kind: str, name: str, before: str | None, after: str | None, *, versions: bool = True) -> Iterator[Change]:
    if before == after:
        return
    way = direction(before, after) if versions else ""
    if way != "same":
        yield Change(kind, name, before, after, way)


def _mappings(
    kind: str, before: Mapping[str, str], after: Mapping[str, str], *, versions: bool = True
) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        yield from _one(kind, name, before.get(name), after.get(name), versions=versions)


def _gpus(before: Environment, after: Environment) -> Iterator[Change]:
    def words(environment: Environment) -> str | None:
        names = [
            gpu.name + (f" (sm_{gpu.compute_capability.replace('.', '')})" if gpu.compute_capability else "")
            for gpu in environment.gpus
        ]
        counted = sorted({(f"{names.count(name)} x " if names.count(name) > 1 else "") + name for name in names})
        return ", ".join(counted) or None

    yield from _one("gpu", "gpu", words(before), words(after), versions=False)


def _container(before: Environment, after: Environment) -> Iterator[Change]:
    def words(environment: Environment) -> str | None:
        inside = environment.container
        return None if inside is None else f"{inside.kind} {inside.image}" if inside.image else inside.kind

    yield from _one("container", "container", words(before), words(after), versions=False)


def _revision(before: Environment, after: Environment) -> Iterator[Change]:
    old, new = before.revision, after.revision
    if old is None or new is None:
        return
    yield from _one("revision", "commit", _abbreviated(old.commit), _abbreviated(new.commit), versions=False)
    yield from _one("revision", "branch", old.branch, new.branch, versions=False)
    yield from _one("revision", "remote", old.remote, new.remote, versions=False)
    states = [("clean", "changed files")[state.dirty] for state in (old, new)]
    yield from _one("revision", "working folder", *states, versions=False)


def _abbreviated(commit: str | None) -> str | None:
    return commit[:12] if commit else None


def _still(flags: Mapping[str, str]) -> dict[str, str]:
    return {name: _TEMPORARY.sub("<temporary>", value) for name, value in flags.items()}


def _models(models: tuple[ModelFile, ...]) -> dict[str, str]:
    return {_TEMPORARY.sub("<temporary>", model.path): f"{model.size:,} bytes, {model.sha256[:12]}" for model in models}


def _short(scripts: Mapping[str, str]) -> dict[str, str]:
    return {_TEMPORARY.sub("<temporary>", name): value[:12] for name, value in scripts.items()}
