"""What a build ran on and with: frozen records with a stable JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

VERSION = 1  # of the JSON form


class Gpu(NamedTuple):
    """One GPU; ``memory`` is in MiB."""

    name: str
    compute_capability: str | None = None
    memory: int | None = None


class Container(NamedTuple):
    """What kind of container this is, and its image where something says it."""

    kind: str
    image: str | None = None


class Revision(NamedTuple):
    """State of the working folder: ``dirty`` when tracked files were changed; ``remote`` holds no password."""

    commit: str | None
    branch: str | None
    dirty: bool
    remote: str | None


class Environment(NamedTuple):
    """What may make the same build fail elsewhere.

    ``whose`` says which Python the packages belong to: ``command`` the build's own,
    ``path`` the one on PATH, ``triage`` the one that runs triage. ``packages`` maps
    normalised names to versions; ``tools`` are libraries outside Python, by file name.
    """

    platform: Mapping[str, str]
    python: str | None
    whose: str
    packages: Mapping[str, str]
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    cudnn: str | None = None
    tools: Mapping[str, str] = {}
    container: Container | None = None
    variables: Mapping[str, str] = {}
    revision: Revision | None = None


class ModelFile(NamedTuple):
    """A model that a command names. ``sha256`` of a large file covers samples of it (``sampled``)."""

    path: str
    size: int
    sha256: str
    sampled: bool = False


class Parameters(NamedTuple):
    """What a command was told: flags, shapes by input, models, and hashes of the scripts it runs."""

    flags: Mapping[str, str]
    shapes: Mapping[str, str]
    models: tuple[ModelFile, ...]
    scripts: Mapping[str, str]


def plain(record: object) -> Any:
    """A record as plain dictionaries, lists and scalars, keys sorted."""
    fields = getattr(record, "_fields", None)
    if fields is not None:
        return {name: plain(getattr(record, name)) for name in fields}
    if isinstance(record, Mapping):
        return {str(key): plain(record[key]) for key in sorted(record)}
    if isinstance(record, list | tuple):
        return [plain(part) for part in record]
    return record


def to_json(record: Environment | Parameters) -> str:
    """One line of JSON; equal records give equal text."""
    import json

    return json.dumps({"version": VERSION, **plain(record)}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(environment: Environment) -> str:
    """16 hexadecimal digits that are equal for equal environments; the git revision is no part of it."""
    from hashlib import sha256

    return sha256(to_json(environment._replace(revision=None)).encode("utf-8", "replace")).hexdigest()[:16]


def environment_from(written: str | Mapping[str, Any]) -> Environment:
    """The record that ``to_json`` or ``plain`` wrote; fields that this version does not know are left out."""
    data = _fields(written, Environment)
    container, revision = data.get("container"), data.get("revision")
    return Environment(
        **{
            **data,
            "gpus": tuple(Gpu(**gpu) for gpu in data.get("gpus", ())),
            "container": Container(**container) if container else None,
            "revision": Revision(**revision) if revision else None,
        }
    )


def parameters_from(written: str | Mapping[str, Any]) -> Parameters:
    """The record that ``to_json`` or ``plain`` wrote."""
    data = _fields(written, Parameters)
    return Parameters(**{**data, "models": tuple(ModelFile(**model) for model in data["models"])})


def _fields(written: str | Mapping[str, Any], kind: type[Environment | Parameters]) -> dict[str, Any]:
    import json

    data: Mapping[str, Any] = json.loads(written) if isinstance(written, str) else written
    return {name: value for name, value in data.items() if name in kind._fields}
