"""Runs models on feeds in child processes: a crash, a hang or a refusal is an answer too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.backends._child import run
from triage.remedy import BuildResult, BuildSpec, Limits

if TYPE_CHECKING:
    from triage.compare.feeds import Feed

HERE = os.path.dirname(os.path.abspath(__file__))
ALL = 1 << 30
_MATTERS = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "PATH")  # for what can be imported
_KEPT_LOG = 1 << 20  # bytes of what a child printed that go into the proof's log


class Stored(NamedTuple):
    """A feed on disk: what it is in words, the names of its arrays, and its file (arrays ``v0``, ``v1`` …)."""

    label: str
    names: tuple[str, ...]
    path: str

    def load(self) -> Feed:
        """The arrays by name."""
        return dict(zip(self.names, arrays_of(self.path), strict=True))

    def renamed(self, names: Mapping[str, str]) -> Stored:
        """The same feed for a model that names its inputs otherwise."""
        return self._replace(names=tuple(names.get(name, name) for name in self.names))


class Result(NamedTuple):
    """What a model gave for one feed: (name, array) in its order, or why it gave nothing."""

    outputs: tuple[tuple[str, Any], ...] | None
    error: str = ""


class Runs(NamedTuple):
    """A model on several feeds. ``error`` says why it could not even be loaded."""

    engine: str
    results: tuple[Result, ...]
    error: str = ""
    inputs: tuple[str, ...] = ()

    @property
    def ran(self) -> list[int]:
        """Numbers of the feeds that it answered."""
        return [number for number, result in enumerate(self.results) if result.outputs is not None]

    @property
    def why(self) -> str:
        """Why it answered nothing."""
        return self.error or next((result.error for result in self.results if result.error), "it was not run")


class Runner:
    """Starts children for one proof.

    Args:
        scratch: an existing folder of its own for requests and results.
        log: takes what the children print.
        seconds: for each child.
        environment: of the build.
        guarded: the user's folder, which no child may write to.
    """

    def __init__(
        self, scratch: str, log: str, *, seconds: float, environment: Mapping[str, str], guarded: str | None
    ) -> None:
        self.scratch = scratch
        self.seconds = seconds
        self.environment = {"TMPDIR": scratch, **environment}
        self._log = log
        self._guarded = guarded
        self._count = 0

    def folder(self, name: str) -> str:
        """A new folder in the scratch folder."""
        self._count += 1
        path = os.path.join(self.scratch, f"{self._count:03d}-{name}")
        os.makedirs(path)
        return path

    def child(
        self, command: Sequence[str], folder: str, environment: Mapping[str, str] | None = None, seconds: float = 0.0
    ) -> BuildResult:
        """Runs a command; what it prints goes to the end of the proof's log."""
        self._count += 1
        path = os.path.join(self.scratch, f"{self._count:03d}.log")
        spec = BuildSpec(
            tuple(command), folder, path, Limits(seconds=seconds or self.seconds),
            {**self.environment, **(environment or {})}, self._guarded,
        )  # fmt: skip
        result = run(spec)
        with open(path, "rb") as stream, open(self._log, "ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode() + stream.read(_KEPT_LOG) + b"\n")
        return result

    def store(self, feeds: Sequence[tuple[str, Feed]]) -> list[Stored]:
        """Writes feeds to disk."""
        import numpy as np

        folder = self.folder("feeds")
        stored = []
        for number, (label, feed) in enumerate(feeds):
            path = os.path.join(folder, f"{number:03d}.npz")
            np.savez(path, **{f"v{place}": array for place, array in enumerate(feed.values())})
            stored.append(Stored(label, tuple(feed), path))
        return stored

    def model(
        self,
        path: str,
        feeds: Sequence[Stored],
        *,
        engine: str = "onnxruntime",
        optimise: bool = False,
        enough: int = ALL,
    ) -> Runs:
        """Runs an ONNX model on feeds.

        Args:
            path: the model.
            feeds: in this order.
            engine: ``onnxruntime`` or ``reference``.
            optimise: whether ONNX Runtime may optimise the graph, as it does by default.
            enough: stop after so many answers.
        """
        program = self._with_runtime if engine == "onnxruntime" else sys.executable
        if program is None:
            return Runs(engine, (), "onnxruntime is not installed")
        return self.answers(program, {"model": path, "engine": engine, "enough": enough}, feeds, levels=(optimise,))[0]

    def plain_and_optimised(self, path: str, feeds: Sequence[Stored]) -> list[Runs]:
        """Runs an ONNX model on feeds by ONNX Runtime, without and with optimisations."""
        if self._with_runtime is None:
            return [Runs("", (), "onnxruntime is not installed")] * 2
        body = {"model": path, "engine": "onnxruntime", "enough": ALL}
        return self.answers(self._with_runtime, body, feeds, levels=(False, True))

    def answers(
        self,
        program: str,
        body: Mapping[str, Any],
        feeds: Sequence[Stored],
        folder: str | None = None,
        levels: Sequence[bool] = (False,),
    ) -> list[Runs]:
        """Has a model run on feeds in a child, once for each level of optimisation.

        Args:
            program: the Python.
            body: what the request says.
            feeds: in this order.
            folder: where the child runs.
            levels: whether optimisations are on.
        """
        place = self.folder("run")
        outs = [os.path.join(place, str(number)) for number in range(len(levels))]
        for out in outs:
            os.mkdir(out)
        told = [{"path": feed.path, "names": feed.names} for feed in feeds]
        request = os.path.join(place, "request.json")
        with open(request, "w", encoding="utf-8") as stream:
            whole = {"providers": ["CPUExecutionProvider"], **body, "feeds": told, "optimise": levels, "out": outs}
            json.dump(whole, stream)
        result = self.child((program, os.path.join(HERE, "_run_model.py"), request), folder or place)
        return [read_answer(out, len(feeds), result) for out in outs]

    @cached_property
    def _with_runtime(self) -> str | None:
        """The Python that has ONNX Runtime: the build's own first."""
        path = self.environment.get("PATH", os.environ.get("PATH"))
        for program in (shutil.which("python", path=path), shutil.which("python3", path=path), sys.executable):
            if program and can_import(program, "onnxruntime", self.environment):
                return program
        return None


def read_answer(out: str, count: int, result: BuildResult) -> Runs:
    """What a child wrote into its folder about ``count`` feeds; what it did not live to answer is said so."""
    lines = list(_lines(os.path.join(out, "answer.jsonl")))
    ending = "it was not asked" if result.good else _ending(result)
    head = next((line for line in lines if "loaded" in line), None)
    if head is None or not head["loaded"]:
        return Runs("", (), head["error"] if head else ending)
    told = {line["feed"]: line for line in lines if "feed" in line}
    results = [_result(out, number, told.get(number), ending) for number in range(count)]
    return Runs(head["engine"], tuple(results), inputs=tuple(name for name, _ in head["inputs"]))


def _result(out: str, number: int, line: Mapping[str, Any] | None, ending: str) -> Result:
    if line is None:
        return Result(None, ending)
    if "error" in line:
        return Result(None, line["error"])
    names = [name for name, _ in line["names"]]
    return Result(tuple(zip(names, arrays_of(os.path.join(out, f"{number:03d}.npz")), strict=True)))


def arrays_of(path: str) -> list[Any]:
    """The arrays of a file, ``v0``, ``v1`` and so on."""
    import numpy as np

    with np.load(path) as stored:
        return [stored[f"v{place}"] for place in range(len(stored.files))]


def _lines(path: str) -> list[dict[str, Any]]:
    if not os.path.exists(path):
        return []
    found = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


def _ending(result: BuildResult) -> str:
    if result.ended != "exit":
        return f"stopped: {result.why}"
    with open(result.log, encoding="utf-8", errors="replace") as stream:
        last = [line.strip() for line in stream.read(_KEPT_LOG).split("\n") if line.strip()]
    return f"its process ended with exit code {result.exit_code}{': ' + last[-1][:200] if last else ''}"


def can_import(program: str, package: str, environment: Mapping[str, str]) -> bool:
    """Whether this Python can import a package."""
    return _imports(program, package, tuple((key, environment[key]) for key in _MATTERS if key in environment))


@cache
def _imports(program: str, package: str, environment: tuple[tuple[str, str], ...]) -> bool:
    try:
        asked = subprocess.run(
            [program, "-c", f"import {package}"], env={**os.environ, **dict(environment)}, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
