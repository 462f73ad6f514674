"""Runs one model on stored feeds: ``python _run_model.py REQUEST.json``. Stands alone.

The request names the model, the engine (``onnxruntime``, ``reference`` for onnx.reference, ``torch`` for a function or
a saved program), the feeds, and for each run over them whether optimisations are on and the folder for results. Results
are ``NNN.npz``, and a line of JSON each in ``answer.jsonl``, written as soon as it stands: where the model takes the
process with it, the lines before are kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

_BFLOAT = "tensor(bfloat16)"
_TYPES = {"float": "float32", "double": "float64"}
_AS_FLOAT = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def main(path: str) -> int:
    """Reads a request and answers it; gives the exit code."""
    with open(path, encoding="utf-8") as stream:
        request = json.load(stream)
    codes = [
        _answer({**request, "optimise": level}, out)
        for level, out in zip(request["optimise"], request["out"], strict=True)
    ]
    return max(codes)


def _answer(request: Mapping[str, Any], out: str) -> int:
    """Runs the model once over all feeds, with or without optimisations."""
    with open(os.path.join(out, "answer.jsonl"), "w", encoding="utf-8", buffering=1) as answer:

        def say(**body: object) -> None:
            answer.write(json.dumps(body) + "\n")

        try:
            engines: dict[str, Any] = {"onnxruntime": _Runtime, "reference": _Reference, "torch": _Torch}
            model = engines[request["engine"]](request)
        except Exception as fault:  # noqa: BLE001 -- the edge of a child process
            say(loaded=False, error=_words(fault))
            return 1
        say(loaded=True, engine=model.name, inputs=model.inputs, outputs=model.outputs)
        _run_all(model, request, out, say)
    return 0


def _run_all(model: Any, request: Mapping[str, Any], out: str, say: Callable[..., None]) -> None:
    done = 0
    for number, feed in enumerate(request["feeds"]):
        if done >= request["enough"]:
            break
        try:
            outputs = model.run(_read(feed, model.inputs))
            names = _write(os.path.join(out, f"{number:03d}.npz"), model.outputs, outputs)
        except Exception as fault:  # noqa: BLE001 -- whatever a model raises is an answer
            say(feed=number, error=_words(fault))
        else:
            say(feed=number, names=names)
            done += 1


class _Runtime:
    def __init__(self, request: Mapping[str, Any]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if request["optimise"] else level.ORT_DISABLE_ALL
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(request["model"], options, providers=request["providers"])
        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        self.inputs = [[one.name, one.type] for one in self.session.get_inputs()]
        self.outputs = [one.name for one in self.session.get_outputs()]
        self.special = any(one.type == _BFLOAT for one in (*self.session.get_inputs(), *self.session.get_outputs()))

    def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
        if not self.special:
            return list(self.session.run(None, feeds))
        from onnxruntime import OrtValue

        types = dict(self.inputs)
        values = {
            name: OrtValue.ortvalue_from_numpy_with_onnx_type(_bfloat_bits(array), 16)
            if types[name] == _BFLOAT
            else OrtValue.ortvalue_from_numpy(array)
            for name, array in feeds.items()
        }
        return [_plain(value) for value in self.session.run_with_ort_values(None, values)]


class _Reference:
    def __init__(self, request: Mapping[str, Any]) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        _promote()
        model = onnx.load(request["model"])
        self.evaluator = ReferenceEvaluator(model)
        self.name = f"onnx.reference {onnx.__version__}"
        held = {tensor.name for tensor in model.graph.initializer}
        name_of = onnx.TensorProto.DataType.Name
        self.inputs = [
            [one.name, f"tensor({name_of(one.type.tensor_type.elem_type).lower()})"]
            for one in model.graph.input
            if one.name not in held
        ]
        self.outputs = [one.name for one in model.graph.output]

    def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
        return list(self.evaluator.run(None, dict(feeds)))


class _Torch:
    """A function of the build (``module``, ``function``), or a saved TorchScript or exported program (``model``)."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        import torch

        sys.path[0] = os.getcwd()
        self.torch: Any = torch
        self.name = f"PyTorch {torch.__version__}"
        self.inputs: list[list[str]] = []
        self.outputs: list[str] = []
        self.subject = self._loaded(request["model"]) if request.get("model") else self._made(request)
        if isinstance(self.subject, torch.nn.Module):
            with contextlib.suppress(NotImplementedError):
                self.subject.eval()

    def _loaded(self, path: str) -> Any:
        if path.endswith(".pt2"):
            return self.torch.export.load(path).module()
        return self.torch.jit.load(path, map_location="cpu")

    def _made(self, request: Mapping[str, Any]) -> Any:
        """What the function gives, where it wants nothing; else the function itself."""
        function = getattr(importlib.import_module(request["module"]), request["function"])
        if isinstance(function, self.torch.nn.Module):
            return function
        wanted = [
            one for one in inspect.signature(function).parameters.values()
            if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        ]  # fmt: skip
        made = function if wanted else function()
        if not callable(made):
            raise TypeError(f"{request['function']} gives {type(made).__name__}, not a module or a function")
        return made

    def run(self, feeds: Mapping[str, Any]) -> Sequence[Any]:
        with self.torch.no_grad():
            tensors = {name: self.torch.from_numpy(array) for name, array in feeds.items()}
            try:
                outputs = self._call(tensors)
            except (TypeError, AttributeError, ValueError, RuntimeError):
                if isinstance(self.subject, self.torch.nn.Module):
                    raise
                outputs = self._call(feeds)  # it may be a function of NumPy arrays
        return self._named(outputs)

    def _call(self, feeds: Mapping[str, Any]) -> Any:
        """By name where the names are known, else in order."""
        try:
            known = set(inspect.signature(getattr(self.subject, "forward", self.subject)).parameters)
        except (TypeError, ValueError):
            known = set()
        return self.subject(**feeds) if known >= set(feeds) else self.subject(*feeds.values())

    def _named(self, outputs: Any) -> list[Any]:
        """Outputs in order; their names go to ``outputs``, numbers where they have none."""
        outputs = outputs.to_tuple() if hasattr(outputs, "to_tuple") and not hasattr(outputs, "keys") else outputs
        pairs = list(outputs.items()) if hasattr(outputs, "items") else [
            (str(place), one)
            for place, one in enumerate(outputs if isinstance(outputs, list | tuple) else [outputs])
        ]  # fmt: skip
        self.outputs = [str(name) for name, _ in pairs]
        return [self._array(one) for _, one in pairs]

    def _array(self, value: Any) -> Any:
        if isinstance(value, self.torch.Tensor):
            value = value.detach().cpu()
            return (value.float() if value.dtype == self.torch.bfloat16 else value).numpy()
        return [self._array(one) for one in value] if isinstance(value, list | tuple) else value


