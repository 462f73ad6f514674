"""Check this installation: versions, knowledge, cache, and what is optional."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage doctor
"""
_NEEDED = ("hyperscan", "google-re2", "PyYAML", "zstandard")
_OPTIONAL = (("onnx", "onnx"), ("onnxruntime", "onnx"), ("torch", "export"), ("tensorrt", "tensorrt"),
             ("polygraphy", "tensorrt"), ("fastapi", "server"), ("psycopg", "postgres"))  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage doctor``."""
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(arguments: Namespace) -> int:
    """Prints what it found; exit code 3 where triage cannot work."""
    checks = [_versions(), *_library(), *_extras()]
    if arguments.format == "json":
        import json

        print(json.dumps([{"check": c, "ok": ok, "says": says} for c, ok, says in checks], indent=1))
    else:
        for check, ok, says in checks:
            mark = {True: "ok", False: "FAILED", None: "absent"}[ok]
            print(f"{mark:<7} {check:<14} {says}")
    return 3 if any(ok is False for _, ok, _ in checks) else 0


def _versions() -> tuple[str, bool | None, str]:
    from triage import __version__

    found = []
    ok = True
    for name in _NEEDED:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            ok = False
            found.append(f"{name} is missing: pip install --force-reinstall triage")
    return "program", ok, f"triage {__version__}, Python {sys.version.split()[0]}, " + ", ".join(found)


def _library() -> list[tuple[str, bool | None, str]]:
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


def _extras() -> list[tuple[str, bool | None, str]]:
    rows: list[tuple[str, bool | None, str]] = []
    for name, extra in _OPTIONAL:
        present = find_spec(name) is not None
        says = version(name) if present else f"optional; to add it: pip install 'triage[{extra}]'"
        rows.append((name, True if present else None, says))
    return rows
