"""One call of torch.onnx.export: runs its module on feeds, writes them down. Stands alone, beside _watch_export.py."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Export:
    """One export.

    Args:
        place: the folder that takes its feeds and outputs.
        bound: the arguments of the call, by name.
        record: is filled with what is found.
        loads: what load_state_dict left out: (module, missing parameters, unexpected keys).
        proto: the exported graph, where it has no file.
    """

    def __init__(
        self,
        place: str,
        bound: dict[str, Any],
        record: dict[str, Any],
        loads: Sequence[tuple[Any, set[str], list[str]]],
        proto: Any,
    ) -> None:
        import torch
        from torch.utils import _pytree

        self.torch, self.tree = torch, _pytree
        self.copied = True
        self.place, self.record, self.loads, self.proto = place, record, loads, proto
        self.model = bound["model"]
        given = bound.get("args", ())
        given = (given,) if isinstance(given, torch.Tensor) else tuple(given)
        named = dict(bound.get("kwargs") or {})
        if not named and given and isinstance(given[-1], dict):
            given, named = given[:-1], dict(given[-1])
        self.leaves, self.spec = _pytree.tree_flatten((given, named))
        self.tensors = [n for n, leaf in enumerate(self.leaves) if isinstance(leaf, torch.Tensor)]
        self._name(given, named, list(bound.get("input_names") or ()))
        record.update(file=_file(bound.get("f")), module=type(self.model).__name__)
        if isinstance(bound.get("f"), io.BytesIO):
            record["file"] = os.path.join(place, "export.onnx")
            with open(record["file"], "wb") as stream:
                stream.write(bound["f"].getvalue())

    def keep(self, feeds_like: Callable[..., Iterator[tuple[str, list[Any]]]], replay: str | None) -> None:
        """Runs the module and writes everything.

        Args:
            feeds_like: makes feeds from the example.
            replay: a folder with the feeds of an earlier run, to use in their place.
        """
        self.record["lost"], self.record["spare"] = self._lost()
        self.record["loads"] = bool(self.loads) or "safetensors" in sys.modules or "transformers" in sys.modules
        with self._still() as module:
            self.record["weights"] = _weights(module)
            if replay:
                self._run_all(module, self._stored(replay), inputs=False)
            else:
                example = [self.leaves[place].detach().clone() for place in self.tensors]
                feeds = feeds_like(self.model, example, self.record, self.proto)
                self._twins(module, self._run_all(module, feeds, inputs=True))

    def _run_all(
        self, module: Any, feeds: Iterator[tuple[str, list[Any]]], *, inputs: bool
    ) -> list[tuple[int, list[Any]]]:
        """Gives those that ran."""
        ran = []
        for number, (label, tensors) in enumerate(feeds):
            outputs = self._compute(module, tensors, number, label)
            if outputs is not None:
                ran.append((number, tensors))
                if inputs:
                    _write(os.path.join(self.place, f"in-{number}.npz"), tensors)
                _write(os.path.join(self.place, f"out-{number}.npz"), outputs)
        return ran

    def _compute(self, module: Any, tensors: list[Any], number: int, label: str) -> list[Any] | None:
        told: dict[str, Any] = {"number": number, "label": label}
        self.record.setdefault("feeds", []).append(told)
        try:
            outputs = self._call(module, tensors)
        except Exception as problem:  # noqa: BLE001 -- whatever a model raises is an answer
            told["error"] = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
            return None
        told["types"] = [str(one.dtype).removeprefix("torch.") for one in outputs]
        return outputs

    def _call(self, module: Any, tensors: list[Any]) -> list[Any]:
        leaves = list(self.leaves)
        for place, tensor in zip(self.tensors, tensors, strict=True):
            leaves[place] = tensor.clone()
        given, named = self.tree.tree_unflatten(leaves, self.spec)
        with self.torch.no_grad():
            outputs = self.tree.tree_flatten(module(*given, **named))[0]
        flat = [
            each
            for one in outputs
            for each in (self.tree.tree_flatten(one.to_tuple())[0] if hasattr(one, "to_tuple") else [one])
        ]
        return [one.detach().cpu() for one in flat if isinstance(one, self.torch.Tensor)]

    @contextlib.contextmanager
    def _still(self) -> Iterator[Any]:
        """The module to compute with, in eval mode: a copy; where there is no room for one, its own, put back after."""
        import copy

        if self.record["training"]:
            self.record["notes"].append("the module was exported in training mode; its eval mode is the reference")
        if type(self.model).__name__ == "ExportedProgram":
            yield self.model.module()
            return
        try:
            module = copy.deepcopy(self.model) if _room_for(self.model) else None
        except Exception:  # noqa: BLE001 -- some modules cannot be copied
            module = None
        if module is not None:
            _to_eval(module)
            yield module
            return
        self.copied = False
        modes = [(one, one.training) for one in self.model.modules()]
        kept = [(one, one.detach().clone()) for one in self.model.buffers()]
        _to_eval(self.model)
        try:
            yield self.model
        finally:
            for one, mode in modes:
                one.training = mode
            with self.torch.no_grad():
                for buffer, values in kept:
                    buffer.copy_(values)

    def _lost(self) -> tuple[list[str], list[str]]:
        """Parameters of this module that no load_state_dict brought, and keys that no parameter took."""
        inside = set(map(id, self.model.modules())) if hasattr(self.model, "modules") else set()
        lost: dict[int, set[str]] = {}
        spare: list[str] = []
        for module, missing, unexpected in self.loads:
            if id(module) in inside or id(self.model) in map(id, module.modules()):
                lost[id(module)] = lost.get(id(module), missing) & missing
                spare += unexpected
        return sorted(name for names in lost.values() for name in names), spare

    def _name(self, given: Sequence[Any], named: dict[str, Any], names: list[str]) -> None:
        """Names for the tensors: the program's input names in the order of forward, else forward's own."""
        import inspect

        paths = [path for path, _ in self.tree.tree_flatten_with_path((given, named))[0]]
        try:
            known = list(inspect.signature(getattr(self.model, "forward", self.model)).parameters)
        except (TypeError, ValueError):
            known = []

        def parameter(path: Any) -> tuple[int, str]:
            keys = [getattr(step, "idx", getattr(step, "key", getattr(step, "name", 0))) for step in path[1:]]
            key, inner = keys[0], "".join(f"_{one}" for one in keys[1:])
            if isinstance(key, int):
                return key, (known[key] if key < len(known) else f"input_{key}") + inner
            return (known.index(key) if key in known else len(known)), f"{key}{inner}"

        order = sorted(self.tensors, key=lambda place: (parameter(paths[place])[0], place))
        self.tensors = order
        own = [parameter(paths[place])[1] for place in order]
        self.record["own_names"] = own
        self.record["input_names"] = names

    def _stored(self, place: str) -> Iterator[tuple[str, list[Any]]]:
        """The feeds of an earlier run's export."""
        import numpy as np

        with open(os.path.join(place, "record.json"), encoding="utf-8") as stream:
            told = json.load(stream)
        example = [self.leaves[number] for number in self.tensors]
        for number, feed in enumerate(told.get("feeds", ())):
            path = os.path.join(place, f"in-{number}.npz")
            if not os.path.exists(path):
                yield feed["label"], []
                continue
            with np.load(path) as arrays:
                tensors = [self.torch.from_numpy(arrays[f"v{n}"]) for n in range(len(arrays.files))]
            pairs = zip(tensors, example, strict=True)
            yield feed["label"], [one.to(dtype=like.dtype, device=like.device) for one, like in pairs]

    def _twins(self, module: Any, ran: list[tuple[int, list[Any]]]) -> None:
        """The same feeds with weights and values changed in their last bits: how steady the numbers are."""
        torch = self.torch
        generator = torch.Generator().manual_seed(7)

        def nudged(one: Any) -> Any:
            bits = {torch.float16: 2.0**-10, torch.bfloat16: 2.0**-8}.get(one.dtype, 2.0**-21)
            noise = torch.rand(one.shape, generator=generator) * 2 - 1
            return one * (1 + bits * noise.to(one.device)).to(one.dtype) if one.is_floating_point() else one

        with torch.no_grad(), contextlib.suppress(Exception):
            for parameter in module.parameters() if self.copied and hasattr(module, "parameters") else ():
                parameter.copy_(nudged(parameter))
        for number, tensors in ran:
            with contextlib.suppress(Exception):
                _write(os.path.join(self.place, f"twin-{number}.npz"), self._call(module, [nudged(t) for t in tensors]))


