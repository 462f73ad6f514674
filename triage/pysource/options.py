"""Options of command-line tools that were renamed or dropped; the facts are kb/compat/moved-options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from triage import commandline
from triage.commandline import Command, Flag
from triage.folders import data_folder
from triage.pysource.changes import Changes
from triage.pysource.project import Project

if TYPE_CHECKING:
    from triage.site import Site

_UNKNOWN = (
    re.compile(r"Unknown option: (--?[\w-]+)"), re.compile(r"unrecognized arguments?: (--?[^\n]+)"),
    re.compile(r"Unrecognized Options: \[([^\n\]]+)\]"), re.compile(r"[Nn]o such option:? '?(--?[\w-]+)"),
)  # fmt: skip
_RELEASE = re.compile(r"TensorRT v(\d{2,6})\b|TensorRT[ -]version:? ?(\d+)\.(\d+)", re.IGNORECASE)
_MODES = {"basic": (), "layers": ("layers",), "attrs": ("layers", "attrs"), "full": ("layers", "attrs", "weights")}
_VERBOSITY = {"default": "layer_names_only", "verbose": "detailed", "none": "none"}


class Option(NamedTuple):
    """One row of the table; see its columns."""

    tool: str
    option: str
    how: str
    new: str = ""
    gone: str = ""
    since: str = ""
    note: str = ""


@cache
def table() -> tuple[Option, ...]:
    """Every row."""
    import yaml

    with open(f"{data_folder('kb')}/compat/moved-options.yaml", encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(
        Option(**{key: value for key, value in row.items() if key in Option._fields}) for row in document["rows"]
    )


def proposals(site: Site) -> Iterator[tuple[str, dict[str, Any]] | tuple[str, str]]:
    """Every option that the log does not know, and what else is gone in the same release."""
    unknown = {flag for pattern in _UNKNOWN for match in pattern.finditer(site.log) for flag in _flags(match[1])}
    if not unknown:
        return
    release = _release(site)
    made, said = Changes(Project(site)), []
    refused: list[Option] = []
    for command in commandline.commands(site):
        now = command
        for row in _rows(command):
            flag = now.flag(row.option)
            if flag is None or not (row.option in unknown or (release and row.gone and _number(row.gone) <= release)):
                continue
            if row.how == "refuse":
                refused += [row] if row.option in unknown else []
                continue
            now = _moved(now, flag, row)
            said.append(
                f"{row.option} -> {row.new.replace('{value}', flag.value or 'N')}"
                if row.new
                else f"{row.option}: dropped"
            )
        if now is not command:
            made.command(command, now)
    packed = made.packed()
    if packed and said:
        yield "write the options as this version spells them: " + "; ".join(dict.fromkeys(said)), packed
    for row in refused:
        since = f" since {row.gone}" if row.gone else ""
        yield f"{row.tool} has no {row.option} any more{since}: it changed what is built", row.note


def _flags(text: str) -> list[str]:
    return [one.split("=")[0] for one in re.findall(r"--?[\w-]+(?:=\S*)?", text)]


def _rows(command: Command) -> list[Option]:
    words = " ".join(command.words[: command.arguments_at + 1])
    return [row for row in table() if re.search(rf"(?:^|[\s/.]){re.escape(row.tool)}(?:[\s.]|$)", words)]


def _release(site: Site) -> tuple[int, int] | None:
    """The release of TensorRT: ``[TensorRT v100300]`` is 10.3, ``v8601`` is 8.6."""
    told = re.match(r"(\d+)\.(\d+)", site.found.tool_version or "")
    if told:
        return int(told[1]), int(told[2])
    for match in _RELEASE.finditer(site.log):
        if match[2]:
            return int(match[2]), int(match[3])
        digits = match[1]
        if len(digits) == 4:
            return int(digits[0]), int(digits[1])
        if len(digits) >= 5:
            return int(digits[:2]), int(digits[2:4])
    return None


def _number(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def _moved(command: Command, flag: Flag, row: Option) -> Command:
    if row.how == "modes":
        words = _MODES.get(flag.value or "full", _MODES["full"])
        last = flag.at if flag.value_at is None else flag.value_at
        fresh = [row.new, *words] if words else []
        return command._replace(words=(*command.words[: flag.at], *fresh, *command.words[last + 1 :]))
    takes = "{value}" in row.new or (row.how == "drop" and flag.value is not None and _takes_value(flag))
    if row.how == "drop":
        return command.without(flag, value=takes)
    value = _VERBOSITY.get(flag.value or "", flag.value or "") if row.option == "--nvtxMode" else flag.value or ""
    last = flag.value_at if takes and flag.value_at is not None else flag.at
    fresh = row.new.replace("{value}", value).split()
    merged = _merged(command, fresh)
    if merged is not None:
        return merged.without(flag, value=takes)
    return command._replace(words=(*command.words[: flag.at], *fresh, *command.words[last + 1 :]))


def _takes_value(flag: Flag) -> bool:
    return (
        flag.value_at is not None and bool(re.fullmatch(r"\d+|\w+:.*|True|False", flag.value or ""))
    ) or flag.at == flag.value_at


def _merged(command: Command, fresh: list[str]) -> Command | None:
    """``--memPoolSize`` that is there already takes one more pool."""
    if len(fresh) != 1 or not fresh[0].startswith("--memPoolSize="):
        return None
    there = command.flag("--memPoolSize")
    if there is None or there.value is None:
        return None
    pool = fresh[0].partition("=")[2]
    return command if "workspace:" in there.value else command.with_value(there, f"{there.value},{pool}")
