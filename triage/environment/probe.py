"""Fingerprint of the machine and of the packages that a build runs with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from triage.environment import devices, packages, place, variables, words
from triage.environment.records import Environment


def fingerprint(
    command: Sequence[str] = (), *, cwd: str | None = None, environ: Mapping[str, str] | None = None
) -> Environment:
    """Describes where a command runs; without one, where triage runs.

    Args:
        command: the build; its Python is the one whose packages are listed, else the
            first on PATH, else triage's own (``whose`` says which).
        cwd: its folder, whose git revision is read; default ours.
        environ: its environment; default ours.

    Other programs are asked at the same time, each with a limit of some seconds.
    """
    environ = os.environ if environ is None else environ
    folder = cwd or os.getcwd()
    python, whose = words.interpreter(command, folder, environ) if command else (None, "triage")
    questions = devices.asked(), place.asked(folder), packages.asked(python, environ)
    machine, container, chosen = place.machine(), place.container(environ), variables.relevant(environ)
    answer = packages.told(questions[2])
    if answer is None:
        answer, whose = packages.told(None) or ("", []), "triage"
    found = packages.installed(answer[1])
    libraries = devices.libraries(environ, found)
    gpus, driver = devices.told(questions[0])
    return Environment(
        platform=machine,
        python=answer[0],
        whose=whose,
        packages=found,
        gpus=gpus,
        driver=driver,
        cuda=libraries.pop("cuda", None),
        cudnn=libraries.pop("cudnn", None),
        tools=libraries,
        container=container,
        variables=chosen,
        revision=place.told(questions[1]),
    )
