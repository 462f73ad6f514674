"""List what nobody could name, in clusters: where a rule would help most."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

EXAMPLE = """
triage archive unknown
triage archive unknown since:30d tool:tensorrt --limit 5
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Arguments of ``triage archive unknown``."""
    from triage.cli._archive import add_format
    from triage.cli.archive._listing import add_filter

    add_filter(parser)
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="the most clusters to show (default 20)")
    add_format(parser)


def run(arguments: Namespace) -> int:
    """Prints the clusters, the most promising first."""
    from triage.cli._archive import chosen_incidents, opened, print_json
    from triage.service.growing import unknown_clusters

    with opened() as archive:
        found = unknown_clusters(archive, chosen_incidents(archive, arguments.filter))
    if arguments.format == "json":
        print_json([
            {"label": c.label, "tool": c.tool, "incidents": c.incidents, "of": c.total, "spread": c.spread,
             "last_seen": c.last_seen, "groups": [member.key for member in c.members]}
            for c in found[: arguments.limit]
        ])  # fmt: skip
        return 0
    for cluster in found[: arguments.limit]:
        print(f"{cluster.incidents:>6,} of {cluster.total:,}  {cluster.tool}  last {cluster.last_seen}")
        print(f"        {cluster.label}")
        print(f"        to draft its rule: triage rules draft {' '.join(m.key for m in cluster.members[:4])}")
    if not found:
        print("everything in the archive has a name.")
    elif len(found) > arguments.limit:
        print(f"and {len(found) - arguments.limit:,} clusters more (--limit)")
    return 0
