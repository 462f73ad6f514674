"""What a person names to be repaired: a command, a recipe, a model with a target, or an earlier repair."""

from __future__ import annotations

import os
from collections.abc import Sequence

from triage.backends._choose import targets
from triage.errors import UsageError
from triage.recipe import read_recipe, recipe_of
from triage.remedy import Recipe, Step


def wanted(
    words: Sequence[str], folder: str, target: str | None = None, timeout: float | None = None
) -> tuple[Recipe, list[Step]]:
    """The build, and the steps to do again where an earlier repair was named.

    Args:
        words: a command; or a recipe, a parameters.json, or a model with options of its target.
        folder: where the command runs, and where files are looked for.
        target: what a model is built for.
        timeout: seconds for one run, where it is not the recipe's.

    Raises:
        UsageError: nothing is named, it is not there, or it is not understood.
        UnknownName: no such target.
    """
    if not words:
        raise UsageError("name the build to repair: triage fix -- python export.py")
    recipe, steps = _resolved(words, folder, target)
    return (recipe._replace(timeout=timeout) if timeout else recipe), steps


def _resolved(words: Sequence[str], folder: str, target: str | None) -> tuple[Recipe, list[Step]]:
    first = words[0] if folder == os.getcwd() else os.path.join(folder, os.path.expanduser(words[0]))
    if target:
        from triage.service.targets import recipe_for

        return recipe_for([first, *words[1:]], target), []
    if len(words) == 1 and first.endswith(".toml"):
        return read_recipe(first), []
    if len(words) == 1 and first.endswith(".json"):
        from triage.service.fixing import again

        return again(first)
    if len(words) == 1 and os.path.isfile(first) and not os.access(first, os.X_OK):
        raise UsageError(f"say what {words[0]} is built for: --target {' | '.join(targets())}; or a command after --")
    return recipe_of(words, folder), []
