"""Files of calibration data in a build's folder: which can be loaded how, and which fit a model's input."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from triage import npy

if TYPE_CHECKING:
    from triage.pysource.interface import Tensor
    from triage.pysource.source import Source
    from triage.site import Site

_LOADERS = {
    "numpy": r"\b(?:np|numpy)\.load\(",
    "raw": r"\bfromfile\(",
    "image": r"Image\.open\(|\bimread\(|read_image\(|decode_image\(|load_img\(",
    "json": r"\bjson\.loads?\(",
    "text": r"\b(?:loadtxt|genfromtxt|read_csv)\(",
    "torch": r"\btorch\.load\(",
}
_IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"P6", b"P5")
_ENDINGS = {
    "raw": (".bin", ".raw", ".dat"),
    "json": (".json", ".jsonl"),
    "text": (".csv", ".txt", ".tsv"),
    "torch": (".pt", ".pth"),
}


class Group(NamedTuple):
    """Files of one folder with one ending; ``pattern`` matches just them."""

    folder: str
    ending: str
    files: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """A pattern of file names."""
        return f"*{self.ending}"


def kinds(sources: Sequence[Source]) -> set[str]:
    """How the scripts load files."""
    text = "\n".join(source.data.decode(errors="replace") for source in sources)
    return {kind for kind, pattern in _LOADERS.items() if re.search(pattern, text)}


def groups(site: Site, kinds: set[str], inputs: Sequence[Tensor], taken: Collection[str]) -> Iterator[Group]:
    """Groups of files that one of these loaders reads and whose shape, where it can be seen, fits an input."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in site.listing:
        name = path.rpartition("/")[2]
        if path in taken or path in site.outputs or name.startswith("."):
            continue
        found.setdefault((path.rpartition("/")[0] or ".", os.path.splitext(name)[1]), []).append(path)
    for (folder, ending), paths in sorted(found.items()):
        if ending and _kind(site.path(paths[0])) & kinds and all(_fits(site.path(path), inputs) for path in paths[:20]):
            yield Group(folder, ending, tuple(sorted(paths)))


def _kind(path: str) -> set[str]:
    """The loaders that can read a file, by its content first."""
    with open(path, "rb") as stream:
        head = stream.read(8)
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and path.endswith((".npz", ".npy"))):
        return {"numpy"}
    if head.startswith(_IMAGES):
        return {"image"}
    ending = os.path.splitext(path)[1].lower()
    return {kind for kind, endings in _ENDINGS.items() if ending in endings}


def _fits(path: str, inputs: Sequence[Tensor]) -> bool:
    """False only where an array's shape can be seen and fits no input, with or without a batch before it."""
    found = list(shapes(path))
    if not found or not inputs:
        return True
    return any(_as(shape, tensor.shape) for shape in found for tensor in inputs)


def _as(shape: Sequence[int], wanted: Sequence[object]) -> bool:
    fixed = [each for each in wanted if isinstance(each, int) and each > 0]
    for candidate in (shape, shape[1:], (1, *shape)):
        if len(candidate) == len(wanted) and all(
            not isinstance(each, int) or each <= 0 or each == real or (place == 0 and real > 0)
            for place, (each, real) in enumerate(zip(wanted, candidate, strict=True))
        ):
            return True
    return (
        sorted(fixed) == sorted(each for each in shape if each in fixed)
        and bool(fixed)
        and len(shape) + 1 >= len(wanted)
    )


def shapes(path: str) -> Iterator[tuple[int, ...]]:
    """Shapes of the arrays of a .npy or .npz file; only headers are read."""
    import zipfile

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    with archive.open(name) as stream:
                        yield npy.header(stream).shape
        else:
            with open(path, "rb") as plain:
                yield npy.header(plain).shape
    except (OSError, ValueError, zipfile.BadZipFile):
        return
