"""Moving files and folders of a repository: a plan that can be read, and carrying it out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.remedy import Proposal
from triage.site import CannotApply
from triage.tritonrepo import changes
from triage.tritonrepo.layout import joined

if TYPE_CHECKING:
    from triage.site import Site

KEEPER = ".gitkeep"


class Plan(NamedTuple):
    """What is moved (from, to), copied and made (placeholders in empty folders); configs or a command that change."""

    model: str
    what: str
    moves: tuple[tuple[str, str], ...] = ()
    copies: tuple[tuple[str, str], ...] = ()
    made: tuple[str, ...] = ()
    ways: tuple[changes.Way, ...] = ()
    command: tuple[str, ...] = ()
    rank: int = 0
    safety: str | None = None


def proposals(site: Site, plans: Iterable[Plan]) -> Iterator[Proposal]:
    """A proposal for each plan; where several models have a defect, one for all of them goes first."""
    kept = sorted((plan for plan in plans if _allowed(site, plan)), key=lambda plan: plan.rank)
    best: dict[str, Plan] = {}
    for plan in kept:
        best.setdefault(plan.model, plan)
    if len(best) > 1:
        unsafe = next((plan.safety for plan in best.values() if plan.safety), None)
        yield Proposal("; ".join(plan.what for plan in best.values()), _plain(list(best.values())), unsafe)
    for place, plan in enumerate(kept):
        yield Proposal(plan.what, _plain([plan]), plan.safety, place + 1)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Moves and makes what a proposal says, and removes folders that became empty.

    Raises:
        CannotApply: something stands where a file shall go.
    """
    for source, target in parameters.get("moves", ()):
        if site.has(target):
            raise CannotApply(f"{target} is there already")
        site.move(source, target)
        _tidy(site, os.path.dirname(source))
    for source, target in parameters.get("copies", ()):
        site.copy(source, target)
    for folder in parameters.get("made", ()):
        site.write_text(joined(folder, KEEPER), "")
    if parameters.get("configs"):
        changes.apply(site, parameters)
    if parameters.get("command"):
        site.set_command(parameters["command"])


def _plain(plans: list[Plan]) -> dict[str, Any]:
    made: dict[str, Any] = {"moves": [list(move) for plan in plans for move in plan.moves]}
    made["copies"] = [list(copy) for plan in plans for copy in plan.copies]
    made["made"] = [folder for plan in plans for folder in plan.made]
    made["configs"] = [
        {"config": way.path, "changes": list(changes.lines_changed(way.old, way.new))}
        for plan in plans for way in plan.ways
    ]  # fmt: skip
    made["command"] = [word for plan in plans for word in plan.command]
    return {name: value for name, value in made.items() if value}


def _allowed(site: Site, plan: Plan) -> bool:
    paths = [path for move in plan.moves for path in move] + [joined(folder, KEEPER) for folder in plan.made]
    paths += [target for _, target in plan.copies] + [way.path for way in plan.ways]
    return all(site.may_change(path) for path in paths)


def _tidy(site: Site, folder: str) -> None:
    """Removes a folder that became empty, and those around it."""
    while folder and os.path.isdir(site.path(folder)) and not os.listdir(site.path(folder)):
        os.rmdir(site.path(folder))
        folder = os.path.dirname(folder)
