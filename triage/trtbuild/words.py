"""Command lines that build engines: trtexec, Polygraphy, and scripts that take ranges as words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from triage import commandline
from triage.commandline import Command
from triage.trtbuild import _words_edit
from triage.trtbuild._spelling import LISTED, POLYGRAPHY, SHAPE_FLAGS, WHOLE, specs
from triage.trtbuild.settings import Dims, Range, Settings, from_x

if TYPE_CHECKING:
    from triage.site import Site

_UNITS = {"": 1 << 20, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Words:
    """A command in one of the three ways of writing; ``settings`` is what it says."""

    def __init__(self, command: Command, kind: str) -> None:
        self.command = command
        self.kind = kind
        self.name = command.path or "the command"
        self.whole = True
        self.settings = {"trtexec": _trtexec, "polygraphy": _polygraphy, "words": _own_words}[kind](command)

    def write(self, site: Site, wanted: Settings) -> None:
        """Stores a command that says what is wanted."""
        words = list(self.command.words)
        if wanted.profiles != self.settings.profiles:
            words = {
                "trtexec": _words_edit.put_trtexec,
                "polygraphy": _words_edit.put_polygraphy,
                "words": _words_edit.put_own,
            }[self.kind](words, self.settings.profiles, wanted.profiles)
        if self.kind != "words":
            words = _words_edit.put_rest(words, self.kind, self.settings, wanted)
        self.replace_words(site, words)

    def replace_words(self, site: Site, words: Sequence[str]) -> None:
        """Stores other words in place of the command's."""
        _store(site, self.command, self.command._replace(words=tuple(words)))


def _store(site: Site, old: Command, new: Command) -> None:
    """Puts a command in place of another: in the build's command, inside ``sh -c TEXT``, or in a shell script."""
    if old.path:
        site.write_text(old.path, commandline.with_all(site.text(old.path), {old: new}))
    elif old.inside is not None:
        site.set_command(commandline.with_inside(site.command, {old: new}))
    else:
        site.set_command(new.words)


def found(site: Site) -> Iterator[Words]:
    """The commands of a build that speak to TensorRT."""
    for command in commandline.commands(site):
        kind = kind_of(command)
        if kind:
            yield Words(command, kind)


def kind_of(command: Command) -> str | None:
    """trtexec, polygraphy, words (a range as a word), or None."""
    if not command.words:
        return None
    program = os.path.basename(command.script or "") if command.is_python else command.program
    if program.removesuffix(".exe") == "trtexec":
        return "trtexec"
    if program in ("polygraphy", "polygraphy_cli.py"):
        return "polygraphy"
    return "words" if any(WHOLE.match(word) for word in command.words) else None


# reading


def _trtexec(command: Command) -> Settings:
    said = dict(_said(command.words))
    layers = dict(part.rpartition(":")[::2] for part in said.get("--layerPrecisions", "").split(",") if ":" in part)
    level = said.get("--builderOptimizationLevel", "")
    return Settings(
        profiles=tuple(_trtexec_profiles(command.words)),
        flags=frozenset(_flags(said, "")),
        pools=dict(_pools(said.get("--memPoolSize", ""))) or _old_workspace(said),
        tactics=tuple(said["--tacticSources"].lower().split(",")) if "--tacticSources" in said else None,
        level=int(level) if level.isdecimal() else None,
        layers=layers,
        plugins=tuple(
            value
            for name, value in _said(command.words)
            if name in ("--plugins", "--staticPlugins", "--dynamicPlugins")
        ),
        typed="--stronglyTyped" in said,
        timing_cache=said.get("--timingCacheFile"),
        calibration={} if "--calib" in said else None,
        model=said.get("--onnx"),
        plan=said.get("--loadEngine") or said.get("--saveEngine"),
        shapes=specs(said.get("--shapes", "")),
    )


