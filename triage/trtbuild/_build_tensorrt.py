"""Builds a TensorRT engine from a settings file, runs it, and compares its outputs with a reference.

usage: build_tensorrt.py [SETTINGS.json] [--feeds FEEDS.npz] [--outputs OUTPUTS.npz] [--run-only] [--build-only]

Stands alone: needs tensorrt (8.6 or later), numpy, and a CUDA runtime (libcudart, cuda-python or PyTorch).
Paths in the settings are relative to the settings file. Exit code 0: built, run, and equal to the reference.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import glob
import importlib
import json
import os
import pathlib
from typing import Any

import numpy as np
import tensorrt as trt

KINDS = {"FLOAT": "f4", "HALF": "f2", "INT8": "i1", "INT32": "i4", "INT64": "i8", "BOOL": "?", "UINT8": "u1"}
# (relative, absolute as a share of the largest value) by what the engine computes in
TOLERANCES = {"int8": (0.1, 0.1), "fp8": (0.1, 0.1), "bf16": (0.05, 0.03), "fp16": (0.02, 0.01), "fp32": (0.01, 0.003)}


class Failed(SystemExit):
    """Ends the program with a reason."""

    def __init__(self, why: str) -> None:
        super().__init__(f"ERROR: {why}")


class Memory:
    """Device memory through whichever CUDA runtime is there: libcudart (also PyTorch's own), or cuda-python."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self.library = runtime_library()
        self.bindings: Any = None if self.library else runtime_bindings()

    def take(self, size: int) -> int:
        """The address of new device memory."""
        size = max(size, 4)
        if self.library is not None:
            place = ctypes.c_void_p()
            self._check(self.library.cudaMalloc(ctypes.byref(place), ctypes.c_size_t(size)), f"cudaMalloc of {size}")
            address = place.value or 0
        else:
            fault, address = self.bindings.cudaMalloc(size)
            self._check(fault, f"cudaMalloc of {size}")
        self.held.append(int(address))
        return int(address)

    def copy(self, target: int, source: int, size: int, *, to_device: bool) -> None:
        """Copies bytes between the host and the device."""
        kind = 1 if to_device else 2
        if self.library is not None:
            places = ctypes.c_void_p(target), ctypes.c_void_p(source)
            self._check(self.library.cudaMemcpy(*places, ctypes.c_size_t(size), ctypes.c_int(kind)), "cudaMemcpy")
        else:
            way = self.bindings.cudaMemcpyKind(kind)
            self._check(self.bindings.cudaMemcpy(target, source, size, way)[0], "cudaMemcpy")

    def wait(self) -> None:
        """Until the device is done."""
        done = self.library.cudaDeviceSynchronize() if self.library else self.bindings.cudaDeviceSynchronize()[0]
        self._check(done, "cudaDeviceSynchronize")

    def free(self) -> None:
        """Gives all of it back."""
        for address in self.held:
            if self.library is not None:
                self.library.cudaFree(ctypes.c_void_p(address))
            else:
                self.bindings.cudaFree(address)
        self.held.clear()

    @staticmethod
    def _check(fault: Any, what: str) -> None:
        if int(fault):
            raise Failed(f"{what} failed with CUDA error {int(fault)}")


def runtime_library() -> Any:
    """libcudart: of the system, of a package beside numpy, or the one that PyTorch loads."""
    base = os.path.dirname(os.path.dirname(np.__file__))
    packaged = sorted(glob.glob(os.path.join(base, "nvidia", "*", "lib", "libcudart.so*")))
    named = [f"libcudart.so{ending}" for ending in ("", ".13", ".12", ".11.0")]
    for names in ((*named, *packaged, ctypes.util.find_library("cudart")), named):
        for name in names:
            with contextlib.suppress(OSError):
                if name:
                    return ctypes.CDLL(name)
        with contextlib.suppress(ImportError):
            importlib.import_module("torch")
    return None


def runtime_bindings() -> Any:
    """NVIDIA's Python package for the CUDA runtime."""
    for name in ("cuda.bindings.runtime", "cuda.cudart"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise Failed("no CUDA runtime: neither libcudart nor cuda-python nor torch was found")


class Room(trt.IOutputAllocator):  # type: ignore[misc]
    """Memory for an output whose size is known only once it is computed."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.address = 0
        self.shape: tuple[int, ...] = ()

    def reallocate_output(self, name: str, memory: int, size: int, alignment: int) -> int:  # noqa: ARG002
        """TensorRT asks for this much memory."""
        self.address = self.memory.take(size)
        return self.address

    def reallocate_output_async(self, name: str, memory: int, size: int, alignment: int, _: int) -> int:
        """The same, as TensorRT 10 asks."""
        return self.reallocate_output(name, memory, size, alignment)

    def notify_shape(self, _: str, shape: Any) -> None:
        """TensorRT tells the output's shape."""
        self.shape = tuple(shape)


def sets_of(path: str) -> list[dict[str, Any]]:
    """Feeds in a file: arrays by input name, or several sets as ``0/in/name``, ``1/in/name`` and so on."""
    stored = np.load(path, allow_pickle=False)
    numbered = sorted(
        {int(key.split("/")[0]) for key in stored.files if "/in/" in key and key.split("/")[0].isdecimal()}
    )
    if not numbered:
        return [{key: stored[key] for key in stored.files}]
    return [
        {key.split("/in/", 1)[1]: stored[key] for key in stored.files if key.startswith(f"{n}/in/")} for n in numbered
    ]


def build(settings: dict[str, Any], folder: str, logger: Any) -> bytes:
    """The plan of the model, built as the settings say."""
    builder = trt.Builder(logger)
    network = builder.create_network(network_flags(bool(settings.get("strongly_typed"))))
    parser = trt.OnnxParser(network, logger)
    model = os.path.join(folder, settings["model"])
    if not parser.parse_from_file(model):
        for number in range(parser.num_errors):
            print(parser.get_error(number), flush=True)
        raise Failed(f"failed to parse {settings['model']}")
    config = builder.create_builder_config()
    configure(config, settings, folder)
    for told in settings.get("profiles") or []:
        add_profile(builder, config, told)
    keep_precisions(network, settings.get("layer_precisions") or {})
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise Failed("failed to build the engine")
    return bytes(plan)


def network_flags(typed: bool) -> int:
    """Explicit batch where it still has to be said, and strong typing where it is asked for."""
    known = trt.NetworkDefinitionCreationFlag
    flags = 0 if int(trt.__version__.split(".")[0]) >= 10 else 1 << int(known.EXPLICIT_BATCH)
    return flags | (1 << int(known.STRONGLY_TYPED) if typed else 0)


def configure(config: Any, settings: dict[str, Any], folder: str) -> None:
    """Flags, memory pools, tactics, level, timing cache and calibration."""
    for name in settings.get("flags") or []:
        config.set_flag(getattr(trt.BuilderFlag, name.upper()))
    for name, size in (settings.get("memory_pools") or {}).items():
        config.set_memory_pool_limit(getattr(trt.MemoryPoolType, name.upper()), int(size))
    if settings.get("tactic_sources") is not None:
        chosen = [getattr(trt.TacticSource, name.upper(), None) for name in settings["tactic_sources"]]
        config.set_tactic_sources(sum(1 << int(each) for each in chosen if each is not None))
    if settings.get("optimization_level") is not None:
        config.builder_optimization_level = int(settings["optimization_level"])
    if settings.get("timing_cache"):
        path = os.path.join(folder, settings["timing_cache"])
        stored = open(path, "rb").read() if os.path.exists(path) else b""
        config.set_timing_cache(config.create_timing_cache(stored), ignore_mismatch=False)
    if settings.get("calibration") and settings["calibration"].get("data"):
        told, helper = settings["calibration"], importlib.import_module("int8_calibration")
        path = os.path.join(folder, told["data"])
        config.int8_calibrator = helper.calibrator(path, told.get("method") or "entropy")


def add_profile(builder: Any, config: Any, told: dict[str, Any]) -> None:
    """One optimization profile."""
    profile = builder.create_optimization_profile()
    for name, found in told.items():
        setter = profile.set_shape_input if found.get("values") else profile.set_shape
        setter(name, tuple(found["min"]), tuple(found["opt"]), tuple(found["max"]))
    config.add_optimization_profile(profile)


def keep_precisions(network: Any, wanted: dict[str, str]) -> None:
    """Gives named layers (or those that write named tensors) a precision of their own."""
    kinds = {"fp32": trt.float32, "fp16": trt.float16}
    for number in range(network.num_layers if wanted else 0):
        layer = network.get_layer(number)
        outputs = [layer.get_output(place) for place in range(layer.num_outputs)]
        told = wanted.get(layer.name) or next((wanted[o.name] for o in outputs if o.name in wanted), None)
        if told in kinds:
            layer.precision = kinds[told]
            for place, output in enumerate(outputs):
                if output.dtype in (trt.float32, trt.float16):
                    layer.set_output_type(place, kinds[told])


class Engine:
    """A plan that can be run."""

    def __init__(self, plan: bytes, logger: Any) -> None:
        self.runtime = trt.Runtime(logger)
        self.engine = self.runtime.deserialize_cuda_engine(plan)
        if self.engine is None:
            raise Failed("the plan could not be loaded")
        self.context = self.engine.create_execution_context()
        if self.context is None:
            raise Failed("no execution context could be made")
        names = [self.engine.get_tensor_name(number) for number in range(self.engine.num_io_tensors)]
        self.inputs = [name for name in names if self.engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
        self.outputs = [name for name in names if name not in self.inputs]

    def kind(self, name: str) -> Any:
        """The numpy type of a tensor."""
        told = str(self.engine.get_tensor_dtype(name)).rpartition(".")[2]
        if told not in KINDS:
            raise Failed(f"tensor {name} is of type {told}, which numpy does not have")
        return np.dtype(KINDS[told])

    def profile_for(self, feeds: dict[str, Any]) -> int:
        """The first profile that takes these shapes; 0 where none does, so that TensorRT says why."""
        for number in range(self.engine.num_optimization_profiles):
            if all(self._inside(name, feeds[name], number) for name in self.inputs):
                return number
        return 0

    def _inside(self, name: str, array: Any, number: int) -> bool:
        if self.engine.get_tensor_location(name) == trt.TensorLocation.HOST:
            return True
        low, _, high = (tuple(dims) for dims in self.engine.get_tensor_profile_shape(name, number))
        fixed = tuple(self.engine.get_tensor_shape(name))
        if -1 not in fixed:
            return bool(fixed == array.shape)
        inside = (least <= size <= most for least, size, most in zip(low, array.shape, high, strict=False))
        return len(low) == array.ndim and all(inside)

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """The outputs for one set of feeds."""
        if not feeds.keys() >= set(self.inputs):
            raise Failed(f"no data for all of {', '.join(self.inputs)}; the feeds hold {', '.join(feeds) or 'nothing'}")
        ready = {name: self._ready(name, feeds[name]) for name in self.inputs}
        memory = Memory()
        try:
            if self.engine.num_optimization_profiles > 1:
                self.context.set_optimization_profile_async(self.profile_for(ready), 0)
            for name, array in ready.items():
                self._give(name, array, memory)
            rooms = {name: self._room(name, memory) for name in self.outputs}
            if not self.context.execute_async_v3(0):
                raise Failed("TensorRT inference failed")
            memory.wait()
            return {name: self._taken(name, room, memory) for name, room in rooms.items()}
        finally:
            memory.free()

    def _ready(self, name: str, array: Any) -> Any:
        want = self.kind(name)
        if array.dtype == want:
            return np.ascontiguousarray(array)
        cast = array.astype(want)
        if not np.can_cast(array.dtype, want, "same_kind") or not np.allclose(cast, array, rtol=1e-5, equal_nan=True):
            raise Failed(f"input {name} is fed as {array.dtype}, the engine wants {want}")
        print(f"note: input {name} is fed as {array.dtype} and runs as {want}", flush=True)
        return np.ascontiguousarray(cast)

    def _give(self, name: str, array: Any, memory: Memory) -> None:
        print(f"input {name}: {'x'.join(map(str, array.shape)) or 'a number'}", flush=True)
        if not self.context.set_input_shape(name, array.shape):
            raise Failed(f"could not set shape of {name} to {'x'.join(map(str, array.shape))}")
        if self.engine.get_tensor_location(name) == trt.TensorLocation.HOST:
            self.context.set_tensor_address(name, array.ctypes.data)
            return
        place = memory.take(array.nbytes)
        memory.copy(place, array.ctypes.data, array.nbytes, to_device=True)
        self.context.set_tensor_address(name, place)

    def _room(self, name: str, memory: Memory) -> Any:
        shape = tuple(self.context.get_tensor_shape(name))
        if any(size < 0 for size in shape):
            room = Room(memory)
            self.context.set_output_allocator(name, room)
            return room
        array = np.empty(shape, self.kind(name))
        place = memory.take(array.nbytes)
        self.context.set_tensor_address(name, place)
        return array, place

    def _taken(self, name: str, room: Any, memory: Memory) -> Any:
        array, place = (np.empty(room.shape, self.kind(name)), room.address) if isinstance(room, Room) else room
        if array.nbytes:
            memory.copy(array.ctypes.data, place, array.nbytes, to_device=False)
        return array


def generated(engine: Engine, settings: dict[str, Any]) -> dict[str, Any]:
    """Feeds of our own: the best sizes of the first profile, or the shapes that the settings ask for."""
    random, feeds = np.random.default_rng(0), {}
    shapes: dict[str, Any] = settings.get("shapes") or {}
    told: dict[str, Any] = next(iter(settings.get("profiles") or []), {})
    for name in engine.inputs:
        fixed = tuple(engine.engine.get_tensor_shape(name))
        if engine.engine.get_tensor_location(name) == trt.TensorLocation.HOST:
            values = shapes.get(name) or told.get(name, {}).get("opt", [1] * int(np.prod(fixed)))
            feeds[name] = np.asarray(values, engine.kind(name)).reshape(fixed)
            continue
        dims = shapes.get(name) or (tuple(engine.engine.get_tensor_profile_shape(name, 0)[1]) if -1 in fixed else fixed)
        kind = engine.kind(name)
        drawn = random.standard_normal(dims) if kind.kind == "f" else random.integers(0, 2, dims)
        feeds[name] = drawn.astype(kind)
    return feeds


def compare(stored: Any, number: int, got: dict[str, Any], flags: list[str]) -> list[float]:
    """The difference of each output from the reference; ends the program where it is too large or not finite."""
    precision = next((name for name in TOLERANCES if name in flags), "fp32")
    relative, absolute = TOLERANCES[precision]
    differences = []
    for name, array in got.items():
        key = f"{number}/out/{name}"
        want = stored[key] if stored is not None and key in stored.files else None
        floats = array.dtype.kind == "f"
        if floats and not np.isfinite(array).all() and (want is None or np.isfinite(want).all()):
            raise Failed(f"output {name} holds {'NaN' if np.isnan(array).any() else 'Inf'} values in {precision}")
        if want is None:
            continue
        if want.shape != array.shape:
            raise Failed(f"output {name} has shape {array.shape}, the reference {want.shape}")
        one, two = array.astype(np.float64), want.astype(np.float64)
        scale = float(np.max(np.abs(two), initial=0.0, where=np.isfinite(two)))
        worst = float(np.max(np.abs(one - two), initial=0.0, where=np.isfinite(two)))
        close = np.allclose(one, two, rtol=relative, atol=absolute * scale if floats else 0, equal_nan=True)
        print(f"output {name}: largest difference {worst:.4g}, largest value {scale:.4g}, {precision}", flush=True)
        if not close:
            raise Failed(f"output mismatch: {name} differs from the reference by up to {worst:.4g} in {precision}")
        differences.append(worst / (scale or 1.0))
    return differences


def main() -> None:
    """Builds, runs and compares."""
    parser = argparse.ArgumentParser(description="Builds a TensorRT engine from a settings file and runs it.")
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "build_tensorrt.json")
    parser.add_argument("settings", nargs="?", default=beside)
    parser.add_argument("--feeds", help="arrays by input name, in place of those that the settings name")
    parser.add_argument("--outputs", help="where to store what comes out, in place of outputs.npz")
    parser.add_argument("--run-only", action="store_true", help="load the plan that is there and build nothing")
    parser.add_argument("--build-only", action="store_true", help="build and store the plan, and run nothing")
    given = parser.parse_args()
    settings = json.loads(pathlib.Path(given.settings).read_text(encoding="utf-8"))
    folder, differences = os.path.dirname(os.path.abspath(given.settings)), []
    logger = trt.Logger(trt.Logger.VERBOSE if settings.get("verbose") else trt.Logger.INFO)
    trt.init_libnvinfer_plugins(logger, "")
    for path in settings.get("plugins") or []:
        ctypes.CDLL(os.path.join(folder, path), mode=ctypes.RTLD_GLOBAL)
    print(f"TensorRT {trt.__version__}", flush=True)
    plan_path = os.path.join(folder, settings.get("plan") or "model.plan")
    if settings.get("model") and not given.run_only:
        size = pathlib.Path(plan_path).write_bytes(build(settings, folder, logger))
        print(f"engine written to {settings.get('plan') or 'model.plan'}: {size} bytes", flush=True)
    if given.build_only:
        return
    engine = Engine(pathlib.Path(plan_path).read_bytes(), logger)
    feeds = given.feeds or settings.get("feeds")
    path = os.path.join(folder, feeds) if feeds else None
    sets = sets_of(path) if path else [generated(engine, settings)]
    stored = np.load(path, allow_pickle=False) if path else None
    kept: dict[str, Any] = {}
    for number, each in enumerate(sets):
        got = engine.run(each)
        differences += compare(stored, number, got, settings.get("flags") or [])
        kept |= {f"{number}/in/{name}": array for name, array in each.items()}
        kept |= {f"{number}/out/{name}": array for name, array in got.items()}
    np.savez(os.path.join(folder, given.outputs or settings.get("outputs") or "outputs.npz"), **kept)
    equal = f", equal to the reference within {max(differences):.2g} of the largest value" if differences else ""
    print(f"ran {len(sets)} set{'s' if len(sets) > 1 else ''} of inputs{equal}", flush=True)


if __name__ == "__main__":
    main()
