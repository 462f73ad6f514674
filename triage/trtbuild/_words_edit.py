"""Writes settings into the words of a command: trtexec's, Polygraphy's, or a script's own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from triage.site import CannotApply
from triage.trtbuild._spelling import LISTED, POLYGRAPHY, SHAPE_FLAGS, WHOLE, specs
from triage.trtbuild.settings import Profile, Range, Settings, by_x


def put_trtexec(words: list[str], now: Sequence[Profile], wanted: Sequence[Profile]) -> list[str]:
    """The words of a trtexec command with other profiles."""
    at = next((place for place, word in enumerate(words) if word.partition("=")[0] in SHAPE_FLAGS), len(words))
    kept = [word for word in words if word.partition("=")[0] not in SHAPE_FLAGS or _only_run(word, wanted)]
    at = min(at, len(kept))
    fresh = []
    for place, profile in enumerate(wanted):
        fresh += [f"--profile={place}"] if len(wanted) > 1 else []
        for flag, end in zip(SHAPE_FLAGS, ("least", "opt", "most"), strict=False):
            fresh.append(
                f"{flag}={','.join(f'{_name(name)}:{by_x(getattr(found, end))}' for name, found in profile.items())}"
            )
    return kept[:at] + fresh + kept[at:]


def _only_run(word: str, wanted: Sequence[Profile]) -> bool:
    """Whether it is ``--shapes`` of a run that the wanted profiles cover."""
    name, _, value = word.partition("=")
    asked = specs(value)
    return name == "--shapes" and bool(asked) and any(
        all(name in profile and profile[name].covers(dims) for name, dims in asked.items()) for profile in wanted
    )  # fmt: skip


def _name(name: str) -> str:
    return f"'{name}'" if re.search(r"[:,]", name) else name


def put_polygraphy(words: list[str], now: Sequence[Profile], wanted: Sequence[Profile]) -> list[str]:
    """The words of a polygraphy command with other profiles."""
    kept = _without(words, POLYGRAPHY)
    for profile in wanted:
        for flag, end in zip(POLYGRAPHY, ("least", "opt", "most"), strict=True):
            rows = (f"{name}:[{','.join(map(str, getattr(found, end)))}]" for name, found in profile.items())
            kept += [flag, *rows]
    return kept


def _without(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    kept, dropping = [], False
    for word in words:
        if word.startswith("-") and not re.match(r"-\d", word):
            dropping = word.partition("=")[0] in flags
        elif dropping and not LISTED.match(word):
            dropping = False  # a word of the program's own, such as the model
        if not dropping:
            kept.append(word)
    return kept


def put_own(words: list[str], now: Sequence[Profile], wanted: Sequence[Profile]) -> list[str]:
    """The words of a script's own shape options with other ranges."""
    old, new = dict(now[0]), dict(wanted[0])
    gone, fresh = [name for name in old if name not in new], [name for name in new if name not in old]
    renamed = dict(zip(gone, fresh, strict=False))
    last = 0
    for place, word in enumerate(words):
        match = WHOLE.match(word)
        if not match:
            continue
        last = place
        name = renamed.get(match[2], match[2])
        if name not in new:
            raise CannotApply(f"the command names {match[2]}, which no input is")
        words[place] = f"{match[1]}{name}:{_ends(new[name])}"
    for name in fresh[len(gone) :]:
        match = WHOLE.match(words[last])
        before = words[last - 1]
        lead = match[1] if match else ""
        added = [f"{lead}{name}:{_ends(new[name])}"]
        words[last + 1 : last + 1] = [before, *added] if before.startswith("-") and not lead else added
    return words


def _ends(found: Range) -> str:
    return ":".join(by_x(dims) for dims in found[:3])


def put_rest(words: list[str], kind: str, now: Settings, wanted: Settings) -> list[str]:
    """The words of a command with other flags, pools and layer precisions."""
    trtexec = kind == "trtexec"
    for name in sorted(wanted.flags - now.flags):
        if name.endswith("_precision_constraints"):
            words = _set(
                words, "--precisionConstraints" if trtexec else "--precision-constraints", name.split("_")[0], trtexec
            )
        else:
            words = [*words, f"--{name}"]
    dropped = {f"--{name}" for name in now.flags - wanted.flags}
    words = [word for word in words if word not in dropped]
    if wanted.pools != now.pools:
        words = [word for word in words if not word.startswith("--workspace=")]
        rows = [f"{name}:{size >> 20}{'' if trtexec else 'M'}" for name, size in wanted.pools.items()]
        words = _set(
            words, "--memPoolSize" if trtexec else "--pool-limit", ",".join(rows) if trtexec else rows, trtexec
        )
    if wanted.tactics != now.tactics:
        flag = "--tacticSources" if trtexec else "--tactic-sources"
        if wanted.tactics is None:
            words = _without_flag(words, flag, trtexec)
        else:
            words = _set(
                words, flag, _sources(wanted.tactics) if trtexec else [n.upper() for n in wanted.tactics], trtexec
            )
    if wanted.level is not None and wanted.level != now.level:
        words = _set(
            words,
            "--builderOptimizationLevel" if trtexec else "--builder-optimization-level",
            str(wanted.level),
            trtexec,
        )
    if wanted.layers and wanted.layers != now.layers:
        rows = [f"{name}:{'fp32' if trtexec else 'float32'}" for name in wanted.layers]
        words = _set(
            words,
            "--layerPrecisions" if trtexec else "--layer-precisions",
            ",".join(rows) if trtexec else rows,
            trtexec,
        )
    for path in wanted.plugins:
        if path not in now.plugins:
            words = [*words, f"--plugins={path}"] if trtexec else [*words, "--plugins", path]
    if wanted.typed != now.typed:
        flag = "--stronglyTyped" if trtexec else "--strongly-typed"
        words = [*words, flag] if wanted.typed else [word for word in words if word != flag]
    return words


def _sources(names: Sequence[str]) -> str:
    kept = {name.lstrip("+-") for name in names if not name.startswith("-")}
    return ",".join(f"{'+' if name in kept else '-'}{name.upper()}" for name in
                    ("cublas", "cublas_lt", "cudnn", "edge_mask_convolutions", "jit_convolutions"))  # fmt: skip


def _set(words: Sequence[str], flag: str, value: str | Sequence[str], joined: bool) -> list[str]:
    kept = _without_flag(words, flag, joined)
    if joined:
        return [*kept, f"{flag}={value}"]
    return [*kept, flag, *([value] if isinstance(value, str) else value)]


def _without_flag(words: Sequence[str], flag: str, joined: bool) -> list[str]:
    kept, dropping = [], False
    for word in words:
        if word.partition("=")[0] == flag:
            dropping = not joined
            continue
        if dropping and word.startswith("-"):
            dropping = False
        if not dropping:
            kept.append(word)
    return kept
