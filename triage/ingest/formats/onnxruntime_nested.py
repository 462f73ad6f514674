"""A TensorRT line inside a line of ONNX Runtime: ``[W:onnxruntime:…] [date   ERROR] text``. The inner level counts."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "onnxruntime"
LINE = r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9} )?\[[VIWEF]:[\w.-]+:[^,\]]*, [^\]]+\] \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +(?P<sev>ERROR|WARNING|INFO|VERBOSE|INTERNAL_ERROR)\]"
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = (
    "2019-09-14 01:19:53.0 [W:onnxruntime:test, tensorrt_execution_provider.h:28 log] [2019-09-14 01:19:53   ERROR] x",
    "[E:onnxruntime:Default, tensorrt_execution_provider.h:90 log] [2026-02-21 10:54:43 WARNING] y",
)
OTHERS: tuple[str, ...] = ("[E:onnxruntime:Default, provider.cc:90 log] text",)
