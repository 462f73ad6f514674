"""The dynamo exporter of torch.onnx and torch.export."""

from __future__ import annotations

TOOL = "torch-export"
LINE = None
LEVELS: dict[str, str] = {}
FACTS: tuple[str, ...] = (
    r"""torch\.onnx\.export version (?P<torch>\d+\.\d+\.\d+)""",
    r"""\btorch(?:==| version:? |-)(?P<torch>\d+\.\d+\.\d+)""",
    r"""opset_version ?= ?(?P<opset>\d+)""",
    r"""PyTorch[ :=v]+(?P<torch>[12]\.\d+\.\d+)""",
    r"""Using framework PyTorch: (?P<torch>\d+\.\d+\.\d+)""",
)
SAMPLES: tuple[str, ...] = ()
OTHERS: tuple[str, ...] = ()
