"""The wires of an ensemble: which ends are loose, and where they must go."""

from __future__ import annotations

import itertools
from typing import NamedTuple

from triage.tritonrepo import requests
from triage.tritonrepo.config import Config, Step
from triage.tritonrepo.ends import fits, likeness, outputs, same_batch, sides_of
from triage.tritonrepo.interface import DIRECTIONS, Tensor, agree
from triage.tritonrepo.lexer import quoted
from triage.tritonrepo.parse import Node
from triage.tritonrepo.survey import Model, Survey
from triage.tritonrepo.words import closest, normal

_MOST_CROSSED = 5
_SURE = 0.5  # how alike two names must be to mean the same


class Rewired(NamedTuple):
    """An ensemble whose ends meet: what was changed in words, and what stays open.

    ``guesses`` counts the places where names and types left several ways; ``variant`` chooses among them.
    """

    config: Config
    words: tuple[str, ...]
    open: tuple[str, ...]
    guesses: int = 0


def rewired(found: Survey, model: Model, config: Config, variant: int = 0) -> Rewired:
    """The ensemble with every loose end put where it belongs.

    Args:
        found: the build.
        model: the ensemble.
        config: its config.
        variant: which of several ways is taken where names and types do not tell: 0 is the likeliest.
    """
    work = _Work(found, model, config, variant)
    for each in (work.models, work.swapped, work.keys, work.values, work.unmapped, work.crossed, work.types):
        each()
    return Rewired(work.config, tuple(work.words), tuple(work.open), work.guesses)


