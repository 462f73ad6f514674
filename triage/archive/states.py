"""The life of a failure: its states, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping

# "reopened" comes by itself when a closed failure is seen again
STATES: Mapping[str, tuple[str, ...]] = {
    "new": ("known", "fixing", "verified", "closed"),
    "known": ("fixing", "verified", "closed"),
    "fixing": ("known", "verified", "closed"),
    "verified": ("closed", "reopened"),
    "closed": ("reopened",),
    "reopened": ("known", "fixing", "verified", "closed"),
}
CLOSED = ("verified", "closed")
