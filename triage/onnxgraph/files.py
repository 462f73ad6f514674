"""Reading and writing ONNX files as fixes need it: weights only where asked for, external data kept where it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triage.site import Site

_LARGEST = (2 << 30) - (1 << 20)  # bytes of one protobuf message


def load(path: str, *, weights: bool = True) -> Any:
    """The ModelProto of a file.

    Args:
        path: absolute.
        weights: also read external data into the model; False leaves the references.

    Raises:
        ValueError: it is no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path, load_external_data=weights)
    except DecodeError as fault:
        raise ValueError(f"{os.path.basename(path)} is no whole ONNX file: {fault}") from None


def save(model: Any, path: str) -> None:
    """Writes a model; weights that do not fit into one file go into ``<name>.data`` beside it."""
    import onnx

    spare = path + ".triage-new"
    if model.ByteSize() > _LARGEST:
        data = os.path.basename(path) + ".data"
        if os.path.exists(os.path.join(os.path.dirname(path), data)):
            os.unlink(os.path.join(os.path.dirname(path), data))
        onnx.save(model, spare, save_as_external_data=True, location=data, size_threshold=1024)
    else:
        onnx.save(model, spare)
    os.replace(spare, path)


def each(site: Site, *, weights: bool = False) -> Iterator[tuple[str, Any]]:
    """(path, model) of every ONNX file that a fix may change and that can be read, the likeliest first."""
    for path in site.models():
        try:
            model = load(site.path(path), weights=weights)
        except (ValueError, OSError):
            continue
        yield path, model


@contextmanager
def edit(site: Site, relative: str, *, weights: bool = False) -> Iterator[Any]:
    """The model of a file to change in place; it is written when the block ends without an error.

    Args:
        site: the build.
        relative: the model's path in it.
        weights: also read external data (then they are written into the file).
    """
    model = load(site.path(relative), weights=weights)
    yield model
    save(model, site.writable(relative))
