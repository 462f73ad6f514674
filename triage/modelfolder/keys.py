"""Names of a checkpoint's tensors against those of the model: what a log says differs, and the renaming that fits."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

# parts of names that wrappers put in: DataParallel, torch.compile, FSDP, activation checkpointing, DeepSpeed and so on
WRAPPERS = (
    "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module", "_fpw_module",
    "_compiled_model", "_model", "ddp", "wrapped",
)  # fmt: skip
# counters and tables that no weight depends on: a model that lacks them computes the same
BOOKKEEPING = frozenset({
    "n_averaged", "total_ops", "total_params", "num_batches_tracked", "position_ids", "inv_freq", "masked_bias",
    "initted", "num_updates",
})  # fmt: skip
_TRAINING = re.compile(
    r"(?i)_?(criterion|loss|losses|metrics?|(train|val|valid|test|eval)_\w+|\w+_(loss|metrics?|criterion)|loss_\w+)(\.|$)"
)
_LEGACY = ((".gamma", ".weight"), (".beta", ".bias"))
_COPYING = re.compile(
    r"size mismatch for (\S+): copying a param with shape (?:torch\.Size\()?([^)]*?)\)? from checkpoint, "
    r"the shape in current model is (?:torch\.Size\()?([^)]*?)\)?\."
)
_ROW = re.compile(r"^(\S.{0,400}?)\s*\| (UNEXPECTED|MISSING|MISMATCH)\b")


class Mismatch(NamedTuple):
    """What a loader says: names the model wants, names only the file has, and (name, its shape, the model's)."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    sizes: tuple[tuple[str, str, str], ...] = ()


class Renaming(NamedTuple):
    """How a name of the file becomes one of the model.

    ``strip`` and ``add`` are what names begin with in the file and in the model; ``parts`` are left out wherever they
    stand; ``endings`` are (old, new). Left out altogether are names that end in one of ``drop`` and, where ``only`` is
    set, names that do not begin with it. ``pairs`` are whole names (old, new).
    """

    strip: str = ""
    add: str = ""
    parts: tuple[str, ...] = ()
    endings: tuple[tuple[str, str], ...] = ()
    drop: tuple[str, ...] = ()
    only: str = ""
    pairs: tuple[tuple[str, str], ...] = ()

    def __call__(self, key: str) -> str:
        """The new name."""
        key = dict(self.pairs).get(key, key)
        if not key.startswith(self.strip):
            return key
        key = key.removeprefix(self.strip)
        for part in self.parts:
            key = key.replace(part + ".", "")
        for old, new in self.endings:
            key = key.replace(old, new)
        return self.add + key

    def drops(self, key: str) -> bool:
        """Whether a tensor is left out."""
        return key.rpartition(".")[2] in self.drop or not key.startswith(self.only)

    def words(self) -> str:
        """What is done, in words."""
        done = [f"strip {self.strip!r} from" if self.strip else "", f"put {self.add!r} before" if self.add else ""]
        done += [f"leave {part!r} out of" for part in self.parts] + [
            f"write {new!r} for {old!r} in" for old, new in self.endings
        ]
        done += [f"write {self.pairs[0][1]!r} for {self.pairs[0][0]!r} and the like in"] if self.pairs else []
        said = " and ".join(each for each in done if each)
        dropped = f"leave out the counters {', '.join(self.drop)}" if self.drop else ""
        taken = f"take those under {self.only!r}" if self.only and self.only != self.strip else ""
        return ", ".join(filter(None, (f"{said} the names" if said else "", dropped, taken)))

    def expression(self, name: str = "key") -> str:
        """The new name as a Python expression of the old one."""
        if self.pairs:
            table = ", ".join(f"{quoted(old)}: {quoted(new)}" for old, new in self.pairs)
            return f"{{{table}}}.get({name}, {name})"
        text = f"{name}.removeprefix({quoted(self.strip)})" if self.strip else name
        for part in self.parts:
            text = f'{text}.replace({quoted(part + ".")}, "")'
        for old, new in self.endings:
            text = f"{text}.replace({quoted(old)}, {quoted(new)})"
        if not self.add:
            return text
        test = f" if {name}.startswith({quoted(self.strip)}) else {name}" if self.strip else ""
        return f"{quoted(self.add)} + {text}{test}"

    def table(self, state: str) -> str:
        """A Python expression that gives the renamed table of the table ``state``."""
        tests = [f'key.rpartition(".")[2] not in {quoted(self.drop)}'] if self.drop else []
        tests += [f"key.startswith({quoted(self.only)})"] if self.only else []
        kept = " if " + " and ".join(tests) if tests else ""
        return f"{{{self.expression()}: value for key, value in {state}.items(){kept}}}"


def told(log: str) -> Mismatch:
    """What the last refused load of a log says; empty where it says nothing of keys."""
    start = log.rfind("Error(s) in loading state_dict for")
    text = log[start:] if start >= 0 else ""
    sizes = [(match[1], match[2].strip("[]"), match[3].strip("[]")) for match in _COPYING.finditer(text)]
    return Mismatch(
        tuple(_listed(text, r"Missing key\(s\) in state_dict: ")),
        tuple(_listed(text, r"Unexpected key\(s\) in state_dict: ")),
        tuple((name, f"[{there}]", f"[{here}]") for name, there, here in sizes),
    )


def _listed(text: str, before: str) -> Iterator[str]:
    match = re.search(before + r"(.*)", text)
    yield from re.findall(r'"([^"]+)"', match[1]) if match else ()


def reported(log: str) -> tuple[str, Mismatch]:
    """(folder, what differs) of the last table that transformers prints when it loads a model.

    A name with ``{0, 1}`` in it stands for several and is left as it is.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log[max(0, log.rfind("LOAD REPORT")) :])
    head = re.match(r"LOAD REPORT from: ?(\S+)", plain)
    rows: dict[str, list[str]] = {"UNEXPECTED": [], "MISSING": [], "MISMATCH": []}
    for line in plain.split("\n") if head else ():
        match = _ROW.match(line.strip())
        if match:
            rows[match[2]].append(match[1])
    found = Mismatch(
        tuple(rows["MISSING"]), tuple(rows["UNEXPECTED"]), tuple((key, "", "") for key in rows["MISMATCH"])
    )
    return (head[1] if head else ""), found


def unwrapped(unexpected: Collection[str], missing: Collection[str]) -> Renaming | None:
    """A renaming that takes the names of wrappers away, where every name that is wanted then is there."""
    exact = renaming(unexpected, missing)
    if exact is not None:
        return exact
    beginnings = _beginnings(unexpected)
    for start in reversed(beginnings):
        if start and all(part in WRAPPERS for part in start.split(".")[:-1]):
            ends = {key.removeprefix(start) for key in unexpected}
            if missing and all(any(f".{have}".endswith(f".{want}") for have in ends) for want in missing):
                return Renaming(strip=start)
    return None


def renaming(unexpected: Collection[str], missing: Collection[str], fitting: Collection[str] = ()) -> Renaming | None:
    """The plainest renaming that turns exactly the names of the file into exactly those of the model.

    Args:
        unexpected: names of the file that the model does not know.
        missing: names that the model wants and the file lacks.
        fitting: names that both have, and that must stay as they are.
    """
    wanted = set(missing)
    drop = tuple(sorted({key.rpartition(".")[2] for key in unexpected} & BOOKKEEPING))
    for dropped in ((), drop) if drop else ((),):
        left = [key for key in unexpected if key.rpartition(".")[2] not in dropped]
        if not left and not wanted and dropped:
            return Renaming(drop=dropped)
        for candidate in _candidates(left, sorted(wanted)):
            if left and _fits(left, wanted, candidate) and all(candidate(key) == key for key in fitting):
                return candidate._replace(drop=dropped)
    return None


def by_group(unexpected: Collection[str], missing: Collection[str]) -> list[tuple[Renaming, tuple[str, ...]]]:
    """(renaming, names it leaves out) of every group of names, by their first part, that alone is the whole model."""
    found = []
    for group in dict.fromkeys(key.partition(".")[0] + "." for key in unexpected if "." in key):
        inside = [key for key in unexpected if key.startswith(group)]
        left = tuple(key for key in unexpected if not key.startswith(group))
        fitting = renaming(inside, missing)
        if fitting is not None and left:
            found.append((fitting._replace(only=group), left))
    return found


def without_masks(names: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(names with each pair of ``x_orig`` and ``x_mask`` as ``x``, those x): what pruning makes of a table."""
    masked = tuple(
        key.removesuffix("_orig") for key in names if key.endswith("_orig") and key[:-4] + "mask" in names
    )  # fmt: skip
    gone = {each + end for each in masked for end in ("_orig", "_mask")}
    return (*(key for key in names if key not in gone), *masked), masked


def short_of(unexpected: Collection[str], missing: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """(beginning, names): what the model still lacks once most names lose the beginning that they have in the file."""
    best: tuple[str, tuple[str, ...]] = ("", tuple(missing))
    wanted = set(missing)
    for start in dict.fromkeys(each for key in unexpected for each in _beginnings([key])):
        have = {key.removeprefix(start) for key in unexpected if key.startswith(start)}
        left = tuple(key for key in missing if key not in have)
        if start and len(left) < len(best[1]) and len(left) * 2 <= len(wanted):
            best = start, left
    return best


def only_training(keys: Iterable[str]) -> bool:
    """All of these are names of what only training needs: losses, metrics, counters."""
    return all(_TRAINING.match(key) or key.rpartition(".")[2] in BOOKKEEPING for key in keys)


def _fits(keys: Sequence[str], wanted: set[str], rename: Renaming) -> bool:
    made = {rename(key) for key in keys}
    return len(made) == len(keys) and made == wanted


def _candidates(keys: Sequence[str], wanted: Sequence[str]) -> Iterator[Renaming]:
    if not keys or not wanted:
        return
    olds, news = _beginnings(keys), _beginnings(wanted)
    yield from (
        Renaming(strip=old, add=new)
        for old, new in sorted(
            ((old, new) for old in olds for new in news if old or new), key=lambda pair: len(pair[0] + pair[1])
        )
    )
    inside = tuple(part for part in WRAPPERS if any(part in key.split(".") for key in keys))
    yield from (Renaming(parts=parts) for parts in [(part,) for part in inside] + ([inside] if len(inside) > 1 else []))
    yield from (Renaming(strip=old, parts=inside) for old in olds if old and inside)
    yield from (Renaming(strip=old, endings=_LEGACY) for old in olds)


def _beginnings(keys: Iterable[str]) -> list[str]:
    """What all names begin with, part by part, the shortest first: '', then 'model.', then 'model.net.'."""
    split = [key.split(".")[:-1] for key in keys]
    shared = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ["".join(part + "." for part in shared[:count]) for count in range(len(shared) + 1)]


def pairs(unexpected: Sequence[str], missing: Sequence[str]) -> dict[str, str] | None:
    """Old -> new for layers that have another name, where order and kind of the tensors leave one way only.

    Both lists must be equally long and agree, place by place, in what the tensors are (weight, bias …).
    """
    if len(unexpected) != len(missing) or not missing:
        return None
    endings = [(old.rpartition(".")[2], new.rpartition(".")[2]) for old, new in zip(unexpected, missing, strict=True)]
    if any(old != new for old, new in endings):
        return None
    return dict(zip(unexpected, missing, strict=True))


def quoted(value: str | tuple[str, ...]) -> str:
    """A text, or a set of texts, as Python writes it with double quotes."""
    if isinstance(value, tuple):
        return "{" + ", ".join(quoted(each) for each in value) + "}"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
