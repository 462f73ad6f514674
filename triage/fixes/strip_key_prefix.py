"""Rename the checkpoint's keys to the model's names.

What it changes: the line of the script that loads the checkpoint, or, where the script may not be changed, the
names in the checkpoint file. What wrappers put before or into the names (DataParallel, torch.compile, FSDP,
Lightning, averaged models) is taken away or put before them; where the weights lie deeper in the file, such as
under `state_dict`, they are taken from there. No value of a tensor changes.

When it is wrong: where only some names can be brought to fit, or sizes differ, the checkpoint is of another model;
then nothing is proposed. Two sets of weights in one file (plain and averaged) are a choice: only a check of the
outputs can make it. Layers that merely have another name may be other layers: that needs --unsafe.

Proof: after renaming, the names of the file are exactly those that the model wants, and the strict load, which
compares every size too, succeeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from triage.fixes import Example, Site, _checkpoints, _programs
from triage.modelfolder import keys, tensors
from triage.modelfolder.keys import Mismatch, Renaming
from triage.modelfolder.tensors import Tensor
from triage.remedy import Proposal, Refusal
from triage.site import check_inside

CAUSES = ("checkpoint-mismatch", "output-mismatch", "export-trace-mismatch", "nan-or-inf-output")
SAFETY = "safe"
EVIDENT = False
_PLACES = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params", "module", "model_state")


class Way(NamedTuple):
    """One renaming: the keys under which the table lies, the file (empty: not found), and how sure it is."""

    renaming: Renaming
    place: tuple[str, ...] = ()
    file: str = ""
    safety: str = "safe"
    table: Mapping[str, Tensor] = {}


def propose(site: Site) -> Iterator[Proposal | Refusal]:
    """The line that loads first, then the file itself, for every renaming that fits exactly."""
    yield from _in_folder(site)
    said = keys.told(site.log)
    if not (said.missing or said.unexpected or said.sizes) or _is_adapter(said):
        return
    ways = list(_ways(site, said)) if not said.sizes else []
    rank = 0
    for way in ways:
        for proposal in (_in_script(site, way, rank), _in_file(site, way, rank + 1)):
            if proposal is not None:
                yield proposal
        rank += 2
    if not ways:
        yield _refusal(said)


def _in_folder(site: Site) -> Iterator[Proposal]:
    """A model folder of transformers: it loads whatever happens, and only reports names that it did not know."""
    folder, said = keys.reported(site.log)
    folder = folder.removeprefix(site.workspace.origin + "/").removeprefix("./").rstrip("/")
    found = keys.unwrapped(said.unexpected, said.missing) if not said.sizes else None
    if not folder or found is None or _is_adapter(said) or not check_inside(site, folder):
        return
    files = _weights_of(site, folder)
    if files and all(site.may_change(path) for path in files) and _is_everywhere(site, files, found):
        yield Proposal(f"{found.words()} in {folder}", {"folder": folder, "place": (), "renaming": found._asdict()})


def _weights_of(site: Site, folder: str) -> list[str]:
    inside = [path for path in site.listing if path.rpartition("/")[0] == folder]
    return [path for path in inside if path.endswith((".safetensors", ".bin")) and "adapter_" not in path]


def _is_everywhere(site: Site, files: list[str], found: Renaming) -> bool:
    """True where the names of all files begin with what shall be taken away (or no name has what shall be added)."""
    tables = [table for path, place, table in _checkpoints.tables(site) if path in files and not place]
    changed = [found(key) != key for table in tables for key in table]
    return len(tables) == len(files) and bool(changed) and all(changed)


def _is_adapter(said: Mismatch) -> bool:
    return any("lora_" in key or key.startswith("base_model.model.") for key in (*said.missing, *said.unexpected))


def _ways(site: Site, said: Mismatch) -> Iterator[Way]:
    tables = list(_checkpoints.tables(site))
    flat = [(path, table) for path, place, table in tables if not place and table.keys() >= set(said.unexpected)]
    path, table = flat[0] if len(flat) == 1 else ("", {})
    fitting = table.keys() - set(said.unexpected)
    direct = keys.renaming(said.unexpected, said.missing, fitting)
    if direct is not None:
        yield Way(direct, (), path, _safety(direct, said, table), table)
        return
    groups = keys.by_group(said.unexpected, said.missing)
    for found, left in groups:
        sure = len(groups) == 1 and keys.only_training(left)
        yield Way(found, (), path, "safe" if sure or (_is_proven(site) and len(groups) > 1) else "unsafe", table)
    nested = list(_nested(said, tables))
    yield from (way._replace(safety="safe" if len(nested) == 1 or _is_proven(site) else "unsafe") for way in nested)
    if not groups and not nested:
        yield from _guessed(said, path, table)


def _nested(said: Mismatch, tables: list[tuple[str, tuple[str, ...], dict[str, Tensor]]]) -> Iterator[Way]:
    """Tables deeper in a file whose top has just the names that the model did not expect."""
    wanted = set(said.missing)
    for path, place, table in tables:
        if not place or place[0] not in said.unexpected or not wanted:
            continue
        found = Renaming() if table.keys() == wanted else keys.renaming(tuple(table), said.missing)
        if found is not None:
            yield Way(found, place, path, table=table)
            continue
        for group, left in keys.by_group(tuple(table), said.missing):
            if keys.only_training(left):
                yield Way(group, place, path, table=table)


def _guessed(said: Mismatch, path: str, table: Mapping[str, Tensor]) -> Iterator[Way]:
    """A well-known place in a file that cannot be looked into; layers with another name but the same order."""
    places = [place for place in _PLACES if place in said.unexpected]
    if not path and len(places) == 1 and said.missing and not any("." in key for key in said.unexpected):
        yield Way(Renaming(), (places[0],))
    pairs = keys.pairs(said.unexpected, said.missing)
    if pairs and table:
        shapes = [(key.rpartition(".")[2], table[key].shape) for key in pairs if key in table]
        if len(shapes) == len(set(shapes)) == len(pairs):
            yield Way(Renaming(pairs=tuple(pairs.items())), (), path, "unsafe", table)


def _safety(found: Renaming, said: Mismatch, table: Mapping[str, Tensor]) -> str:
    """A renaming of all keys, or of what wrappers put in, keeps every tensor's meaning; of single layers it may not."""
    everything = bool(table) and len(table) == len(said.unexpected)
    old, new = found.strip.split("."), found.add.split(".")
    while len(old) > 1 and len(new) > 1 and old[0] == new[0]:
        old, new = old[1:], new[1:]
    parts = [part for part in (*old, *new) if part]
    one_way = not (found.strip and found.add)
    if everything or all(part in keys.WRAPPERS for part in parts) or (not table and one_way):
        return "safe"
    return "unsafe"


