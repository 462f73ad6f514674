"""``triage learn``: the classifier trained on rules, articles, fixtures and what people confirmed."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import NamedTuple

from triage.archive.decisions import confirmed_texts
from triage.archive.session import Archive
from triage.diagnose.examples import (
    Example,
    article_examples,
    fixture_examples,
    incident_example,
    rule_examples,
)
from triage.diagnose.shelf import Installed, install, revert
from triage.diagnose.train import Trained, train
from triage.folders import data_folder
from triage.library import load_library
from triage.rulebook.read import read_rules
from triage.service.models import forget, own_folder, shipped_folder

FIXTURES = os.path.join("fixtures", "logs")


class Learnt(NamedTuple):
    """A model that was trained, how many confirmed failures it saw, and what became of it."""

    trained: Trained
    confirmed: int
    installed: Installed | None


def examples_of(archive: Archive | None) -> list[Example]:
    """Everything there is to learn from; fixtures only in a checkout, confirmed failures only with an archive."""
    library = load_library()
    kb = data_folder("kb")
    base = [
        *rule_examples(read_rules(data_folder("rules")), library),
        *article_examples(library, kb),
        *fixture_examples(os.path.join(os.path.dirname(kb), FIXTURES), library),
    ]
    if archive is None:
        return base
    with archive.read() as connection:
        found = confirmed_texts(connection)
    known = set(library.knowledge.ids())
    return base + [incident_example(*one) for one in found if one[2] in known]


def learn(archive: Archive | None, *, force: bool = False, dry_run: bool = False) -> Learnt:
    """Trains a model and puts it in place of the one that speaks, unless it is worse.

    Args:
        archive: whose confirmed failures are learnt from; None for none.
        force: install also a worse one.
        dry_run: train and measure, install nothing.
    """
    examples = examples_of(archive)
    trained = train(examples, datetime.now(UTC).isoformat(timespec="seconds"))
    confirmed = sum(example.kind == "incident" for example in examples)
    if dry_run:
        return Learnt(trained, confirmed, None)
    installed = install(trained, examples, own_folder(), base=shipped_folder(), force=force)
    forget()
    return Learnt(trained, confirmed, installed)


def go_back() -> str:
    """Brings the earlier model back; gives its id. Raises UsageError where there is none."""
    spoken = revert(own_folder())
    forget()
    return spoken
