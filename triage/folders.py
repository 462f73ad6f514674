"""Where rules, knowledge and migrations are: inside the wheel, or in the checkout.

An editable install has no included copy, so the package is looked at first and
the checkout second.
"""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.abspath(__file__))


def data_folder(name: str) -> str:
    """Path of ``rules``, ``kb`` or ``migrations``; raises FileNotFoundError."""
    for base in (os.path.join(_PACKAGE, "_data"), os.path.dirname(_PACKAGE)):
        path = os.path.join(base, name)
        if os.path.isdir(path):
            return path
    raise FileNotFoundError(f"the folder {name!r} of triage is missing: reinstall triage")


def package_folder(*parts: str) -> str:
    """Path of a folder inside the package itself."""
    return os.path.join(_PACKAGE, *parts)


def cache_folder() -> str:
    """Folder of compiled rules: TRIAGE_CACHE_DIR, or the platform's cache folder."""
    chosen = os.environ.get("TRIAGE_CACHE_DIR")
    if chosen:
        return chosen
    if sys.platform.startswith("linux"):  # the common case, without an import
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        return os.path.join(base, "triage")
    from platformdirs import user_cache_dir

    return user_cache_dir("triage", appauthor=False)


def data_home() -> str:
    """Folder of the archive and of learnt models: TRIAGE_DATA_DIR, or the platform's data folder."""
    chosen = os.environ.get("TRIAGE_DATA_DIR")
    if chosen:
        return chosen
    from platformdirs import user_data_dir

    return user_data_dir("triage", appauthor=False)


def write_whole(path: str, text: str) -> None:
    """Writes a file whole or not at all; raises UsageError where it cannot be written."""
    from triage.errors import UsageError

    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except OSError as fault:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise UsageError(f"{path} cannot be written: {fault.strerror}") from None
