"""Fields that no message has: kept as a comment where nothing better fits.

``precision_mode`` is a parameter of the ONNX Runtime backend's TensorRT accelerator and nothing elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.tritonrepo import schema
from triage.tritonrepo.extents import field_at, whole_lines
from triage.tritonrepo.lexer import quoted, unquoted
from triage.tritonrepo.mends import FIELDS, Offer, Piece
from triage.tritonrepo.parse import Parsed

_ACCELERATED = re.compile(r"""(?m)^\s*(?:backend\s*:\s*["']onnxruntime["']|platform\s*:\s*["']onnxruntime_onnx["'])""")
_PRECISIONS = ("FP32", "FP16", "BF16", "INT8")


def offers(parsed: Parsed) -> Iterator[Offer]:
    """Moving precision_mode to its place; turning an unknown field into a comment."""
    fault = parsed.fault
    assert fault is not None  # noqa: S101 -- the search asks only where there is one
    token = parsed.tokens[fault.at]
    extent = field_at(parsed.tokens, fault.at)
    if fault.kind != "field" or extent is None or schema.holders(token.text):
        return
    text = parsed.text
    value = parsed.tokens[extent.value_at]
    said = (unquoted(value.text) if value.kind == "string" else value.text).upper()
    known = token.text == "precision_mode" and said in _PRECISIONS
    gone = _commented(text, extent.start, extent.end)
    if known and _ACCELERATED.search(text):
        accelerator = (
            'optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "tensorrt" '
            f'parameters {{ key: "precision_mode" value: {quoted(said)} }} }} ] }} }}\n'
        )
        lead = "" if text.endswith("\n") else "\n"
        pieces = (gone, Piece(len(text), len(text), lead + accelerator))
        yield Offer(0.8, "put precision_mode into the TensorRT accelerator", FIELDS, pieces)
        return
    tensor = fault.message in ("ModelInput", "ModelOutput", "ModelEnsembling.Step")
    cost = 0.8 if known or token.text == "precision_mode" else 3.2 if tensor else 2.6
    line = text.count("\n", 0, token.start) + 1
    what = "which has no effect here" if cost < 1 else "which no config.pbtxt has"
    yield Offer(cost, f"turn {token.text} in line {line}, {what}, into a comment", FIELDS, (gone,))


def _commented(text: str, start: int, end: int) -> Piece:
    lines = whole_lines(text, start, end)
    if lines is None:
        return Piece(start, end, "")
    body = text[lines[0] : lines[1]]
    ending = "\n" if body.endswith("\n") else ""
    return Piece(*lines, "\n".join("# " + line for line in body.removesuffix("\n").split("\n")) + ending)
