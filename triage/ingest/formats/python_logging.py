"""The logging module of Python: ``LEVEL:logger:text`` and the usual dated forms."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = None
LINE = r"""(?:\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[,.]\d{3,6})?\]?\s+(?:- )?(?:\[?[\w.]+\]? +(?:- )?)?)?\[?(?P<sev>DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\]?(?::[\w.-]*:|\]? +- | {1,5}\S|: )"""
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""site-packages/(?P<site_package>torch|onnx|onnxruntime|tensorrt|transformers|vllm|peft|optimum|tritonclient)/""",
    r"""(?P<mark_handled>During handling of the above exception, another exception occurred)""",
    r"""(?P<mark_direct>The above exception was the direct cause of the following exception)""",
    r"""(?P<mark_traceback>Traceback \(most recent call last\))""",
    r"""Python (?P<python>3\.\d+\.\d+)""",
    r"""lib/python(?P<python>3\.\d+)/""",
)
SAMPLES: tuple[str, ...] = (
    "ERROR:hf-to-gguf:Model is not supported",
    "2026-03-11 11:00:21,204 - ERROR - Failed",
    "2026-11-20 10:26:19,791 - modelopt.onnx - WARNING - text",
    "INFO:     Started server process",
)
OTHERS: tuple[str, ...] = ("ERRORS: text",)
