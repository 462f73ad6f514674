"""A model brought to another opset, node by node, with the same meaning.

An operator whose definition only gained types or optional parts is kept. Where its form or meaning changed, the
rule of that step rewrites it (``lift`` upwards, ``lower`` downwards). One that the target does not have is written
out in the simpler operators of its own definition. Anything else is refused with a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from triage.onnxgraph import expand, lift, lower, lower_plain, schemas, types, walk
from triage.onnxgraph.order import subgraphs
from triage.onnxgraph.rewrite import Cannot, Names, Never, Rewrite, label, prune

_DEEPEST = 40  # steps and expansions that one node may need
_ML = "ai.onnx.ml"

Start = Callable[[Any, int], int | None]


class Unconvertible(Exception):
    """Some nodes have no form at the target; ``reasons`` names each."""

    def __init__(self, reasons: list[str]) -> None:
        self.reasons = list(dict.fromkeys(reasons))
        super().__init__("; ".join(self.reasons[:5]) + (" …" if len(self.reasons) > 5 else ""))


def convert(model: Any, target: int | None, start: Start | None = None, *, folder: str = "") -> None:
    """Brings the standard operators of a model to an opset, in place.

    Args:
        model: the ModelProto.
        target: the opset of ai.onnx; None: for the model and each function the one that it declares.
        start: gives the opset at which a node has its meaning, from the node and the declared opset;
            the declared one where it is left out. None leaves the node as it is.
        folder: where the model's external data lie; small values in them are read where a rule needs them.

    Raises:
        Unconvertible: some node has no form of the same meaning there. The model is then half done.
    """
    known = types.inferred(model)
    names = Names(model)
    reasons: list[str] = []
    fixed = model.ir_version < 4
    declared = walk.version_of(model.opset_import) or target or schemas.newest()
    _body(
        Rewrite(model.graph, names, known, fixed=fixed, folder=folder),
        model.graph,
        (declared, target or declared, start),
        reasons,
    )
    for function in model.functions:
        own = walk.version_of(function.opset_import)
        if own is not None:
            _body(Rewrite(function, names, {}), function, (own, target or own, start), reasons)
            walk.set_version(function, "", target or own)
    if reasons:
        raise Unconvertible(reasons)
    walk.set_version(model, "", target or declared)


def convert_ml(model: Any, target: int) -> None:
    """Lowers or raises the opset of ai.onnx.ml where every operator of it is the same at both.

    Raises:
        Unconvertible: an operator differs between the two.
    """
    declared = walk.version_of(model.opset_import, _ML) or target
    reasons = [
        f"{label(node)} is another operator at ai.onnx.ml opset {target}"
        for node in walk.of_domain(walk.nodes(model), _ML)
        if schemas.schema(node.op_type, declared, _ML) is not schemas.schema(node.op_type, target, _ML)
        and (schemas.fault(node, target) or not _only_types(node, declared, target))
    ]
    if reasons:
        raise Unconvertible(reasons)
    for holder in (model, *model.functions):
        if walk.version_of(holder.opset_import, _ML) is not None:
            walk.set_version(holder, _ML, target)


def inline_functions(model: Any) -> None:
    """Replaces every call of a local function by its nodes, in place."""
    from onnx import inliner

    plain = inliner.inline_local_functions(model, convert_version=False)
    model.CopyFrom(plain)


def plainly_same(node: Any, declared: int, target: int) -> bool:
    """Whether a node means the same at two opsets as it stands: no rule has anything to rewrite."""
    import onnx

    if schemas.schema(node.op_type, min(declared, schemas.newest())) is schemas.schema(node.op_type, target):
        return True
    alone = _copied(node)
    try:
        made = list(_node(Rewrite(onnx.GraphProto(), Names(onnx.ModelProto()), {}), alone, declared, target))
    except Cannot:
        return False
    return len(made) == 1 and bool(made[0] == node)


def _only_types(node: Any, declared: int, target: int) -> bool:
    old, new = (schemas.schema(node.op_type, version, node.domain) for version in (declared, target))
    return bool(old and new) and set(old.attributes) == set(new.attributes) and old.max_input == new.max_input


def _body(rewrite: Rewrite, body: Any, way: tuple[int, int, Start | None], reasons: list[str]) -> None:
    declared, target, start = way
    kept: list[Any] = []
    for node in body.node:
        for inner in subgraphs(node):
            _body(rewrite.inner(inner), inner, way, reasons)
        if walk.domain_of(node.domain):
            kept.append(node)
            continue
        begin = start(node, declared) if start else declared
        if begin is None:
            kept.append(node)
            continue
        try:
            kept += list(_node(rewrite, node, begin, target))
        except Cannot as reason:
            reasons.append(str(reason))
            rewrite.take()
            kept.append(node)
    copies = [_copied(node) for node in kept]
    del body.node[:]
    body.node.extend(copies)
    prune(body, rewrite.freed)


def _node(rewrite: Rewrite, node: Any, version: int, target: int, depth: int = 0) -> Iterator[Any]:
    """The node, or what replaces it, at the target."""
    if depth > _DEEPEST:
        raise Cannot(f"{label(node)}: too many steps")
    for made, now in _step(rewrite, node, version, target):
        if now == target:
            _check_form(made, target)
            rewrite.learn(made)
            yield made
        else:
            yield from _node(rewrite, made, now, target, depth + 1)


def _step(rewrite: Rewrite, node: Any, version: int, target: int) -> list[tuple[Any, int]]:
    """One step towards the target: what the node becomes, each with the opset it is then written in."""
    name = node.op_type
    if walk.domain_of(node.domain):
        return [(node, target)]
    known = min(version, schemas.newest())
    told = schemas.schema(name, known)
    if told is None:
        if schemas.editions(name):
            raise Cannot(f"{label(node)}: {name} does not exist at opset {version}")
        return [(node, target)]
    if version < target:
        later = [since for since in schemas.editions(name) if known < since <= target]
        if not later:
            return [(node, target)]
        return [(each, later[0]) for each in _rule(lift.RULES, lift.plain, rewrite, node, later[0])]
    if told.since_version <= target:
        _check_types(rewrite, node, schemas.schema(name, target))
        return [(node, target)]
    return _down(rewrite, node, told.since_version, target)


def _down(rewrite: Rewrite, node: Any, since: int, target: int) -> list[tuple[Any, int]]:
    """One step down, or the operator written out where there is no such step."""
    original = _copied(node)
    try:
        _check_known(node, since)
        made = [(each, since - 1) for each in _rule(lower.RULES, lower_plain.plain, rewrite, node, since)]
        if len(made) == 1 and made[0][0] is node:
            _check_types(rewrite, node, schemas.schema(node.op_type, since - 1))
    except Never:
        raise
    except Cannot as reason:
        rewrite.take()
        try:
            nodes, opset = expand.expand(rewrite, original, since, target)
        except Cannot:
            raise reason from None
        for each in nodes:
            rewrite.learn(each)
            _inner_graphs(rewrite, each, opset, target)
        return [(each, opset) for each in nodes]
    return made


def _check_known(node: Any, since: int) -> None:
    if schemas.schema(node.op_type, since - 1) is None and (node.op_type, since) not in lower.RULES:
        raise Cannot(f"{label(node)}: {node.op_type} does not exist below opset {since}")


def _inner_graphs(rewrite: Rewrite, node: Any, opset: int, target: int) -> None:
    """Graphs nested in a node that was just written out, at the opset that it was written in."""
    reasons: list[str] = []
    for inner in subgraphs(node):
        _body(rewrite.inner(inner), inner, (opset, target, None), reasons)
    if reasons:
        raise Cannot(reasons[0])


def _rule(
    rules: Mapping[tuple[str, int], Callable[[Rewrite, Any], None]],
    plain: Callable[[Rewrite, Any, int], None], rewrite: Rewrite, node: Any, since: int,
) -> list[Any]:  # fmt: skip
    if any(each.ref_attr_name for each in node.attribute):
        _check_references(rules, node, since)
    rule = rules.get((node.op_type, since))
    if rule:
        rule(rewrite, node)
    else:
        plain(rewrite, node, since)
        rewrite.keep(node)
    return rewrite.take()


def _check_references(rules: Mapping[tuple[str, int], Any], node: Any, since: int) -> None:
    """Inside a function an attribute may be the caller's; a rule that has to know its value cannot work."""
    if (node.op_type, since) in rules:
        raise Cannot(f"{label(node)}: an attribute of it is set by the caller of the function")


def _check_form(node: Any, target: int) -> None:
    """The last look at a node: the definition at the target takes its attributes and inputs."""
    if walk.domain_of(node.domain) or target > schemas.newest() or not schemas.editions(node.op_type):
        return
    bad = schemas.fault(node, target)
    if bad:
        raise Cannot(f"{label(node)}: {bad}")


def _check_types(rewrite: Rewrite, node: Any, told: Any) -> None:
    """Whether the definition takes the types that the node has, as far as they are known."""
    bound: dict[str, str] = {}
    for values, output in ((node.input, False), (node.output, True)):
        for place, name in enumerate(values):
            found = rewrite.word(name) if name else None
            slot = schemas.allowed(told, place, output=output) if found else None
            if not found or not slot:
                continue
            if found not in slot[1]:
                raise Cannot(f"{label(node)}: {node.op_type} takes no {found} below the opset it is written for")
            if bound.setdefault(slot[0], found) != found and not slot[0].startswith("tensor("):
                raise Cannot(f"{label(node)}: {node.op_type} wants one type for {slot[0]} below its opset")


def _copied(node: Any) -> Any:
    copy = type(node)()
    copy.CopyFrom(node)
    return copy
