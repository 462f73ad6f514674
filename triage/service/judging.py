"""A failure in the history of its job: caused by this change, flaky, on the main branch too, or neither.

A wrong "flaky" hides a defect, and a wrong "not your change" wastes a day, so each section asks for its own proof.
In this order:

* **unknown**: no cause is named.
* **infrastructure**: the article of the cause says that the machine, the network or a service is to blame.
* **main**: the newest build of this job on the branch that the change goes to, else on the default branch, had it too.
* **flaky**: it comes and goes with nothing changed. Either the same commit failed with it and passed when the job ran
  again (a pass before the failure proves nothing: the world may have changed; nor does one while the main branch had
  it). Or the main branch had it in two or more separate spells of at most two builds, each ended by a build that
  passed, and its newest build passed. Never where the last three builds on this branch, this one with them, all had
  it: trying again has not helped there. Different changes that had it and got rid of it are no proof: people repair.
* **change**: the rest.

Builds are those of the same repository and job in the last 90 days, 1,000 at most; without a job's name those of the
same target or source. Filings of one run count as one build: it passed if all of them did. Trying again is advised
where it is flaky or the cause is transient, nowhere else. Without a history the cause alone decides, and the reason
says so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from triage.errors import UnknownName
from triage.ingest.text import plain
from triage.knowledge import Article
from triage.library import load_library
from triage.records import Cause, Standing

DAYS = 90
SPELLS, LONGEST_SPELL = 2, 2
IN_A_ROW = 3
_BLAMES = {
    True: "The cause lies with the machine, the network or a service, and may pass by itself",
    False: "The cause lies with the machine, the network or a service; to try again alone does not help",
}


class Build(NamedTuple):
    """One run of the job; ``had`` says that it failed with the failure in question.

    ``clean`` builds have built their commit and nothing else: those of a CI system. A person's working folder may hold
    what is not committed.
    """

    at: datetime
    passed: bool
    had: bool
    branch: str | None
    commit: str | None
    clean: bool = True


class History(NamedTuple):
    """The other builds of a job, newest first, and where this one belongs.

    ``main`` is the branch to compare with; ``here`` are the names of this build's own branch.
    """

    builds: Sequence[Build]
    main: str
    here: Collection[str]
    full: bool = False

    def on_main(self) -> list[Build]:
        """Builds of the branch to compare with."""
        return [build for build in self.builds if build.branch in names(self.main)]


def judged(cause: Cause | None, history: History | None, missing: str = "the archive was not asked") -> Standing:
    """The section of one failure; ``missing`` is said where there is no history."""
    share = (1 + sum(build.had for build in history.builds), 1 + len(history.builds)) if history else (0, 0)
    if cause is None or cause.verdict not in ("named", "likely"):
        why = "No known cause fits the log"
        return Standing("unknown", _said(why, _before(history, missing)), False, *share)
    article = _article(cause)
    transient = article is not None and article.transient
    if article is not None and article.blame:
        return Standing("infrastructure", _said(_BLAMES[transient], _before(history, missing)), transient, *share)
    if history is None:
        why = f"Nothing is known of other builds: {missing}"
        return Standing("change", _said(why), transient, *share)
    also = _also_on_main(history)
    if also:
        return Standing("main", _said(also), transient, *share)
    proof, doubt = _proof(history), _in_a_row(history)
    if proof and not doubt:
        return Standing("flaky", _said(proof, _share(history)), True, *share)
    return Standing("change", _said(_main_state(history), proof and f"{proof}, but {doubt}", _share(history)),
                    transient, *share)  # fmt: skip


def _article(cause: Cause) -> Article | None:
    """The article of a cause; None where there is none, or the decisive lines say that its blame does not hold."""
    try:
        article = load_library().knowledge.article(cause.id)
    except UnknownName:
        return None
    lines = "\n".join(line.text for line in cause.evidence).lower()
    if any(word in lines for word in article.blame_unless):
        return article._replace(blame="", transient=False)
    return article._replace(transient=article.transient and not any(word in lines for word in article.transient_unless))


def names(branch: str) -> tuple[str, str]:
    """A branch by its name, and as git in a Jenkins workspace calls it."""
    return branch, f"origin/{branch}"


def _also_on_main(history: History) -> str | None:
    """That the newest build of the main branch had it too, and since when."""
    spell: list[Build] = []
    for build in history.on_main():
        if not build.had:
            break
        spell.append(build)
    if not spell:
        return None
    times = "" if len(spell) == 1 else f", {len(spell)} builds in a row"
    return f"{history.main} has been failing with it since {_when(spell[-1])}{times}"


def _proof(history: History) -> str | None:
    """That it comes and goes with nothing changed."""
    return _passed_again(history) or _spells(history)


def _passed_again(history: History) -> str | None:
    """A failure and a later pass at one commit."""
    passed: dict[str, Build] = {}  # newest first, so each commit's latest pass
    main = history.on_main()
    for build in history.builds:
        if not build.clean or not build.commit:
            continue
        if build.passed:
            passed.setdefault(build.commit, build)
        if not build.had or build.commit not in passed:
            continue
        before = next((one for one in main if one.at <= build.at), None)
        if build.branch in names(history.main) or before is None or not before.had:
            again = passed[build.commit]
            return (
                f"Commit {_short(build.commit)} failed with it on {_day(build)} and passed when the job ran again"
                + ("" if _day(again) == _day(build) else f" on {_day(again)}")
            )
    return None


def _spells(history: History) -> str | None:
    """Short spells on the main branch, each ended by a pass."""
    main = history.on_main()
    runs = [(had, list(builds)) for had, builds in groupby(reversed(main), key=lambda build: build.had)]
    ended = [
        spell for (had, spell), (_, after) in pairwise(runs) if had and len(spell) <= LONGEST_SPELL and after[0].passed
    ]
    long = any(had and len(spell) > LONGEST_SPELL for had, spell in runs)
    if long or len(ended) < SPELLS or not main[0].passed:
        return None
    last = _day(ended[-1][-1])
    return f"{history.main} had it {len(ended)} times for a build or two and passed after each, last on {last}"


def _in_a_row(history: History) -> str | None:
    """That this branch keeps failing with it."""
    last = [build.had for build in history.builds if build.branch in history.here][: IN_A_ROW - 1]
    return f"the last {IN_A_ROW} builds here all had it" if last == [True] * (IN_A_ROW - 1) else None


def _main_state(history: History) -> str:
    """What the newest build of the main branch did."""
    newest = next(iter(history.on_main()), None)
    if newest is None:
        return f"No build of this job on {history.main} is known: nothing to compare with"
    did = "passed" if newest.passed else "failed for another reason"
    return f"The newest build of this job on {history.main} ({_when(newest)}) {did}"


def _before(history: History | None, missing: str) -> str:
    """The same in a word where the cause has decided already."""
    if history is None:
        return missing[0].upper() + missing[1:]
    also = _also_on_main(history)
    return f"{also or _main_state(history)}. {_share(history)}"


def _share(history: History) -> str:
    """K of N builds in words."""
    others = len(history.builds)
    if not others:
        return "No other build of this job is known"
    had = sum(build.had for build in history.builds)
    if others == 1:
        return (
            "The one other build of this job had it too" if had else "The one other build of this job did not have it"
        )
    whole = f"the newest {others:,} builds" if history.full else f"{others:,} other builds"
    return f"Of {whole} of this job in {DAYS} days {had:,} had it" if had else f"None of {whole} of this job had it"


def _when(build: Build) -> str:
    return f"{_day(build)}, commit {_short(build.commit)}" if build.commit else _day(build)


def _day(build: Build) -> str:
    return build.at.date().isoformat()


def _short(commit: str | None) -> str:
    return plain(commit or "")[:10]


def _said(*parts: str | None) -> str:
    """Sentences; names of branches in them are as hostile as all else that was filed."""
    return plain(" ".join(f"{part.rstrip('.')}." for part in parts if part))[:1000]
