"""Making tensor types agree: which Casts a model needs, judged by the operators' schemas, and putting them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from triage.onnxgraph import elements, naming, quantized, recast
from triage.onnxgraph.flow import Ask, End, Value, Walk, declared_type

_DIVIDING = ("Div", "Mod", "Pow")  # with integers they compute something else


class Policy(NamedTuple):
    """How to choose where several types would do.

    ``narrow``: the smaller float wins. ``follow``: a constant takes the type of the tensors beside it.
    ``exact``: also a float constant of whole numbers beside integers. ``retarget``: a Cast that made integers
    of floats which are then wanted as floats had the wrong target. ``rounds``: computed floats that are wanted as
    whole numbers are rounded, not cut off.
    """

    name: str
    narrow: bool = False
    follow: bool = True
    exact: bool = False
    retarget: bool = False
    rounds: bool = False


POLICIES = (
    Policy("constants follow"),
    Policy("whole constants follow", exact=True),
    Policy("the smaller float wins", narrow=True, follow=False),
    Policy("the wider type wins", follow=False),
    Policy("casts get another target", retarget=True),
    Policy("computed floats are rounded", rounds=True),
)
_NARROWEST = (elements.FLOAT16, elements.BFLOAT16, elements.FLOAT, elements.DOUBLE)


class Plan:
    """What a policy would change in a model; nothing is changed before ``recast.carry_out``."""

    def __init__(self, model: Any, policy: Policy, folder: str) -> None:
        self.policy = policy
        self.refused: list[str] = []
        self._folder = folder
        self._lost: dict[tuple[int, int], str | None] = {}
        self.walk = Walk(model, self._settle)
        self.casts = self.walk.casts
        self.ends = list(self.walk.ends)
        self.declared: list[tuple[Any, int]] = []
        self.targets = list(self._targets()) if policy.retarget else []
        for found in self.walk.declared:
            told = declared_type(found.value)
            if found.output and found.graph is model.graph and self.casts and _keeps(found.have, told):
                place = next(place for place, each in enumerate(found.graph.output) if each is found.value)
                self.ends.append(End(found.graph, place, found.have, told or found.have))
            else:
                self.declared.append((found.value, found.have))

    @property
    def empty(self) -> bool:
        """No conflict is left to mend."""
        return not (self.casts or self.ends or self.targets)

    def edits(self) -> recast.Edits:
        """The changes, ready to be carried out."""
        return recast.Edits(
            self.walk.scopes, self.casts, self.ends, self.declared, targets=self.targets, rounds=self.policy.rounds
        )

    def cost(self) -> float:
        """How much it changes: few casts are best, outputs keep their types, double is seldom meant."""
        edges = {(id(cast.graph), cast.name, cast.want) for cast in self.casts}
        stale = sum(
            declared_type(value) not in (None, scope.types.get(value.name))
            for scope in self.walk.scopes.values()
            for value in scope.graph.value_info
        )
        doubles = sum(list(scope.types.values()).count(elements.DOUBLE) for scope in self.walk.scopes.values())
        mended = len(edges) + 2 * len(self.targets)
        mended += self.policy.rounds
        return mended + 2 * len(self.ends) + 2 * len(self.declared) + 0.5 * (min(stale, 8) + doubles)

    def key(self) -> object:
        """The same for plans that change the same."""
        edges = sorted({(cast.name, cast.want, cast.node.name, cast.place) for cast in self.casts})
        targets = [(node.output[0], want) for node, want in self.targets]
        declared = [(value.name, have) for value, have in self.declared]
        return edges, len(self.ends), declared, targets, self.policy.rounds

    def cuts(self) -> bool:
        """Says whether computed floats would be cut off to whole numbers, or be read as yes and no.

        A float mask may be added to scores: then 0 means yes.
        """
        return any(not elements.is_float(cast.want) for cast in self._computed())

    def sensible(self) -> bool:
        """Whether the policy has anything to say here: rounding is for what would be cut off."""
        return not self.policy.rounds or any(elements.is_integer(cast.want) for cast in self._computed())

    def _computed(self) -> list[Any]:
        """Casts of floats that the graph works out or is fed."""
        floats = [cast for cast in self.casts if elements.is_float(cast.have)]
        return [cast for cast in floats if self.walk.scopes[id(cast.graph)].constant(cast.name) is None]

    def words(self) -> list[str]:
        """Every change in a sentence."""
        told = [
            f"{cast.name} from {elements.name(cast.have)} to {elements.name(cast.want)} for {naming.label(cast.node)}"
            for cast in self.casts
        ]
        for end in self.ends:
            name = end.graph.output[end.place].name
            told.append(f"the output {name} from {elements.name(end.have)} to {elements.name(end.want)}")
        return told + [f"the target of {naming.label(node)} to {elements.name(want)}" for node, want in self.targets]

    def _targets(self) -> Iterator[tuple[Any, int]]:
        """Casts from floats to integers all of whose readers want floats; those need no further cast then."""
        for name, graph in list({cast.name: cast.graph for cast in self.casts}.items()):
            needs = [cast for cast in self.casts if cast.name == name and cast.graph is graph]
            maker = next((node for node in graph.node if name in node.output), None)
            scope = self.walk.scopes[id(graph)]
            source = scope.type_of(maker.input[0]) if maker is not None and maker.op_type == "Cast" else None
            wants = {cast.want for cast in needs}
            if source is None or len(wants) != 1 or len(needs) != recast.readers(graph, name):
                continue
            want = wants.pop()
            if elements.is_float(source) and elements.is_integer(needs[0].have) and elements.is_float(want):
                scope.types[name] = want
                self.casts = [cast for cast in self.casts if cast not in needs]
                yield maker, want

    def _settle(self, ask: Ask) -> int | None:
        allowed = ask.slot.allowed
        for target in () if _stored_numbers(ask) else self._candidates(ask):
            if target in allowed and all(self._fits(ask, value, target) for value in ask.values):
                return target
        told = ", ".join(f"{value.name} ({elements.name(value.element)})" for value in ask.values)
        whys = [why for target in self._candidates(ask) for value in ask.values if (why := self._loss(value, target))]
        self.refused.append(f"{naming.label(ask.node)} takes {told}" + (f": {whys[0]}" if whys else ""))
        return None

    def _candidates(self, ask: Ask) -> list[int]:
        """Types to try for a group, the best first."""
        acts = [value.element for value in ask.values if value.constant is None]
        present = [value.element for value in ask.values]
        kinds = {elements.is_float(each) for each in present}
        same_kind = len(kinds) == 1 or (self.policy.exact and ask.node.op_type not in _DIVIDING)
        found: list[int] = []
        if self.policy.follow and same_kind:
            found += self._ordered(acts)
        found += self._ordered(present)
        if ask.hint is not None and all(each not in ask.slot.allowed for each in present):
            found.insert(0, ask.hint)
        if ask.slot.counts or set(present) == {elements.BOOL}:
            found += [elements.INT64, elements.INT32]
        found += [elements.FLOAT, elements.DOUBLE, elements.FLOAT16, elements.BFLOAT16, elements.INT64, elements.INT32]
        return list(dict.fromkeys([*found, elements.BOOL]))

    def _ordered(self, types: Sequence[int]) -> list[int]:
        wide = sorted(set(types), key=lambda each: elements.WIDEST.index(each) if each in elements.WIDEST else 99)
        if self.policy.narrow:
            floats = [each for each in _NARROWEST if each in types]
            return floats + [each for each in wide if each not in floats]
        if {elements.FLOAT16, elements.BFLOAT16} <= set(types):
            return [elements.FLOAT, *wide]
        return wide

    def _fits(self, ask: Ask, value: Value, target: int) -> bool:
        """Says whether this value may become the target without a change of meaning."""
        have = value.element
        if have == target or value.constant is not None:
            return have == target or self._loss(value, target) is None
        if elements.STRING in (have, target) or have not in elements.WIDEST:
            return False
        if target == elements.BOOL:
            return ask.slot.allowed == {elements.BOOL}
        grows = elements.WIDEST.index(have) > elements.WIDEST.index(target)
        return elements.is_float(target) or grows or ask.slot.counts

    def _loss(self, value: Value, target: int) -> str | None:
        if value.constant is None or value.element == target:
            return None
        key = (id(value.constant), target)
        if key not in self._lost:
            self._lost[key] = elements.loss(recast.array(value.constant, self._folder), target)
        return self._lost[key]


def plans(model: Any, folder: str) -> Iterator[Plan]:
    """Different plans that settle every conflict, the cheapest first.

    Args:
        model: is not changed.
        folder: where its external data lie.
    """
    first = Plan(model, POLICIES[0], folder)
    if first.empty and not first.walk.unsettled:
        return
    found = [first, *(Plan(model, policy, folder) for policy in POLICIES[1:])]
    whole = [plan for plan in found if not (plan.empty or plan.refused or plan.walk.unsettled) and plan.sensible()]
    seen: list[object] = []
    for plan in sorted(whole, key=Plan.cost):
        if plan.key() not in seen:
            seen.append(plan.key())
            yield plan


def refusals(model: Any, folder: str) -> list[str]:
    """Conflicts that no policy settles, in words."""
    found = [Plan(model, policy, folder) for policy in POLICIES]
    return found[0].refused if all(plan.refused for plan in found) else []


def plan_named(model: Any, name: str, folder: str) -> Plan:
    """The plan of a policy."""
    return Plan(model, next(policy for policy in POLICIES if policy.name == name), folder)


def _stored_numbers(ask: Ask) -> bool:
    """Whether quantized numbers and their zero point contradict each other: a Cast changes what they stand for."""
    if next(quantized.slots(ask.node), None) is None:
        return False
    return not any(elements.is_float(value.element) for value in ask.values)


def _keeps(have: int, told: int | None) -> bool:
    """Says whether a value can be cast to the declared type without losing more than precision."""
    if told is None or elements.STRING in (have, told):
        return False
    return elements.is_float(told) or not elements.is_float(have)
