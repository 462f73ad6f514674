"""CI systems: one module a system, found by looking in this folder.

A module has ``here(environ) -> bool``, whether a job of this system runs, true for one of them only, and
``job(environ) -> Job``, what the system says of that job. The variable that ``here`` looks for begins with the
module's name in capitals, so that where no such variable is set nothing is imported. A module may also have

* ``filed(environ, job) -> Job``: the job as builds are filed, where that differs: the commit that was really built
  (a merge, for many changes) and the address that it was cloned from;
* ``attempt(environ) -> int | None``: how often this job was run, from 1;
* ``status(environ) -> str | None``: how the job has ended, in a word of the system's own;
* ``run_status(environ) -> str | None``: the same of another run that this job is told about.

All values are hostile: ``_values`` says what each kind may look like, and what does not is None.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType

from triage.discovery import stems


def system_of(environ: Mapping[str, str]) -> ModuleType | None:
    """The CI system whose job runs here; None in a plain shell."""
    from importlib import import_module

    for stem in stems(os.path.dirname(__file__)):
        if any(name.startswith(stem.upper()) for name in environ):
            module = import_module(f"{__name__}.{stem}")
            if module.here(environ):
                return module
    return None
