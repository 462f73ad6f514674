"""Check this installation: versions, knowledge, cache, and what is optional."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage doctor
"""
Check = tuple[str, bool | None, str]


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage doctor``."""
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: Namespace) -> int:
    """Prints what it found; exit code 3 where triage cannot work."""
    checks = [*_versions(), *_library(), _archive(), _model(), *_extras(), *_backends()]
    if arguments.format == "json":
        import json

        print(json.dumps([{"check": c, "ok": ok, "says": says} for c, ok, says in checks], indent=1))
    else:
        for check, ok, says in checks:
            mark = {True: "ok", False: "FAILED", None: "absent"}[ok]
            print(f"{mark:<7} {check:<14} {says}")
    return 3 if any(ok is False for _, ok, _ in checks) else 0


def _requirements() -> Iterator[tuple[str, str]]:
    """Name of every package that the installed triage asks for, and the extra that asks for it; empty for all."""
    import re
    from importlib.metadata import requires

    for line in requires("triage") or ():
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if name:
            yield name.group(), extra.group(1) if extra else ""


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versions() -> Iterator[Check]:
    from triage import __version__

    found = {name: _installed(name) for name, extra in _requirements() if not extra}
    missing = [name for name, present in found.items() if present is None]
    words = ", ".join(f"{name} {present}" for name, present in found.items() if present)
    yield "program", True, f"triage {__version__}, Python {sys.version.split()[0]}"
    yield "libraries", not missing, f"{words}"
    if missing:
        yield "missing", False, f"{', '.join(missing)}: pip install --force-reinstall triage"


def _library() -> list[Check]:
    from triage.errors import TriageError
    from triage.folders import cache_folder, data_folder
    from triage.library import load_library

    try:
        library = load_library()
    except (TriageError, FileNotFoundError) as fault:
        return [("knowledge", False, str(fault))]
    knowledge = library.knowledge
    says = f"{len(library.rulebook)} rules, {len(knowledge.ids())} causes, {len(knowledge.tables())} tables"
    return [
        ("knowledge", True, f"{says} in {data_folder('rules')}"),
        ("compiled", True, f"{library.key} in {cache_folder()}"),
    ]


def _archive() -> Check:
    """Where incidents are filed; one that is not there yet is made by the first diagnosis."""
    from triage.archive.schema import ABSENT, EMPTY, FITS, standing
    from triage.archive.session import Archive
    from triage.errors import TriageError

    try:
        with Archive() as archive:
            found = standing(archive)
            ok = {FITS: True, ABSENT: None, EMPTY: None}.get(found.kind, False)
            return "archive", ok, f"{archive}: {found.words}"
    except TriageError as fault:
        return "archive", False, str(fault)


def _model() -> Check:
    """The classifier that speaks where rules are silent."""
    from triage.service.models import model_paths

    paths = model_paths()
    return "classifier", True if paths else None, paths[0] if paths else "none is installed; triage learn makes one"


def _extras() -> Iterator[Check]:
    for name, extra in _requirements():
        if extra and extra != "dev":
            present = _installed(name)
            says = present or f"optional; to add it: pip install 'triage[{extra}]'"
            yield name, True if present else None, says


def _backends() -> Iterator[Check]:
    """What ``triage fix`` can build and run with on this machine."""
    from triage import discovery

    for name in discovery.names("triage.backends"):
        probe = discovery.load("triage.backends", name).probe()
        facts = ", ".join(f"{key} {value}" for key, value in probe.facts.items())
        yield f"run {name}", True if probe.can else None, facts or probe.why or "can run here"
