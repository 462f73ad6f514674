"""Held-out figures of the classifier; trains the shipped model.

usage: python -m bench.learning [--ship] [--corpus FOLDER ...] [--since REVISION]

wording   the log's own patterns are switched off and all their samples left out: an old message, worded anew
rule      all that its rules brought is left out: a kind of message never seen
cause     all examples of the true cause are left out: only silence is right
corpus    labelled logs (CASE/log.txt, CASE/case.yaml) with their rules switched off; measured, never trained on
since     trains on rules and articles of an earlier revision, and asks for all logs and samples of today
          that the rules of that revision leave unknown: logs that no rule matched when they came
--ship    writes kb/model
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path

import yaml

from bench._material import FIXTURES, ROOT
from triage.diagnose import holdout
from triage.diagnose.examples import (
    Example,
    article_examples,
    fixture_examples,
    rule_examples,
    silenced,
)
from triage.diagnose.features import expand, length
from triage.diagnose.figures import NEVER, Figures, count, outcome
from triage.diagnose.normal import incident_text
from triage.diagnose.shelf import save
from triage.diagnose.train import RIDGE, counters, train
from triage.errors import RuleFault
from triage.folders import data_folder
from triage.library import Library, load_library
from triage.pipeline import diagnose_chunks
from triage.rulebook.read import read_rules

FAINT = 1e-6  # weight of a row that is asked and teaches nothing
NO_CAUSE = ("unknown", "no-failure")
HEAD = f"{'part':24} {'asked':>6} {'answered':>8} {'right':>6} {'precision':>9} {'coverage':>8} {'macro':>6}"


def main() -> None:
    """Prints the table."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--ship", action="store_true")
    parser.add_argument(
        "--corpus", nargs="*", type=Path, default=sorted((ROOT.parent / "shared" / "corpus").glob("*/"))
    )
    parser.add_argument("--since")
    arguments = parser.parse_args()
    library = load_library()
    examples = base_examples(library)
    trained = train(examples, datetime.now(UTC).isoformat(timespec="seconds"))
    card = trained.card
    print(f"{card.id}: {card.counts}, speaks from a lead of {card.lead:.3f}\n{HEAD}")
    show("wording", card.wording)
    show("rule", card.rule)
    share = card.wording.outside_answered / max(1, card.wording.outside_asked)
    print(f"cause: answered {card.wording.outside_answered} of {card.wording.outside_asked} ({share:.3f})")
    print(f"wording, with a tenth of unknown causes: precision {card.wording.precision_with_outside:.3f}")
    if arguments.ship:
        save(trained, str(ROOT / "kb" / "model"))
    cases = [case for folder in arguments.corpus for case in corpus_examples(folder, library)]
    if cases:
        show_corpus(examples, cases, card.lead)
    if arguments.since:
        show_since(arguments.since, arguments.corpus)
    print(f"{'cause (wording)':36} asked answered right")
    for cause, row in card.wording.causes.items():
        if row[1]:
            print(f"{cause:36} {row[0]:5} {row[1]:8} {row[2]:5}")


def base_examples(library: Library, rules: str | None = None, kb: str | None = None, logs: Path = FIXTURES) -> list:
    """What the shipped model is trained on."""
    return [
        *rule_examples(read_rules(rules or data_folder("rules")), library),
        *article_examples(library, kb or data_folder("kb")),
        *fixture_examples(str(logs), library),
    ]


def show(part: str, figures: Figures) -> None:
    """One row of the table."""
    numbers = f"{figures.asked:6} {figures.answered:8} {figures.right:6} {figures.precision:9.3f}"
    print(f"{part:24} {numbers} {figures.coverage:8.3f} {figures.macro:6.3f}", flush=True)


def corpus_examples(folder: Path, library: Library) -> list[Example]:
    """The failing logs of a corpus that are no fixture here, with the rules that hit them switched off."""
    out = []
    for path in sorted(folder.glob("*/case.yaml")):
        causes = yaml.safe_load(path.read_text())["causes"]
        if causes[0] in NO_CAUSE or (FIXTURES / path.parent.name).exists():
            continue
        found = silenced((path.parent / "log.txt").read_bytes(), library)
        if found.incident:
            text, origin = incident_text(found.incident), f"{folder.name}:{path.parent.name}"
            also = tuple(causes[1:])
            out.append(
                Example(text, causes[0], origin, found.tool, FAINT, also, found.rules, found.wordings, asked=True)
            )
    return out


