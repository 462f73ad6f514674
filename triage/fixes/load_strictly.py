"""Load the checkpoint strictly.

What it changes: `strict=False` of `load_state_dict` becomes `strict=True`. A checkpoint whose names do not fit then
stops the build and says which names, where before the model silently kept random weights.

When it is wrong: where parts of the model are meant to stay untrained, such as a new head. Then the build stops at
the load, and the attempt is given up.

Proof: it cures nothing by itself. What fails next names the tensors, and strip_key_prefix can make them fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from triage.fixes import Example, Site, _checkpoints
from triage.remedy import Proposal

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.source import Source

CAUSES = ("output-mismatch", "export-trace-mismatch", "nan-or-inf-output", "quantization-accuracy-loss")
SAFETY = "safe"
EVIDENT = False


def propose(site: Site) -> Iterator[Proposal]:
    """Every loose load of a script that may be changed."""
    from triage.pysource.changes import Changes
    from triage.pysource.project import Project

    project = Project(site)
    for source in project.sources():
        for call, value in _loose(source):
            source.replace(value, "True")
            parameters = Changes(project).packed()
            if parameters is not None:
                where = f"line {source.line(call)} of {source.path}"
                yield Proposal(
                    f"load the checkpoint strictly in {where}: strict=False hides what does not fit", parameters
                )


def _loose(source: Source) -> Iterator[tuple[cst.Call, cst.BaseExpression]]:
    import libcst as cst

    from triage.pysource.arguments import given

    for call in source.find(cst.Call):
        if _checkpoints.last_name(call.func) == "load_state_dict":
            found = given(call, "strict", 1)
            if found is not None and source.code(found.value) == "False":
                yield call, found.value


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes strict=True in that line."""
    from triage.pysource import changes

    changes.apply(site, parameters)


def _before(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(
            "import torch\n\n"
            "model = torch.nn.Linear(2, 2)\n"
            "state = {'module.' + key: value for key, value in model.state_dict().items()}\n"
            "try:\n"
            "    model.load_state_dict(state, strict=False)\n"
            "except RuntimeError as fault:\n"
            "    print('refused', fault)\n"
        )


def _after(site: Site) -> None:
    from triage.pysource import samples

    assert "Missing key(s)" in samples.run(site)  # noqa: S101 -- an example is a test


def _strict(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write("import torch\n\nmodel = torch.nn.Linear(2, 2)\nmodel.load_state_dict(model.state_dict())\n")


EXAMPLES = (
    Example(_before, _after, needs=("torch",)),
    Example(_strict, None, applies=False),
)
