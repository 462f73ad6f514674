"""Types that a checkpoint names: which of them torch refuses, and which are nothing but data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.fixes import Site, _checkpoints
from triage.modelfolder import torchfile
from triage.modelfolder.damage import Broken

if TYPE_CHECKING:
    import libcst as cst

    from triage.pysource.project import Project
    from triage.pysource.source import Source

_REFUSED = (
    re.compile(r"Unsupported global: GLOBAL ([\w.]{1,200}) was not an allowed global"),
    re.compile(r"but got <class '([\w.]{1,200})'>"),
    re.compile(r"Trying to load unsupported GLOBAL ([\w.]{1,200})"),
)
_ALLOWED = re.compile(  # what torch.load takes without being asked
    r"collections\.(OrderedDict|Counter)|torch\.(Size|Tensor|device|\w*Storage|bool|half|double|"
    r"b?float\d+\w*|u?int\d+|complex\d+|qu?u?int\w+|per_(tensor|channel)_\w+|strided|sparse_\w+|\w+_format)|"
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2|torch\.nn\.parameter\.(Parameter|Buffer)|"
    r"torch\.serialization\._get_layout|torch\.storage\.\w*Storage|_codecs\.encode|builtins\.(bytearray|set|complex)"
)
_INERT = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|collections\.(defaultdict|deque|ChainMap|UserDict|UserList)|"
    r"datetime\.(date|time|datetime|timedelta|timezone)|"
    r"pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path|decimal\.Decimal|fractions\.Fraction|uuid\.(UUID|SafeUUID)|"
    r"builtins\.(list|dict|tuple|frozenset|int|float|bool|str|bytes|slice|range|object)|"
    r"numpy\.(core|_core)\.multiarray\.(scalar|_reconstruct)|numpy\.(ndarray|dtype|bool_?|u?int\d+|float\d+|complex\d+|str_)|"
    r"numpy\.dtypes\.\w+DType|numpy\.(core|_core)\.numeric\._frombuffer|"
    r"torch\.torch_version\.TorchVersion|torch\.nn\.modules\.\w+\.\w+|torch\.nn\.parameter\.UninitializedParameter|"
    r"omegaconf\.(dictconfig\.DictConfig|listconfig\.ListConfig|base\.(ContainerMetadata|Metadata)|nodes\.\w+Node)|"
    r"typing\.Any|easydict\.EasyDict|addict\.addict\.Dict|munch\.Munch|yacs\.config\.CfgNode|enum\.\w+"
)
_HOSTILE = re.compile(
    r"(os|posix|nt|sys|subprocess|importlib|runpy|shutil|socket|ctypes|pty|code|codeop|webbrowser|pickle|_pickle|"
    r"marshal|multiprocessing|threading|asyncio|signal|http|urllib|requests|pip|setuptools)\.[\w.]+|"
    r"builtins\.(eval|exec|compile|open|__import__|getattr|setattr|delattr|globals|locals|vars|input|breakpoint|apply|map|filter)|"
    r"(commands|cProfile|profile|timeit|trace|pdb|bdb|doctest|pydoc|inspect|codecs|tempfile|zipfile|tarfile|"
    r"sqlite3|smtplib|ftplib|telnetlib|xmlrpc|concurrent|site|venv|ensurepip|gc|idlelib|platform|dill|"
    r"cloudpickle|joblib|distutils|aiohttp|httpx|urllib2|urllib3|paramiko)\.[\w.]+|types\.(FunctionType|CodeType)|_?io\.(open\w*|FileIO)|"
    r"operator\.\w+|functools\.\w+|torch\.(hub|jit|utils|package|_dynamo|_inductor|ops)\.[\w.]+|torch\.load|"
    r"(numpy|pandas)\.(\w+\.)*(load|eval|read_\w+|runstring|exec_command|fromfile|memmap|genfromtxt)"
)
_HOOKS = ("__new__", "__setstate__", "__reduce__", "__reduce_ex__", "__del__", "__setattr__", "__setitem__")


class Wanted(NamedTuple):
    """Names that torch refuses, in the order of the file; element types of NumPy.

    ``called`` are names that the file calls; ``filled`` those whose objects it fills like a dictionary or a list,
    which torch only does with its own. ``whole`` is the class of the model where the file holds a model and no table.
    """

    names: tuple[str, ...]
    numpy_types: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    filled: Mapping[str, str] = {}
    whole: str = ""


def wanted(site: Site) -> Wanted | None:
    """What the checkpoint of the failing load needs beyond what torch takes; None where the log names nothing."""
    told = [_full(match[1]) for pattern in _REFUSED for match in pattern.finditer(site.log)]
    if not told:
        return None
    names: dict[str, None] = dict.fromkeys(told)
    types: dict[str, None] = {}
    called: dict[str, None] = {}
    filled: dict[str, str] = {}
    whole = ""
    for path in _checkpoints.checkpoint_files(site):
        if path.endswith(".safetensors"):
            continue
        try:
            found = torchfile.read(site.path(path))
        except (Broken, OSError):
            continue
        if told[-1] in found.globals or told[-1].startswith("numpy.dtypes."):
            names.update(dict.fromkeys(found.globals))
            types.update(dict.fromkeys(found.numpy_types))
            called.update(dict.fromkeys(found.called))
            filled.update(found.filled)
            whole = whole or _model_of(found.content)
    done = _already(site)
    left = tuple(name for name in names if not _ALLOWED.fullmatch(name) and split(name)[1] not in done)
    return Wanted(left, tuple(types), tuple(called), filled, whole) if left else None


def _model_of(content: Any) -> str:
    """The class of a model that was saved as a whole: an object that keeps its parameters as PyTorch's modules do."""
    state = content.state if isinstance(content, torchfile.Opaque) else None
    return content.path if isinstance(state, dict) and {"_parameters", "_modules"} <= state.keys() else ""


