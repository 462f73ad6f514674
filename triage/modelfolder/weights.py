"""Names and shapes of the weights in a file or a model folder, whatever their format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from triage.modelfolder import tensors, torchfile
from triage.modelfolder.damage import Broken
from triage.modelfolder.tensors import Tensor

TORCH = (".bin", ".pt", ".pth", ".ckpt")
SINGLE = ("model.safetensors", "pytorch_model.bin")
INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")


def of_file(path: str) -> dict[str, Tensor]:
    """Name -> tensor of a weights file; of a torch file the outermost table of tensors.

    Raises:
        Broken: it cannot be looked into.
        OSError: it cannot be read.
    """
    if path.endswith(".safetensors"):
        return tensors.read(path)
    return next((found for _, found in torchfile.states(torchfile.read(path).content)), {})


def of_folder(folder: str) -> dict[str, Tensor]:
    """Name -> tensor of a model folder: of its one file, or of all shards; empty where there are none.

    Raises:
        Broken: a file cannot be looked into.
        OSError: one cannot be read.
    """
    for name in SINGLE:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return of_file(path)
    found: dict[str, Tensor] = {}
    for path in shards(folder):
        found.update(of_file(path))
    return found


def shards(folder: str) -> list[str]:
    """The shards of a folder: safetensors where there are any, else torch files; never adapters or training state."""
    for endings in ((".safetensors",), (".bin",)):
        found = [
            os.path.join(folder, name)
            for name in sorted(os.listdir(folder))
            if name.endswith(endings) and not name.startswith(("adapter_", "training_args", "optimizer", "scheduler"))
        ]
        if found:
            return found
    return []


def is_model(folder: str) -> bool:
    """Whether a folder is a whole model: config.json and weights, and no adapter."""
    if not os.path.isfile(os.path.join(folder, "config.json")):
        return False
    return any(os.path.isfile(os.path.join(folder, name)) for name in (*SINGLE, *INDEXES)) or bool(shards(folder))


def is_adapter(folder: str) -> bool:
    """Whether a folder holds a PEFT adapter."""
    return os.path.isfile(os.path.join(folder, "adapter_config.json"))


def json_of(path: str) -> dict[str, Any]:
    """A JSON object of a file; empty where there is none.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def config_fits(config: dict[str, Any], weights: dict[str, Tensor]) -> str | None:
    """Why a config.json cannot be that of these weights; None where all that can be compared agrees.

    Compared are the size of the vocabulary, the hidden size and the number of layers.
    """
    text = {**config, **config.get("text_config", {})}
    hidden = next(
        (text[key] for key in ("hidden_size", "n_embd", "d_model", "dim") if isinstance(text.get(key), int)), None
    )
    table = next((tensor for name, tensor in weights.items() if _is_embedding(name) and len(tensor.shape) == 2), None)
    if table is None or hidden is None:
        return "nothing to compare them by"
    if isinstance(text.get("vocab_size"), int) and table.shape[0] != text["vocab_size"]:
        return f"the config has a vocabulary of {text['vocab_size']}, the weights one of {table.shape[0]}"
    wide = text.get("embedding_size", text.get("word_embed_proj_dim", hidden))
    if table.shape[1] != wide:
        return f"the config has the hidden size {wide}, the weights {table.shape[1]}"
    layers = next(
        (
            text[key]
            for key in ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
            if isinstance(text.get(key), int)
        ),
        None,
    )
    counted = layer_count(weights)
    if layers is not None and counted and counted != layers and "decoder_layers" not in text:
        return f"the config has {layers} layers, the weights {counted}"
    return None


def layer_count(names: Iterator[str] | dict[str, Tensor]) -> int:
    """How many numbered layers the names speak of, at the longest numbered list."""
    lists: dict[str, set[int]] = {}
    for name in names:
        parts = name.split(".")
        for place, part in enumerate(parts):
            if part.isdigit() and place:
                lists.setdefault(".".join(parts[:place]), set()).add(int(part))
                break
    return max((len(found) for found in lists.values()), default=0)


def embedding(weights: dict[str, Tensor]) -> tuple[str, Tensor] | None:
    """The table of the input tokens."""
    return next(((name, one) for name, one in weights.items() if _is_embedding(name) and len(one.shape) == 2), None)


def _is_embedding(name: str) -> bool:
    return name.removesuffix(".weight").rpartition(".")[2] in (
        "embed_tokens", "wte", "word_embeddings", "shared", "embed_in", "tok_embeddings", "token_embedding",
    )  # fmt: skip


__all__ = ["ADAPTERS", "INDEXES", "SINGLE", "TORCH", "Broken", "Tensor"]
