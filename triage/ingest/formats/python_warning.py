"""Python warnings: ``path.py:NN: Category: text``."""

from __future__ import annotations

TOOL = None
LINE = r"""(?:[A-Za-z]:)?[^:\s][^:\n]*:\d+: (?P<sev>\w*Warning): """
LEVELS: dict[str, str] = {
    "UserWarning": "warning",
    "FutureWarning": "warning",
    "DeprecationWarning": "warning",
    "RuntimeWarning": "warning",
    "TracerWarning": "warning",
    "PendingDeprecationWarning": "warning",
    "ImportWarning": "warning",
    "ResourceWarning": "warning",
    "SyntaxWarning": "warning",
    "BytesWarning": "warning",
    "UnicodeWarning": "warning",
    "Warning": "warning",
    "OnnxExporterWarning": "warning",
    "InsecureRequestWarning": "warning",
    "LightningDeprecationWarning": "warning",
    "InconsistentVersionWarning": "warning",
}
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("/usr/lib/python3/x.py:197: UserWarning: text",)
OTHERS: tuple[str, ...] = ("UserWarning: text",)
