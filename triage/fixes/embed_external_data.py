"""Write the external data into the model file.

What it changes: an ONNX file whose weights lie in a data file beside it gets them inside, as one file, where the tool
cannot reach the data file: the model is handed over as bytes, in a browser, or to a program that reads one file only.

When it is wrong: a file cannot be larger than 2 GiB; then hand the tool a path in place of bytes. Where the data file
is not there or too short, see attach_external_data.

Proof: the same values are in the file, bit for bit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from triage.fixes import Example, Found, Site
from triage.onnxgraph import external, files
from triage.remedy import Proposal, Refusal

CAUSES = ("external-data-missing",)
SAFETY = "safe"
EVIDENT = False

_LARGEST = (2 << 30) - (16 << 20)
_SAID = re.compile(
    r"loaded from bytes|model_path must not be empty|Cannot parse data from external tensors|MountedFiles"
    r"|(?i:external data (?:is |are )?not supported|does not support external data)"
)


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model whose data are whole, where the tool says that it cannot look for them."""
    if not _SAID.search(site.log):
        return
    for path, model in files.each(site):
        entries = external.stored(model)
        groups = external.by_location(entries)
        folder = os.path.dirname(site.path(path))
        if not entries or any(external.problem(folder, location, found) for location, found in groups.items()):
            continue
        size = sum(entry.size for entry in entries)
        if size > _LARGEST:
            yield Refusal(
                f"{path} has {size / 1e9:.1f} GB of weights, which one file cannot hold, and the tool is given no path",
                "give the tool the path of the model in place of its bytes",
            )
        else:
            yield Proposal(f"write the external data of {path} into the file ({size:,} bytes)", {"model": path})


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Reads the data and writes the model with them inside."""
    with files.edit(site, parameters["model"], weights=True):
        pass


def _beside(folder: str) -> None:
    import onnx

    from triage.onnxgraph.samples import two_layers

    onnx.save(two_layers(), f"{folder}/m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)


def _inside(folder: str) -> None:
    from triage.onnxgraph.samples import two_layers

    files.save(two_layers(), f"{folder}/m.onnx")


def _after(site: Site) -> None:
    import onnx

    from triage.onnxgraph.samples import two_layers

    model = onnx.load_from_string(open(site.path("m.onnx"), "rb").read())
    onnx.checker.check_model(model)
    assert not external.stored(model)  # noqa: S101
    wanted = {tensor.name: onnx.numpy_helper.to_array(tensor).tobytes() for tensor in two_layers().graph.initializer}
    assert wanted == {tensor.name: onnx.numpy_helper.to_array(tensor).tobytes() for tensor in model.graph.initializer}  # noqa: S101


_LOG = "External data path for model loaded from bytes escapes working directory."

EXAMPLES = (
    Example(_beside, _after, found=Found(("external-data-missing",)), log=_LOG, needs=("onnx",)),
    Example(_inside, None, found=Found(("external-data-missing",)), log=_LOG, applies=False, needs=("onnx",)),
)
