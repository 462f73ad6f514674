"""Values of a CI system's variables and events, each as what it may look like, else None.

Whoever opens a pull request chooses branch names, and in a fork much more; nothing is taken as it comes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from triage.ingest.text import plain

LONGEST = 200
_LONGEST_ADDRESS = 500
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,100}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_PART = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?:[^/@\s?#]*@)?"
    r"(?P<server>(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?)"
    r"(?P<path>/[!-~]*)?",
    re.IGNORECASE,
)
_HARMFUL = str.maketrans(dict.fromkeys("<>\"'`\\^{}|"))


def first(environ: Mapping[str, str], *names: str) -> str | None:
    """The first variable that is set and not empty, as it comes."""
    return next((environ[name] for name in names if environ.get(name)), None)


def is_set(environ: Mapping[str, str], name: str) -> bool:
    """Whether a variable says yes."""
    return environ.get(name, "").lower() not in ("", "false", "0")


def text(value: object, longest: int = LONGEST) -> str | None:
    """Words of one line, without control characters and secrets."""
    if not isinstance(value, str):
        return None
    whole = value[: longest * 4].encode("utf-8", "replace").decode()  # variables may hold halves of characters
    return plain(whole).strip()[:longest] or None


def number(value: object) -> str | None:
    """A number of a change or a run, as digits."""
    if isinstance(value, bool):
        return None
    found = str(value) if isinstance(value, int) else value
    return found if isinstance(found, str) and _NUMBER.fullmatch(found) else None


def word(value: object) -> str | None:
    """An id of a run or a job: a number, a UUID or a name."""
    found = number(value) or value
    return found if isinstance(found, str) and _WORD.fullmatch(found) and plain(found) == found else None


def count(value: object, least: int = 1) -> int | None:
    """A small number that counts from ``least``."""
    found = str(value)
    return int(found) if found.isascii() and found.isdigit() and len(found) < 7 and int(found) >= least else None


def commit(value: object) -> str | None:
    """A commit by its hexadecimal name."""
    found = value.strip().lower() if isinstance(value, str) else ""
    return found if _COMMIT.fullmatch(found) else None


def repository(value: object, deep: bool = False) -> str | None:
    """``owner/name``; ``deep`` takes groups below groups, as GitLab has them."""
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    found = value.strip().strip("/").removesuffix(".git")
    parts = found.split("/")
    fits = 2 <= len(parts) <= (20 if deep else 2) and all(map(_PART.fullmatch, parts))
    return found if fits and plain(found) == found else None


def address(value: object) -> str | None:
    """An address of the web, without user, password, query and what could end a link or a tag."""
    found = _ADDRESS.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST_ADDRESS else None
    if found is None:
        return None
    path, mark, fragment = (found["path"] or "").partition("#")
    path = (path.partition("?")[0] + mark + fragment).translate(_HARMFUL)
    return plain(f"{found['scheme'].lower()}://{found['server']}{path}")


def named(*parts: str | None) -> str:
    """The name of a job from its parts; two long names that differ stay different."""
    whole = " / ".join(part for part in parts if part)
    if len(whole) <= LONGEST:
        return whole
    from hashlib import sha256

    return f"{whole[: LONGEST - 13]} {sha256(whole.encode('utf-8', 'replace')).hexdigest()[:12]}"
