"""Models on disk: one that speaks, its card, and the earlier ones that can come back.

``FOLDER/model.skops`` and ``card.json``, and ``previous/NUMBER-ID/`` with the same two files.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

from triage.diagnose.classify import Model, load_model
from triage.diagnose.examples import Example
from triage.diagnose.figures import Figures, Outcome, count
from triage.diagnose.train import Card, Trained, key_of
from triage.errors import InputError, UsageError

MODEL, CARD, PREVIOUS = "model.skops", "card.json", "previous"
SLACK = 0.02  # precision may fall by this between two models
KEPT = 0.90  # and this share of the right answers must remain
DRIFT = 0.10  # share of the rules' samples that may differ from what a model was trained on


class Installed(NamedTuple):
    """What came of installing: whether it was done, why (not), figures of both on the same questions."""

    done: bool
    why: str
    new: Figures
    old: Figures | None
    previous: str | None


def save(trained: Trained, folder: str) -> str:
    """Writes model and card; the path of the model. A crash in between leaves the earlier files or the new ones."""
    from skops.io import dump

    os.makedirs(folder, exist_ok=True)
    path, card = os.path.join(folder, MODEL), os.path.join(folder, CARD)
    temporary = f"{path}.{os.getpid()}.tmp"
    dump(trained.state, temporary, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    with open(f"{card}.{os.getpid()}.tmp", "w", encoding="utf-8") as stream:
        stream.write(card_text(trained.card))
    os.replace(f"{card}.{os.getpid()}.tmp", card)
    os.replace(temporary, path)
    return path


def card_text(card: Card) -> str:
    """A card as JSON, one entry a line."""
    plain = card._asdict() | {
        part: figures._asdict() for part, figures in (("wording", card.wording), ("rule", card.rule))
    }
    plain["keys"] = " ".join(card.keys)
    plain["outcomes"] = {mark: " ".join(sorted(k for k, m in card.outcomes.items() if m == mark)) for mark in "+-."}
    return json.dumps(plain, indent=1) + "\n"


def read_card(folder: str) -> Card | None:
    """The card beside a model; None where there is none that can be read."""
    try:
        with open(os.path.join(folder, CARD), encoding="utf-8") as stream:
            plain: dict[str, Any] = json.load(stream)
        outcomes = {key: mark for mark, keys in plain["outcomes"].items() for key in keys.split()}
        parts = {part: _figures(plain[part]) for part in ("wording", "rule")}
        return Card(**{**plain, "keys": tuple(plain["keys"].split()), "outcomes": outcomes, **parts})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _figures(plain: dict[str, Any]) -> Figures:
    return Figures(**{**plain, "causes": {cause: tuple(row) for cause, row in plain["causes"].items()}})


def drift(card: Card, examples: Sequence[Example]) -> float:
    """Share of the present rules' samples that the model did not see, 0 to 1; more than DRIFT asks for training."""
    present = {key_of(example) for example in examples if example.kind == "rule"}
    return len(present - set(card.keys)) / len(present) if present else 0.0


def install(
    trained: Trained, examples: Sequence[Example], folder: str, *, base: str | None = None, force: bool = False
) -> Installed:
    """Puts a new model in a folder unless it is worse than the one that speaks there now.

    Both are asked the same held-out questions: of what the old model was trained on its own
    held-out answers count, other questions it is asked now, since it never saw them.

    Args:
        trained: the new model.
        examples: what it was trained on.
        folder: the team's folder of models.
        base: folder of the model that speaks where ``folder`` has none: the shipped one.
        force: install also a worse one.
    """
    speaking = folder if os.path.exists(os.path.join(folder, MODEL)) else base
    new, old = _compared(trained, examples, speaking) if speaking else (trained.card.wording, None)
    why = _worse(new, old)
    if why and not force:
        return Installed(False, f"not installed: {why}", new, old, None)
    previous = _put_aside(folder)
    save(trained, folder)
    return Installed(True, f"installed, although {why}" if why else "installed", new, old, previous)


def _compared(trained: Trained, examples: Sequence[Example], folder: str) -> tuple[Figures, Figures | None]:
    """Figures of the new and the old model on the questions that both answer without having seen them."""
    card = read_card(folder)
    try:
        model = load_model(os.path.join(folder, MODEL))
    except InputError:
        return trained.card.wording, None
    if card is None or card.id != model.id:
        return trained.card.wording, None
    asked = {key_of(example): example for example in examples if example.asked}
    seen = set(card.keys)
    news, olds = [], []
    for key, mark in sorted(trained.card.outcomes.items()):
        example = asked.get(key)
        if example is None or (key in seen and key not in card.outcomes):
            continue
        news.append(_marked(key, example, mark))
        olds.append(_marked(key, example, card.outcomes[key] if key in seen else _said(model, example)))
    return count(news), count(olds)


def _marked(key: str, example: Example, mark: str) -> Outcome:
    return Outcome(key, example.cause, None if mark == "." else example.cause, mark == "+")


def _said(model: Model, example: Example) -> str:
    cause, lead = model.lead_of(example.text)
    if lead < model.lead:
        return "."
    return "+" if cause in (example.cause, *example.also) else "-"


def _worse(new: Figures, old: Figures | None) -> str:
    """Why the new figures are a step back; empty where they are not."""
    if old is None or not old.answered:
        return ""
    if new.precision < old.precision - SLACK:
        return f"its answers are right in {new.precision:.3f}, those of the present model in {old.precision:.3f}"
    if new.right < KEPT * old.right:
        return f"it answers {new.right} of {new.asked} questions rightly, the present model {old.right}"
    return ""


def _put_aside(folder: str) -> str | None:
    """Moves the present model below ``previous``; its new folder."""
    if not os.path.exists(os.path.join(folder, MODEL)):
        return None
    card = read_card(folder)
    numbers = [int(name.partition("-")[0]) for name in _previous(folder)]
    name = f"{max(numbers, default=0) + 1:04}-{card.id if card else 'unknown'}"
    target = os.path.join(folder, PREVIOUS, name)
    os.makedirs(target)
    for part in (MODEL, CARD):
        source = os.path.join(folder, part)
        if os.path.exists(source):
            shutil.copy2(source, target)
    return target


def _previous(folder: str) -> list[str]:
    below = os.path.join(folder, PREVIOUS)
    return sorted(name for name in os.listdir(below) if name[:4].isdigit()) if os.path.isdir(below) else []


def revert(folder: str) -> str:
    """Brings the last earlier model back; the present one takes its place, so a second call undoes the first.

    Raises:
        UsageError: there is no earlier model. Gives the id of the model that speaks now.
    """
    earlier = _previous(folder)
    if not earlier:
        raise UsageError(f"{folder}: there is no earlier model to go back to")
    source = os.path.join(folder, PREVIOUS, earlier[-1])
    _put_aside(folder)
    for part in (CARD, MODEL):
        os.replace(os.path.join(source, part), os.path.join(folder, part))
    os.rmdir(source)
    card = read_card(folder)
    return card.id if card else "unknown"
