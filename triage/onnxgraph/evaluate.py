"""Runs ONNX nodes and models to learn their values: with ONNX Runtime where it can, else with ONNX's reference."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_TOO_LARGE = 1 << 30  # bytes of a model that is handed over as bytes
_PREFIX = "triage-evaluate"
_KINDS = {
    "tensor(float)": 1, "tensor(uint8)": 2, "tensor(int8)": 3, "tensor(int32)": 6, "tensor(int64)": 7,
    "tensor(bool)": 9, "tensor(float16)": 10, "tensor(double)": 11, "tensor(bfloat16)": 16,
}  # fmt: skip


class CannotRun(Exception):
    """Neither ONNX Runtime nor the reference evaluator runs it; the text says why."""


class Runner:
    """A model that is ready to run.

    Args:
        model: a ModelProto.
        folder: where its external data lies.
        optimised: let ONNX Runtime rewrite the graph; off, equal nodes give equal bits.
        slow: take the reference evaluator where ONNX Runtime cannot.
    """

    def __init__(self, model: Any, folder: str | None = None, *, optimised: bool = False, slow: bool = True) -> None:
        self.outputs = [value.name for value in model.graph.output]
        self._session, self._reference, why = None, None, ""
        try:
            self._session = _session(model, folder, optimised=optimised)
        except ImportError:
            why = "onnxruntime is not installed"
        except Exception as fault:  # noqa: BLE001 -- whatever it refuses, the reference may take
            why = _line(fault)
        if self._session is None and slow:
            self._reference, more = _reference(model, folder)
            why = f"{why}; {more}" if more else why
        if self._session is None and self._reference is None:
            raise CannotRun(why)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Name -> value of every output.

        Raises:
            CannotRun: it failed on these feeds.
        """
        try:
            runner = self._session or self._reference
            assert runner is not None  # noqa: S101 -- one of them stands
            return dict(zip(self.outputs, runner.run(self.outputs, dict(feeds)), strict=True))
        except Exception as fault:  # noqa: BLE001 -- either evaluator fails in many ways
            raise CannotRun(_line(fault)) from None


def run_node(node: Any, feeds: Mapping[str, Any], opsets: Mapping[str, int], *, careful: bool = False) -> list[Any]:
    """Values that a node gives.

    Args:
        node: any; what its subgraphs read from outside is fed too.
        feeds: name -> array, for everything that it reads.
        opsets: domain -> version.
        careful: where both evaluators can, they must agree.

    Raises:
        CannotRun: nobody can, or they do not agree.
    """
    first, why = _attempt(_by_reference, node, feeds, opsets)
    if first is not None and not careful:
        return first
    second, more = _attempt(_by_runtime, node, feeds, opsets)
    if first is None and second is None:
        raise CannotRun(f"{why}; {more}")
    if first is not None and second is not None and any(not close(a, b) for a, b in zip(first, second, strict=True)):
        raise CannotRun(f"ONNX Runtime and the ONNX reference do not agree on {node.op_type}")
    return second if second is not None else first or []


def close(left: Any, right: Any, rtol: float = 1e-3, atol: float = 1e-5) -> bool:
    """Whether two values have the same type and shape, and are equal within a tolerance. NaN equals NaN."""
    import numpy as np

    if isinstance(left, list) or isinstance(right, list):
        same = isinstance(left, list) and isinstance(right, list) and len(left) == len(right)
        return same and all(close(a, b, rtol, atol) for a, b in zip(left, right, strict=True))
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind in "fc":
        return bool(np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True))
    if left.dtype.kind in "biu":
        return bool(np.array_equal(left, right))
    return bool(np.all(left == right)) if left.dtype.kind in "OSU" else left.tobytes() == right.tobytes()


def random_feeds(inputs: Mapping[str, tuple[int, Sequence[int]]], seed: int = 0, highest: int = 2) -> dict[str, Any]:
    """Random values for inputs: floats normal, integers below ``highest``, booleans either.

    Args:
        inputs: name -> (ONNX element type, dimensions).
        seed: of the generator.
        highest: integers stay below it, for they may be indices.
    """
    import numpy as np
    from onnx import helper

    random = np.random.default_rng(seed)
    feeds: dict[str, Any] = {}
    for name, (kind, dims) in inputs.items():
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        if dtype.kind == "O":
            feeds[name] = np.full(dims, "a", dtype=object)
        elif dtype.kind == "b":
            feeds[name] = random.integers(0, 2, dims).astype(bool)
        elif dtype.kind in "iu":
            feeds[name] = random.integers(0, highest, dims).astype(dtype)
        else:
            feeds[name] = random.normal(size=dims).astype(dtype)
    return feeds


