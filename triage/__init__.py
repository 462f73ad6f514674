"""Reads failing logs of model deployment and names the root cause.

The public names are loaded when they are first used, so that importing
``triage`` costs nothing.
"""

__version__ = "0.1.0"

_PUBLIC = {
    "diagnose": "triage.service",
    "Diagnosis": "triage.records",
    "Incident": "triage.records",
    "Report": "triage.records",
}
__all__ = ["Diagnosis", "Incident", "Report", "__version__", "diagnose"]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'triage' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PUBLIC[name]), name)
