"""How far a repair of a model can be proven where it is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triage.site import Site


def compared(site: Site) -> bool:
    """Whether the recipe says how right outputs look: by a check of its own or by a reference."""
    return bool(site.verify.get("command") or site.verify.get("reference"))


def safe_if_compared(site: Site) -> str:
    """The safety of a change that may only stand when outputs are compared."""
    return "safe" if compared(site) else "unsafe"


def named_first(site: Site, paths: list[str]) -> list[list[str]]:
    """Which of several files to change in one go: those that the log or the command names, then all of them."""
    told = site.found.model or ""
    words = " ".join(site.command)
    named = [path for path in paths if path.rpartition("/")[2] in site.log or path == told]
    named = named or [path for path in paths if path.rpartition("/")[2] in words]
    return [each for each in ([named] if named and named != paths else []) + [paths] if each]


def outputs(model: Any, feeds: Mapping[str, Any]) -> list[Any]:
    """What the reference evaluator of ONNX computes; for the examples of fixes.

    Args:
        model: a ModelProto, or the path of one.
        feeds: arrays by input.
    """
    from onnx.reference import ReferenceEvaluator

    evaluator: Any = ReferenceEvaluator(model)
    return list(evaluator.run(None, dict(feeds)))
