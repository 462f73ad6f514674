"""Earlier repairs, from the folders that they left behind."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from triage.errors import UsageError
from triage.recipe import from_plain
from triage.remediate.leave import read_parameters
from triage.remediate.taking_back import stands
from triage.remedy import Attempt, ByHand, Change, Proof, Recipe, Remediation, Step
from triage.reports._repair import SCHEMA
from triage.service.fixing import fixes_folder


class Earlier(NamedTuple):
    """A repair of before: its folder, the build's name and command, what became of it, whether it is applied."""

    folder: str
    name: str
    command: tuple[str, ...]
    status: str
    applied: bool


def earlier_repairs(most: int = 20) -> list[Earlier]:
    """Repairs below the data folder, the newest first; folders that hold none are passed over."""
    base = fixes_folder()
    places = [os.path.join(base, name) for name in (os.listdir(base) if os.path.isdir(base) else ())]
    found: list[Earlier] = []
    for place in sorted(places, key=_age, reverse=True):
        if len(found) == most:
            break
        try:
            body = read_parameters(place)
            recipe = body["recipe"]
            told = Earlier(place, recipe["name"], tuple(recipe["command"]), body["status"], stands(place))
        except (UsageError, KeyError, TypeError):
            continue
        found.append(told)
    return found


def earlier_repair(folder: str) -> Remediation:
    """A repair of before as it was told then.

    Raises:
        UsageError: the folder holds none, or it cannot be read.
    """
    parameters = read_parameters(folder)
    path = os.path.join(folder, "report.json")
    try:
        with open(path, encoding="utf-8") as stream:
            body = json.load(stream)
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path} cannot be read: {fault}") from None
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise UsageError(f"{path} is no report of a repair ({SCHEMA})")
    try:
        return _remediation(from_plain(parameters["recipe"]), body, os.path.abspath(folder))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise UsageError(f"{path} is damaged: {fault!r}") from None


def _remediation(recipe: Recipe, body: Mapping[str, Any], folder: str) -> Remediation:
    return Remediation(
        recipe=recipe, status=body["status"], verified=body["verified"], why=body["why"],
        attempts=tuple(_attempt(one) for one in body["attempts"]), path=tuple(body["path"]),
        changes=tuple(Change(**one) for one in body["changes"]), command=tuple(body["command"]), cause=body["cause"],
        proof=_proof(body["proof"]),
        by_hand=tuple(ByHand(one["fix"], one["title"], tuple(one["commands"])) for one in body["by_hand"]),
        skipped=tuple(Step(one["fix"], one["what"], {}, one["safety"]) for one in body["skipped"]),
        output=folder, seconds=body["seconds"], interrupted=body["interrupted"],
        incident=body["incident"],
    )  # fmt: skip


def _attempt(one: Mapping[str, Any]) -> Attempt:
    return Attempt(
        one["number"], one["parent"], Step(one["fix"], one["what"], one["parameters"], one["safety"]), one["result"],
        one["why"], changes=tuple(Change(**change) for change in one["changes"]), cause_before=one["cause_before"],
        cause_after=one["cause_after"], exit_code=one["exit_code"], seconds=one["seconds"], log=one["log"],
        proof=_proof(one["proof"]),
    )  # fmt: skip


def _proof(body: Mapping[str, Any] | None) -> Proof | None:
    return Proof(body["verified"], body["how"], body["reference"], tuple(body["numbers"])) if body else None


def _age(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
