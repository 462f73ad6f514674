"""One module a log format. What exists is found by looking in this folder.

A format module has these names:

``TOOL``     the tool whose lines these are, or ``None`` where any tool may print them
``LINE``     RE2 pattern of one line, matched at the start; groups ``sev`` ``comp`` ``msg``
``LEVELS``   what the letters or words of ``sev`` mean: verbose info warning error fatal
``FACTS``    patterns whose named groups are facts (``tensorrt``, ``gpu``, ``opset`` …), searched anywhere
``SAMPLES``  real lines that LINE matches, and ``OTHERS``: near ones that it does not

Modules are imported only when the rules are compiled; at work their tables come
from the compiled book.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Formats(NamedTuple):
    """Tables of all formats, ready to be compiled into the book."""

    lines: list[list[Any]]
    facts: list[tuple[str, str]]


def compile_formats() -> Formats:
    """Reads and proves every format module; raises RuleFault with every fault found."""
    from triage import discovery
    from triage.errors import RuleFault
    from triage.rulebook.patterns import SHORTEST_SIDE_LITERAL, compile_line, line_source, literals_of

    faults: list[str] = []
    lines: list[list[Any]] = []
    facts: list[tuple[str, str]] = []
    for name in discovery.names(__name__):
        module = discovery.load(__name__, name)
        for pattern in getattr(module, "FACTS", ()):
            try:
                compile_line(pattern)
                literals_of(pattern, SHORTEST_SIDE_LITERAL)
                facts.append((name, pattern))
            except ValueError as fault:
                faults.append(f"{name}: fact pattern {pattern!r}: {fault}")
        if getattr(module, "LINE", None):
            program = compile_line(module.LINE)
            faults.extend(
                f"{name}: sample does not match LINE: {sample!r}"
                for sample in module.SAMPLES
                if not program.match(sample.encode())
            )
            faults.extend(
                f"{name}: LINE matches a line of another format: {sample!r}"
                for sample in getattr(module, "OTHERS", ())
                if program.match(sample.encode())
            )
            lines.append([name, module.TOOL, line_source(module.LINE).decode(), dict(module.LEVELS)])
    if faults:
        raise RuleFault(faults)
    return Formats(lines, facts)
