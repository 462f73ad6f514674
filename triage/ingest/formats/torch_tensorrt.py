"""Torch-TensorRT: ``ERROR: [Torch-TensorRT] - text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "torch-tensorrt"
LINE = r"""(?P<sev>ERROR|WARNING|INFO|DEBUG): \[Torch-TensorRT[^\]]*\] - """
LEVELS = COMMON
FACTS: tuple[str, ...] = (r"""torch_tensorrt[ =v]+(?P<torch_tensorrt>\d+\.\d+\.\d+)""",)
SAMPLES: tuple[str, ...] = (
    "ERROR: [Torch-TensorRT] - x",
    "WARNING: [Torch-TensorRT TorchScript Conversion Context] - x",
)
OTHERS: tuple[str, ...] = ("ERROR: [TRT]: x",)
