"""Looks a capture up in a table and says what the row knows. It never refuses.

``{table: trtexec-options, by: option, from: flag, say: "… {replacement} …"}``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.diagnose.predicates import Context
from triage.diagnose.words import fill


def refusal(argument: Mapping[str, Any], captures: Mapping[str, str], context: Context) -> str | None:
    """A fact that is not in the table leaves the rule as it is."""
    return None


def derived(argument: Mapping[str, Any], captures: Mapping[str, str], context: Context) -> dict[str, str]:
    """The row's columns as captures, and its sentence as ``fact``."""
    value = captures.get(str(argument["from"]), "")
    wanted = {value, value.lstrip("-"), "--" + value.lstrip("-")} - {"", "--"}
    for row in context.knowledge.table(str(argument["table"])):
        if str(row.get(str(argument["by"]))) in wanted:
            columns = {k: str(v) for k, v in row.items() if k not in ("source", "date", "verified") and v}
            needed = {word.split("}")[0] for word in str(argument["say"]).split("{")[1:]}
            if needed <= columns.keys() | captures.keys():
                return {**columns, "fact": fill(str(argument["say"]), {**captures, **columns})}
    return {}
