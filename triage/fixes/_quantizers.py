"""Scripts that quantize with calibration data: their model's inputs, and the feeds that they hand out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from triage.fixes import Site, _paths

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.flow import Flow
    from triage.pysource.interface import Interface
    from triage.pysource.source import Source

_MARKS = re.compile(
    r"onnxruntime\.quantization|CalibrationDataReader|quantize_static|modelopt|neural_compressor|"
    r"IInt8\w*Calibrator|polygraphy\.backend\.trt.{0,80}Calibrator|data_reader|calibration_data"
)
_QUANTIZE = (".quantize_static", ".quantize_dynamic", ".quantize", ".create_calibrator")
_SIZES = re.compile(
    r"Got invalid dimensions for input: (\S+) for the following indices((?:\s+index: \d+ Got: \d+ Expected: \d+)+)"
)
_SIZE = re.compile(r"index: (\d+) Got: (\d+) Expected: \d+")


class Key(NamedTuple):
    """A place where a name becomes the key of a feed: the node to replace, the expression of its value, and the name.

    ``keyword`` is set in ``dict(images=row)``, where the node is the keyword.
    """

    source: Source
    node: cst.CSTNode
    value: cst.BaseExpression | None
    name: str
    keyword: bool = False


def sources(flow: Flow) -> list[Source]:
    """The build's files that have to do with calibration."""
    return [source for source in flow.project.sources() if _MARKS.search(source.data.decode(errors="replace"))]


def model_paths(site: Site, flow: Flow) -> Iterator[tuple[_paths.Named, str]]:
    """(where it stands, path) of the models that the scripts hand to a quantizer and that are in the build's folder."""
    from triage.pysource import calls

    for call in calls.calls(flow, lambda name: name.endswith(_QUANTIZE)):
        for keyword in ("model_input", "model", "onnx_path", "input_model"):
            value = call.value(keyword, 0)
            for named in _paths.resolve(flow, call.source, value) if value is not None else ():
                path = _paths.inside(named.text, site.workspace.origin)
                if path and os.path.isfile(site.path(path)):
                    yield named, path
            if value is not None:
                break


def model(site: Site, flow: Flow) -> Interface | None:
    """The interface of the model that is quantized: the one that the script names, else the build's only one."""
    from triage.pysource import interface

    named = [path for _, path in model_paths(site, flow)]
    listed = [path for path in site.listing if path.endswith(".onnx") and path not in site.outputs]
    for path in (*named, *(listed if len(listed) == 1 else ())):
        for root in (site.built, site.root):
            full = os.path.join(root or "", path)
            told = interface.read(full) if root and os.path.isfile(full) else None
            if told is not None:
                return told
    return None


def keys(flow: Flow, within: list[Source]) -> Iterator[Key]:
    """Every place of these files where a name becomes the key of a dictionary."""
    import libcst as cst

    for source in within:
        for node in source.find(cst.DictElement):
            yield from (Key(source, node.key, node.value, name) for name in _texts(flow, source, node.key))
        for made in source.find(cst.DictComp):
            yield from (Key(source, made.key, made.value, name) for name in _texts(flow, source, made.key))
        for call in source.find(cst.Call):
            if isinstance(call.func, cst.Name) and call.func.value == "dict":
                for arg in call.args:
                    if arg.keyword is not None:
                        yield Key(source, arg.keyword, arg.value, arg.keyword.value, keyword=True)
        for statement in source.find(cst.Assign):
            target = statement.targets[0].target
            if isinstance(target, cst.Subscript) and len(target.slice) == 1:
                index = target.slice[0].slice
                if isinstance(index, cst.Index):
                    yield from (
                        Key(source, index.value, statement.value, name) for name in _texts(flow, source, index.value)
                    )


def _texts(flow: Flow, source: Source, node: cst.BaseExpression) -> Iterator[str]:
    from triage.pysource import places

    for place in places.places(flow, source, node):
        if isinstance(place.value, str):
            yield place.value


def returned_feeds(within: list[Source]) -> Iterator[tuple[Source, cst.Return]]:
    """What ``get_next`` returns, other than a plain None."""
    import libcst as cst

    for source in within:
        for statement in source.find(cst.Return):
            function = source.above(statement, cst.FunctionDef)
            if (
                function is None
                or function.name.value not in ("get_next", "__next__", "get_batch")
                or not statement.value
            ):
                continue
            if source.code(statement.value) != "None":
                yield source, statement


def is_calibrating(site: Site) -> bool:
    """Whether the failing run was collecting calibration data."""
    return bool(re.search(r"quantization[/\\]\w+\.py|collect_data|quantize_static|get_next|[Cc]alibrat", site.log))


def fed_sizes(log: str) -> dict[str, dict[int, int]]:
    """Input -> {place: size that was fed} of the sizes that did not fit."""
    found: dict[str, dict[int, int]] = {}
    for match in _SIZES.finditer(log):
        found.setdefault(match[1], {}).update({int(one[1]): int(one[2]) for one in _SIZE.finditer(match[2])})
    return found
