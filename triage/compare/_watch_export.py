"""Runs a Python program and keeps what the modules compute that it exports with torch.onnx.export. Stands alone.

``python _watch_export.py FOLDER [--replay FOLDER] script.py arguments…`` or ``… -m module arguments…``

Each export leaves ``FOLDER/NNN/``: ``record.json``, and ``in-K.npz``, ``out-K.npz``, ``twin-K.npz`` for each feed: the
program's own example first, then others like it, and other sizes where the exported file says that a dimension is
dynamic. The module computes in eval mode, without gradients, on a copy. With ``--replay`` the feeds of an earlier
run are used, also where the export itself fails. The program's outcome and its random numbers stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.abc
import importlib.util
import io
import json
import os
import random
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any


def main(words: list[str]) -> None:
    """Watches a program as it runs under its own name."""
    folder, words = words[0], words[1:]
    replay = None
    if words[0] == "--replay":
        replay, words = words[1], words[2:]
    watch(folder, replay)
    if words[0] == "-m":
        sys.argv, sys.path[0] = words[1:], os.getcwd()
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, os.path.dirname(os.path.abspath(words[0]))
        runpy.run_path(words[0], run_name="__main__")


def watch(folder: str, replay: str | None = None) -> None:
    """Begins to watch: torch.onnx is changed as soon as the program imports it."""
    sys.meta_path.insert(0, _Finder(_Watcher(folder, replay)))


_PATCHED = {
    "torch.onnx": "patch_onnx",
    "torch.nn.modules.module": "patch_modules",
    "peft.tuners.tuners_utils": "patch_peft",
}


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, watcher: _Watcher) -> None:
        self._watcher = watcher

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name not in _PATCHED:
            return None
        others = (one for one in sys.meta_path if one is not self)
        spec = next((found for one in others if (found := one.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            given = spec.loader.exec_module

            def execute(module: ModuleType) -> None:
                given(module)
                getattr(self._watcher, _PATCHED[name])(module)

            spec.loader.exec_module = execute  # type: ignore[method-assign]
        return spec


class _Watcher:
    def __init__(self, folder: str, replay: str | None) -> None:
        self.folder = os.path.abspath(folder)
        self.replay = replay and os.path.abspath(replay)
        self.start = os.getcwd()
        self.loads: list[tuple[Any, set[str], list[str]]] = []
        self.adapters: list[tuple[Any, Any, bool]] = []
        self.programs: dict[int, dict[str, Any]] = {}
        self._inside = False

    def patch_onnx(self, onnx: Any) -> None:
        """Puts itself before torch.onnx.export and its aliases."""
        given = onnx.export
        onnx.export = self._export(given)
        if getattr(getattr(onnx, "utils", None), "export", None):
            onnx.utils.export = self._export(onnx.utils.export)
        program = getattr(onnx, "ONNXProgram", None)
        if program is not None:
            program.save = self._saving(program.save)

    def patch_modules(self, modules: Any) -> None:
        """Sees what load_state_dict leaves out."""
        modules.Module.load_state_dict = self._loading(modules.Module.load_state_dict)

    def patch_peft(self, tuners: Any) -> None:
        """Sees which adapters there are, and whether merging one changes the base model."""
        adapters, merged = self.adapters, tuners.BaseTuner.merge_and_unload
        made = tuners.BaseTuner.__init__

        @functools.wraps(made)
        def begin(tuner: Any, *arguments: Any, **options: Any) -> None:
            made(tuner, *arguments, **options)
            adapters.append((tuner, None, False))

        @functools.wraps(merged)
        def merge(tuner: Any, *arguments: Any, **options: Any) -> Any:
            before = _base_weights(tuner.model)
            result = merged(tuner, *arguments, **options)
            after = {name: one.weight for name, one in result.named_modules() if name in before}
            changed = any(_sum(after[name]) != before[name] for name in after)
            adapters.append((tuner, result, changed))
            return result

        tuners.BaseTuner.__init__, tuners.BaseTuner.merge_and_unload = begin, merge

    def _export(self, given: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(given)
        def export(*arguments: Any, **options: Any) -> Any:
            if self._inside:
                return given(*arguments, **options)
            self._inside = True
            training = getattr(arguments[0] if arguments else options.get("model"), "training", None)
            fault: BaseException | None = None
            result = None
            try:
                result = given(*arguments, **options)
            except BaseException as caught:
                fault = caught
                raise
            finally:
                self._inside = False
                if fault is None or (self.replay and isinstance(fault, Exception)):
                    self._keep(given, arguments, options, result, fault, training)
            return result

        return export

    def _keep(self, given: Any, arguments: Any, options: Any, result: Any, fault: Any, training: Any) -> None:
        with contextlib.suppress(OSError):
            place = self._place()
            record: dict[str, Any] = {"exported": fault is None, "training": training, "notes": []}
            try:
                import inspect

                bound = inspect.signature(given).bind(*arguments, **options).arguments
                bound.update(bound.pop("options", None) or {})
                self._run(place, bound, record, result)
            except Exception as problem:  # noqa: BLE001 -- watching must never change the program's outcome
                record["fault"] = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
            _write(place, record)
            if result is not None:
                self.programs[id(result)] = {"place": place, "record": record, "kept": result}

    def _run(self, place: str, bound: dict[str, Any], record: dict[str, Any], result: Any) -> None:
        with _quiet():
            proto = getattr(result, "model_proto", None) if bound.get("f") is None else None
            export = _beside("_watched_module").Export(place, bound, record, self.loads, proto)
            record["adapter"] = self._adapter(bound["model"])
            record["target"] = (
                os.path.relpath(record["file"], self.start) if bound.get("f") else os.path.basename(place)
            )
            earlier = self._earlier(record["target"]) if self.replay else None
            if not self.replay or earlier:
                export.keep(_beside("_feeds_like").feeds_like, earlier)

    def _adapter(self, model: Any) -> str:
        """Where the program's adapters are: none, inside, merged, merged-empty or elsewhere."""
        if not self.adapters or not hasattr(model, "modules"):
            return "none" if not self.adapters else "elsewhere"
        inside = set(map(id, model.modules()))
        if any(type(one).__module__.startswith("peft.") for one in model.modules()):
            return "inside"
        merged = [changed for _, result, changed in self.adapters if id(result) in inside]
        return "elsewhere" if not merged else "merged" if all(merged) else "merged-empty"

    def _earlier(self, target: str) -> str | None:
        """The folder of the earlier run's last export to the same file."""
        found = None
        for name in sorted(os.listdir(str(self.replay))):
            place = os.path.join(str(self.replay), name)
            with (
                contextlib.suppress(OSError, ValueError),
                open(os.path.join(place, "record.json"), encoding="utf-8") as one,
            ):
                told = json.load(one)
                found = place if told.get("target") == target and told.get("exported") else found
        return found

    def _place(self) -> str:
        """The next free folder; the processes of one build share the numbers."""
        number = 1
        while True:
            path = os.path.join(self.folder, f"{number:03d}")
            try:
                os.makedirs(path)
            except FileExistsError:
                number += 1
            else:
                return path

    def _saving(self, given: Callable[..., Any]) -> Callable[..., Any]:
        """Remembers where an exported program is saved that was exported without a file name."""

        @functools.wraps(given)
        def save(program: Any, destination: Any, *rest: Any, **options: Any) -> Any:
            result = given(program, destination, *rest, **options)
            known = self.programs.get(id(program))
            if known and not self._inside:
                known["record"]["file"] = os.path.abspath(os.fspath(destination))
                with contextlib.suppress(OSError):
                    _write(known["place"], known["record"])
            return result

        return save

    def _loading(self, given: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(given)
        def load_state_dict(module: Any, *arguments: Any, **options: Any) -> Any:
            result = given(module, *arguments, **options)
            missing = getattr(result, "missing_keys", None)
            caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001 -- libraries load parts on purpose
            if missing is not None and "site-packages" not in caller:
                own = {name for name, _ in module.named_parameters()}
                self.loads.append((module, own & set(missing), list(getattr(result, "unexpected_keys", ()))))
            return result

        return load_state_dict


def _beside(name: str) -> ModuleType:
    """A module that lies beside this file, without a change of the path on which the program's own are found."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"_triage{name}", path)
    assert spec is not None  # noqa: S101 -- for the type checker
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _base_weights(model: Any) -> dict[str, float]:
    """Sums of the weights below adapter layers, by the layer's name."""
    return {
        name: _sum(one.base_layer.weight)
        for name, one in model.named_modules()
        if hasattr(getattr(one, "base_layer", None), "weight")
    }


def _sum(weight: Any) -> float:
    return float(weight.detach().double().abs().sum())


def _write(place: str, record: dict[str, Any]) -> None:
    with open(os.path.join(place, "record.json"), "w", encoding="utf-8") as stream:
        json.dump(record, stream, default=str)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Random numbers as they were afterwards, no warnings, nothing printed."""
    import torch

    state = random.getstate()
    numpy = sys.modules.get("numpy")
    drawn = numpy.random.get_state() if numpy else None
    with torch.random.fork_rng(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(state)
            if numpy:
                numpy.random.set_state(drawn)


if __name__ == "__main__":
    main(sys.argv[1:])
