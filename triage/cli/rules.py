"""List, show and test the rules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.rulebook.read import RuleSource

EXAMPLE = """
triage rules list --cause profile-missing
triage rules show tensorrt/profile-missing
triage rules test
triage rules test my-rules/
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules``."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="list|show|test")
    listing = commands.add_parser("list", help="ids, what they say and which cause they name")
    listing.add_argument("--cause", help="only rules for this cause")
    listing.add_argument("--tool", help="only rules for this tool")
    listing.add_argument("--format", choices=("text", "json"), default="text")
    show = commands.add_parser("show", help="one rule file")
    show.add_argument("rule", help="id of a rule: tool/topic")
    test = commands.add_parser("test", help="prove every rule by its own samples, through the whole pipeline")
    test.add_argument("folder", nargs="?", help="folder of rules; default the shipped ones")


def run(arguments: Namespace) -> int:
    """Runs the chosen action."""
    return {"list": _list, "show": _show, "test": _test}[arguments.action](arguments)


def _list(arguments: Namespace) -> int:
    from triage.library import load_library

    library = load_library()
    if arguments.cause:
        library.knowledge.article(arguments.cause)
    rows = [
        {"id": rule.id, "says": rule.says, "cause": rule.cause, "tool": rule.tool, "status": rule.status}
        for rule in library.rulebook.rules()
        if (not arguments.cause or arguments.cause in (rule.cause, *rule.also))
        and (not arguments.tool or rule.tool == arguments.tool)
    ]
    if arguments.format == "json":
        import json

        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['id']:<52} {row['says']:<8} {row['cause'] if row['says'] in ('cause', 'end', 'hint') else ''}")
    return 0


def _show(arguments: Namespace) -> int:
    from triage.errors import UnknownName
    from triage.folders import data_folder
    from triage.library import load_library

    known = [rule.id for rule in load_library().rulebook.rules()]
    if arguments.rule not in known:
        raise UnknownName("rule", arguments.rule, known)
    with open(os.path.join(data_folder("rules"), *arguments.rule.split("/")) + ".yaml", encoding="utf-8") as stream:
        print(stream.read(), end="")
    return 0


def _test(arguments: Namespace) -> int:
    """Loads the folder (which proves the samples) and diagnoses every sample."""
    from triage.errors import InputError
    from triage.folders import data_folder
    from triage.library import load_library
    from triage.rulebook.read import read_rules
    from triage.service import prove_rule

    folder = arguments.folder or data_folder("rules")
    if not os.path.isdir(folder):
        raise InputError(f"{folder} is no folder of rules.")
    library = load_library(rules=folder)
    rules: list[RuleSource] = read_rules(folder)
    faults = [fault for rule in rules for fault in prove_rule(rule, library)]
    for fault in faults:
        print(fault)
    print(f"{len(rules)} rules, {len(faults)} faults")
    return 1 if faults else 0
