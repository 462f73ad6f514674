"""Hits to findings, findings to a diagnosis."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    """``triage.diagnose`` is this package and the public function of that name: importing the one hides the other."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """As ``triage.service.diagnose``."""
        from importlib import import_module

        return import_module("triage.service").diagnose(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
