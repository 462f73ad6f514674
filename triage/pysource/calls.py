"""Finding calls by the full name of what they call, the failing ones first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import libcst as cst

from triage.pysource import arguments
from triage.pysource.arguments import Argument
from triage.pysource.flow import Flow
from triage.pysource.source import Source


class CallSite(NamedTuple):
    """A call whose full name is known.

    ``shift`` is 1 in ``functools.partial(name, …)``, where the arguments begin one place later.
    """

    flow: Flow
    source: Source
    node: cst.Call
    name: str
    shift: int = 0

    def argument(self, name: str, position: int | None = None) -> list[Argument]:
        """Where an argument stands: in the call, behind ``**``, or in the ``partial`` that is called."""
        place = None if position is None else position + self.shift
        found = arguments.argument(self.flow, self.source, self.node, name, place)
        for origin in self.flow.origins(self.source, self.node.func) if not found and not self.shift else ():
            if isinstance(origin.node, cst.Call) and is_partial(self.flow, origin.source, origin.node):
                place = None if position is None else position + 1
                found += arguments.argument(self.flow, origin.source, origin.node, name, place)
        return found

    def value(self, name: str, position: int | None = None) -> cst.BaseExpression | None:
        """The expression of an argument; None where it is not given."""
        found = self.argument(name, position)
        return found[0].value if found and not found[0].keys else None

    def literal(self, name: str, position: int | None = None) -> object:
        """The value of an argument where it can be followed to one place; None where it cannot."""
        from triage.pysource import places

        for one in self.argument(name, position):
            for place in places.of_argument(self.flow, one):
                return place.value
        return None

    @property
    def where(self) -> str:
        """File and line, for showing."""
        return f"{self.source.path}:{self.source.line(self.node)}"


def calls(flow: Flow, wanted: Callable[[str], bool]) -> list[CallSite]:
    """Calls whose full name is wanted, in files that may be changed or not.

    Args:
        flow: of the project.
        wanted: says for a full name whether it is looked for.
    """
    return [site for source in flow.project.sources() for site in _in_source(flow, source, wanted)]


def failing(flow: Flow, sites: list[CallSite]) -> list[CallSite]:
    """Those calls that the log's traceback passes through; all where it passes through none."""
    hit = [site for site in sites if flow.project.in_traceback(site.source, site.node)]
    return hit or sites


def is_partial(flow: Flow, source: Source, node: cst.Call) -> bool:
    """Whether it is ``functools.partial(…)``."""
    return bool(node.args) and "functools.partial" in flow.all_dotted(source, node.func)


def _in_source(flow: Flow, source: Source, wanted: Callable[[str], bool]) -> Iterator[CallSite]:
    for call in source.find(cst.Call):
        names = flow.all_dotted(source, call.func)
        hit = next((name for name in names if wanted(name)), None)
        if hit is not None:
            yield CallSite(flow, source, call, hit)
        elif "functools.partial" in names and call.args:
            hit = next((name for name in flow.all_dotted(source, call.args[0].value) if wanted(name)), None)
            if hit is not None:
                yield CallSite(flow, source, call, hit, 1)
