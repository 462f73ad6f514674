"""Show one rule file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage rules show tensorrt/profile-missing
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules show``."""
    parser.add_argument("rule", help="id of a rule: tool/topic")


def run(arguments: Namespace) -> int:
    """Prints the file."""
    from triage.service.rules import rule_path

    with open(rule_path(arguments.rule), encoding="utf-8") as stream:
        print(stream.read(), end="")
    return 0
