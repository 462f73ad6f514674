"""DeepStream and other users of the TensorRT logger: ``ERROR: [TRT]: text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt"
LINE = r"""(?P<sev>ERROR|WARNING|INFO): \[TRT\]: """
LEVELS = COMMON
FACTS: tuple[str, ...] = ()
SAMPLES: tuple[str, ...] = ("ERROR: [TRT]: 4: x",)
OTHERS: tuple[str, ...] = ("ERROR: [Torch-TensorRT] - x",)
