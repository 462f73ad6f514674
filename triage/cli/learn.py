"""Train the classifier on rules, articles and confirmed failures; it speaks only where rules are silent.

Held-out figures of the new and the present model are shown before anything is replaced. The present
model is kept, and a worse one is not installed unasked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.diagnose.figures import Figures
    from triage.service.learning import Learnt

EXAMPLE = """
triage learn
triage learn --dry-run
triage learn --revert
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage learn``."""
    from triage.cli._archive import add_format

    parser.add_argument("--dry-run", action="store_true", help="train and measure, install nothing")
    parser.add_argument("--force", action="store_true", help="install a model that is worse than the present one")
    parser.add_argument("--revert", action="store_true", help="bring the earlier model back")
    parser.add_argument("--no-archive", action="store_true", help="learn from what came with triage only")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Trains, shows, installs; 1 where the new model is worse and was not installed."""
    from contextlib import ExitStack

    from triage.cli._archive import opened, print_json
    from triage.service.learning import go_back, learn

    if arguments.revert:
        spoken = go_back()
        print_json({"speaks": spoken}) if arguments.format == "json" else print(f"the model that speaks now: {spoken}")
        return 0
    with ExitStack() as stack:
        archive = None if arguments.no_archive else stack.enter_context(opened())
        done = learn(archive, force=arguments.force, dry_run=arguments.dry_run)
    if arguments.format == "json":
        print_json(_plain(done))
    else:
        _print(done)
    return 1 if done.installed and not done.installed.done else 0


def _print(done: Learnt) -> None:
    card = done.trained.card
    learnt = ", ".join(f"{number:,} from {kind}s" for kind, number in card.counts.items())
    print(f"model {card.id}: {learnt}; {done.confirmed:,} confirmed failures")
    print("held-out questions, on which no rule speaks:")
    if done.installed and done.installed.old:
        print(f"  present  {_figures(done.installed.old)}")
    print(f"  new      {_figures(done.installed.new if done.installed else card.wording)}")
    print(done.installed.why if done.installed else "nothing was installed (--dry-run)")
    if done.installed and done.installed.previous:
        print(f"the earlier model is kept in {done.installed.previous}; to bring it back: triage learn --revert")


def _figures(figures: Figures) -> str:
    return (
        f"asked {figures.asked:,}, answered {figures.answered:,}, right {figures.right:,}"
        f" (precision {figures.precision:.3f}, coverage {figures.coverage:.3f})"
    )


def _plain(done: Learnt) -> dict[str, Any]:
    card = done.trained.card
    return {
        "model": card.id,
        "counts": card.counts,
        "confirmed": done.confirmed,
        "new": _numbers(done.installed.new if done.installed else card.wording),
        "present": _numbers(done.installed.old) if done.installed and done.installed.old else None,
        "installed": bool(done.installed and done.installed.done),
        "why": done.installed.why if done.installed else "dry run",
        "previous": done.installed.previous if done.installed else None,
    }


def _numbers(figures: Figures) -> dict[str, Any]:
    return {
        "asked": figures.asked,
        "answered": figures.answered,
        "right": figures.right,
        "precision": round(figures.precision, 4),
        "coverage": round(figures.coverage, 4),
    }