def is_nowhere(project: Project, path: str) -> bool:
    """Whether a class stands neither in the build's files nor in an installed package."""
    from importlib.util import find_spec

    module, name = split(path)
    here = any(source.top(name) is not None for source in project.sources())
    if here or module == "__main__" or any(project.module(module, one) for one in project.sources()[:1]):
        return not here
    try:
        return find_spec(module.partition(".")[0]) is None
    except (ImportError, ValueError):
        return True


def _full(name: str) -> str:
    return name if "." in name else f"builtins.{name}"


def _already(site: Site) -> set[str]:
    """Words that stand in calls of add_safe_globals of the build's scripts."""
    said = [
        match
        for path in site.scripts()
        for match in re.findall(r"safe_globals\(\[(.*?)\]\)", site.text(path), re.DOTALL)
    ]
    return {word for text in said for word in re.findall(r"\w+", text)}


def split(path: str) -> tuple[str, str]:
    """(module, name) of a full name."""
    module, _, name = path.rpartition(".")
    return module, name


def is_hostile(path: str) -> bool:
    """Whether a name is a function that can run or read anything."""
    return any(_HOSTILE.fullmatch(name) for name in (path, _present(path)))


def _present(path: str) -> str:
    """The name in Python 3 of one that a pickle of protocol 2 gives as Python 2 had it: ``commands.getoutput``."""
    from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING

    module, name = split(path)
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    return f"{module}.{name}"


def is_inert(project: Project, path: str, found: Wanted) -> bool:
    """Whether making an object of a type runs no code but that of Python, NumPy and torch themselves."""
    if _INERT.fullmatch(path) or path in found.filled:
        return True
    module, name = split(path)
    return any(_is_plain(source, node, path in found.called) for source, node in _classes(project, module, name))


def _classes(project: Project, module: str, name: str) -> Iterator[tuple[Source, cst.ClassDef]]:
    """A class of the build's own files that a script can name without running anything new."""
    import libcst as cst

    for entry in project.sources()[:1]:
        if module == "__main__":
            holder: Source | None = entry
        else:
            holder = project.module(module, entry)
            if holder is not None and not _is_quiet(holder) and not _imports(project, module):
                holder = None
        for node in holder.find(cst.ClassDef) if holder is not None else ():
            if node.name.value == name and holder is not None:
                yield holder, node


def _imports(project: Project, module: str) -> bool:
    import libcst as cst

    from triage.pysource.project import imported

    for source in project.sources():
        statements: list[cst.Import | cst.ImportFrom] = [*source.find(cst.Import), *source.find(cst.ImportFrom)]
        if any(name == module for statement in statements for name, _ in imported(statement)):
            return True
    return False


def _is_quiet(source: Source) -> bool:
    """Whether importing a file does nothing but define: no statement at its top calls anything for its effect."""
    import libcst as cst

    for statement in source.module.body:
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            continue
        if isinstance(statement, cst.If) and "__main__" in source.code(statement.test):
            continue
        if not isinstance(statement, cst.SimpleStatementLine):
            return False
        for small in statement.body:
            if isinstance(small, cst.Expr) and not isinstance(small.value, cst.SimpleString | cst.ConcatenatedString):
                return False
    return True


def _is_plain(source: Source, node: cst.ClassDef, called: bool) -> bool:
    """A class without code that runs when one of its objects is unpickled."""
    import libcst as cst

    bases = [source.code(base.value).rpartition(".")[2] for base in node.bases]
    if any(base not in _PLAIN_BASES for base in bases) or node.keywords:
        return False
    hooks = {item.name.value: item for item in node.body.body if isinstance(item, cst.FunctionDef)}
    if any(name in hooks for name in _HOOKS):
        return False
    if not called or set(bases) & {"Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "NamedTuple"}:
        return "_missing_" not in hooks
    return "__post_init__" not in hooks and ("__init__" not in hooks or _only_assigns(hooks["__init__"]))


def _only_assigns(function: cst.FunctionDef) -> bool:
    import libcst as cst

    lines = [line for line in function.body.body if isinstance(line, cst.SimpleStatementLine)]
    small = [each for line in lines for each in line.body]
    return len(lines) == len(function.body.body) and all(
        isinstance(each, cst.Assign | cst.AnnAssign)
        and isinstance(each.value, cst.Name | cst.BaseNumber | cst.SimpleString)
        for each in small
    )


_PLAIN_BASES = (
    "object", "dict", "list", "Enum", "IntEnum", "StrEnum", "Flag", "IntFlag", "NamedTuple", "Generic", "Module",
    "SimpleNamespace", "Namespace", "str", "int", "float",
)  # fmt: skip
