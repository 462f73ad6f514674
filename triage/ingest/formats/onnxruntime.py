"""ONNX Runtime: ``time [E:onnxruntime:logger, file.cc:NN func] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "onnxruntime"
LINE = r"""(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,9} )?\[(?P<sev>[VIWEF]):(?P<comp>[\w.-]+):[^,\]]*, [^\]]+\] """
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""onnxruntime(?:-gpu|_gpu|-directml)?(?:==|-| version:? |: |/v?)(?P<onnxruntime>1\.\d+\.\d+)""",
    r"""sequential_executor\.cc:(?P<ort_line>\d+) """,
    r"""Load model from (?P<model>[^\n]{1,300}?) failed""",
    r"""InferenceSession\([\'"](?P<model>[^\'"]{1,300})[\'"]""",
)
SAMPLES: tuple[str, ...] = (
    "2026-11-20 11:42:44.017857646 [E:onnxruntime:, sequential_executor.cc:677 ExecuteKernel] Non-zero status code",
    "[W:onnxruntime:Default, x.cc:1 f] t",
)
OTHERS: tuple[str, ...] = ("[E] text",)
