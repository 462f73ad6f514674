"""Which classifier speaks: the team's own where one was learnt, else the shipped one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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


def model_path() -> str | None:
    """File of the model that speaks; None where none is installed."""
    for folder in (own_folder(), shipped_folder()):
        path = os.path.join(folder, "model.skops")
        if os.path.exists(path):
            return path
    return None


def current_model() -> Model | None:
    """The model, loaded once; None where there is none."""
    path = model_path()
    if path is None:
        return None
    if path not in _loaded:
        from triage.diagnose.classify import load_model

        _loaded[path] = load_model(path)
    return _loaded[path]
