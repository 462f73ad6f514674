"""Ranges in a user's own JSON or YAML file that a build script reads: changed in place, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.site import CannotApply
from triage.trtbuild.settings import Dims, Range, Settings

if TYPE_CHECKING:
    from triage.site import Site

_ENDS = {
    "min": 0, "opt": 1, "max": 2, "min_shape": 0, "opt_shape": 1, "max_shape": 2, "minimum": 0, "optimum": 1,
    "maximum": 2, "min_shapes": 0, "opt_shapes": 1, "max_shapes": 2, "minshape": 0, "optshape": 1, "maxshape": 2,
    "minshapes": 0, "optshapes": 1, "maxshapes": 2, "least": 0, "best": 1, "most": 2,
}  # fmt: skip
_NAMES = ("name", "input", "tensor", "input_name")
_LARGEST = 1 << 20


class _Place(NamedTuple):
    """Where a file gives one input its range: the nodes that name it, and the three lists."""

    name: str
    nodes: tuple[Any, ...]
    ends: tuple[Any, Any, Any]

    @property
    def range(self) -> Range:
        least, opt, most = (_dims(node) or () for node in self.ends)
        return Range(least, opt, most)


class DataFile:
    """A JSON or YAML file with ranges."""

    kind = "data"
    whole = True

    def __init__(self, name: str, text: str, places: list[_Place]) -> None:
        self.name = name
        self._text = text
        self._places = places
        self.settings = Settings(profiles=({place.name: place.range for place in places},))

    def write(self, site: Site, wanted: Settings) -> None:
        """Stores the file with other numbers and names; it adds no inputs."""
        new = dict(wanted.profiles[0])
        edits: list[tuple[Any, Any]] = []
        old = [place.name for place in self._places]
        fresh = [name for name in new if name not in old]
        for place in self._places:
            name = place.name if place.name in new else fresh.pop(0) if fresh else None
            if name is None:
                raise CannotApply(f"{self.name} names {place.name}, which no input is")
            if name != place.name:
                edits += [(node, name) for node in place.nodes]
            for node, dims in zip(place.ends, new[name][:3], strict=True):
                if _dims(node) != dims:
                    edits.append((node, dims))
        if fresh:
            raise CannotApply(f"{self.name} gives {', '.join(fresh)} no range")
        site.write_text(self.name, _edited(self._text, edits))


def found(site: Site) -> Iterator[DataFile]:
    """Data files of the build that hold ranges."""
    for path in site.named(".json", ".yaml", ".yml"):
        try:
            text = site.text(path)
        except (OSError, CannotApply):
            continue
        if len(text) < _LARGEST and ("min" in text.lower() and "max" in text.lower()):
            places = list(_places(_tree(text)))
            if places:
                yield DataFile(path, text, places)


def _tree(text: str) -> Any:
    import yaml

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None


def _places(node: Any) -> Iterator[_Place]:
    import yaml

    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _places(each)
    if not isinstance(node, yaml.MappingNode):
        return
    ends = {_ENDS[_key(key)]: value for key, value in node.value if _key(key) in _ENDS}
    if len(ends) == 3:
        yield from _of_three(node, ends)
        return
    for key, value in node.value:
        inner = list(_places(value))
        yield from (place if place.name else place._replace(name=key.value, nodes=(key,)) for place in inner)


def _of_three(node: Any, ends: Mapping[int, Any]) -> Iterator[_Place]:
    """Either one input's three lists, or three tables of lists by input."""
    import yaml

    three = (ends[0], ends[1], ends[2])
    if all(_dims(each) for each in three):
        named = next(
            (value for key, value in node.value if _key(key) in _NAMES and isinstance(value, yaml.ScalarNode)), None
        )
        yield _Place(named.value if named else "", (named,) if named else (), three)
    elif all(isinstance(each, yaml.MappingNode) for each in three):
        tables = [{key.value: (key, value) for key, value in each.value} for each in three]
        for name in tables[0]:
            found = [table[name] for table in tables if name in table]
            if len(found) == 3 and all(_dims(row) for _, row in found):
                yield _Place(name, tuple(key for key, _ in found), (found[0][1], found[1][1], found[2][1]))


def _key(node: Any) -> str:
    return str(node.value).lower().removeprefix("k").replace("-", "_")


def _dims(node: Any) -> Dims | None:
    import yaml

    from triage.trtbuild.settings import from_x

    if isinstance(node, yaml.ScalarNode):
        return from_x(node.value) if "x" in node.value else None
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return None
    sizes = [each.value for each in node.value if isinstance(each, yaml.ScalarNode) and each.value.isdecimal()]
    return tuple(int(size) for size in sizes) if len(sizes) == len(node.value) else None


def _edited(text: str, edits: list[tuple[Any, Any]]) -> str:
    import json

    for node, value in sorted(edits, key=lambda edit: -edit[0].start_mark.index):
        start, end = node.start_mark.index, node.end_mark.index
        old = text[start:end]
        if isinstance(value, str):
            fresh = json.dumps(value) if old[:1] in "\"'" else value
        elif "x" in old and "[" not in old:
            quote = old[:1] if old[:1] in "\"'" else ""
            fresh = f"{quote}{'x'.join(map(str, value))}{quote}"
        elif node.flow_style or old.startswith("["):
            fresh = _listed(old, value)
        else:
            raise CannotApply("a list of one number a line is not rewritten")
        text = text[:start] + fresh + text[end:]
    return text


def _listed(old: str, value: Dims) -> str:
    if "\n" not in old:
        return "[" + ", ".join(map(str, value)) + "]"
    lead = old[1 : len(old) - len(old[1:].lstrip())]
    tail = old[len(old[:-1].rstrip()) :]
    return "[" + lead + f",{lead}".join(map(str, value)) + tail