def _is_proven(site: Site) -> bool:
    return bool(site.verify.get("command") or site.verify.get("reference"))


def _words(way: Way, where: str) -> str:
    words = way.renaming.words()
    taken = f"take the weights from {'/'.join(map(repr, way.place))}" if way.place else ""
    return ", ".join(filter(None, (taken, words))) + where


def _in_script(site: Site, way: Way, rank: int) -> Proposal | None:
    import libcst as cst

    from triage.pysource.changes import Changes
    from triage.pysource.project import Project

    project = Project(site)
    found = _checkpoints.call_in_traceback(project, "load_state_dict")
    if found is None or not project.may_change(found[0]):
        return None
    source, call = found
    value = _state(call)
    written = _wrapped("\0", way).split("\0")
    if value is None or all(piece in source.code(value) for piece in written if piece):
        return None
    text = source.code(value)
    plain = isinstance(value, cst.Name | cst.Call | cst.Attribute | cst.Subscript)
    source.replace(value, _wrapped(text if plain else f"({text})", way))
    parameters = Changes(project).packed()
    if parameters is None:
        return None
    return Proposal(_words(way, f" of the checkpoint where {source.path} loads it"), parameters, way.safety, rank)


def _in_file(site: Site, way: Way, rank: int) -> Proposal | None:
    if not way.file or (way.place and not way.renaming.words()) or not site.may_change(way.file):
        return None
    names = {key: None if way.renaming.drops(key) else way.renaming(key) for key in way.table}
    if names.keys() == set(names.values()):
        return None
    parameters = {"file": way.file, "place": way.place, "renaming": way.renaming._asdict()}
    return Proposal(_words(way, f" in {way.file}"), parameters, way.safety, rank)


def _state(call: Any) -> Any:
    from triage.pysource.arguments import given

    found = given(call, "state_dict", 0)
    return None if found is None else found.value


def _wrapped(state: str, way: Way) -> str:
    state += "".join(f"[{keys.quoted(key)}]" for key in way.place)
    return way.renaming.table(state) if way.renaming.words() else state


