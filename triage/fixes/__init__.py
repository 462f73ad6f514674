'''Repairs. One module each; its stem is its id, and its docstring its article.

A module has::

    """Verb and object, one line: the title.

    What it changes: …
    When it is wrong: …
    Proof: …
    """
    CAUSES = ("opset-unsupported",)     causes that it answers
    SAFETY = "safe"                     safe · unsafe (only with --unsafe) · manual (says what a person can type)
    EVIDENT = False                     True: it finds its defect in the files alone, so it is asked whatever the cause
    def propose(site) -> Iterator[Proposal | Refusal]
    def apply(site, parameters) -> None         not for manual ones
    EXAMPLES = (Example(…), …)          a workspace before, and what must hold after: its test

``propose`` reads and never writes. It gives one Proposal for each way that makes sense *here*, best first, from
the files, the command and what the log captured; nothing where it does not apply; a Refusal where it knows the
defect and that nothing safe can be done. ``apply`` gets the parameters of one proposal and works through the site.
Both run in a child process with limits: a crash or a hang becomes an attempt that says so.

Modules and packages that begin with an underscore are helpers, not fixes.
'''

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from triage.site import CannotApply, Found, Site

__all__ = ["CannotApply", "Example", "Found", "Site"]


class Example(NamedTuple):
    """A fix's proof of itself.

    ``before`` writes the broken files into an empty folder. ``after`` is handed the site when the first
    proposal was applied and must assert what holds then (run it, compare it). ``applies`` False is a near
    miss: here ``propose`` must give no proposal. ``found`` is what the diagnosis says.
    """

    before: Callable[[str], None]
    after: Callable[[Site], None] | None
    command: tuple[str, ...] = ("python", "build.py")
    found: Found | None = None
    log: str = ""
    applies: bool = True
    needs: tuple[str, ...] = ()
    verify: Mapping[str, str] = {}
