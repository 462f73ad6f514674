"""Print the JSON Schema of a format that triage writes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage schema report > triage-report.schema.json
triage schema bundle
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage schema``."""
    from triage import discovery

    parser.add_argument("name", help=f"what to describe: {', '.join(discovery.names('triage.schemas'))}")


def run(arguments: Namespace) -> int:
    """Prints the schema."""
    import json

    from triage import discovery

    schema = discovery.load("triage.schemas", arguments.name).SCHEMA
    sys.stdout.write(json.dumps(schema, indent=1) + "\n")
    return 0
