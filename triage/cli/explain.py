"""Show the article of a cause (what it means, how to tell, how to cure) or of a repair (what it changes)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage explain profile-missing
triage explain opset-unsupported --format json
triage explain convert_opset
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage explain``."""
    parser.add_argument("cause", help="id of a cause (triage causes lists them) or of a repair")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")


def run(arguments: Namespace) -> int:
    """Prints the article; an unknown id is answered with the closest ones."""
    from triage.service import explaining

    if arguments.format == "json":
        import json

        print(json.dumps(explaining.as_data(arguments.cause), ensure_ascii=False, indent=1))
        return 0
    sys.stdout.write(explaining.explained(arguments.cause))
    return 0
