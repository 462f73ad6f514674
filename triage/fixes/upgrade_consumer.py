"""Move to a tool release that reads this model.

What it changes: nothing. It gives the command that upgrades the tool which does not know the model's architecture,
operator or format. Writing a known name into config.json instead would load random weights under another
architecture's name, so that is never done.

When it is wrong: where no release of the tool knows the model yet. Then its authors' code is needed, reviewed, or
another tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site, _manual, _packages
from triage.remedy import Proposal, Refusal

CAUSES = (
    "llm-architecture-unsupported", "operator-unsupported", "opset-unsupported", "ir-version-unsupported",
    "format-version-unsupported", "custom-op-unregistered", "operator-dtype-unsupported", "initializer-required",
    "builder-internal-error", "kernel-implementation-missing", "graph-optimization-failed",
    "quantization-format-unsupported", "tokenizer-mismatch", "data-dependent-shape-unsupported",
)  # fmt: skip
SAFETY = "manual"
EVIDENT = False
_UNKNOWN = re.compile(
    r"has model type `(?P<model>[\w.-]{1,80})` but Transformers does not recognize this architecture|"
    r"Model architectures? \[?'?(?P<arch>[\w.-]{1,80})'?\]? (?:are|is) not supported|"
    r"Model (?P<gguf>\w{1,80}) is not supported|unknown model architecture: '(?P<llama>[\w.-]{1,80})'|"
    r"Unsupported model architecture: ?(?P<other>[\w.-]{1,80})"
)


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """Why an unknown architecture cannot be repaired, and the command that upgrades the tool."""
    match = _UNKNOWN.search(site.log)
    tool = site.found.tool
    if match and "llm-architecture-unsupported" in site.found.causes:
        name = next(group for group in match.groups() if group)
        tool = "transformers" if match["model"] else tool
        yield Refusal(
            f"{_spoken(tool)} here does not know the architecture {name}: editing model_type would load random weights "
            "under another architecture's name",
            f"Use a release of {_spoken(tool)} that knows {name}, or the reviewed code of its authors.",
        )
    command = _command(site, tool)
    if command:
        version = f" (here: {site.found.tool_version})" if site.found.tool_version else ""
        yield Proposal(f"move to a newer release of {_spoken(tool)}{version}", {"commands": [command]})


def _spoken(tool: str) -> str:
    return "the tool" if tool == "other" else tool


def _command(site: Site, tool: str) -> str:
    if tool == "llama-cpp":
        return "git -C llama.cpp pull && cmake -S llama.cpp -B llama.cpp/build && cmake --build llama.cpp/build -j"
    if tool == "triton":
        return "docker pull nvcr.io/nvidia/tritonserver:YY.MM-py3"
    package = _packages.TOOLS.get(tool)
    return f"{_manual.python(site)} -m pip install --upgrade {package}" if package else ""


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Only a person upgrades tools."""


def _nothing(folder: str) -> None:
    """The files do not matter."""


_LOG = "ValueError: The checkpoint has model type `nova9` but Transformers does not recognize this architecture.\n"
EXAMPLES = (
    Example(_nothing, None, found=Found(("llm-architecture-unsupported",), tool="transformers"), log=_LOG),
    Example(_nothing, None, found=Found(("operator-unsupported",), tool="other"), log="error\n", applies=False),
)