def _said(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            yield name, value


def _trtexec_profiles(words: Sequence[str]) -> Iterator[dict[str, Range]]:
    for ends in _by_profile(words):
        if not ends:
            continue
        usual = (
            ends.get("--shapes") or ends.get("--optShapes") or ends.get("--maxShapes") or ends.get("--minShapes") or {}
        )
        low, opt, high = (ends.get(flag) or usual for flag in SHAPE_FLAGS[:3])
        names = dict.fromkeys([*low, *opt, *high])
        yield {
            name: Range(low.get(name) or opt.get(name) or high[name], opt.get(name) or high.get(name) or low[name],
                        high.get(name) or opt.get(name) or low[name])
            for name in names
        }  # fmt: skip


def _by_profile(words: Sequence[str]) -> list[dict[str, dict[str, Dims]]]:
    groups: list[dict[str, dict[str, Dims]]] = [{}]
    for name, value in _said(words):
        if name == "--profile" and value.isdecimal():
            groups += [{} for _ in range(int(value) + 1 - len(groups))] if int(value) < 64 else []
        elif name in SHAPE_FLAGS[:4]:
            groups[-1][name] = specs(value)
    return groups


def _pools(text: str) -> Iterator[tuple[str, int]]:
    for part in text.split(","):
        match = re.fullmatch(r"(\w+):(\d+(?:\.\d+)?)([BKMG]?)(?:i?B)?", part.strip())
        if match:
            yield match[1].lower(), int(float(match[2]) * _UNITS[match[3]])


def _old_workspace(said: Mapping[str, str]) -> dict[str, int]:
    told = said.get("--workspace", "")
    return {"workspace": int(told) << 20} if told.isdecimal() else {}


def _flags(said: Mapping[str, str], constraints: str) -> Iterator[str]:
    for name in ("fp16", "bf16", "int8", "fp8"):
        if f"--{name}" in said or (name in ("fp16", "int8") and "--best" in said):
            yield name
    told = said.get("--precisionConstraints", "") or constraints
    if told in ("obey", "prefer"):
        yield f"{told}_precision_constraints"


def _polygraphy(command: Command) -> Settings:
    said = {name: values[0] if values else "" for name, values in _lists(command.words)}
    pools = said.get("--pool-limit", said.get("--memory-pool-limit", ""))
    level = said.get("--builder-optimization-level", "")
    models = [word for word in command.words if word.endswith(".onnx") and not word.startswith("-")]
    plans = [word for word in command.words if word.endswith((".plan", ".engine", ".trt")) and not word.startswith("-")]
    layers = dict(
        value.rpartition(":")[::2]
        for name, values in _lists(command.words)
        if name == "--layer-precisions"
        for value in values
    )
    return Settings(
        profiles=tuple(_polygraphy_profiles(command.words)),
        flags=frozenset(_flags(said, said.get("--precision-constraints", ""))),
        pools=dict(_pools(pools)),
        tactics=next(
            (tuple(v.lower() for v in values) for name, values in _lists(command.words) if name == "--tactic-sources"),
            None,
        ),
        level=int(level) if level.isdecimal() else None,
        layers=layers,
        plugins=tuple(value for name, values in _lists(command.words) if name == "--plugins" for value in values),
        typed="--strongly-typed" in said,
        timing_cache=said.get("--load-timing-cache"),
        calibration={} if "--calibration-cache" in said else None,
        model=models[0] if models else None,
        plan=plans[0] if plans else None,
        shapes=next(
            (_listed(values) for name, values in _lists(command.words) if name in ("--input-shapes", "--inputs")), {}
        ),
    )


def _lists(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """(option, the words that follow it) for each option."""
    name = ""
    values: list[str] = []
    for word in words:
        if word.startswith("-") and not re.match(r"-\d", word):
            if name:
                yield name, values
            name, _, value = word.partition("=")
            values = [value] if value else []
        else:
            values = [*values, word]
    if name:
        yield name, values


def _polygraphy_profiles(words: Sequence[str]) -> Iterator[dict[str, Range]]:
    ends = [[_listed(values) for name, values in _lists(words) if name == flag] for flag in POLYGRAPHY]
    for at in range(max(len(each) for each in ends)):
        low, opt, high = (each[at] if at < len(each) else {} for each in ends)
        yield {
            name: Range(low.get(name) or opt.get(name) or high[name], opt.get(name) or high.get(name) or low[name],
                        high.get(name) or opt.get(name) or low[name])
            for name in dict.fromkeys([*low, *opt, *high])
        }  # fmt: skip


def _listed(values: Sequence[str]) -> dict[str, Dims]:
    """``images:[1,3,32,32]`` (also the older ``images,1x3x32x32``) by name."""
    told = {}
    for value in values:
        match = LISTED.match(value)
        dims = from_x(match[2]) if match else None
        if match and dims:
            told[match[1]] = dims
    return told


def _own_words(command: Command) -> Settings:
    profile = {match[2]: _of_word(match) for word in command.words if (match := WHOLE.match(word))}
    model = next(
        (part for word in command.words for part in (word, word.rpartition("=")[2]) if part.endswith(".onnx")), None
    )
    return Settings(profiles=(profile,), model=model)


def _of_word(match: re.Match[str]) -> Range:
    least, opt, most = (from_x(match[at]) or () for at in (3, 4, 5))
    return Range(least, opt, most)
