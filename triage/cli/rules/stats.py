"""Statistics of rules: hits, last hit, confirmed and corrected share, rules that never decided."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from triage.archive.rule_use import RuleFigures, RuleTable

EXAMPLE = """
triage rules stats
triage rules stats --dead
triage rules stats --sort corrected --format csv
"""
SORTS = ("hits", "last", "confirmed", "corrected", "id")


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage rules stats``."""
    from triage.cli._archive import add_format

    parser.add_argument("--dead", action="store_true", help="only rules that never decided an incident of this archive")
    parser.add_argument("--sort", choices=SORTS, default="hits", help="default: hits")
    add_format(parser, "text", "json", "csv")


def run(arguments: Namespace) -> int:
    """One line a rule that was used, or that never was."""
    from triage.cli._archive import opened
    from triage.service.rules import figures

    with opened() as archive:
        found = figures(archive)
    rules = _sorted([rule for rule in found.rules if rule.dead or not arguments.dead], arguments.sort)
    if arguments.format == "json":
        _print_json(found, rules)
    elif arguments.format == "csv":
        _print_csv(rules)
    else:
        for line in _text(found, rules, only_dead=arguments.dead):
            print(line)
    return 0


def _sorted(rules: Sequence[RuleFigures], by: str) -> list[RuleFigures]:
    """Most first; ids from a to z. Rules that never hit stand at the end of a list by time."""
    if by == "id":
        return list(rules)
    if by == "last":
        return sorted(rules, key=lambda rule: rule.last.timestamp() if rule.last else 0.0, reverse=True)
    return sorted(rules, key=lambda rule: (getattr(rule, by), rule.hits), reverse=True)


def _row(rule: RuleFigures) -> dict[str, Any]:
    return {
        "id": rule.id,
        "status": rule.status,
        "hits": rule.hits,
        "last": rule.last and rule.last.isoformat(timespec="seconds"),
        "judged": rule.judged,
        "confirmed": rule.confirmed,
        "corrected": rule.corrected,
        "confirmed_share": rule.confirmed / rule.judged if rule.judged else None,
        "corrected_share": rule.corrected / rule.judged if rule.judged else None,
        "dead": rule.dead,
    }


def _print_json(found: RuleTable, rules: Sequence[RuleFigures]) -> None:
    from triage.archive.rule_use import watching_days
    from triage.cli._archive import print_json

    watching = {"since": found.since and found.since.isoformat(), "days": watching_days(found), "builds": found.builds}
    print_json({"watching": watching, "rules": [_row(rule) for rule in rules]})


def _print_csv(rules: Sequence[RuleFigures]) -> None:
    import csv

    rows = [_row(rule) for rule in rules]
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]) if rows else ["id"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _text(found: RuleTable, rules: Sequence[RuleFigures], *, only_dead: bool) -> Iterator[str]:
    from triage.archive.rule_use import watching_days

    dead = sum(rule.dead for rule in found.rules)
    days = watching_days(found)
    if found.since is None:
        yield "This archive has seen no builds, so it cannot tell which rules are of use."
        return
    yield f"{found.builds:,} builds in {days:,} days, since {found.since:%Y-%m-%d}"
    if only_dead:
        yield f"{dead:,} rules have not decided an incident of this archive:"
        yield from (f"  {rule.id}{_mark(rule)}" for rule in rules)
        return
    used = [rule for rule in rules if not rule.dead]
    yield f"{'rule':<50} {'hits':>9}  {'last':<10}  {'confirmed':>14}  {'corrected':>14}"
    for rule in used:
        last = f"{rule.last:%Y-%m-%d}" if rule.last else "-"
        shares = (_share(rule.confirmed, rule.judged), _share(rule.corrected, rule.judged))
        yield f"{rule.id:<50} {rule.hits:>9,}  {last:<10}  {shares[0]:>14}  {shares[1]:>14}{_mark(rule)}"
    yield f"{len(used):,} rules decided something, {dead:,} nothing yet (--dead lists them)"


def _share(part: int, judged: int) -> str:
    return f"{part} of {judged} {part / judged:>4.0%}" if judged else "-"


def _mark(rule: RuleFigures) -> str:
    from triage.archive.rule_use import GONE

    if rule.status == GONE:
        return "  (no such rule any more)"
    return "  (deprecated)" if rule.status == "deprecated" else ""
