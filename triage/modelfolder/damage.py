"""What is wrong with the bytes of a weights file: a Git LFS pointer, a web page, a cut file."""

from __future__ import annotations

import json
import os
import struct
import zipfile

POINTER = b"version https://git-lfs.github.com/spec"
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".onnx", ".gguf", ".npz", ".h5", ".msgpack", ".data")
_LARGEST_HEADER = 100 << 20


class Broken(ValueError):
    """A file is not what its name says; the text says why, in words that follow the file's name."""


def pointer(path: str) -> tuple[str, int] | None:
    """(hash, size) of the object that a Git LFS pointer stands for; None where the file is no pointer."""
    if os.path.getsize(path) > 1024:
        return None
    with open(path, "rb") as stream:
        text = stream.read()
    if not text.startswith(POINTER):
        return None
    fields = dict(line.split(" ", 1) for line in text.decode("ascii", "replace").split("\n") if " " in line)
    size = fields.get("size", "0")
    return fields.get("oid", "").removeprefix("sha256:"), int(size) if size.isdigit() else 0


def damage(path: str) -> str | None:
    """Why a weights file cannot be whole, as words that follow its name; None where nothing is seen."""
    size = os.path.getsize(path)
    if not size:
        return "is empty"
    told = pointer(path)
    if told:
        return f"is a Git LFS pointer: the {told[1]:,} bytes of the file itself were never fetched"
    with open(path, "rb") as stream:
        head = stream.read(512)
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "is a web page, saved under the name of a weights file"
    if path.endswith(".safetensors"):
        return _cut_safetensors(path, size)
    if head.startswith(b"PK\x03\x04"):
        return _cut_archive(path)
    return None


def _cut_archive(path: str) -> str | None:
    try:
        with zipfile.ZipFile(path):
            return None
    except zipfile.BadZipFile:
        return "is cut short: the directory at the end of the archive is missing"


def _cut_safetensors(path: str, size: int) -> str | None:
    try:
        header, start = raw_header(path)
    except Broken as fault:
        return str(fault)
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    wanted = start + max(ends, default=0)
    if size < wanted:
        return f"is cut short: it has {size:,} bytes, and its header speaks of {wanted:,}"
    return None


def raw_header(path: str) -> tuple[dict[str, dict[str, list[int]]], int]:
    """(header as JSON, offset of the data) of a safetensors file.

    Raises:
        Broken: it has no such header.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as stream:
        first = stream.read(8)
        if len(first) < 8:
            raise Broken("is cut short: not even the length of the header is there")
        (length,) = struct.unpack("<Q", first)
        if length > _LARGEST_HEADER:
            raise Broken("is no safetensors file: its first bytes are no length of a header")
        if length + 8 > size:
            raise Broken("is cut short within the header")
        text = stream.read(length)
    try:
        header = json.loads(text)
        offsets = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
    except (ValueError, AttributeError, TypeError, KeyError):
        raise Broken("has a header that is no valid JSON of tensors") from None
    if any(len(pair) != 2 for pair in offsets):
        raise Broken("has a header with offsets that are no pairs")
    return header, length + 8
