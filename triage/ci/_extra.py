"""The libraries of the extra ``ci``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from triage.ci._message import HostFault


def library(name: str) -> ModuleType:
    """A library of the extra ``ci``; raises HostFault where it is not installed."""
    try:
        return import_module(name)
    except (ImportError, AttributeError) as error:  # the latter where githubkit meets a hishel that it does not know
        raise HostFault(f"{name} cannot be loaded ({error}). Type: pip install 'triage[ci]'") from None
