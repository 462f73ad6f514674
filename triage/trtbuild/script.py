"""A Python script that calls the TensorRT API (or Polygraphy's): what it tells the builder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import libcst as cst

from triage.trtbuild._values import Bound, Values
from triage.trtbuild.settings import Dims, Range, Settings

if TYPE_CHECKING:
    from triage.pysource.source import Source
    from triage.site import Site

CREATES = "create_optimization_profile"
KEPT = "KEEP_FP32"
_SPEAKS = re.compile(
    r"create_builder_config|create_optimization_profile|CreateConfig|deserialize_cuda_engine|OnnxParser"
)
_PLAN = re.compile(r"\.(?:plan|engine|trt)$")


class Ends(NamedTuple):
    """The three expressions of a call that set a range, and the one that names the input."""

    name: cst.BaseExpression
    least: cst.BaseExpression
    opt: cst.BaseExpression
    most: cst.BaseExpression


class ShapeCall(NamedTuple):
    """One time that a script gives an input its range. What cannot be told without running it is None."""

    call: cst.Call
    turn: Bound
    ends: Ends
    profile: int
    name: str | None
    range: Range | None


class Script:
    """What a source tells the builder: ``settings``, and where it says so."""

    kind = "script"

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = source.path
        self.values = Values(source)
        self.creations = self._creations()
        self.calls = list(self._shape_calls())
        self.written = self._profiles()
        self.settings = self._settings()

    @property
    def whole(self) -> bool:
        """Whether every range can be told without running the script."""
        return all(call.name is not None and call.range is not None for call in self.calls)

    @property
    def alias(self) -> str:
        """The name under which the script knows the TensorRT module."""
        for node in self.source.find(cst.Import):
            for name in node.names:
                if name.evaluated_name == "tensorrt":
                    return name.evaluated_alias or "tensorrt"
        return "trt"

    @property
    def builds(self) -> bool:
        """Whether it builds an engine (and does not only load one)."""
        return bool(
            self.config_calls() or any(self.named("build_serialized_network", "build_engine", "EngineFromNetwork"))
        )

    def write(self, site: Site, wanted: Settings) -> None:
        """Stores a script that says what is wanted."""
        from triage.trtbuild import _script_edit

        _script_edit.write(self, site, wanted)

    def named(self, *names: str) -> Iterator[cst.Call]:
        """Calls of functions or methods with one of these names, in the order of the text."""
        for call in self.source.find(cst.Call):
            if _called(call) in names:
                yield call

    def config_calls(self) -> list[cst.Call]:
        """Where builder configurations are made."""
        return list(self.named("create_builder_config", "CreateConfig", "create_config"))

    def added(self) -> list[cst.Call]:
        """Where profiles are handed to a configuration."""
        return list(self.named("add_optimization_profile"))

    @property
    def handed_over(self) -> bool:
        """Whether a configuration gets the profiles, and gets them when they are filled."""
        if not self.creations:
            return True
        last = max((self.source.span(call)[0] for call in self.added()), default=-1)
        return any(self.source.span(call.call)[0] < last for call in self.calls) or (last >= 0 and not self.calls)

    def enums(self, kind: str) -> list[cst.Attribute]:
        """Uses of an enum's values, such as ``trt.BuilderFlag.FP16``."""
        return [
            node for node in self.source.find(cst.Attribute)
            if self.source.code(node.value).rpartition(".")[2] == kind
        ]  # fmt: skip

    def _creations(self) -> list[tuple[cst.Call, str | None, int]]:
        """(call, name it is assigned to, how many profiles it makes) for each place that makes a profile."""
        found = []
        for call in self.named(CREATES):
            assign = self.source.above(call, cst.Assign, cst.AnnAssign)
            target = None
            if isinstance(assign, cst.Assign) and assign.value is call:
                target = self.source.code(assign.targets[0].target)
            elif isinstance(assign, cst.AnnAssign) and assign.value is call:
                target = self.source.code(assign.target)
            found.append((call, target, len(self.values.turns(call))))
        return found

    def _shape_calls(self) -> Iterator[ShapeCall]:
        roots: list[cst.CSTNode] = []
        for call in self.source.find(cst.Call):
            if not _sets(call):
                continue
            turns = self.values.turns(call)
            yield from self._of_table(call, turns[0])
            for at, turn in enumerate(() if self._table(call, turns[0]) else turns):
                ends = self._ends(call, turn)
                if ends is None:
                    break
                root = _root(call)
                if root is not None:
                    roots += [root] if root not in roots else []
                    profile = roots.index(root)
                else:
                    profile = self._profile(call, turn, at, len(turns))
                name = self.values.known(ends.name, turn)
                told = self._range(call, ends, turn)
                yield ShapeCall(call, turn, ends, profile, name if isinstance(name, str) else None, told)

    def _table(self, call: cst.Call, turn: Bound) -> cst.Dict | None:
        """The table of a call such as ``set_shape(name, *TABLE[name])``, where only a run can tell the name."""
        for each in call.args:
            if each.star == "*" and isinstance(each.value, cst.Subscript):
                base = self.values.settle(each.value.value, turn)
                followed = self.values.settle(each.value, turn)
                if isinstance(base, cst.Dict) and followed is each.value:
                    return base
        return None

    def _of_table(self, call: cst.Call, turn: Bound) -> Iterator[ShapeCall]:
        """Each row of such a table is a range."""
        table = self._table(call, turn)
        for row in table.elements if table else ():
            if not isinstance(row, cst.DictElement):
                continue
            name, three = self.values.known(row.key), self.values.settle(row.value, turn)
            if isinstance(three, cst.Tuple | cst.List) and len(three.elements) == 3:
                ends = Ends(row.key, *(one.value for one in three.elements))
                told = self._range(call, ends, turn)
                yield ShapeCall(
                    call, turn, ends, self._profile(call, turn, 0, 1), name if isinstance(name, str) else None, told
                )

    def _ends(self, call: cst.Call, turn: Bound) -> Ends | None:
        """The expressions of a call that sets a range, with ``*`` and ``**`` laid out; None for any other call."""
        plain: list[cst.BaseExpression] = []
        keys: dict[str, cst.BaseExpression] = {}
        for each in call.args:
            if each.keyword:
                keys[each.keyword.value] = each.value
            elif not each.star:
                plain.append(each.value)
            elif each.star == "*":
                laid = self.values.settle(each.value, turn)
                if isinstance(laid, cst.Tuple | cst.List):
                    plain += [one.value for one in laid.elements]
                else:
                    plain += [each.value] * (4 - len(plain))
            else:
                keys |= self._laid_out(self.values.settle(each.value, turn))
        names = ("input" if "input" in keys else "name", "min", "opt", "max")
        told = dict(zip(names, plain, strict=False)) | keys
        parts = [told.get(name) for name in names]
        return Ends(*parts) if all(part is not None for part in parts) else None  # type: ignore[arg-type]

    def _laid_out(self, table: cst.BaseExpression) -> dict[str, cst.BaseExpression]:
        """The entries of ``{"min": …}`` or ``dict(min=…)``."""
        if isinstance(table, cst.Dict):
            pairs = [(each.key, each.value) for each in table.elements if isinstance(each, cst.DictElement)]
            return {str(self.values.known(key)): value for key, value in pairs}
        if isinstance(table, cst.Call) and _called(table) == "dict":
            return {each.keyword.value: each.value for each in table.args if each.keyword}
        return {}

    def _profile(self, call: cst.Call, turn: Bound, at: int, turns: int) -> int:
        """The place, in the order of making, of the profile that a call sets."""
        assert isinstance(call.func, cst.Attribute)  # noqa: S101 -- for the type checker
        base, here = call.func.value, self.source.span(call)[0]
        settled, text = self.values.settle(base, turn), self.source.code(base)
        first, chosen = 0, 0
        for made, name, times in self.creations:
            if settled is made or (name == text and self.source.span(made)[0] < here):
                chosen = first + (at * times // turns if 1 < times <= turns else 0)
            first += times
        return chosen

    def _range(self, call: cst.Call, ends: Ends, turn: Bound) -> Range | None:
        told = [_dims(self.values.known(each, turn)) for each in ends[1:]]
        if any(dims is None for dims in told):
            return None
        least, opt, most = (dims for dims in told if dims is not None)
        return Range(least, opt, most, _called(call) == "set_shape_input")

    def _settings(self) -> Settings:
        return Settings(
            profiles=self.written if self.handed_over else (),
            flags=frozenset(self._flags()),
            pools=dict(self._pools()),
            tactics=self._tactics(),
            level=self._level(),
            layers=dict.fromkeys(self._kept(), "fp32"),
            plugins=tuple(self._plugins()),
            typed=bool(re.search(rb"\bSTRONGLY_TYPED\b|strongly_typed\s*=\s*True", self.source.data)),
            calibration={} if re.search(rb"int8_calibrator|Calibrator\b|calibrator\s*=", self.source.data) else None,
            model=self._model(),
            plan=next((text for text in self._strings() if _PLAN.search(text)), None),
        )

    def _profiles(self) -> tuple[dict[str, Range], ...]:
        count = max(
            [sum(times for _, _, times in self.creations), *(call.profile + 1 for call in self.calls)], default=0
        )
        found: tuple[dict[str, Range], ...] = tuple({} for _ in range(count))
        for call in self.calls:
            if call.name is not None and call.range is not None:
                found[call.profile][call.name] = call.range
        return found

    def _flags(self) -> Iterator[str]:
        for node in self.enums("BuilderFlag"):
            around = self.source.above(node, cst.Call)
            while around is not None and _called(around) in ("int", "getattr"):
                around = self.source.above(around, cst.Call)
            if around is None or _called(around) not in ("clear_flag", "get_flag"):
                yield node.attr.value.lower()
        for call in self.named("CreateConfig"):
            for argument in call.args:
                if argument.keyword and self.source.code(argument.value) == "True":
                    yield argument.keyword.value.lower()

    def _pools(self) -> Iterator[tuple[str, int]]:
        for call in self.named("set_memory_pool_limit"):
            if len(call.args) == 2:
                told = self.values.known(call.args[1].value)
                yield (
                    self.source.code(call.args[0].value).rpartition(".")[2].lower(),
                    told if isinstance(told, int) else 0,
                )
        for node in self.source.find(cst.Assign):
            target = node.targets[0].target
            if isinstance(target, cst.Attribute) and target.attr.value == "max_workspace_size":
                told = self.values.known(node.value)
                yield "workspace", told if isinstance(told, int) else 0

    def _tactics(self) -> tuple[str, ...] | None:
        if not any(self.named("set_tactic_sources")):
            return None
        return tuple(dict.fromkeys(node.attr.value.lower() for node in self.enums("TacticSource")))

    def _level(self) -> int | None:
        for node in self.source.find(cst.Assign):
            target = node.targets[0].target
            if isinstance(target, cst.Attribute) and target.attr.value == "builder_optimization_level":
                told = self.values.known(node.value)
                return told if isinstance(told, int) else None
        return None

    def kept_set(self) -> cst.Set | None:
        """The set of layers that an earlier repair keeps in FP32."""
        for node in self.source.find(cst.Assign):
            if self.source.code(node.targets[0].target) == KEPT and isinstance(node.value, cst.Set):
                return node.value
        return None

    def _kept(self) -> Iterator[str]:
        found = self.kept_set()
        for element in found.elements if found else ():
            told = self.values.known(element.value)
            if isinstance(told, str):
                yield told

    def _plugins(self) -> Iterator[str]:
        for call in self.named("CDLL", "load_library", "LoadLibrary", "cdll"):
            told = self.values.known(call.args[0].value) if call.args else None
            if isinstance(told, str):
                yield told

    def _model(self) -> str | None:
        for call in self.named("parse_from_file", "NetworkFromOnnxPath", "network_from_onnx_path", "open"):
            told = self.values.known(call.args[0].value) if call.args else None
            if isinstance(told, str) and told.endswith(".onnx"):
                return told
        return next((text for text in self._strings() if text.endswith(".onnx")), None)

    def _strings(self) -> Iterator[str]:
        for node in self.source.find(cst.SimpleString):
            told = node.evaluated_value
            if isinstance(told, str):
                yield told


def speaks(text: str) -> bool:
    """Whether a text looks like a script that builds or loads engines."""
    return bool(_SPEAKS.search(text))


def _called(call: cst.Call) -> str:
    if isinstance(call.func, cst.Attribute):
        return call.func.attr.value
    return call.func.value if isinstance(call.func, cst.Name) else ""


def _sets(call: cst.Call) -> bool:
    """Whether a call looks like one that gives an input its range."""
    if not isinstance(call.func, cst.Attribute) or call.func.attr.value not in ("set_shape", "set_shape_input", "add"):
        return False
    keys = {each.keyword.value for each in call.args if each.keyword}
    return call.func.attr.value != "add" or {"min", "opt", "max"} <= keys or _root(call) is not None


def _root(call: cst.Call) -> cst.CSTNode | None:
    """The ``Profile()`` at the start of a chain of Polygraphy's ``add``."""
    node: Any = call
    while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "add":
        node = node.func.value
    if isinstance(node, cst.Call) and _called(node) == "Profile":
        return node
    return None


def _dims(value: Any) -> Dims | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, list | tuple) or not all(
        isinstance(size, int) and not isinstance(size, bool) for size in value
    ):
        return None
    return tuple(value)