def show_corpus(examples: list[Example], cases: list[Example], lead: float) -> None:
    """Figures on a corpus at the lead that was chosen without it."""
    rows = [*examples, *cases]
    texts = [expand(example.text) for example in rows]
    solved = holdout.solve(counters().fit_transform(texts), rows, texts, RIDGE)
    tests = list(range(len(examples), len(rows)))
    for left_out in ("wording", "rule"):
        answers = holdout.answers(solved, rows, tests, left_out)
        for kind in sorted({case.kind for case in cases}):
            here = [answer for answer in answers if rows[answer.example].kind == kind]
            for name, least in (("", lead), (", always answered", -NEVER)):
                show(f"{kind}, {left_out}{name}", count([outcome(a, least, rows, [""] * len(rows)) for a in here]))


def show_since(revision: str, corpora: list[Path]) -> None:
    """Figures on what the rules of an earlier revision left unknown."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRIAGE_CACHE_DIR"] = f"{folder}/cache"
        packed = subprocess.run(["git", "archive", revision, "rules", "kb"], cwd=ROOT, check=True, capture_output=True)
        subprocess.run(["tar", "x", "-C", folder], input=packed.stdout, check=True)
        rules, kb = f"{folder}/rules", f"{folder}/kb"
        old = library_without_faults(rules, kb)
        examples = base_examples(old, rules, kb, Path(folder) / "fixtures" / "logs")
        trained = train(examples, "then")
        known = {example.text for example in examples}
        tests = [case for case in new_cases(old, corpora) if case.text not in known]
    rows = [*examples, *tests]
    texts = [expand(example.text) for example in rows]
    matrix = trained.state["union"].transform(texts)
    scores = (matrix[len(examples) :] @ trained.state["weights"]).toarray()
    answers = []
    for row, score in enumerate(scores, len(examples)):
        second, first = score.argsort()[-2:]
        answers.append(
            holdout.Answer(
                row, trained.state["causes"][first], float(score[first] - score[second]) * length(texts[row])
            )
        )
    for name, least in (("", trained.card.lead), (", always answered", -NEVER)):
        outcomes = [outcome(answer, least, rows, [""] * len(rows)) for answer in answers]
        show(f"since {revision[:7]}{name}", count(outcomes))


def library_without_faults(rules: str, kb: str) -> Library:
    """The library of earlier rules; files that today's loader refuses are left out."""
    try:
        return load_library(rules, kb)
    except RuleFault as fault:
        for line in fault.faults:
            Path(line.partition(":")[0]).unlink(missing_ok=True)
    return load_library(rules, kb)


def new_cases(old: Library, corpora: list[Path]) -> list[Example]:
    """Samples and logs of today that an earlier library calls unknown."""
    logs: list[tuple[bytes, tuple[str, ...], str]] = []
    for rule in read_rules(data_folder("rules")):
        if rule.says == "cause" and rule.cause not in NO_CAUSE:
            logs += [(sample.encode(), (rule.cause, *rule.also), f"rule:{rule.id}") for sample in rule.hits]
    for folder in (FIXTURES, *corpora):
        for path in sorted(folder.glob("*/log.txt")):
            label = next(path.parent / name for name in ("expect.yaml", "case.yaml") if (path.parent / name).exists())
            causes = tuple(yaml.safe_load(label.read_text())["causes"])
            if causes[0] not in NO_CAUSE and (folder == FIXTURES or not (FIXTURES / path.parent.name).exists()):
                logs.append((path.read_bytes(), causes, f"{folder.name}:{path.parent.name}"))
    out = []
    for data, causes, origin in logs:
        diagnosis = diagnose_chunks([data], old)
        if diagnosis.verdict == "unknown":
            out.append(Example(incident_text(diagnosis.incidents[0]), causes[0], origin, also=causes[1:]))
    return out


if __name__ == "__main__":
    main()
