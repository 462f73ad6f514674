"""Send Triton the type that the model takes.

What it changes: a client's script. The array of the refused input is converted before it is sent, and the request names
that type. Only conversions that keep every number are made: to a wider type of the same kind, and from double to
float, which a model of floats would do anyway.

When it is wrong: where the numbers mean something else. Floats between 0 and 1 are no bytes between 0 and 255, so
floats, whole numbers and truth values are never turned into each other: that is for a person to decide.

Proof: the server answers; the outputs are compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import CannotApply, Example, Site
from triage.remedy import Proposal, Refusal
from triage.tritonrepo import samples

CAUSES = ("input-dtype-mismatch",)
SAFETY = "safe"
EVIDENT = False
_TOLD = re.compile(
    r"inference input '(?P<input>[^']{1,200})' data-type is '(?P<got>\w{1,10})', "
    r"but model '(?P<model>[^']{1,200})' expects '(?P<want>\w{1,10})'"
)
_NUMPY = {
    "FP16": "float16", "FP32": "float32", "FP64": "float64", "INT8": "int8", "INT16": "int16", "INT32": "int32",
    "INT64": "int64", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
}  # fmt: skip
_LOSSY = (("FP32", "FP16"), ("FP64", "FP16"), ("INT64", "INT32"))


class Asked(NamedTuple):
    """The request for an input: the call that makes it, the type that it names, and the array that is sent."""

    call: ast.Call
    kind: ast.expr
    data: ast.expr


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each script that makes the refused request."""
    told = _TOLD.search(site.log)
    if told is None:
        return
    name, got, want = told["input"], told["got"], told["want"]
    if not _keeps(got, want):
        yield Refusal(
            f"requests send {name} as {got} and {told['model']} takes {want}: a plain conversion would change what the "
            "values mean.", f"Prepare {name} as the model was trained, and send {want}.",
        )  # fmt: skip
        return
    for path in site.scripts():
        asked = _asked(site.text(path), name)
        if asked is None or getattr(asked.kind, "value", None) == want:
            continue
        parameters = {"file": path, "input": name, "type": want}
        unsafe = None if site.verify or (got, want) not in _LOSSY else "unsafe"
        yield Proposal(f"{path}: send {name} as {want} instead of {got}", parameters, unsafe)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Converts the array and names its type."""
    path, want = parameters["file"], parameters["type"]
    text = site.text(path)
    asked = _asked(text, parameters["input"])
    if asked is None:
        raise CannotApply(f"{path} does not send {parameters['input']}")
    data = ast.get_source_segment(text, asked.data) or ""
    plain = isinstance(asked.data, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    cast = f'{data if plain else f"({data})"}.astype("{_NUMPY[want]}")'
    changed = text.encode()
    edits = [(_span(text, asked.data), cast), (_span(text, asked.kind), f'"{want}"')]
    for (start, end), new in sorted(edits, reverse=True):
        changed = changed[:start] + new.encode() + changed[end:]
    site.write_text(path, changed.decode())


def _keeps(got: str, want: str) -> bool:
    if got not in _NUMPY or want not in _NUMPY:
        return False
    if got.startswith("FP") or want.startswith("FP"):
        return got.startswith("FP") and want.startswith("FP")
    sizes = int(got.lstrip("UINT")), int(want.lstrip("UINT"))
    if (got, want) in _LOSSY:
        return True
    wider = sizes[0] < sizes[1]
    return wider and (got.startswith("U") or not want.startswith("U"))


def _asked(text: str, name: str) -> Asked | None:
    """The only request of an input in a script whose array can be converted where it is handed over."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if _callee(call) == "InferInput"]
    named = [call for call in made if isinstance(_given(call, 0, "name"), ast.Constant)]
    mine = [call for call in named if getattr(_given(call, 0, "name"), "value", None) == name]
    handed = [call for call in calls if _callee(call) == "set_data_from_numpy"]
    if len(mine) != 1:
        return None
    holder = _holder(tree, mine[0])
    own = [call for call in handed if holder and holder == _receiver(call)] if len(handed) > 1 else handed
    kind, data = _given(mine[0], 2, "datatype"), _given(own[0], 0, "input_tensor") if len(own) == 1 else None
    return Asked(mine[0], kind, data) if kind is not None and data is not None else None


def _holder(tree: ast.Module, call: ast.Call) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and node.value is call and isinstance(node.targets[0], ast.Name):
            return node.targets[0].id
    return ""


def _receiver(call: ast.Call) -> str:
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else ""


def _given(call: ast.Call, place: int, name: str) -> ast.expr | None:
    if len(call.args) > place:
        return call.args[place]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _callee(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _span(text: str, node: ast.expr) -> tuple[int, int]:
    lines = text.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    return start, sum(map(len, lines[: (node.end_lineno or 1) - 1])) + (node.end_col_offset or 0)


_CLIENT = """\
import numpy as np
import tritonclient.http as http

rows = np.ones([1, 6])
tensor = http.InferInput("features", rows.shape, "FP64")
tensor.set_data_from_numpy(rows)
client = http.InferenceServerClient("localhost:8000")
print(client.infer("scorer", [tensor]).as_numpy("score"))
"""
_LOG = "inference input 'features' data-type is 'FP64', but model 'scorer' expects '{}'\n"


def _double(folder: str) -> None:
    samples.repository(folder)
    samples.put(folder, "client.py", _CLIENT)


def _after(site: Site) -> None:
    text = site.text("client.py")
    assert 'http.InferInput("features", rows.shape, "FP32")' in text  # noqa: S101
    assert 'tensor.set_data_from_numpy(rows.astype("float32"))' in text  # noqa: S101


EXAMPLES = (
    Example(_double, _after, command=("python", "client.py"), log=_LOG.format("FP32")),
    Example(_double, None, command=("python", "client.py"), log=_LOG.format("UINT8"), applies=False),
)