def _promote() -> None:
    """Lets the evaluator's two-sided operators take mixed number types, as NumPy does."""
    try:
        from onnx.reference.ops import _op
    except ImportError:
        return
    for name in ("OpRunBinaryNum", "OpRunBinary"):
        kind = getattr(_op, name, None)
        if kind is not None and "run" in vars(kind):
            kind.run = _mixed(kind.run)


def _mixed(given: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: object, x: Any, y: Any) -> Any:
        plain = all(isinstance(one, np.ndarray) and one.dtype.kind in "if" and one.itemsize > 1 for one in (x, y))
        if plain and x.dtype != y.dtype:  # an 8-bit value may stand for another number, by its scale
            kind = np.result_type(x.dtype, y.dtype)
            return given(self, x.astype(kind), y.astype(kind))
        return given(self, x, y)

    return run


def _read(feed: Mapping[str, Any], inputs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The feed as the model wants it: in its types."""
    with np.load(feed["path"]) as stored:
        arrays = {name: stored[f"v{place}"] for place, name in enumerate(feed["names"])}
    if not inputs:
        return arrays
    return {name: _cast(arrays[name], kind) for name, kind in inputs if name in arrays}


def _cast(array: Any, kind: str) -> Any:
    inner = kind.removeprefix("tensor(").removesuffix(")")
    inner = _TYPES.get(inner, inner)
    if inner == "string":
        return array.astype(object)
    if inner == "bfloat16":
        return array.astype(np.float32)
    cast = np.ascontiguousarray(array, dtype=inner) if array.ndim else array.astype(inner)
    if array.dtype.kind in "iu" and cast.dtype.kind in "iu" and not np.array_equal(cast.astype(array.dtype), array):
        raise ValueError(f"the values of the feed do not fit {inner}")
    return cast


def _bfloat_bits(array: Any) -> Any:
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _plain(value: Any) -> Any:
    """The array of an OrtValue; NumPy knows no bfloat16, so its bits are read."""
    if value.data_type() != _BFLOAT:
        return value.numpy()
    shape = value.shape()
    bits = np.frombuffer(ctypes.string_at(value.data_ptr(), 2 * int(np.prod(shape))), np.uint16)
    return (bits.astype(np.uint32) << 16).view(np.float32).reshape(shape)


def _write(path: str, names: Sequence[str], outputs: Sequence[Any]) -> list[list[str]]:
    """Stores outputs; sequences and maps become one array an item. Gives their names and types."""
    flat = [pair for name, value in zip(names, outputs, strict=False) for pair in _flat(name, value)]
    np.savez(path, **{f"v{place}": array for place, (_, array) in enumerate(flat)})
    return [[name, str(array.dtype)] for name, array in flat]


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is None:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _flat(f"{name}[{place}]", item)
    else:
        array = np.asarray(value)
        array = array.astype(np.float32) if str(array.dtype) in _AS_FLOAT else array
        yield name, array.astype(str) if array.dtype.kind in "OS" else array


def _words(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {' '.join(str(fault).split())[:300]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
