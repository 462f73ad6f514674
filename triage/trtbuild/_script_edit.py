"""Writes settings into a Python script: only what differs from what it says, everything else byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import libcst as cst

from triage.pysource.source import apply_edits
from triage.site import CannotApply
from triage.trtbuild._profile_edit import ProfileEdits
from triage.trtbuild.script import KEPT
from triage.trtbuild.settings import Settings

if TYPE_CHECKING:
    from triage.site import Site
    from triage.trtbuild.script import Script

_KEEP = """
# layers (by their name or by the tensors they write) that stay in FP32
{names} = {wanted}
for index in range({network}.num_layers):
    layer = {network}.get_layer(index)
    written = {{layer.get_output(place).name for place in range(layer.num_outputs)}}
    if layer.name in {names} or written & {names}:
        layer.precision = {trt}.float32
        for place in range(layer.num_outputs):
            if layer.get_output(place).dtype in ({trt}.float32, {trt}.float16):
                layer.set_output_type(place, {trt}.float32)
"""


def write(script: Script, site: Site, wanted: Settings) -> None:
    """Stores a script that says what is wanted.

    Raises:
        CannotApply: it is not written in a way that can be changed.
    """
    try:
        text = _text(script, wanted, local=False)
    except CannotApply:
        text = _text(script, wanted, local=True)
    site.write_text(script.name, text)


def _text(script: Script, wanted: Settings, *, local: bool) -> str:
    """The changed text; ``local`` writes values into the calls and leaves constants elsewhere alone."""
    source = script.source
    source.edits.clear()
    try:
        _Edits(script, local=local).make(wanted)
        return apply_edits(source.data.decode(), source.edits, script.name)
    finally:
        source.edits.clear()


def register_plugins(script: Script, site: Site) -> None:
    """Stores a script that registers TensorRT's own plugins before it builds or loads.

    Raises:
        CannotApply: it makes neither a builder nor a runtime.
    """
    first = next((call for call in script.named("Builder", "Runtime") if call.args), None)
    if first is None:
        raise CannotApply(f"{script.name} makes neither a builder nor a runtime")
    script.source.edits.clear()
    edits = _Edits(script, local=False)
    logger = first.args[0].value
    told = script.source.code(logger) if isinstance(logger, cst.Name | cst.Attribute) else "None"
    edits.before(first, f'{script.alias}.init_libnvinfer_plugins({told}, "")')
    edits.flush()
    try:
        site.write_text(script.name, apply_edits(script.source.data.decode(), script.source.edits, script.name))
    finally:
        script.source.edits.clear()


class _Edits(ProfileEdits):
    def make(self, wanted: Settings) -> None:
        """Every edit that is needed."""
        now = self.script.settings
        if wanted.profiles != now.profiles:
            self.profiles(wanted.profiles)
        for flag in sorted(wanted.flags - now.flags):
            self.configure(f"{{config}}.set_flag(trt.BuilderFlag.{flag.upper()})", flag, "True")
        for flag in sorted(now.flags - wanted.flags):
            self._drop_flag(flag)
        for pool, size in wanted.pools.items():
            if now.pools.get(pool) != size:
                self._pool(pool, size)
        if wanted.tactics != now.tactics:
            self._tactics(wanted.tactics)
        if wanted.level is not None and wanted.level != now.level:
            self._level(wanted.level)
        if wanted.typed != now.typed:
            self._typed(wanted.typed)
        if wanted.layers and wanted.layers != now.layers:
            self._layers(wanted.layers)
        for path in wanted.plugins:
            if path not in now.plugins:
                self._plugin(path)
        if wanted.calibration and wanted.calibration != now.calibration:
            self._calibration(wanted.calibration)
        self.flush()

    def _drop_flag(self, flag: str) -> None:
        dropped = False
        for node in self.script.enums("BuilderFlag"):
            call = self.source.above(node, cst.Call)
            if (
                node.attr.value.lower() == flag
                and call is not None
                and self.source.code(call.func).endswith("set_flag")
            ):
                self.drop(call)
                dropped = True
        for call in self.script.named("CreateConfig"):
            for argument in call.args:
                if argument.keyword and argument.keyword.value == flag:
                    self.source.replace(argument.value, "False")
                    dropped = True
        if not dropped:
            raise CannotApply(f"{self.script.name} does not set the flag {flag} by a call of its own")

    def _pool(self, pool: str, size: int) -> None:
        for call in self.script.named("set_memory_pool_limit"):
            if len(call.args) == 2 and self.source.code(call.args[0].value).lower().endswith(f".{pool}"):
                self.source.replace(call.args[1].value, _bytes(size))
                return
        for node in self.source.find(cst.Assign):
            target = node.targets[0].target
            if pool == "workspace" and isinstance(target, cst.Attribute) and target.attr.value == "max_workspace_size":
                self.source.replace(node.value, _bytes(size))
                return
        self.configure(f"{{config}}.set_memory_pool_limit(trt.MemoryPoolType.{pool.upper()}, {_bytes(size)})")

    def _level(self, level: int) -> None:
        for node in self.source.find(cst.Assign):
            target = node.targets[0].target
            if isinstance(target, cst.Attribute) and target.attr.value == "builder_optimization_level":
                self.source.replace(node.value, str(level))
                return
        self.configure(f"{{config}}.builder_optimization_level = {level}", "builder_optimization_level", str(level))

    def _tactics(self, wanted: Sequence[str] | None) -> None:
        calls = list(self.script.named("set_tactic_sources"))
        if wanted is None:
            for call in calls:
                self.drop(call)
            return
        text = " | ".join(f"1 << int({self.script.alias}.TacticSource.{name.upper()})" for name in wanted) or "0"
        if calls:
            self.source.replace(calls[0].args[0].value, text)
        else:
            self.configure(f"{{config}}.set_tactic_sources({text})")

    def _typed(self, typed: bool) -> None:
        flag = f"1 << int({self.script.alias}.NetworkDefinitionCreationFlag.STRONGLY_TYPED)"
        for call in self.script.named("create_network"):
            if call.args:
                self.source.replace(call.args[0].value, flag if typed else "0")
            elif typed:
                self.source.insert(self.source.span(call)[1] - 1, flag)
            return
        raise CannotApply(f"{self.script.name} creates no network itself")

    def _layers(self, layers: Mapping[str, str]) -> None:
        kept = self.script.kept_set()
        if kept is not None:
            self.source.replace(kept, _set_of(layers))
            return
        for call in self.script.named("build_serialized_network", "build_engine"):
            if call.args:
                network = self.source.code(call.args[0].value)
                text = _KEEP.format(names=KEPT, wanted=_set_of(layers), network=network, trt=self.script.alias).strip(
                    "\n"
                )
                self.before(call, text)
                return
        raise CannotApply(f"{self.script.name} does not say from which network it builds")

    def _plugin(self, path: str) -> None:
        first = next(
            (call for call in self.script.named("Logger", "init_libnvinfer_plugins", "Builder", "Runtime")), None
        )
        if first is None:
            raise CannotApply(f"{self.script.name} has no logger and no builder")
        self.before(first, f'import ctypes\n\nctypes.CDLL("{path}", mode=ctypes.RTLD_GLOBAL)')

    def _calibration(self, told: Mapping[str, Any]) -> None:
        """The helper module beside the script is imported where the configuration is made."""
        made = f'int8_calibration.calibrator("{told["data"]}", "{told["method"]}")'
        self.configure(f"import int8_calibration\n\n{{config}}.int8_calibrator = {made}", "calibrator", made)


def _bytes(size: int) -> str:
    for shift in (30, 20):
        if size >= 1 << shift and size % (1 << shift) == 0:
            return f"{size >> shift} << {shift}"
    return str(size)


def _set_of(layers: Mapping[str, str]) -> str:
    """The set of names in a fixed order, so that the same change always reads the same."""
    return "{" + ", ".join(f'"{name}"' for name in sorted(layers)) + "}"
