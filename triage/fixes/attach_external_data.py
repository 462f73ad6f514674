"""Put the external data file back beside the model.

What it changes: where an ONNX file keeps its weights in a data file that is not found under the name it gives (renamed,
in another folder, an absolute path or one of Windows, other capitals, a symbolic link, a path that leaves the model's
folder): a data file that lies in the model's folder or below is named in the model; one that lies elsewhere is copied
next to the model.

When it is wrong: another model's weights may have the same size. So a file of another name must have the very size,
its floats must look like weights, and where several files fit with different contents nothing is taken unless outputs
are compared. Where no file fits, where the data were cut short, or where only a Git LFS pointer lies there, it is
refused: weights are never made up.

Proof: the bytes of the data file are used as they are; the outputs are compared as the recipe says.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triage.fixes import CannotApply, Example, Site
from triage.onnxgraph import external, files, proving
from triage.remedy import Proposal, Refusal

CAUSES = ("external-data-missing", "model-file-missing", "model-file-corrupt")
SAFETY = "safe"
EVIDENT = True

_MOST = 4  # candidates that are proposed


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """For each model whose data are not found: the files that may be them."""
    for path, model in _models(site):
        broken = _broken(site, path, model)
        if not broken:
            continue
        claimed = _claimed(site, path)
        fitting = {
            location: sorted(external.candidates(site, path, location, entries), key=claimed.__contains__)
            for location, (_, entries) in broken.items()
        }
        gone = [location for location in broken if not fitting[location]]
        if gone:
            yield _refusal(path, broken, gone)
        else:
            yield from _proposals(site, path, broken, fitting, claimed)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Names or copies the data files."""
    path, renamed = parameters["model"], {}
    for location, source in parameters["data"].items():
        target = _target(site, path, location, source)
        if target != source or os.path.islink(site.path(source)):
            _bring(site, source, target)
        name = posixpath.relpath(target, posixpath.dirname(path) or ".")
        if name != location:
            renamed[location] = name
    if renamed:
        with files.edit(site, path) as model:
            for entry in external.stored(model):
                external.set_entry(entry.tensor, "location", renamed.get(entry.location, entry.location))


def _models(site: Site) -> Iterator[tuple[str, Any]]:
    """Every ONNX file of the build, for data can be brought to one that must not be changed itself."""
    for path in dict.fromkeys([*site.models(), *(path for path in site.listing if path.endswith(".onnx"))]):
        try:
            yield path, files.load(site.path(path), weights=False)
        except (ValueError, OSError):
            continue


def _claimed(site: Site, path: str) -> set[str]:
    """Data files that another model of the build has for its own: another version's weights may have the same size."""
    found = set()
    for other, model in _models(site):
        for location in external.by_location(external.stored(model)) if other != path else ():
            found.add(posixpath.normpath(posixpath.join(posixpath.dirname(other), location)))
    return found


def _broken(site: Site, path: str, model: Any) -> dict[str, tuple[str, list[external.Stored]]]:
    """Location -> (what is wrong, its tensors). Tensors that carry their values all the same do not count."""
    folder = os.path.dirname(site.path(path))
    wanted = [entry for entry in external.stored(model) if not entry.tensor.raw_data and entry.size and entry.location]
    found = {}
    for location, entries in external.by_location(wanted).items():
        why = external.problem(folder, location, entries)
        if why and not (os.path.islink(os.path.join(folder, location)) and not _minds_links(site)):
            found[location] = (why, entries)
    return found


def _minds_links(site: Site) -> bool:
    """A symbolic link is only in the way where the tool says so."""
    return any(word in site.log for word in ("symbolic link", "escapes", "outside the directory", "hard links"))


def _refusal(path: str, broken: Mapping[str, tuple[str, list[external.Stored]]], gone: Sequence[str]) -> Refusal:
    why, entries = broken[gone[0]]
    wanted = external.needed(entries)
    name = posixpath.basename(gone[0].replace("\\", "/"))
    pointer = "Git LFS" in why
    return Refusal(
        f"{path} keeps {len(entries)} tensors in another file: {why}. No other file of the build fits "
        f"(it needs {wanted:,} bytes), and weights cannot be made up",
        f"git lfs pull --include {name}" if pointer else f"put {name} ({wanted:,} bytes) next to {path}",
    )


