"""trtexec and the other TensorRT samples: ``[time] [E] [TRT] text``."""

from __future__ import annotations

from triage.ingest.formats._levels import COMMON

TOOL = "tensorrt"
LINE = r"""\[\d\d/\d\d/\d{4}-\d\d:\d\d:\d\d\] \[(?P<sev>[FEWIV])\] (?:\[TRT\] )?"""
LEVELS = COMMON
FACTS: tuple[str, ...] = (
    r"""&&&& (?:RUNNING|PASSED|FAILED) (?P<program>[\w.]+) \[TensorRT v(?P<tensorrt_token>\d{4,6})\]""",
    r"""&&&& (?P<mark_run>RUNNING) TensorRT\.\w+(?: \[TensorRT v\d{4,6}\])?(?: \[b\d+\])? # (?P<command>[^\n]{1,999})""",
    r"""TensorRT version: (?P<tensorrt>\d+\.\d+(?:\.\d+){0,2})""",
    r"""--onnx=(?P<model>[^\s\'"]{1,300})""",
    r"""(?P<precision_flag>--(?:fp16|int8|fp8|bf16|best|int4))\b""",
    r"""Selected Device: (?P<gpu>[^\n]{3,80})""",
    r"""Compute Capability: (?P<cc>\d+\.\d)""",
    r"""ONNX IR version: +(?P<ir>[\d.]+)""",
    r"""Opset version: +(?P<opset>\d+)""",
    r"""Producer name: +(?P<producer>\S+)""",
    r"""Producer version: +(?P<producer_version>\S+)""",
    r"""Input filename: +(?P<model>\S+)""",
    r"""Precision: (?P<precision>FP32\+?[A-Z0-9+]*|FP16|INT8)""",
    r"""DLA core: (?P<dla_core>\d+)\b""",
    r"""--saveEngine=(?P<engine>[^\s\'"]{1,300})""",
    r"""--loadEngine=(?P<engine>[^\s\'"]{1,300})""",
)
SAMPLES: tuple[str, ...] = (
    "[11/20/2026-10:26:19] [E] [TRT] 4: [network.cpp::validate::3062] Error Code 4: Internal Error (x)",
    "[11/20/2026-10:26:19] [I] === Model Options ===",
)
OTHERS: tuple[str, ...] = (
    "[11/20/2026-10:26:19] [TRT] [E] text",
    "[E] text of another tool",
)
