"""LoRA adapters in folders: which base they name, which base they fit, and whether they hold anything."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from triage.modelfolder import tensors, weights
from triage.modelfolder.damage import Broken
from triage.modelfolder.tensors import Tensor

_LORA = re.compile(
    r"^(?:base_model\.model\.)?(?P<module>.+?)\.(?P<part>lora_(?:A|B|embedding_A|embedding_B))(?:\.\w+)?(?:\.weight)?$"
)
_TAKE_HIDDEN = (  # modules that read the hidden state as it is
    "q_proj", "k_proj", "v_proj", "qkv_proj", "query", "key", "value", "c_attn", "query_key_value", "gate_proj",
    "up_proj", "fc1", "q_lin", "k_lin", "v_lin", "q", "k", "v",
)  # fmt: skip


class Adapter(NamedTuple):
    """An adapter folder: its configuration and the tensors of its weights (empty where they cannot be read)."""

    folder: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    file: str
    broken: str = ""

    @property
    def base(self) -> str:
        """The base model that its configuration names; may be a folder of another machine, or a name of a hub."""
        return str(self.config.get("base_model_name_or_path") or "")

    @property
    def modules(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Module of the base -> shapes of its parts, such as lora_A and lora_B."""
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        for name, tensor in self.tensors.items():
            match = _LORA.match(name)
            if match:
                found.setdefault(match["module"], {})[match["part"]] = tensor.shape
        return found


class Fit(NamedTuple):
    """How an adapter fits a base: ``fits`` None where nothing could be compared; ``why`` in words."""

    fits: bool | None
    why: str = ""


def read(folder: str) -> Adapter:
    """The adapter of a folder (absolute path)."""
    config = weights.json_of(os.path.join(folder, "adapter_config.json"))
    for name in weights.ADAPTERS:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            try:
                return Adapter(folder, config, weights.of_file(path), name)
            except Broken as fault:
                return Adapter(folder, config, {}, name, f"{name} {fault}")
    return Adapter(folder, config, {}, "", "the folder has no adapter weights")


def is_empty(adapter: Adapter) -> bool:
    """Whether merging the adapter changes nothing: every lora_B is 0, and no whole module is saved with it.

    Only seen in safetensors files; False means *not known*.
    """
    if not adapter.file.endswith(".safetensors") or not adapter.modules:
        return False
    second = [tensor for name, tensor in adapter.tensors.items() if re.search(r"\.lora_(embedding_)?B\b", name)]
    others = [name for name in adapter.tensors if "lora_" not in name]
    path = os.path.join(adapter.folder, adapter.file)
    return bool(second) and not others and all(tensors.is_zero(path, tensor) for tensor in second)


def fit(adapter: Adapter, base: Mapping[str, Tensor]) -> Fit:
    """Compares the shapes of an adapter with a base model's weights."""
    modules = adapter.modules
    if not modules or not base:
        return Fit(None, adapter.broken or "nothing to compare")
    compared = 0
    sizes = {tuple(sorted(tensor.shape[:2])) for tensor in base.values() if len(tensor.shape) > 1}
    for module, parts in modules.items():
        weight = _weight_of(module, base)
        told = _sizes(module, parts, weight) if weight is not None else _nowhere(module, parts, sizes)
        compared += weight is not None
        if told:
            return Fit(False, told)
    if compared < len(modules):  # files may spell modules otherwise than the loaded model does
        lacking = next(module for module in modules if _weight_of(module, base) is None)
        return Fit(None, f"the base's files have no module {lacking}")
    return Fit(True)


def _nowhere(module: str, parts: Mapping[str, tuple[int, ...]], sizes: set[tuple[int, ...]]) -> str:
    """Why a module of unknown name cannot be in a base: no weight at all has its size."""
    first, second = parts.get("lora_A", ()), parts.get("lora_B", ())
    if len(first) != 2 or len(second) != 2 or tuple(sorted((first[1], second[0]))) in sizes:
        return ""
    return f"the adapter changes {module} of {second[0]} x {first[1]}, and the base has no weight of this size"


def _sizes(module: str, parts: Mapping[str, tuple[int, ...]], weight: tuple[int, ...]) -> str:
    """Why the parts of a module do not fit its weight; empty where they do."""
    first, second = parts.get("lora_A"), parts.get("lora_B")
    if "lora_embedding_A" in parts:
        first, second = parts["lora_embedding_A"], parts.get("lora_embedding_B")
    if not first or len(first) < 2 or len(weight) < 2:
        return ""
    wanted = {first[1], second[0]} if second else {first[1]}
    if second and sorted((first[1], second[0])) != sorted(weight[:2]):
        return (
            f"the adapter changes {module} of {second[0]} x {first[1]}, here it is {' x '.join(map(str, weight[:2]))}"
        )
    if not second and not wanted & set(weight[:2]):
        return f"the adapter's {module} takes {first[1]} values, here its sizes are {' x '.join(map(str, weight[:2]))}"
    return ""


def _weight_of(module: str, base: Mapping[str, Tensor]) -> tuple[int, ...] | None:
    """The shape of a module's weight; bases are stored with and without the name of their inner model."""
    wanted = f"{module}.weight"
    if wanted in base:
        return base[wanted].shape
    for name, tensor in base.items():
        if wanted.endswith("." + name) or name.endswith("." + wanted):
            return tensor.shape
    return None


def trained_width(adapter: Adapter) -> int | None:
    """The hidden size of the base that an adapter was trained on, where its parts tell."""
    widths = [
        parts["lora_A"][1]
        for module, parts in adapter.modules.items()
        if module.rpartition(".")[2] in _TAKE_HIDDEN and len(parts.get("lora_A", ())) > 1
    ]
    return widths[0] if widths and len(set(widths)) == 1 else None


def find(folders: Iterable[str]) -> list[Adapter]:
    """The adapters among some folders."""
    return [read(folder) for folder in folders if weights.is_adapter(folder)]
