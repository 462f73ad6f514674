"""Allow the harmless types that a checkpoint holds.

What it changes: the script says `torch.serialization.add_safe_globals([...])` before it loads the checkpoint, with
exactly the types that the file names and torch refuses: containers, paths, dates, numbers of NumPy, layers of torch.
A class of another kind is read as a plain bag of attributes (argparse.Namespace): what it holds is there, its code
is not run.

When it is wrong: where the checkpoint asks for functions that no data needs, such as os.system, it is hostile, and
nothing is proposed. Allowing a class with code of its own runs that code: only with --unsafe. `weights_only=False`
is never set: it would run whatever the file says.

Proof: the file loads with `weights_only=True`, and the build's own check compares the outputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _edits, _globals
from triage.fixes._globals import Wanted
from triage.remedy import Proposal, Refusal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.project import Project
    from triage.pysource.source import Source

CAUSES = ("checkpoint-unsafe-blocked",)
SAFETY = "safe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The harmless way first; classes with code of their own only as an unsafe one."""
    from triage.pysource.project import Project

    project = Project(site)
    wanted = _globals.wanted(site)
    if wanted is None:
        return
    hostile = [name for name in wanted.names if _globals.is_hostile(name)]
    if hostile:
        yield Refusal(
            f"the checkpoint asks for {hostile[0]} when it is loaded: no weights need that, so it may be hostile",
            "Do not load this file. Fetch the weights again from a source that you trust, as safetensors.",
        )
        return
    if wanted.whole and _globals.is_nowhere(project, wanted.whole):
        yield Refusal(
            f"the file holds a whole model of the class {wanted.whole}, and its code is nowhere in the build",
            "Add the code of that class to the build, or save the model's state_dict() where the code is.",
        )
        return
    foreign = [name for name in wanted.names if not _globals.is_inert(project, name, wanted)]
    place = _place(project)
    if place is None:
        yield Refusal(
            f"the line that loads the checkpoint is in no file that may be changed; it needs {', '.join(wanted.names)}",
            "Say torch.serialization.add_safe_globals([...]) with these types before the load.",
        )
        return
    yield from _proposals(project, place, wanted, foreign)


def _proposals(
    project: Project, place: tuple[Source, cst.CSTNode], wanted: Wanted, foreign: Sequence[str]
) -> Iterator[Proposal]:
    names = [name for name in wanted.names if name not in foreign]
    ways: list[tuple[str, list[str], list[str], str | None]] = []
    if not foreign:
        ways.append((f"allow {_listed(names)} in the checkpoint", names, [], None))
    else:
        bags = [name for name in foreign if name not in wanted.called]
        if bags == list(foreign) and wanted.whole not in bags:
            ways.append((f"read {_listed(bags)} of the checkpoint as plain attributes", names, bags, None))
        ways.append(
            (f"allow {_listed(foreign)} in the checkpoint, which runs its code", list(wanted.names), [], "unsafe")
        )
    for what, allowed, bags, safety in ways:
        parameters = _edited(project, place, allowed, bags, wanted)
        if parameters is not None:
            yield Proposal(f"{what}, before {place[0].path} loads it", parameters, safety)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _place(project: Project) -> tuple[Source, cst.CSTNode] | None:
    """(file, node) before whose statement the types must be allowed: where the traceback loads, innermost first."""
    import libcst as cst

    for path, line in reversed(project.frames()):
        source = project.source(path)
        if source is None or not project.may_change(source):
            continue
        for call in source.find(cst.Call):
            if line in source.lines(call):
                return source, call
    for source in project.sources():
        for call in source.find(cst.Call) if project.may_change(source) else ():
            if source.code(call.func) == "torch.load":
                return source, call
    return None


def _edited(
    project: Project, place: tuple[Source, cst.CSTNode], allowed: Sequence[str], bags: Sequence[str], wanted: Wanted
) -> dict[str, Any] | None:
    from triage.pysource.changes import Changes

    source, node = place
    words = _Words(source, node)
    entries = [words.entry(path, wanted) for path in allowed]
    entries += [f'({words.named("argparse", "Namespace")}, "{path}")' for path in bags]
    if "numpy.dtype" in allowed:  # NumPy makes a class for every element type
        entries += [f'type({words.named("numpy", "dtype")}("{code}"))' for code in wanted.numpy_types]
    torch, line = _torch(source, node)
    _edits.add_imports(source, [line or "", *words.imports], node)
    _edits.insert_before(source, node, [f"{torch}.serialization.add_safe_globals([{', '.join(entries)}])"])
    return Changes(project).packed()


class _Words:
    """How types are written at a place of a script, and the imports that this takes."""

    def __init__(self, source: Source, node: cst.CSTNode) -> None:
        self.imports: list[str] = []
        self._source = source
        self._node = node

    def named(self, module: str, name: str) -> str:
        if module in ("", "__main__"):
            return name
        expression, line = _edits.name_for(self._source, module, name, self._node)
        self.imports += [line] if line else []
        return expression

    def entry(self, path: str, wanted: Wanted) -> str:
        """A type; with its name in the file where the class calls itself otherwise, or something plainer stands in."""
        module, name = _globals.split(path)
        if path in wanted.filled:
            plain = wanted.filled[path]
            kind = {"{}": "dict", "[]": "list"}[plain]
            return f'({f"lambda *_: {plain}" if path in wanted.called else kind}, "{path}")'
        if module == "builtins":
            return name
        moved = module.startswith(("numpy.core", "numpy._core", "pathlib._local")) and not module.endswith(".dtypes")
        expression = self.named(module, name)
        return f'({expression}, "{path}")' if moved else expression


def _torch(source: Source, before: cst.CSTNode) -> tuple[str, str | None]:
    import libcst as cst

    plain = [
        statement
        for statement in source.find(cst.Import)
        if source.above(statement, cst.FunctionDef, cst.ClassDef) is None
        and source.span(statement)[0] < source.span(before)[0]
        and any(source.code(alias) == "torch" for alias in statement.names)
    ]
    return "torch", None if plain else "import torch"


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the imports and the line into the script."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _before(folder: str) -> None:
    import argparse

    import numpy as np
    import torch

    content = {"model": {"w": torch.ones(2)}, "args": argparse.Namespace(lr=0.1), "best": np.float64(0.5)}
    torch.save(content, f"{folder}/weights.pt")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write('import torch\n\nstate = torch.load("weights.pt", weights_only=True)\nprint(state["args"].lr)\n')


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert samples.run(site).strip() == "0.1"  # noqa: S101 -- an example is a test


def _hostile(folder: str) -> None:
    import os

    import torch

    class Hook:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.getcwd, ()

    torch.save({"model": {"w": torch.ones(2)}, "hook": Hook()}, f"{folder}/weights.pt")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write('import torch\n\nstate = torch.load("weights.pt", weights_only=True)\n')


_LOG = """Traceback (most recent call last):
  File "build.py", line 3, in <module>
    state = torch.load("weights.pt", weights_only=True)
  File "/lib/python3.11/site-packages/torch/serialization.py", line 1609, in load
    raise pickle.UnpicklingError(_get_wo_message(str(e))) from None
WeightsUnpickler error: Unsupported global: GLOBAL %s was not an allowed global by default.
"""
EXAMPLES = (
    Example(_before, _after, log=_LOG % "argparse.Namespace", needs=("torch",)),
    Example(_hostile, None, log=_LOG % "posix.getcwd", applies=False, needs=("torch",)),
)
