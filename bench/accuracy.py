"""Accuracy on labelled logs: first cause, wrong share, evidence; micro, macro, per tool and cause.

usage: python -m bench.accuracy FOLDER [--only NAMES.txt] [--table]

FOLDER holds CASE/log.txt with CASE/case.yaml or CASE/expect.yaml. ``--only`` takes a
file of case names, one a line: the part that was held out while rules were written.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from pathlib import Path

import yaml

from triage import diagnose


def main() -> None:
    """Prints the figures."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", type=Path)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    only = set(arguments.only.read_text().split()) if arguments.only else None
    rows = [_row(path) for path in sorted(arguments.folder.rglob("log.txt")) if not only or _name(path) in only]
    if not rows:
        sys.exit(f"no labelled logs below {arguments.folder}")
    _print(rows, table=arguments.table)


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.parent.name}"


def _row(path: Path) -> dict[str, object]:
    label = next(path.parent / name for name in ("case.yaml", "expect.yaml") if (path.parent / name).exists())
    truth = yaml.safe_load(label.read_text())
    report = diagnose(path.read_bytes(), name=str(path)).diagnosis
    cause = report.incidents[report.primary].causes[0] if report.primary is not None else None
    wanted = truth.get("expected_evidence") or truth.get("evidence") or []
    return {
        "want": truth["causes"],
        "tool": truth["tool"],
        "got": cause.id if cause else "no-failure",
        "evidence": not wanted or (cause and any(abs(e.line - w) <= 2 for e in cause.evidence for w in wanted)),
    }


def _print(rows: list[dict], *, table: bool) -> None:
    right = [row for row in rows if row["got"] in row["want"]]
    failing = [row for row in rows if row["want"][0] != "no-failure"]
    wrong = [row for row in failing if row["got"] not in (*row["want"], "unknown", "no-failure")]
    quiet = [row for row in rows if row["want"][0] == "no-failure"]
    per_cause, per_tool = defaultdict(Counter), defaultdict(Counter)
    for row in rows:
        for counters, key in ((per_cause, row["want"][0]), (per_tool, row["tool"])):
            counters[key]["all"] += 1
            counters[key]["right"] += row["got"] in row["want"]
    macro = sum(c["right"] / c["all"] for c in per_cause.values()) / len(per_cause)
    print(f"{len(rows)} logs: first cause right {len(right) / len(rows):.3f} (macro over causes {macro:.3f})")
    print(f"wrong cause named {len(wrong) / max(1, len(failing)):.3f}")
    named = [row for row in right if row["got"] != "no-failure"]
    print(f"decisive line among the evidence {sum(bool(r['evidence']) for r in named) / max(1, len(named)):.3f}")
    print(f"successful logs without an alarm {sum(r['got'] in r['want'] for r in quiet)}/{len(quiet)}")
    if table:
        for title, counters in (("tool", per_tool), ("cause", per_cause)):
            for key, counter in sorted(counters.items()):
                print(f"{title}\t{key}\t{counter['right']}/{counter['all']}")


if __name__ == "__main__":
    main()
