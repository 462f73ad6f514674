"""Show one rule file."""

from __future__ import annotations

import os
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
    from triage.errors import UnknownName
    from triage.folders import data_folder
    from triage.library import load_library

    known = [rule.id for rule in load_library().rulebook.rules()]
    if arguments.rule not in known:
        raise UnknownName("rule", arguments.rule, known)
    with open(os.path.join(data_folder("rules"), *arguments.rule.split("/")) + ".yaml", encoding="utf-8") as stream:
        print(stream.read(), end="")
    return 0
