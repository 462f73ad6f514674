"""The tensors of an OpenVINO model, from its .xml file."""

from __future__ import annotations

import os
import re

from triage.tritonrepo.interface import Interface, Tensor

_LARGEST = 64 << 20
_LAYER = re.compile(r"<layer\b(?P<head>[^>]{0,4000})>(?P<body>.*?)</layer>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*\"([^\"]*)\"")
_PORT = re.compile(r"<port\b(?P<head>[^>]{0,2000})>(?P<body>.*?)</port>", re.DOTALL)
_DIM = re.compile(r"<dim>\s*(-?\d+)\s*</dim>")
_EDGE = re.compile(r"<edge\b([^>]{0,500})/>")
_TYPES = {"boolean": "BOOL", "string": "STRING", "I64": "INT64", "I32": "INT32", "U8": "UINT8", "I8": "INT8"}


def interface(path: str, source: str) -> Interface | None:
    """Inputs are Parameter layers; an output takes the name of what feeds its Result layer."""
    if os.path.getsize(path) > _LARGEST:
        return None
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    layers = {}
    for match in _LAYER.finditer(text):
        head = dict(_ATTRIBUTE.findall(match["head"]))
        layers[head.get("id", "")] = (head, match["body"])
    given, gives = [], []
    for number, (head, body) in layers.items():
        if head.get("type") == "Parameter":
            given.append(_tensor(head, body, "output"))
        elif head.get("type") == "Result":
            edges = (dict(_ATTRIBUTE.findall(edge)) for edge in _EDGE.findall(text))
            feeding = next((edge.get("from-layer", "") for edge in edges if edge.get("to-layer") == number), "")
            if feeding in layers:
                gives.append(_tensor(*layers[feeding], "output"))
    if not given or not gives:
        return None
    made = Interface(source, tuple(given), tuple(gives), ("input", "output"), batch=True, exact=False)
    return made if made.takes_batches else made._replace(batch=False, most=0)


def _tensor(head: dict[str, str], body: str, part: str) -> Tensor:
    section = re.search(rf"<{part}>(.*?)</{part}>", body, re.DOTALL)
    port = _PORT.search(section[1]) if section else None
    told = dict(_ATTRIBUTE.findall(port["head"])) if port else {}
    name = told.get("names", "").split(",")[0] or head.get("name", "")
    precision = told.get("precision", "")
    dims = tuple(int(each) for each in _DIM.findall(port["body"])) if port else None
    return Tensor(name, f"TYPE_{_TYPES.get(precision, precision)}" if precision else None, dims)
