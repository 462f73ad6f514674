"""Replace removed calls, names and flags by their successors.

What it changes: names, arguments and options that the installed release no longer has, in scripts and on the command
line, to what took their place: torch.onnx, NumPy, onnx, ONNX Runtime, transformers, the standard library, TensorRT from
7 to 11, trtexec and Polygraphy. Arguments that only advised are dropped. Only names that the file's own imports bring
in are changed, and only for the packages that the log complains of.

When it is wrong: where an argument or flag changed the result and has no successor (a precision flag of TensorRT 11),
nothing is written and the reason is told. A name that an installed package uses, and not the build's own files, needs
another release of that package.

Proof: the build runs again, and its outputs are compared with the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.remedy import Proposal, Refusal

CAUSES = (
    "api-removed",
    "python-dependency-conflict",
    "python-dependency-missing",
    "configuration-error",
    "model-code-error",
    "explicit-batch-required",
    "binding-mismatch",
    "workspace-insufficient",
    "plugin-missing",
    "weights-refit-failed",
    "unknown",
)
SAFETY = "safe"


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """All moves of the packages that the log names at once; those that cannot be made are refused."""
    from triage.pysource import moved

    for found in moved.proposals(site):
        yield Refusal(*found) if isinstance(found[1], str) else Proposal(found[0], found[1])


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the changed files and command."""
    from triage.pysource import changes

    changes.apply(site, parameters)


_SCRIPT = """import torch

model = torch.nn.Linear(4, 2).eval()
x = torch.zeros(1, 4)
torch.onnx.export(model, (x,), "model.onnx", example_outputs=model(x), dynamo=False, enable_onnx_checker=True)
"""
_LOG = "TypeError: export() got an unexpected keyword argument 'example_outputs'\n"


def _before(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": _SCRIPT})


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert '"model.onnx", dynamo=False)' in site.text("build.py")  # noqa: S101
    samples.run(site)
    assert site.has("model.onnx")  # noqa: S101


def _own_function(folder: str) -> None:
    from triage.pysource import samples

    samples.write(folder, {"build.py": "def export(x):\n    return x\n\n\nexport(1, example_outputs=2)\n"})


_FOUND = Found(causes=("api-removed",), captures={"flag": "example_outputs"})
EXAMPLES = (
    Example(_before, _after, found=_FOUND, log=_LOG, needs=("torch",)),
    Example(_own_function, None, found=_FOUND, log=_LOG, applies=False),
)
