"""Prove every rule by its own samples, through the whole pipeline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.rulebook.read import RuleSource

EXAMPLE = """
triage rules test
triage rules test my-rules/
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules test``."""
    parser.add_argument("folder", nargs="?", help="folder of rules; default the shipped ones")


def run(arguments: Namespace) -> int:
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
