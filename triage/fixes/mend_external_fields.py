"""Correct the offsets and lengths of external data.

What it changes: what an ONNX file says of the tensors in its data file: a length that is not what type and shape make
it; an offset that is missing, lies out of the file or crosses another tensor, where the other tensors leave one hole
of its size or all of them fill the file one after the other; a missing location where all other tensors name one file;
a mark that says outside while the values are inside, or inside while they are outside.

When it is wrong: tensors of equal size may have been written in another order. Where no tensor's own offset bears the
order out, it is only proposed where outputs are compared. A data file that is too short is not mended: see
attach_external_data.

Proof: the bytes stay as they are; the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Site
from triage.onnxgraph import external, files, offsets, proving, walk
from triage.remedy import Proposal

CAUSES = ("external-data-missing", "model-invalid", "model-file-corrupt", "output-mismatch")
SAFETY = "safe"
EVIDENT = True


def propose(site: Site) -> Iterator[Proposal]:
    """For each model whose fields contradict each other or its data file."""
    for path, model in files.each(site):
        folder = os.path.dirname(site.path(path))
        marks = _marks(folder, model)
        if marks:
            told = "; ".join(dict.fromkeys(why for _, why in marks))
            yield Proposal(f"{path}: {told}", {"model": path, "marks": True})
        for location, entries in external.by_location(external.stored(model)).items():
            yield from _layouts(site, path, location, entries)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Writes the fields."""
    path = parameters["model"]
    with files.edit(site, path) as model:
        if parameters.get("marks"):
            for tensor, _ in _marks(os.path.dirname(site.path(path)), model):
                _mend_mark(model, tensor)
            return
        entries = external.by_location(external.stored(model))[parameters["location"]]
        for entry, offset in zip(entries, parameters["offsets"], strict=True):
            external.set_entry(entry.tensor, "offset", str(offset))
            if entry.size:
                external.set_entry(entry.tensor, "length", str(entry.size))


def _layouts(site: Site, path: str, location: str, entries: list[external.Stored]) -> Iterator[Proposal]:
    """Offsets and lengths of the tensors in one data file."""
    data = os.path.join(os.path.dirname(site.path(path)), location)
    if not location or not os.path.isfile(data) or external.is_pointer(data):
        return
    size = os.path.getsize(data)
    bad, lengths = offsets.wrong(entries, size), offsets.wrong_lengths(entries)
    if not bad and lengths:
        now = [entry.offset or 0 for entry in entries]
        first = entries[lengths[0]]
        yield Proposal(
            f"{path}: {first.tensor.name} has {first.size:,} bytes and not {first.length:,}; correct "
            f"{len(lengths)} length{'s' if len(lengths) > 1 else ''}",
            {"model": path, "location": location, "offsets": now},
        )
    if not bad:
        return
    name = entries[bad[0]].tensor.name
    for layout in offsets.layouts(entries, data):
        yield Proposal(
            f"{path}: the offset of {name} cannot be right; lay the tensors {layout.how}",
            {"model": path, "location": location, "offsets": layout.offsets},
            safety=None if layout.sure else proving.safe_if_compared(site),
        )


def _marks(folder: str, model: Any) -> list[tuple[Any, str]]:
    """(tensor, what is wrong) of tensors whose marks and values contradict each other."""
    found = []
    places = {entry.location for entry in external.stored(model) if entry.location}
    for tensor in walk.tensors(model):
        keys = {entry.key: entry.value for entry in tensor.external_data}
        size, name = external.size_of(tensor), tensor.name
        if external.is_external(tensor):
            there = os.path.isfile(os.path.join(folder, keys.get("location", "")))
            if size and len(tensor.raw_data) == size and not there:
                found.append((tensor, f"{name} is marked as external and carries its values itself"))
            elif not keys.get("location") and len(places) == 1 and not tensor.raw_data:
                found.append((tensor, f"{name} does not say in which file it lies, all others do"))
        elif keys.get("location") and size and not _has_values(tensor):
            found.append((tensor, f"{name} lies in {keys['location']} and is not marked as external"))
    return found


def _mend_mark(model: Any, tensor: Any) -> None:
    if external.is_external(tensor) and tensor.raw_data:
        del tensor.external_data[:]
        tensor.data_location = tensor.DEFAULT
        return
    tensor.data_location = tensor.EXTERNAL
    if not any(entry.key == "location" for entry in tensor.external_data):
        places = {entry.location for entry in external.stored(model) if entry.location}
        external.set_entry(tensor, "location", places.pop())


def _has_values(tensor: Any) -> bool:
    fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")
    return bool(tensor.raw_data) or any(len(getattr(tensor, field)) for field in fields)


def _with_data(folder: str) -> Any:
    import onnx

    from triage.onnxgraph.samples import two_layers

    onnx.save(two_layers(), f"{folder}/m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    return onnx.load(f"{folder}/m.onnx", load_external_data=False)


def _one_offset(folder: str) -> None:
    model = _with_data(folder)
    external.set_entry(model.graph.initializer[1], "offset", "64000")
    files.save(model, f"{folder}/m.onnx")


def _lengths(folder: str) -> None:
    model = _with_data(folder)
    for tensor in model.graph.initializer:
        external.set_entry(tensor, "length", "4")
    files.save(model, f"{folder}/m.onnx")


def _unmarked(folder: str) -> None:
    model = _with_data(folder)
    for tensor in model.graph.initializer:
        tensor.data_location = tensor.DEFAULT
    files.save(model, f"{folder}/m.onnx")


def _right(folder: str) -> None:
    _with_data(folder)


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from triage.onnxgraph.samples import two_layers

    onnx.checker.check_model(site.path("m.onnx"))
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(site.path("m.onnx")).graph.initializer}
    for tensor in two_layers().graph.initializer:
        np.testing.assert_array_equal(given[tensor.name], numpy_helper.to_array(tensor))


EXAMPLES = (
    Example(_one_offset, _after, needs=("onnx",)),
    Example(_lengths, _after, needs=("onnx",)),
    Example(_unmarked, _after, needs=("onnx",)),
    Example(_right, None, applies=False, needs=("onnx",)),
)
