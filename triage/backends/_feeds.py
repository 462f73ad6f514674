"""The file of feeds that the user names for a direct build."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from triage.errors import UsageError


def bring_feeds(folder: str, options: Mapping[str, str]) -> str | None:
    """The name of the file behind ``feeds=``, which then lies in the folder; None where none is named.

    Raises:
        UsageError: there is no such file.
    """
    path = options.get("feeds")
    if path is None:
        return None
    if not os.path.isfile(path):
        raise UsageError(f"feeds={path} does not exist. Name an .npz file with an array for each input.")
    name = os.path.basename(path)
    if os.path.abspath(path) != os.path.join(os.path.abspath(folder), name):
        shutil.copyfile(path, os.path.join(folder, name))
    return name