def _refusal(said: Mismatch) -> Refusal:
    todo = "Load the checkpoint with the class and configuration that wrote it, or fetch the checkpoint of this model."
    if said.sizes:
        name, there, here = said.sizes[0]
        more = f" ({len(said.sizes)} tensors differ in size)" if len(said.sizes) > 1 else ""
        sizes = f": {there} in the file, {here} in the model" if there else ""
        return Refusal(f"the checkpoint is of another model: {name} has another size{sizes}{more}", todo)
    if not said.unexpected:
        some = said.missing[0]
        return Refusal(f"the checkpoint lacks {len(said.missing)} tensors of the model, such as {some}", todo)
    if not said.missing:
        some = said.unexpected[0]
        return Refusal(
            f"the checkpoint holds {len(said.unexpected)} tensors that the model lacks, such as {some}", todo
        )
    start, lacking = keys.short_of(said.unexpected, said.missing)
    if start and lacking:
        some = f"{len(lacking)} tensors of the model, such as {lacking[0]}"
        return Refusal(f"even without {start!r} before its names the checkpoint lacks {some}", todo)
    names = f"the model wants {said.missing[0]}, the file has {said.unexpected[0]}"
    return Refusal(f"no renaming makes the checkpoint's names fit: {names}", todo)


def apply(site: Site, parameters: Mapping[str, Any]) -> None:
    """Wraps the loaded table in the script, or writes the file with other names."""
    if "files" in parameters:
        from triage.pysource import changes

        changes.apply(site, parameters)
        return
    renaming, place = _renaming(parameters["renaming"]), tuple(parameters["place"])
    if "folder" in parameters:
        for path in _weights_of(site, parameters["folder"]):
            _rename_in(site, path, (), renaming)
        for path in site.listing:
            if path.rpartition("/")[0] == parameters["folder"] and path.endswith(".index.json"):
                _rename_in_index(site, path, renaming)
        return
    _rename_in(site, parameters["file"], place, renaming)


def _rename_in(site: Site, path: str, place: tuple[str, ...], renaming: Renaming) -> None:
    table = next((table for file, at, table in _checkpoints.tables(site) if file == path and at == place), {})
    names = {key: None if renaming.drops(key) else renaming(key) for key in table}
    if path.endswith(".safetensors"):
        spare = site.writable(path + ".triage-new")
        tensors.rename(site.path(path), spare, names)
        os.replace(spare, site.writable(path))
    else:
        _programs.run_program(site, "rename_keys", [site.writable(path), json.dumps(place), json.dumps(names)])


def _rename_in_index(site: Site, path: str, renaming: Renaming) -> None:
    index = json.loads(site.text(path))
    index["weight_map"] = {renaming(key): shard for key, shard in index.get("weight_map", {}).items()}
    site.write_text(path, json.dumps(index, indent=2, sort_keys=True) + "\n")


def _renaming(plain: Mapping[str, Any]) -> Renaming:
    """Lists, as JSON has them, become tuples again."""
    return Renaming(**{key: _frozen(value) for key, value in plain.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, list | tuple) else value


def _before(folder: str) -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    torch.save({"module." + key: value for key, value in model.state_dict().items()}, f"{folder}/weights.pt")
    torch.save(model.state_dict(), f"{folder}/plain.bak")
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write(
            "import torch\n\n"
            "model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))\n"
            'model.load_state_dict(torch.load("weights.pt"))\n'
            'want = torch.load("plain.bak")\n'
            "assert all(torch.equal(value, want[key]) for key, value in model.state_dict().items())\n"
        )


def _after(site: Site) -> None:
    from triage.pysource import samples

    samples.run(site)


def _no_log(folder: str) -> None:
    with open(f"{folder}/build.py", "w", encoding="utf-8") as stream:
        stream.write('import torch\n\nmodel.load_state_dict(torch.load("weights.pt"))\n')


_LOG = """Traceback (most recent call last):
  File "build.py", line 4, in <module>
    model.load_state_dict(torch.load("weights.pt"))
RuntimeError: Error(s) in loading state_dict for Sequential:
	Missing key(s) in state_dict: "0.weight", "0.bias", "2.weight", "2.bias".
	Unexpected key(s) in state_dict: "module.0.weight", "module.0.bias", "module.2.weight", "module.2.bias".
"""
_OTHER = """RuntimeError: Error(s) in loading state_dict for Net:
	Missing key(s) in state_dict: "conv.weight", "fc.weight".
	Unexpected key(s) in state_dict: "module.conv.weight", "module.head.weight".
"""
EXAMPLES = (
    Example(_before, _after, log=_LOG, needs=("torch",)),
    Example(_no_log, None, log=_OTHER, applies=False),
)