def _proposals(
    site: Site, path: str, broken: Mapping[str, tuple[str, list[external.Stored]]], fitting: Mapping[str, list[str]],
    claimed: set[str],
) -> Iterator[Proposal | Refusal]:  # fmt: skip
    folder = os.path.dirname(site.path(path))
    unsure = [
        location
        for location in broken
        if fitting[location][0] in claimed
        or not _certain(site, folder, location, broken[location][1], fitting[location])
    ]
    if unsure and not proving.compared(site):
        names = ", ".join(fitting[unsure[0]][:5])
        yield Refusal(
            f"{path}: {broken[unsure[0]][0]}. Nothing tells whether one of these is the right one: {names}",
            f"name the right one {posixpath.basename(unsure[0])} and put it next to {path}",
        )
        return
    for number in range(min(_MOST, max(len(fitting[location]) for location in unsure) if unsure else 1)):
        chosen = {
            location: found[min(number, len(found) - 1) if location in unsure else 0]
            for location, found in fitting.items()
        }
        first = next(iter(chosen))
        more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
        what = f"{path}: {broken[first][0]}{more}; use {chosen[first]}"
        yield Proposal(what, {"model": path, "data": chosen}, guess=bool(unsure))
    strange = [location for location, found in fitting.items() if not _alike(location, found[0])]
    if strange:  # stands where the comparison rejects what was chosen by its size
        yield Refusal(
            f"{path}: {broken[strange[0]][0]}, and no other file of the build is sure to be the data",
            f"put {posixpath.basename(strange[0])} next to {path}",
        )


def _certain(site: Site, folder: str, location: str, entries: Sequence[external.Stored], found: Sequence[str]) -> bool:
    """The first file is the one: by its hash, or because it alone has the name and ends with the last tensor."""
    if external.promised(os.path.join(folder, location)) or external.signed(site.path(found[0]), entries):
        return True
    name = posixpath.basename(location.replace("\\", "/")).lower()
    whole = [each for each in found if external.whole(site.path(each), entries)]
    named = [each for each in whole if posixpath.basename(each).lower() == name]
    return found[0] in whole and (len(whole) == 1 or named == found[:1])


def _alike(location: str, path: str) -> bool:
    return posixpath.basename(location.replace("\\", "/")).lower() == posixpath.basename(path).lower()


def _target(site: Site, path: str, location: str, source: str) -> str:
    """Where the data shall lie: where they are, below the model's folder, else next to the model."""
    folder = posixpath.dirname(path)
    below = source.startswith(folder + "/") if folder else True
    wanted = posixpath.normpath(posixpath.join(folder, location))
    plain = posixpath.basename(location.replace("\\", "/")) == location
    if below and site.may_change(path) and not os.path.islink(site.path(source)):
        return source
    if plain and (not os.path.lexists(site.path(wanted)) or site.may_change(wanted)):
        return wanted
    return posixpath.join(folder, posixpath.basename(source))


def _bring(site: Site, source: str, target: str) -> None:
    if os.path.lexists(site.path(target)):
        if not site.may_change(target):
            raise CannotApply(f"{target} stands where {source} would have to lie")
        if os.path.realpath(site.path(target)) != os.path.realpath(site.path(source)):
            site.remove(target)
    if os.path.islink(site.path(target)):
        real = os.path.realpath(site.path(target))
        site.remove(target)
        source = os.path.relpath(real, site.root)
    site.copy(source, target)


def _with_data(folder: str, *, location: str = "weights.bin") -> None:
    import onnx

    from triage.onnxgraph.samples import two_layers

    os.makedirs(f"{folder}/net", exist_ok=True)
    onnx.save(two_layers(), f"{folder}/net/model.onnx", save_as_external_data=True, location=location, size_threshold=0)


def _in_other_folder(folder: str) -> None:
    _with_data(folder)
    os.makedirs(f"{folder}/store")
    os.rename(f"{folder}/net/weights.bin", f"{folder}/store/weights.bin")


def _renamed(folder: str) -> None:
    _with_data(folder)
    os.rename(f"{folder}/net/weights.bin", f"{folder}/net/final_v3.dat")


def _two_that_fit(folder: str) -> None:
    _renamed(folder)
    with open(f"{folder}/net/final_v3.dat", "rb") as stream:
        data = stream.read()
    with open(f"{folder}/net/final_v2.dat", "wb") as stream:
        stream.write(data[4:] + data[:4])


def _gone(folder: str) -> None:
    _with_data(folder)
    os.unlink(f"{folder}/net/weights.bin")


def _after(site: Site) -> None:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    from triage.onnxgraph.samples import two_layers

    path = site.path("net/model.onnx")
    onnx.checker.check_model(path)
    given = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    for tensor in two_layers().graph.initializer:
        np.testing.assert_array_equal(given[tensor.name], numpy_helper.to_array(tensor))


EXAMPLES = (
    Example(_in_other_folder, _after, needs=("onnx",)),
    Example(_renamed, _after, needs=("onnx",)),
    Example(_two_that_fit, None, applies=False, needs=("onnx",)),
    Example(_gone, None, applies=False, needs=("onnx",)),
)
