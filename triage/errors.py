"""Every error that triage raises on purpose.

::

    TriageError              exit 3   triage itself could not do its work
    ├── UsageError           exit 2   the call was wrong: flag, format name, id
    │   ├── InputError       exit 2   a log cannot be read: missing, folder, empty, binary
    │   └── UnknownName      exit 2   no such cause, rule, format; carries a suggestion
    ├── RuleFault            exit 3   rule files are broken; lists every fault at once
    ├── KnowledgeFault       exit 3   articles or tables are broken; lists every fault
    ├── ArchiveFault         exit 3   the archive cannot be used: locked, full, gone, damaged
    │   └── SchemaFault      exit 2   its tables are older or newer than this program
    └── MissingExtra         exit 2   a command needs an optional part; says what to type
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class TriageError(Exception):
    """Base of all. The text says what, where, and what to do."""

    exit_code = 3
    http_status = 500


class UsageError(TriageError):
    """The call was wrong."""

    exit_code = 2
    http_status = 400


class InputError(UsageError):
    """A source of log text cannot be used."""

    http_status = 422


class UnknownName(UsageError):
    """A name that is not in its list; proposes the closest ones."""

    http_status = 404

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        from difflib import get_close_matches

        options = sorted(known)
        close = get_close_matches(name, options, n=3, cutoff=0.5)
        if close:
            hint = f"Did you mean {' or '.join(close)}?"
        elif len(options) <= 12:
            hint = f"Known: {', '.join(options)}."
        else:
            hint = f"{len(options)} are known."
        super().__init__(f"no {kind} is called {name!r}. {hint}")
        self.close: Sequence[str] = close


class _Faults(TriageError):
    what = "files"

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        head = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''} in {self.what}:"
        super().__init__("\n  ".join([head, *self.faults]))


class RuleFault(_Faults):
    """Rule files that must not be loaded: ``file: reason; cure`` for each."""

    what = "rules"


class KnowledgeFault(_Faults):
    """Articles or compat tables that must not be loaded."""

    what = "kb"


class ArchiveFault(TriageError):
    """The archive cannot be used now; diagnosing goes on without it."""

    http_status = 503


class SchemaFault(ArchiveFault):
    """The archive's tables belong to another version of triage."""

    exit_code = 2


class MissingExtra(UsageError):
    """An optional part is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part. Type: pip install 'triage[{extra}]'")