def _file(target: Any) -> str | None:
    return os.path.abspath(os.fspath(target)) if isinstance(target, str | os.PathLike) else None


def _write(path: str, tensors: Sequence[Any]) -> None:
    import numpy as np

    arrays = [one.detach().cpu() for one in tensors]
    plain = [one.float() if str(one.dtype) in ("torch.bfloat16", "torch.float8_e4m3fn") else one for one in arrays]
    np.savez(path, **{f"v{number}": one.numpy() for number, one in enumerate(plain)})


def _room_for(module: Any) -> bool:
    """Whether there is memory for a second one."""
    size = sum(one.numel() * one.element_size() for one in module.parameters()) if hasattr(module, "parameters") else 0
    try:
        return bool(size < os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    except (ValueError, OSError, AttributeError):
        return True


def _to_eval(module: Any) -> None:
    with contextlib.suppress(NotImplementedError, AttributeError):
        module.eval()


def _weights(module: Any) -> list[list[Any]]:
    """Name, shape and sums of each weight: enough to see whether two runs had the same."""
    state = module.state_dict() if hasattr(module, "state_dict") else {}
    found = []
    for name, tensor in state.items():
        if hasattr(tensor, "double"):
            values = tensor.detach().double()
            found.append([name, list(tensor.shape), float(values.sum()), float(values.abs().sum())])
    return found
