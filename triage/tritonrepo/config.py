"""A config.pbtxt that can be read: what it says, and changes that keep its comments and layout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from triage.tritonrepo import schema
from triage.tritonrepo.extents import indent, whole_lines
from triage.tritonrepo.interface import Tensor
from triage.tritonrepo.lexer import quoted
from triage.tritonrepo.parse import Field, Node, parse
from triage.tritonrepo.writing import numbers, tensor

_ORDER = (
    "name", "platform", "backend", "runtime", "max_batch_size", "default_model_filename", "version_policy",
    "input", "output",
)  # fmt: skip


class Entry(NamedTuple):
    """An input or output as the config has it; None where a field is not given."""

    name: str
    data_type: str | None
    dims: tuple[int, ...] | None
    reshape: tuple[int, ...] | None
    node: Node


class Group(NamedTuple):
    """An instance group; ``instances`` (count) and ``kind`` are None where they are not given."""

    kind: str | None
    instances: int | None
    gpus: tuple[int, ...]
    node: Node


class Step(NamedTuple):
    """A step of an ensemble: maps from the model's tensors to those of the ensemble."""

    model: str
    version: int | None
    input_map: dict[str, str]
    output_map: dict[str, str]
    node: Node

    def map_of(self, direction: str) -> dict[str, str]:
        """The map of inputs or outputs."""
        return self.input_map if direction == "input" else self.output_map


class Config:
    """The text and the tree of a config.pbtxt. A change gives a new one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parsed = parse(text)
        self.root = self.parsed.root

    @property
    def readable(self) -> bool:
        """Whether Triton reads it."""
        return self.parsed.fault is None

    def word(self, name: str) -> str | None:
        """A text at the top; None where it is not given or empty."""
        value = self.root.plain(name)
        return str(value) if value else None

    @property
    def max_batch_size(self) -> int:
        """As Triton takes it: 0 where it is not given."""
        value = self.root.plain("max_batch_size")
        return value if isinstance(value, int) else 0

    @property
    def is_ensemble(self) -> bool:
        """Whether it only joins other models."""
        return self.word("platform") == "ensemble" or self.root.first("ensemble_scheduling") is not None

    def tensors(self, direction: str) -> list[Entry]:
        """Inputs or outputs, in order."""
        return [_entry(node) for node in self.root.each(direction)]

    def entry(self, direction: str, name: str) -> Entry | None:
        """An input or output by its name."""
        return next((each for each in self.tensors(direction) if each.name == name), None)

    def groups(self) -> list[Group]:
        """The instance groups."""
        return [_group(node) for node in self.root.each("instance_group")]

    def steps(self) -> list[Step]:
        """The steps of an ensemble."""
        scheduling = self.root.first("ensemble_scheduling")
        return [_step(node) for node in scheduling.each("step")] if scheduling else []

    def parameters(self) -> dict[str, str]:
        """Parameters by their key."""
        found = {}
        for node in self.root.each("parameters"):
            value = node.first("value")
            found[str(node.plain("key"))] = str(value.plain("string_value")) if value else ""
        return found

    def put(self, node: Node, name: str, literal: str) -> Config:
        """Sets a field of a message that stands at most once."""
        field = _field(node, name)
        if field is not None:
            return self._cut((field.value.start, field.value.end, literal))
        return self.add(node, f"{name}: {literal}", name)

    def put_word(self, name: str, word: str) -> Config:
        """Sets a text at the top."""
        return self.put(self.root, name, quoted(word))

    def put_list(self, node: Node, name: str, values: Sequence[int]) -> Config:
        """Sets a field that holds numbers, however it was written."""
        fields = [field for field in node.fields if field.name == name]
        if not fields:
            return self.add(node, f"{name}: {numbers(list(values))}", name)
        first, *others = fields
        written = numbers(list(values))
        if self.text[first.value.start : first.value.start + 2].rstrip() == "[":
            written = (
                written.replace("[ ", "[").replace(" ]", "]") if self.text[first.value.start + 1] != " " else written
            )
        return self._cut((first.value.start, first.value.end, written), *(self._gone(field) for field in others))

    def add(self, node: Node, line: str, name: str = "") -> Config:
        """Puts a field into a message: behind those that usually stand before it, laid out as they are."""
        before = _place(node, name)
        if before is not None:
            at, lead = before.end, "\n" + indent(self.text, before.start)
            if "\n" not in self.text[node.start : node.end] and node is not self.root:
                lead = ", " if self.text[at : at + 1] == "," else " "
                return self._cut((at, at, f"{lead}{line}"))
            at = self._behind(at)
            return self._cut((at, at, lead + line))
        if node is self.root:
            ending = "\n" if self.text.strip() else ""
            return self._cut((0, 0, f"{line}\n")) if name in _ORDER[:5] or not ending else self.append(line)
        return self._cut((node.start + 1, node.start + 1, f" {line}"))

    def append(self, line: str) -> Config:
        """Puts a field at the end of the file."""
        end = len(self.text)
        lead = "" if not self.text or self.text.endswith("\n") else "\n"
        return self._cut((end, end, f"{lead}{line}\n"))

    def remove(self, node: Node, name: str) -> Config:
        """Takes a field out of a message, with its line where it stands alone."""
        return self._cut(*(self._gone(field) for field in node.fields if field.name == name))

    def add_tensor(self, direction: str, made: Tensor, data_type: str, dims: Sequence[int]) -> Config:
        """Puts an input or output behind the others of its kind."""
        fields = [field for field in self.root.fields if field.name == direction]
        more = "optional: true" if made.optional and direction == "input" else ""
        if not fields:
            body = tensor(made.name, data_type, list(dims), "", more)
            before = [field for field in self.root.fields if field.name == "input"]
            if direction == "output" and before:
                at = self._behind(before[-1].end)
                return self._cut((at, at, f"\n{direction} {body}"))
            return self.append(f"{direction} {body}")
        last = fields[-1]
        if last.value.kind == "list" and last.value.items:
            item = last.value.items[-1]
            inner = indent(self.text, item.start)
            return self._cut(
                (item.end, item.end, ",\n" + inner + tensor(made.name, data_type, list(dims), inner, more))
            )
        at = self._behind(last.end)
        return self._cut((at, at, f"\n{direction} {tensor(made.name, data_type, list(dims), '', more)}"))

    def remove_tensor(self, direction: str, node: Node) -> Config:
        """Takes an input or output out."""
        for field in self.root.fields:
            if field.name == direction and field.value.start == node.start:
                return self._cut(self._gone(field))
            if field.name == direction and any(item.start == node.start for item in field.value.items):
                if len(field.value.items) == 1:
                    return self._cut(self._gone(field))
                return self._cut(self._item_gone(field.value.items, node))
        return self

    def put_text(self, node: Node, literal: str) -> Config:
        """Writes something else in a value's place."""
        return self._cut((node.start, node.end, literal))

    def drop(self, field: Field) -> Config:
        """Takes one field out."""
        return self._cut(self._gone(field))

    def _item_gone(self, items: list[Node], node: Node) -> tuple[int, int, str]:
        at = next(place for place, item in enumerate(items) if item.start == node.start)
        if at:
            return items[at - 1].end, node.end, ""
        return node.start, items[1].start, ""

    def _gone(self, field: Field) -> tuple[int, int, str]:
        lines = whole_lines(self.text, field.start, field.end)
        if lines:
            return (*lines, "")
        end = field.end
        while end < len(self.text) and self.text[end] in ",; \t":
            end += 1
        return field.start, end, ""

    def _behind(self, at: int) -> int:
        """Behind a separator and a comment in the same line."""
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        rest = self.text[at:end].strip(" \t,;")
        return end if not rest or rest.startswith("#") else at + (self.text[at : at + 1] in (",", ";"))

    def _cut(self, *pieces: tuple[int, int, str]) -> Config:
        text = self.text
        for start, end, new in sorted(pieces, reverse=True):
            text = text[:start] + new + text[end:]
        return Config(text)


