"""The command line: one module a command, found by looking in this folder.

A command module has a docstring whose first line is its help, ``EXAMPLE``,
``add_arguments(parser)`` and ``run(arguments) -> exit code``. Only the module of
the command that was typed is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from types import ModuleType


def entry() -> None:
    """The console command: ``main`` without the interpreter's housekeeping around it.

    Collecting garbage while modules load, and taking everything apart at the end,
    costs a tenth of a short run; commands that run long turn collection on again.
    """
    import gc
    from contextlib import suppress

    gc.disable()
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader went away, or the stream is closed
            stream.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``triage``; gives the exit code, never a traceback without --debug."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments  # a wrapped command's are not ours
    debug = "--debug" in own or bool(os.environ.get("TRIAGE_DEBUG"))
    arguments = [argument for argument in own if argument != "--debug"] + arguments[len(own) :]
    from triage.errors import TriageError

    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot write a sign gets a question mark
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _dispatch(arguments)
    except TriageError as fault:
        if debug:
            raise
        from triage.ingest.text import plain

        print("\n".join(plain(line) for line in f"triage: {fault}".split("\n")), file=sys.stderr)
        return fault.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("triage: stopped", file=sys.stderr)
        return 130
    except Exception as fault:
        if debug:
            raise
        print(
            f"triage: broke on its own: {type(fault).__name__}: {fault}. Run again with --debug and report it.",
            file=sys.stderr,
        )
        return 3


def _dispatch(arguments: list[str]) -> int:
    if not arguments and _at_terminal():
        arguments = ["tui"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from triage import __version__

        sys.stdout.write(f"triage {__version__}\n")
        return 0
    from triage.errors import UnknownName, UsageError

    try:
        module = _command(__name__, arguments[0])
    except UnknownName:
        if os.path.exists(arguments[0]):
            raise UsageError(f"to diagnose a log, type: triage diagnose {arguments[0]}") from None
        raise
    name, rest = arguments[0], arguments[1:]
    while hasattr(module, "__path__"):  # a folder of commands
        if not rest or rest[0] in ("-h", "--help", "help"):
            sys.stdout.write(_overview_of(module, name))
            return 0 if rest else 2
        name, module, rest = f"{name} {rest[0]}", _command(module.__name__, rest[0]), rest[1:]
    from triage.cli._arguments import parse

    code: int = module.run(parse(module.add_arguments, rest, lambda: _parser(name, module)))
    return code


def _at_terminal() -> bool:
    from triage.cli.tui import opens_desk

    return opens_desk()


def _command(package: str, name: str) -> ModuleType:
    from triage import discovery
    from triage.errors import UnknownName

    try:
        return discovery.load(package, name)
    except UnknownName as fault:
        raise UnknownName("command", name, discovery.names(package)) from fault


def _parser(command: str, module: ModuleType) -> ArgumentParser:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    return ArgumentParser(
        prog=f"triage {command}",
        description=module.__doc__,
        epilog=f"example:\n{_indented(module.EXAMPLE)}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


def _overview_of(module: ModuleType, name: str) -> str:
    """Help of a folder of commands."""
    example = getattr(module, "EXAMPLE", "")
    return (
        f"{(module.__doc__ or '').strip()}\n\nusage: triage {name} COMMAND [options]\n\n"
        + _rows(os.path.dirname(str(module.__file__)), f"triage {name}")
        + (f"\n\nexample:\n{_indented(example)}" if example else "")
        + f"\n\nEvery command explains itself: triage {name} COMMAND --help\n"
    )


def _rows(folder: str, prefix: str) -> str:
    """One line a command, from the first docstring line of its file."""
    rows = []
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.startswith(("_", ".")):
            continue
        if not name.endswith(".py"):
            path = os.path.join(path, "__init__.py")
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as stream:
                summary = stream.readline().strip().strip('"').rstrip(".")
            rows.append(f"  {prefix} {name.removesuffix('.py').replace('_', '-'):<12} {summary}")
    return "\n".join(rows)


def _overview() -> str:
    """Help of the whole program, from the first docstring line of each command file."""
    return (
        "triage names the root cause of a failed model deployment from its log.\n\n"
        "usage: triage COMMAND [options]        cat build.log | triage diagnose -\n"
        "       triage                          in a terminal: the desk, as triage tui\n\n"
        + _rows(os.path.dirname(__file__), "triage")
        + "\n\nEvery command explains itself: triage COMMAND --help\n"
        "Exit codes: 0 done · 1 a failure was found and --fail-on asked for it · 2 wrong use · 3 triage broke"
        " · 4 unknown cause where --fail-on unknown\n"
    )