class _Work:
    def __init__(self, found: Survey, model: Model, config: Config, variant: int) -> None:
        self.variant = variant
        self.guesses = 0
        self.found = found
        self.model = model
        self.config = config
        self.words: list[str] = []
        self.open: list[str] = []

    def done(self, config: Config, words: str) -> None:
        self.config = config
        self.words.append(words)

    def steps(self) -> list[tuple[Step, dict[str, Tensor], dict[str, Tensor]]]:
        """Steps whose models are known, with their inputs and outputs."""
        rows = []
        for step in self.config.steps():
            member = self.found.model(step.model)
            sides = sides_of(member) if member is not None else None
            if sides is not None:
                rows.append((step, *sides))
        return rows

    def models(self) -> None:
        """Names of models that are not there, and versions that are not there."""
        others = [each.name for each in self.found.models if each.name != self.model.name]
        used = {step.model for step in self.config.steps()}
        for place, given in enumerate(self.config.steps()):
            if given.model not in others:
                self._other_model(given, [name for name in others if name not in used] or others)
            step = self.config.steps()[place]
            member = self.found.model(step.model)
            versions = {int(each.name) for each in member.folder.versions} if member else set()
            wanted = step.version or 0
            if member is not None and versions and wanted != -1 and wanted not in versions:
                words = f"version -1 of {step.model}" + (
                    f" instead of {step.version}" if step.version is not None else ""
                )
                self.done(self.config.put(step.node, "model_version", "-1"), words)

    def _other_model(self, step: Step, names: list[str]) -> None:
        node = step.node.first("model_name")
        near = closest(step.model, names, 0.5)
        fitting = [name for name in names if self._takes(name, step)]
        chosen = near[:1] or (fitting if len(fitting) == 1 else [])
        if node is None or not chosen:
            self.open.append(f"the step's model {step.model or '(none)'} is not in the repository.")
        else:
            self.done(self.config.put_text(node, quoted(chosen[0])), f"model {chosen[0]} instead of {step.model}")

    def _takes(self, name: str, step: Step) -> bool:
        member = self.found.model(name)
        sides = sides_of(member) if member is not None else None
        return sides is not None and set(step.input_map) <= set(sides[0]) and set(step.output_map) <= set(sides[1])

    def swapped(self) -> None:
        """Keys and values the wrong way round."""
        for place in range(len(self.config.steps())):
            for direction in DIRECTIONS:
                row = self._row(place)
                if row is None:
                    continue
                step, own = row[0], row[1] if direction == "input" else row[2]
                wires = step.map_of(direction)
                if not wires or set(wires) & set(own) or not set(wires.values()) <= set(own):
                    continue
                for name in list(wires):
                    self._swap(place, direction, name)
                self.words.append(f"keys and values of {direction}_map of {step.model} swapped")

    def _swap(self, place: int, direction: str, key: str) -> None:
        node = self._wire(place, direction, key)
        held = (node.first("key"), node.first("value")) if node else (None, None)
        if held[0] is not None and held[1] is not None:
            key_text, value_text = (quoted(str(each.value)) for each in held if each is not None)
            for part, text in sorted(((held[0], value_text), (held[1], key_text)), key=lambda row: -row[0].start):
                self.config = self.config.put_text(part, text)

    def keys(self) -> None:
        """Keys that the step's model does not have."""
        for place in range(len(self.config.steps())):
            for direction in DIRECTIONS:
                row = self._row(place)
                if row is not None:
                    self._keys(place, row[0], direction, row[1] if direction == "input" else row[2])

    def _keys(self, place: int, step: Step, direction: str, own: dict[str, Tensor]) -> None:
        wires = step.map_of(direction)
        extra = [key for key in wires if key not in own]
        free = [name for name in own if name not in wires]
        for key, name in self._paired(step, direction, extra, free, own):
            node = self._wire(place, direction, key)
            part = node.first("key") if node else None
            if part is not None:
                self.done(self.config.put_text(part, quoted(name)), f"key {name} instead of {key} for {step.model}")
                extra.remove(key)
        for key in extra:
            self.open.append(f"{step.model} has no {direction} {key}, and it is not clear which one is meant.")

    def _paired(
        self, step: Step, direction: str, extra: list[str], free: list[str], own: dict[str, Tensor]
    ) -> list[tuple[str, str]]:
        """Which key means which tensor; several ways are counted as guesses."""
        wires = step.map_of(direction)
        pairs, keys, names = [], list(extra), list(free)
        while keys and names:
            scored = [(self._alike(step, key, wires[key], own[name]), key, name) for key in keys for name in names]
            score, key, name = max(scored)
            if score < _SURE + 0.1:
                break
            pairs.append((key, name))
            keys.remove(key)
            names.remove(name)
        if not keys or not names:
            return pairs
        if len(keys) == 1 and len(names) == 1:
            return [*pairs, (keys[0], names[0])]
        ways = [
            way for way in itertools.permutations(names, len(keys))
            if all(fits(self._carried(wires[key], step), own[name]) for key, name in zip(keys, way, strict=True))
        ] if len(keys) <= len(names) <= _MOST_CROSSED else []  # fmt: skip
        if not ways:
            return pairs
        self.guesses += len(ways) > 1
        return [*pairs, *zip(keys, ways[self.variant % len(ways)], strict=True)]

    def _alike(self, step: Step, key: str, value: str, tensor: Tensor) -> float:
        names = max(likeness(key, tensor.name), 0.9 * likeness(value, tensor.name))
        carried = self._carried(value, step)
        if carried is not None and carried.data_type and tensor.data_type:
            names += 0.2 if carried.data_type == tensor.data_type else -0.4
        return names

    def _carried(self, value: str, but: Step | None = None) -> Tensor | None:
        """What a name inside the ensemble carries, as its input or the step that writes it has it."""
        for direction in DIRECTIONS:
            own = self.config.entry(direction, value)
            if own is not None:
                return Tensor(value, own.data_type, own.dims)
        for step, _, gives in self.steps():
            if but is not None and step.node.start == but.node.start:
                continue
            for key, held in step.output_map.items():
                if held == value and key in gives:
                    return gives[key]
        return None

    def values(self) -> None:
        """Names inside the ensemble that nobody writes, and its inputs and outputs that nobody uses."""
        for _ in range(16):
            loose = self._loose()
            if loose is None or not self._tie(*loose):
                break

    def _written(self) -> list[str]:
        names = [entry.name for entry in self.config.tensors("input")]
        return names + [value for step in self.config.steps() for value in step.output_map.values()]

    def _read(self) -> list[str]:
        names = [entry.name for entry in self.config.tensors("output")]
        return names + [value for step in self.config.steps() for value in step.input_map.values()]

    def _loose(self) -> tuple[int, str, str] | None:
        """A wire that reads what nobody writes: place of the step (-1: the ensemble's outputs), key and name."""
        written = set(self._written())
        for place, step in enumerate(self.config.steps()):
            for key, value in step.input_map.items():
                if value not in written:
                    return place, key, value
        for entry in self.config.tensors("output"):
            if entry.name not in written:
                return -1, entry.name, entry.name
        return None

    def _tie(self, place: int, key: str, value: str) -> bool:
        read = set(self._read())
        unread = [name for name in dict.fromkeys(self._written()) if name not in read]
        wanted = self._wanted(place, key)
        fitting = [name for name in unread if self._can_carry(name, wanted)]
        own = (
            {name for step in self.config.steps()[place : place + 1] for name in step.output_map.values()}
            if place >= 0
            else set()
        )
        fitting = [name for name in fitting if name not in own]
        ranked = sorted(fitting, key=lambda name: -likeness(name, value))
        if len(ranked) > 1 and likeness(ranked[0], value) < _SURE:
            self.guesses += 1
            ranked = ranked[self.variant % len(ranked) :] + ranked[: self.variant % len(ranked)]
        chosen = ranked[0] if ranked else None
        if chosen is None and place >= 0:
            any_ = [
                name for name in dict.fromkeys(self._written()) if name not in own and self._can_carry(name, wanted)
            ]
            near = closest(value, any_, 0.75)
            chosen = near[0] if near else any_[0] if len(any_) == 1 else None
        elif len(fitting) > 1 and not closest(value, fitting, 0.5) and place < 0:
            chosen = None
        if chosen is None and self._take_out(place, value, wanted):
            return True
        if chosen is None:
            self.open.append(f"nothing in the ensemble writes {value}, and it is not clear what is meant.")
            return False
        return self._written_as(chosen, value) if place < 0 else self._read_as(place, key, value, chosen)

    def _take_out(self, place: int, name: str, wanted: Tensor | None) -> bool:
        """An output of another step that no wire takes out yet becomes the name that is read."""
        free = []
        for number, step in enumerate(self.config.steps()):
            row = self._row(number) if number != place else None
            for key, tensor in (row[2] if row else {}).items():
                if key not in step.output_map and fits(tensor, wanted):
                    free.append((likeness(key, name), -number, number, key))
        near = [each for each in free if each[0] >= 0.6]
        if not near and len(free) != 1:
            return False
        _, _, number, key = max(near or free)
        line = f"output_map {{ key: {quoted(key)} value: {quoted(name)} }}"
        self.done(self.config.add(self.config.steps()[number].node, line), f"{key} is written as {name}")
        return True

    def _read_as(self, place: int, key: str, value: str, chosen: str) -> bool:
        """A step reads another name; where clients send what it reads, the ensemble's input takes that name."""
        entry = self.config.entry("input", chosen)
        if entry is not None and self._sent(value) and not self._sent(chosen):
            node = entry.node.first("name")
            if node is not None:
                self.done(
                    self.config.put_text(node, quoted(value)), f"input {value} instead of {chosen}, as clients send it"
                )
                return True
        wire = self._wire(place, "input", key)
        node = wire.first("value") if wire else None
        if node is None:
            return False
        self.done(self.config.put_text(node, quoted(chosen)), f"{key} reads {chosen} instead of {value}")
        return True

    def _sent(self, name: str) -> bool:
        return name in requests.fed(self.found.site, self.model.name, {name}, outputs(self.config))

    def _written_as(self, chosen: str, name: str) -> bool:
        """A step writes the ensemble's output under its own name."""
        for place, step in enumerate(self.config.steps()):
            for key, value in step.output_map.items():
                wire = self._wire(place, "output", key) if value == chosen else None
                node = wire.first("value") if wire else None
                if node is not None:
                    self.done(
                        self.config.put_text(node, quoted(name)), f"{key} is written as {name} instead of {chosen}"
                    )
                    return True
        self.open.append(f"no step writes the ensemble's output {name}.")
        return False

    def _wanted(self, place: int, key: str) -> Tensor | None:
        if place < 0:
            entry = self.config.entry("output", key)
            return Tensor(key, entry.data_type, entry.dims) if entry else None
        row = self._row(place)
        return row[1].get(key) if row else None

    def _can_carry(self, name: str, wanted: Tensor | None) -> bool:
        return fits(self._carried(name), wanted)

    def crossed(self) -> None:
        """Two inputs of a step that read each other's tensors: their types tell."""
        for place in range(len(self.config.steps())):
            row = self._row(place)
            if row is None:
                continue
            step, own, _ = row
            wrong = [
                key for key, value in step.input_map.items() if key in own and not self._can_carry(value, own[key])
            ]
            values = [step.input_map[key] for key in wrong]
            ways = [
                way for way in itertools.permutations(values)
                if all(self._can_carry(value, own[key]) for key, value in zip(wrong, way, strict=True))
            ] if 1 < len(wrong) <= _MOST_CROSSED else []  # fmt: skip
            if len(ways) == 1:
                for key, value in zip(wrong, ways[0], strict=True):
                    wire = self._wire(place, "input", key)
                    node = wire.first("value") if wire else None
                    if node is not None:
                        self.config = self.config.put_text(node, quoted(value))
                self.words.append(f"{' and '.join(wrong)} of {step.model} read {' and '.join(ways[0])}")

    def unmapped(self) -> None:
        """Inputs of a step's model that no wire leads to."""
        for place in range(len(self.config.steps())):
            row = self._row(place)
            if row is None:
                continue
            step, own, _ = row
            for name, tensor in own.items():
                if name in step.input_map or tensor.optional:
                    continue
                free = self._free(step, tensor)
                if len(free) != 1:
                    self.open.append(f"the input {name} of {step.model} is not mapped, and it is not clear to what.")
                    continue
                line = f"input_map {{ key: {quoted(name)} value: {quoted(free[0])} }}"
                self.done(
                    self.config.add(self.config.steps()[place].node, line), f"{name} of {step.model} reads {free[0]}"
                )

    def _free(self, step: Step, tensor: Tensor) -> list[str]:
        """What an input can read: names that fit and nobody reads; else one that is called like it."""
        own = set(step.output_map.values())
        fitting = [name for name in dict.fromkeys(self._written()) if name not in own and self._can_carry(name, tensor)]
        unread = [name for name in fitting if name not in set(self._read())]
        alike = [name for name in unread if normal(name) == normal(tensor.name)]
        return alike or (unread or [name for name in fitting if normal(name) == normal(tensor.name)])

    def types(self) -> None:
        """Data types and dims of the ensemble's own inputs and outputs, as the models at their ends have them."""
        for direction in DIRECTIONS:
            for entry in self.config.tensors(direction):
                tensor = self._end(direction, entry.name)
                now = self.config.entry(direction, entry.name)
                if tensor is None or now is None:
                    continue
                if tensor.data_type and now.data_type != tensor.data_type:
                    words = f"{entry.name} {tensor.data_type} instead of {now.data_type}"
                    self.done(self.config.put(now.node, "data_type", tensor.data_type), words)
                now = self.config.entry(direction, entry.name)
                if (
                    now is not None
                    and tensor.dims is not None
                    and now.dims is not None
                    and not agree(tensor.dims, now.dims)
                ):
                    words = f"{entry.name} {list(tensor.dims)} instead of {list(now.dims)}"
                    self.done(self.config.put_list(now.node, "dims", tensor.dims), words)

    def _end(self, direction: str, name: str) -> Tensor | None:
        for step, takes, gives in self.steps():
            wires, own = (step.input_map, takes) if direction == "input" else (step.output_map, gives)
            for key, value in wires.items():
                if value == name and key in own and same_batch(self.config, self.found.model(step.model)):
                    return own[key]
        return None

    def _row(self, place: int) -> tuple[Step, dict[str, Tensor], dict[str, Tensor]] | None:
        step = self.config.steps()[place]
        return next((row for row in self.steps() if row[0].node.start == step.node.start), None)

    def _wire(self, place: int, direction: str, key: str) -> Node | None:
        step = self.config.steps()[place]
        return next((node for node in step.node.each(f"{direction}_map") if node.plain("key") == key), None)
