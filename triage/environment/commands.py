"""What a command was told: flags, shapes, models and scripts. Nothing is run, contents are only hashed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from triage.environment import words
from triage.environment.records import ModelFile, Parameters
from triage.ingest.text import plain

WHOLE = 64 << 20  # bytes up to which a model is hashed whole; of a larger one SAMPLES pieces of 1 MiB
SAMPLES = 16
_PIECE = 1 << 20
_MODELS = (
    ".onnx", ".engine", ".plan", ".trt", ".pt", ".pth", ".ts", ".pt2", ".bin", ".safetensors", ".gguf", ".ggml",
    ".tflite", ".pb", ".ckpt", ".h5", ".keras", ".ort", ".xml", ".mlmodel", ".nemo", ".npz",
)  # fmt: skip
_SCRIPTS = (".py", ".sh", ".json", ".yaml", ".yml", ".pbtxt", ".toml", ".cfg", ".ini", ".cache")
_LARGEST_SCRIPT = 16 << 20
_WEIGHTS = (".data", "_data")  # where ONNX keeps what does not fit: beside the model
_SHAPE = re.compile(
    r"(?:trt)?(?:min|opt|max|input|inference)?shapes?|(?:max)?batch(?:size)?|(?:max)?(?:seq|sequence)(?:len|length)"
    r"|(?:max)?(?:input|output)len|(?:(?:min|opt|max)profile|profile)(?:shapes?)?|height|width"
)
_OUTPUT = re.compile(
    r"save|output|export(?:profile|times|layerinfo|output)|^o$|^out|dest|log|timingcache|workdir|tmp|temp"
)
_SECRET = re.compile(r"token|secret|password|passwd|api-?key|access-?key|credential", re.IGNORECASE)
_NUMBER = re.compile(r"-\.?\d")
_LONGEST = 500


def parameters(command: Sequence[str], cwd: str | None = None) -> Parameters:
    """Reads a command before it runs, for it may write over what it reads.

    Flags are ``--name=value``, ``--name value`` or bare; shapes those that tell sizes,
    split by input. Files are looked for below ``cwd`` (default ours); what a flag names
    as output is left alone. Values of flags that sound secret are masked.
    """
    folder = cwd or os.getcwd()
    script, told = words.arguments(words.inner(command))
    flags: dict[str, str] = {}
    shapes: dict[str, str] = {}
    files: list[str] = [script] if script else []
    for name, values in _flags(told):
        bare = re.sub(r"[-_]", "", name).lower()
        if name and _SHAPE.fullmatch(bare):
            shapes.update(_shapes(name, values))
        elif name:
            value = "[masked]" if _SECRET.search(name) else _masked(name, " ".join(values))
            flags[name] = f"{flags[name]}, {value}" if name in flags else value
        if not (name and _OUTPUT.search(bare)):
            files += (part for value in values for part in (value, *value.split("="), *value.split(",")))
    return Parameters(flags, shapes, tuple(_models(files, folder)), dict(_scripts(files, folder)))


def _flags(told: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(name without hyphens, values) of each flag; the name is empty for a word of its own."""
    place = 0
    while place < len(told):
        word = told[place]
        place += 1
        if not word.startswith("-") or word == "-" or _NUMBER.match(word):
            yield "", [word]
            continue
        name, mark, value = word.lstrip("-").partition("=")
        values = [value] if mark else []
        many = bool(_SHAPE.fullmatch(re.sub(r"[-_]", "", name).lower()))
        while not mark and place < len(told) and (not told[place].startswith("-") or _NUMBER.match(told[place])):
            values.append(told[place])
            place += 1
            if not many:
                break
        if name:
            yield name, values


def _shapes(name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    """``input:1x3x224x224,mask:1x8`` -> one entry an input; other forms stay as they are."""
    for part in re.split(r",(?=[^\d\[\]]+:)|\s+", " ".join(values)):
        found = re.fullmatch(r"(.*?[^\d\[\]:]):(-?[\d\[].*)", part)
        if found:
            yield plain(f"{name} {found[1]}"), plain(found[2])
        elif part:
            yield name, plain(" ".join(values))
            return


def _masked(name: str, value: str) -> str:
    return plain(f"{name}={value}").removeprefix(f"{name}=")[:_LONGEST]


def _models(files: Iterable[str], folder: str) -> Iterator[ModelFile]:
    seen: set[str] = set()
    for name in files:
        if not name.lower().endswith(_MODELS):
            continue
        for full in (name, *(name + end for end in _WEIGHTS)):
            path = os.path.join(folder, full)
            if path not in seen and os.path.isfile(path):
                seen.add(path)
                model = _model(plain(full), path)
                if model:
                    yield model


def _model(name: str, path: str) -> ModelFile | None:
    from hashlib import sha256

    hashed = sha256()
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size <= WHOLE:
                while piece := stream.read(_PIECE):
                    hashed.update(piece)
                return ModelFile(name, size, hashed.hexdigest())
            hashed.update(b"%d" % size)
            for number in range(SAMPLES):
                stream.seek((size - _PIECE) * number // (SAMPLES - 1))
                hashed.update(stream.read(_PIECE))
    except OSError:
        return None
    return ModelFile(name, size, hashed.hexdigest(), True)


def _scripts(files: Iterable[str], folder: str) -> Iterator[tuple[str, str]]:
    from hashlib import sha256

    for place, name in enumerate(files):
        path = os.path.join(folder, name)
        if not (name.endswith(_SCRIPTS) or place == 0) or not os.path.isfile(path):
            continue
        try:
            if os.path.getsize(path) <= _LARGEST_SCRIPT:
                with open(path, "rb") as stream:
                    yield plain(name), sha256(stream.read()).hexdigest()
        except OSError:
            continue
