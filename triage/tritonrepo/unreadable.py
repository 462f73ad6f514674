"""Configs that Triton cannot read, and the texts that it can."""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.remedy import Refusal
from triage.tritonrepo.changes import Way
from triage.tritonrepo.config import Config
from triage.tritonrepo.extents import nodes, whole_lines
from triage.tritonrepo.fitting import fit
from triage.tritonrepo.hints import wish
from triage.tritonrepo.mending import Mended, mend
from triage.tritonrepo.survey import Model, Survey

_NOT_KNOWN = re.compile(
    r'Error parsing text-format inference\.ModelConfig: (\d+):\d+: Message type "[\w.]+" has no field named "(\w+)"'
)
_DOUBT = 0.3  # what a disagreement with the model costs a solution


def ways(found: Survey, *, fields: bool) -> Iterator[Way | Refusal]:
    """Texts that can be read, for each config that cannot.

    Args:
        found: the build.
        fields: those that only mend fields and values; else those that mend marks too.
    """
    for model in found.models:
        config = model.config
        if config is None or config.readable:
            continue
        solutions = mend(config.text)
        if not solutions and not fields:
            yield Refusal(
                f"{model.path} cannot be read ({config.parsed.where()}), and nothing plausible mends it.",
                "Correct the line that the message names.",
            )
        ranked = sorted(solutions, key=lambda one: one.cost + _doubt(found, model, one))
        for rank, mended in enumerate(ranked):
            if mended.only_fields == fields:
                yield Way(model.path, config.text, mended.text, _words(mended), rank)


def newer(found: Survey) -> Iterator[Way]:
    """Fields that this server is too old for: they become comments."""
    told = _NOT_KNOWN.findall(found.site.log)
    for model in found.models:
        config = model.config
        if config is None or not config.readable or f"{model.name}/config.pbtxt" not in found.site.log:
            continue
        for line, name in told:
            text = _without(config, int(line), name)
            if text is not None:
                yield Way(
                    model.path, config.text, text, f"turn {name}, which this server does not know, into a comment"
                )


def _without(config: Config, line: int, name: str) -> str | None:
    for node in nodes(config.root):
        for field in node.fields:
            if field.name == name and config.text.count("\n", 0, field.start) + 1 == line:
                lines = whole_lines(config.text, field.start, field.end)
                if lines is None:
                    return config.text[: field.start] + config.text[field.end :]
                body = config.text[lines[0] : lines[1]]
                marked = "".join("# " + each for each in body.splitlines(keepends=True))
                return config.text[: lines[0]] + marked + config.text[lines[1] :]
    return None


def _doubt(found: Survey, model: Model, mended: Mended) -> float:
    now = model._replace(config=Config(mended.text))
    known = now.interface()
    if known is None or now.config is None:
        return 0.0
    return _DOUBT * len(fit(now.config, known, wish(found, now)).words)


def _words(mended: Mended) -> str:
    """What was done, the same in several lines said once."""
    told: dict[str, list[str]] = {}
    for edit in mended.edits:
        what, _, line = edit.partition(" in line ")
        told.setdefault(what, []).append(line)
    said = []
    for what, lines in told.items():
        numbers = [line for line in lines if line]
        said.append(what + (f" in line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""))
    return ", ".join(said)
