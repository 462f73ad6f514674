"""Which classifier speaks: the team's own where one was learnt, else the shipped one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from triage.errors import InputError
from triage.folders import data_folder, data_home

if TYPE_CHECKING:
    from triage.diagnose.classify import Model

_loaded: dict[str, Model | None] = {}


def own_folder() -> str:
    """Where models that were learnt here are kept."""
    return os.path.join(data_home(), "model")


def shipped_folder() -> str:
    """Where the model is that comes with triage."""
    return os.path.join(data_folder("kb"), "model")


def forget() -> None:
    """The next question loads the model anew."""
    _loaded.clear()


def model_paths() -> list[str]:
    """Files of the models that may speak, the team's own first."""
    paths = (os.path.join(folder, "model.skops") for folder in (own_folder(), shipped_folder()))
    return [path for path in paths if os.path.exists(path)]


def current_model() -> Model | None:
    """The model that speaks, loaded once: the first that this version can read; None where there is none."""
    for path in model_paths():
        if path not in _loaded:
            _loaded[path] = _read(path)
        if _loaded[path] is not None:
            return _loaded[path]
    return None


def _read(path: str) -> Model | None:
    """A model, or None for one that is broken or of another version, which is said once."""
    from triage.diagnose.classify import load_model

    try:
        return load_model(path)
    except InputError as fault:
        print(f"triage: {fault}", file=sys.stderr)
        return None
