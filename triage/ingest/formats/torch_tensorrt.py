"""Torch-TensorRT: ``ERROR: [Torch-TensorRT] - text``."""

from __future__ import annotations

TOOL = "torch-tensorrt"
LINE = r"""(?P<sev>ERROR|WARNING|INFO|DEBUG): \[Torch-TensorRT[^\]]*\] - """
LEVELS: dict[str, str] = {
    "F": "fatal",
    "E": "error",
    "W": "warning",
    "I": "info",
    "V": "verbose",
    "INTERNAL ERROR": "fatal",
    "ERROR": "error",
    "WARNING": "warning",
    "INFO": "info",
    "VERBOSE": "verbose",
    "DEBUG": "verbose",
}
FACTS: tuple[str, ...] = (r"""torch_tensorrt[ =v]+(?P<torch_tensorrt>\d+\.\d+\.\d+)""",)
SAMPLES: tuple[str, ...] = (
    "ERROR: [Torch-TensorRT] - x",
    "WARNING: [Torch-TensorRT TorchScript Conversion Context] - x",
)
OTHERS: tuple[str, ...] = ("ERROR: [TRT]: x",)