def _place(node: Node, name: str) -> Field | None:
    """The last field that stands before ``name`` by custom; the last of all for others."""
    if name in _ORDER and node.message == schema.ROOT:
        earlier = _ORDER[: _ORDER.index(name) + 1]
        found = [field for field in node.fields if field.name in earlier]
        return found[-1] if found else None
    return node.fields[-1] if node.fields else None


def _field(node: Node, name: str) -> Field | None:
    return next((field for field in node.fields if field.name == name), None)


def _entry(node: Node) -> Entry:
    reshape = node.first("reshape")
    kind = node.plain("data_type")
    return Entry(
        str(node.plain("name") or ""), str(kind) if kind and kind != "TYPE_INVALID" else None,
        _whole(node, "dims") if _field(node, "dims") else None, _whole(reshape, "shape") if reshape else None, node,
    )  # fmt: skip


def _group(node: Node) -> Group:
    kind, count = node.plain("kind"), node.plain("count")
    return Group(str(kind) if kind else None, count if isinstance(count, int) else None, _whole(node, "gpus"), node)


def _step(node: Node) -> Step:
    version = node.plain("model_version")
    return Step(
        str(node.plain("model_name") or ""),
        version if isinstance(version, int) else None,
        dict(_pairs(node, "input_map")),
        dict(_pairs(node, "output_map")),
        node,
    )


def _pairs(node: Node, name: str) -> Iterator[tuple[str, str]]:
    for each in node.each(name):
        yield str(each.plain("key") or ""), str(each.plain("value") or "")


def _whole(node: Node, name: str) -> tuple[int, ...]:
    return tuple(each.value for each in node.each(name) if isinstance(each.value, int))
