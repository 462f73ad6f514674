"""Writes profiles into a Python script: sizes, names, new ranges, new profiles."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import libcst as cst

from triage.site import CannotApply
from triage.trtbuild._lines import Lines
from triage.trtbuild.script import ShapeCall
from triage.trtbuild.settings import Dims, Profile, Range


class ProfileEdits(Lines):
    """Edits that make a script say other profiles."""

    def profiles(self, wanted: Sequence[Profile]) -> None:
        """Makes the script give these profiles."""
        script = self.script
        for at, profile in enumerate(wanted):
            if at < len(script.written) and profile == script.written[at]:
                continue
            if at < len(script.written):
                self._change(at, script.written[at], profile)
            else:
                self._new_profile(profile)
        if script.creations and not script.handed_over and any(wanted[: len(script.written)]):
            self._hand_over()

    def _change(self, at: int, now: Profile, wanted: Profile) -> None:
        calls = [call for call in self.script.calls if call.profile == at]
        opaque = [call for call in calls if call.name is None or call.range is None]
        if opaque:
            self._table(opaque, wanted)
            return
        moved = _moved(now, wanted)
        for call in calls:
            assert call.name is not None  # noqa: S101 -- for the type checker
            name = moved.get(call.name, call.name)
            if name not in wanted:
                self.drop(call.call)
                continue
            if name != call.name:
                self._put(call.ends.name, repr(name).replace("'", '"'), call)
            self._ends(call, wanted[name])
        told = {moved.get(name, name) for name in now}
        for name, found in wanted.items():
            if name not in told:
                self._new_call(calls, name, found)

    def _ends(self, call: ShapeCall, wanted: Range) -> None:
        assert call.range is not None  # noqa: S101 -- for the type checker
        if wanted.values != call.range.values and isinstance(call.call.func, cst.Attribute):
            self.source.replace(call.call.func.attr, "set_shape_input" if wanted.values else "set_shape")
        pairs = zip(call.ends[1:], call.range[:3], wanted[:3], strict=True)
        for node, old, new in pairs:
            if old != new:
                self._size(node, old, new, call)

    def _size(self, node: cst.BaseExpression, old: Dims, new: Dims, call: ShapeCall) -> None:
        """Other numbers in a shape: only those that differ where the literal can be found, else the whole."""
        literal = self._literal(node, call)
        if not isinstance(literal, cst.Tuple | cst.List):
            self._put(node, _shape(new), call)
            return
        plain = all(isinstance(each, cst.Element) for each in literal.elements)
        if not plain or not len(old) == len(new) == len(literal.elements):
            self.source.replace(literal, _shape(new, brackets=isinstance(literal, cst.List)))
            return
        for element, was, size in zip(literal.elements, old, new, strict=True):
            if was != size:
                self.source.replace(element.value, str(size))

    def _literal(self, node: cst.BaseExpression, call: ShapeCall) -> cst.BaseExpression:
        return node if self.local else self.script.values.settle(node, call.turn)

    def _put(self, node: cst.BaseExpression, text: str, call: ShapeCall) -> None:
        """Another text for a value: at the literal it comes from, else in the call, where that is reached once."""
        literal = self._literal(node, call)
        if isinstance(literal, cst.SimpleString | cst.Tuple | cst.List):
            self.source.replace(literal, text)
        elif len(self.script.values.turns(call.call)) == 1:
            self.source.replace(node, text)
        else:
            raise CannotApply(f"line {self.source.line(node)} of {self.script.name} sets several inputs at once")

    def _table(self, opaque: Sequence[ShapeCall], wanted: Profile) -> None:
        """Ranges that the script computes become a table of ranges, by the name that the script asks for."""
        rows = ", ".join(
            f'"{name}": ({_shape(found.least)}, {_shape(found.opt)}, {_shape(found.most)})'
            for name, found in wanted.items()
        )
        for call in {id(each.call): each for each in opaque}.values():
            name = self.source.code(call.ends.name)
            start = self.source.span(call.call.args[0])[0]
            end = self.source.span(call.call.args[-1])[1]
            self.source.remove(start, end)
            self.source.insert(end, f"{name}, *{{{rows}}}[{name}]")

    def _new_call(self, calls: Sequence[ShapeCall], name: str, found: Range) -> None:
        script = self.script
        if calls:
            last = calls[-1].call
            assert isinstance(last.func, cst.Attribute)  # noqa: S101 -- for the type checker
            if last.func.attr.value == "add":
                self.source.insert(self.source.span(last)[1], f".add({_arguments(name, found)})")
                return
            self.after(last, f"{self.source.code(last.func.value)}.{_setter(found)}({_arguments(name, found)})")
            return
        made = [(call, target) for call, target, _ in script.creations if target]
        if not made:
            raise CannotApply(f"{script.name} does not say which profile it fills")
        self.after(made[0][0], f"{made[0][1]}.{_setter(found)}({_arguments(name, found)})")

    def _new_profile(self, profile: Profile) -> None:
        for call in self.script.config_calls():
            if call.func.value == "CreateConfig" if isinstance(call.func, cst.Name) else False:
                self._polygraphy(call, profile)
                return
        taken = {node.value for node in self.source.find(cst.Name)}
        names = itertools.chain(("profile", "shape_profile"), (f"profile_{at}" for at in itertools.count(2)))
        name = next(each for each in names if each not in taken)
        lines = [f"{name} = {{builder}}.create_optimization_profile()"]
        lines += [f"{name}.{_setter(found)}({_arguments(each, found)})" for each, found in profile.items()]
        self.configure("\n".join([*lines, f"{{config}}.add_optimization_profile({name})"]))

    def _polygraphy(self, call: cst.Call, profile: Profile) -> None:
        chain = "".join(f".add({_arguments(name, found)})" for name, found in profile.items())
        self.keyword(call, "profiles", f"[Profile(){chain}]")
        for node in self.source.find(cst.ImportFrom):
            names = [] if isinstance(node.names, cst.ImportStar) else [alias.evaluated_name for alias in node.names]
            if "CreateConfig" in names and "Profile" not in names:
                self.after(node, f"from {self.source.code(node.module)} import Profile" if node.module else "")

    def _hand_over(self) -> None:
        """The configuration gets the profile once it is filled."""
        config, _, statement = self.config()
        for call, target, _ in self.script.creations:
            if target is None:
                raise CannotApply(f"{self.script.name} makes a profile that has no name")
            filled = [
                each.call for each in self.script.calls if self.source.code(each.call.func).startswith(f"{target}.")
            ]
            last = max([call, *filled], key=lambda each: self.source.span(each)[0])
            if self.source.span(last)[0] < self.source.span(statement)[0]:
                last = statement
            self.after(last, f"{config}.add_optimization_profile({target})")


def _moved(now: Profile, wanted: Profile) -> dict[str, str]:
    """Old names that got new ones: in order, each to a name that is new; the same range first."""
    gone = [name for name in now if name not in wanted]
    new = [name for name in wanted if name not in now]
    pairs: dict[str, str] = {}
    for same in (True, False):
        for old in gone:
            for name in new:
                fits = (
                    wanted[name] == now[old] if same else len(wanted[name].opt) == len(now[old].opt) or len(gone) == 1
                )
                if old not in pairs and name not in pairs.values() and fits:
                    pairs[old] = name
    return pairs


def _setter(found: Range) -> str:
    return "set_shape_input" if found.values else "set_shape"


def _arguments(name: str, found: Range) -> str:
    shapes = ", ".join(f"{key}={_shape(dims)}" for key, dims in zip(("min", "opt", "max"), found[:3], strict=True))
    return f'"{name}", {shapes}'


def _shape(dims: Sequence[int], *, brackets: bool = False) -> str:
    inside = ", ".join(map(str, dims))
    return f"[{inside}]" if brackets else f"({inside}{',' if len(dims) == 1 else ''})"
