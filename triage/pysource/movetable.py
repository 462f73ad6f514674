"""The table of names and arguments that packages no longer have: kb/compat/python-moved-api."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from triage.folders import data_folder


class Move(NamedTuple):
    """One row of the table; see its columns."""

    package: str
    old: str
    how: str
    new: str = ""
    gone: str = ""
    argument: str = ""
    since: str = ""
    takes: int = 0
    defaults: str = ""
    drops: str = ""
    when: str = ""
    when_argument: str = ""
    values: str = ""
    unless: str = ""
    installs: str = ""
    quiet: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """What is removed, for showing."""
        return f"{self.argument} of {self.old}" if self.argument else self.old


@cache
def table() -> tuple[Move, ...]:
    """Every row."""
    import yaml

    with open(f"{data_folder('kb')}/compat/python-moved-api.yaml", encoding="utf-8") as stream:
        document = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    fields = set(Move._fields)
    return tuple(Move(**{key: value for key, value in row.items() if key in fields}) for row in document["rows"])
