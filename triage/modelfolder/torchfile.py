"""What a file of ``torch.save`` holds, without torch: names and shapes. No class or function of the file is called."""

from __future__ import annotations

import _compat_pickle
import io
import pickle
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

from triage.modelfolder.damage import Broken, damage
from triage.modelfolder.tensors import Tensor

_MAGIC = 0x1950A86A20F9469CFC6C
_LARGEST = 256 << 20
_STORAGES = {
    "FloatStorage": "F32", "DoubleStorage": "F64", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "UntypedStorage": "U8",
}  # fmt: skip


class Opaque(dict):  # type: ignore[type-arg]
    """Stands for an object of a class that is not loaded.

    ``path`` is the class, ``args`` what made it; ``calls`` takes the classes and functions that the file calls,
    ``filled`` those that it fills like a dictionary or a list.
    """

    path = ""
    args: tuple[Any, ...] = ()
    state: Any = None
    calls: ClassVar[dict[str, None]] = {}
    filled: ClassVar[dict[str, str]] = {}

    def __new__(cls, *args: Any, **_: Any) -> Self:
        """Any arguments will do."""
        made = super().__new__(cls)
        made.args = args
        return made

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()
        self.calls[self.path] = None

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __setstate__(self, state: Any) -> None:
        """Keeps the state for looking at."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.filled[self.path] = "{}"

    def append(self, _: Any) -> None:
        """A list's item."""
        self.filled[self.path] = "[]"

    extend = append
    add = append


class TorchFile(NamedTuple):
    """``content`` with Tensor for tensors and Opaque for objects.

    ``globals`` is every name that loading looks up, ``called`` those of them that it calls to make an object, and
    ``filled`` those whose objects it fills: ``{}`` like a dictionary, ``[]`` like a list.
    """

    content: Any
    globals: tuple[str, ...]
    numpy_types: tuple[str, ...]
    called: tuple[str, ...] = ()
    filled: Mapping[str, str] = {}


def read(path: str) -> TorchFile:
    """Looks into a file of ``torch.save``, of the zip kind or the older one.

    Raises:
        Broken: it is no such file, or it is cut.
    """
    why = damage(path)
    if why:
        raise Broken(why)
    try:
        content, reader = _read(path)
    except Broken:
        raise
    except Exception as fault:  # noqa: BLE001 -- a hostile pickle may raise anything
        raise Broken(f"is no checkpoint that can be looked into ({type(fault).__name__})") from None
    types = tuple(dict.fromkeys(reader.numpy_types))
    return TorchFile(content, tuple(reader.names), types, tuple(reader.calls), reader.filled)


def states(content: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """(keys that lead there, name -> tensor) of every table of tensors, the outermost first."""
    if not isinstance(content, dict) or isinstance(content, Opaque) or len(place) > 3:
        return
    found = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if found:
        yield place, found
    for key, value in content.items():
        if isinstance(key, str) and isinstance(value, dict):
            yield from states(value, (*place, key))


def _read(path: str) -> tuple[Any, _Reader]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            reader = _Reader(io.BytesIO(_pickle(archive)))
            return reader.load(), reader
    with open(path, "rb") as stream:
        reader = _older(stream)
        return reader.load(), reader


def _pickle(archive: zipfile.ZipFile) -> bytes:
    entry = next((entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == "data.pkl"), None)
    if entry is None:
        raise Broken("is a zip archive without a pickle: no checkpoint of torch.save")
    if entry.file_size > _LARGEST:
        raise Broken(f"has a table of more than {_LARGEST >> 20} MiB")
    return archive.read(entry)


def _older(stream: io.BufferedReader) -> _Reader:
    """A reader that stands before the object of a file of the format before torch 1.6."""
    reader = _Reader(stream)
    if reader.load() != _MAGIC:
        raise Broken("is a plain pickle, and not a checkpoint of torch.save")
    for _ in range(2):  # version of the format, and the machine's sizes
        reader = _Reader(stream)
        reader.load()
    return _Reader(stream)


class _Reader(pickle.Unpickler):
    def __init__(self, stream: Any) -> None:
        super().__init__(stream, encoding="latin-1")
        self.names: dict[str, None] = {}
        self.numpy_types: list[str] = []
        self.calls: dict[str, None] = {}
        self.filled: dict[str, str] = {}

    def find_class(self, module: str, name: str) -> Any:
        module, name = _present(module, name)
        path = f"{module}.{name}"
        self.names[path] = None
        if path == "numpy.dtype":
            return self._numpy_type
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            return _STORAGES.get(name, name)
        if path == "collections.defaultdict":
            self.calls[path], self.filled[path] = None, "{}"
            return _table
        return _KNOWN.get(path) or type(name, (Opaque,), {"path": path, "calls": self.calls, "filled": self.filled})

    def persistent_load(self, pid: Any) -> Any:
        return pid[1] if isinstance(pid, tuple) and len(pid) > 1 else pid

    def _numpy_type(self, code: Any = "", *_: Any) -> Opaque:
        self.numpy_types.append(code.decode() if isinstance(code, bytes) else str(code))
        return Opaque()


def _present(module: str, name: str) -> tuple[str, str]:
    """Names of Python 2, in which pickles are written, as Python 3 calls them."""
    names: dict[tuple[str, str], tuple[str, str]] = _compat_pickle.NAME_MAPPING
    if (module, name) in names:
        return names[module, name]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def _tensor(storage: Any, _: Any, size: Any = (), *__: Any) -> Tensor:
    return Tensor(storage if isinstance(storage, str) else "", tuple(size))


class _Table(dict):  # type: ignore[type-arg]
    """A dictionary that can carry attributes, as the OrderedDict of a state_dict does."""


def _table(*given: Any) -> _Table:
    return _Table(given[0]) if given and isinstance(given[0], dict | list) else _Table()


_KNOWN: dict[str, Callable[..., Any]] = {
    **{f"torch._utils._rebuild_{name}": _tensor for name in ("tensor", "tensor_v2", "tensor_v3", "qtensor")},
    **{
        f"torch._utils._rebuild_{name}": lambda data, *_: data
        for name in ("parameter", "parameter_with_state")
    },
    "torch._tensor._rebuild_from_type_v2": lambda call, _, args, __: call(*args),
    "torch.Size": lambda sizes=(): tuple(sizes),
    **{f"collections.{name}": _table for name in ("OrderedDict", "Counter")},
    "builtins.dict": _table,
}  # fmt: skip