def _session(model: Any, folder: str | None, *, optimised: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with _given(model, folder) as given:
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


@contextmanager
def _given(model: Any, folder: str | None) -> Iterator[bytes | str]:
    """The model as bytes, or as a file beside its external data."""
    external = any(tensor.data_location == 1 for tensor in model.graph.initializer)
    if not external and model.ByteSize() < _TOO_LARGE:
        yield model.SerializeToString()
        return
    import onnx

    handle, path = tempfile.mkstemp(suffix=".onnx", prefix=_PREFIX, dir=folder)
    os.close(handle)
    try:
        onnx.save(model, path)
        yield path
    finally:
        os.unlink(path)


def _reference(model: Any, folder: str | None) -> tuple[Any, str]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    try:
        whole = onnx.ModelProto()
        whole.CopyFrom(model)
        if folder:
            onnx.load_external_data_for_model(whole, folder)
        return ReferenceEvaluator(whole), ""
    except Exception as fault:  # noqa: BLE001 -- it says what it does not know in many ways
        return None, _line(fault)


def _attempt(way: Any, *given: Any) -> tuple[list[Any] | None, str]:
    try:
        return way(*given), ""
    except Exception as fault:  # noqa: BLE001 -- either evaluator may fail in any way
        return None, _line(fault)


def _by_reference(node: Any, feeds: Mapping[str, Any], opsets: Mapping[str, int]) -> list[Any]:
    return _alone(node, feeds, opsets, runtime=False)


def _by_runtime(node: Any, feeds: Mapping[str, Any], opsets: Mapping[str, int]) -> list[Any]:
    return _alone(node, feeds, opsets, runtime=True)


def _alone(node: Any, feeds: Mapping[str, Any], opsets: Mapping[str, int], *, runtime: bool) -> list[Any]:
    """Runs a model that holds this node only."""
    import numpy as np
    import onnx
    from onnx import helper

    types = {}
    for name, value in feeds.items():
        if isinstance(value, list):
            raise CannotRun("a sequence")
        types[name] = helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype)
    inputs = [helper.make_tensor_value_info(name, types[name], np.asarray(feeds[name]).shape) for name in feeds]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = helper.make_model(helper.make_graph([node], "alone", inputs, outputs), opset_imports=imports, ir_version=8)
    if not runtime:
        from onnx.reference import ReferenceEvaluator

        return [_array(value) for value in ReferenceEvaluator(model).run(None, dict(feeds))]
    session = _session(model, None, optimised=False)
    return [_array(value) for value in session.run(None, dict(feeds))]


def _array(value: Any) -> Any:
    import numpy as np

    return value if isinstance(value, list) else np.asarray(value)


def _line(fault: Exception) -> str:
    return " ".join(str(fault).split())[:300] or type(fault).__name__


def inputs_of(model: Any) -> dict[str, tuple[int, list[int]]]:
    """(element type, dimensions) of what a model must be fed; free dimensions are 2."""
    stored = {tensor.name for tensor in model.graph.initializer}
    found = {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name not in stored:
            found[value.name] = (
                kind.elem_type,
                [each.dim_value if each.HasField("dim_value") else 2 for each in kind.shape.dim],
            )
    return found


def differs(old: Any, new: Any, folder: str | None = None) -> str | None:
    """How two models with the same signature differ on random inputs; None where they do not or cannot be compared.

    Where the old model does not run at all there is nothing to compare with. A new model that does not run here is
    no difference either: it may be made for another consumer.
    """
    try:
        before, after = Runner(old, folder), Runner(new, folder)
    except CannotRun:
        return None
    inputs = inputs_of(old)
    for highest in (8, 2, 1):
        feeds = random_feeds(inputs, seed=3, highest=highest)
        try:
            wanted = before.run(feeds)
            got = after.run(feeds)
        except CannotRun:
            continue
        return next((f"the output {name} would differ" for name in wanted if not close(wanted[name], got[name])), None)
    return None


def types_of(
    node: Any, types: Mapping[str, Any], values: Mapping[str, Any], opsets: Mapping[str, int]
) -> dict[str, Any]:
    """Types and fixed shapes of what a node gives, as ONNX Runtime infers them; nothing where it cannot.

    Args:
        node: any.
        types: of its inputs, with fixed shapes.
        values: of inputs that are constant.
        opsets: domain -> version.
    """
    import onnx
    from onnx import helper, numpy_helper

    inputs = [onnx.ValueInfoProto(name=name, type=kind) for name, kind in types.items() if name not in values]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    stored = [numpy_helper.from_array(value, name) for name, value in values.items()]
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    graph = helper.make_graph([node], "alone", inputs, outputs, stored)
    try:
        session = _session(helper.make_model(graph, opset_imports=imports, ir_version=8), None, optimised=False)
    except Exception:  # noqa: BLE001 -- then nothing is known
        return {}
    found = {}
    for value in session.get_outputs():
        kind = _KINDS.get(value.type)
        if kind and all(isinstance(size, int) for size in value.shape):
            found[value.name] = helper.make_tensor_type_proto(kind, value.shape)
    return found


def kernels() -> set[tuple[str, str]]:
    """(domain, operator) that the installed ONNX Runtime has a CPU kernel or a body for; empty without it."""
    try:
        import onnxruntime.capi.onnxruntime_pybind11_state as state
    except ImportError:
        return set()
    try:
        found = state.get_all_opkernel_def()
    except AttributeError:
        return set()
    return {(each.domain, each.op_name) for each in found if each.provider == "CPUExecutionProvider"}
