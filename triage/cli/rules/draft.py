"""Write the rule that was missing, from incidents of the archive, and check it against all others."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage rules draft g-7c2mzzq41xpa --cause plugin-missing
triage rules draft i-4kq2m7x2ab3c --output rules/tensorrt/my-rule.yaml
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules draft``."""
    from triage.cli._archive import add_format

    parser.add_argument("ids", nargs="+", metavar="ID", help="incidents or groups that the rule should name")
    parser.add_argument("--cause", help="what it is; where you leave it out, it is proposed from the neighbours")
    parser.add_argument("--output", metavar="FILE", help="write the rule to a file (folders are made)")
    parser.add_argument("--force", action="store_true", help="let --output replace an existing file")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Prints the rule on standard output and the checks on standard error; 1 where something speaks against it."""
    from triage.cli._archive import opened, print_json
    from triage.diagnose.draft import summary
    from triage.diagnose.proof import explain
    from triage.errors import UsageError
    from triage.service.growing import draft_rule, save_rule

    if arguments.output and os.path.exists(arguments.output) and not arguments.force:
        raise UsageError(f"{arguments.output} exists. Add --force to replace it.")
    with opened() as archive:
        made = draft_rule(archive, arguments.ids, arguments.cause)
    if arguments.output:
        save_rule(arguments.output, made.draft.text)
    if arguments.format == "json":
        print_json({**summary(made.draft), "sound": made.proof.sound, "proof": made.proof._asdict()})
    elif not arguments.output:
        print(f"# rules/{made.draft.id}.yaml")
        print(made.draft.text, end="")
    if arguments.format != "json":
        print(explain(made.proof), end="", file=sys.stderr)
    return 0 if made.proof.sound else 1
