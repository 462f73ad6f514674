"""Steps downwards that keep the form of an operator: what the older definition lacks must be at rest."""

from __future__ import annotations

from typing import Any

from triage.onnxgraph import schemas, walk
from triage.onnxgraph.lift import keep_defaults
from triage.onnxgraph.rewrite import Cannot, Rewrite, label

_FLOAT8 = range(17, 21)
_SCALE8 = 24  # float8e8m0
_AXES_BEFORE_11 = ("axis", "axes")
_AXIS_OPS = (
    "ArgMax", "ArgMin", "Compress", "Concat", "Flatten", "Gather", "OneHot", "ReduceL1", "ReduceL2", "ReduceLogSum",
    "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    "Split", "Squeeze", "TopK", "Unsqueeze", "Softmax", "LogSoftmax", "Hardmax", "Slice",
)  # fmt: skip


def plain(rewrite: Rewrite, node: Any, since: int) -> None:
    """A step that keeps the form.

    Raises:
        Cannot: the node uses something that the older definition lacks.
    """
    old, new = schemas.schema(node.op_type, since - 1), schemas.schema(node.op_type, since)
    if since > schemas.REVIEWED and set(old.attributes) != set(new.attributes):
        raise Cannot(f"{label(node)}: {node.op_type} changed at opset {since}, which is newer than what is known here")
    for attribute in [each for each in node.attribute if each.name not in old.attributes]:
        if not _neutral(node, attribute.name, new):
            raise Cannot(f"{label(node)}: {node.op_type} has no attribute {attribute.name} below opset {since}")
        node.attribute.remove(attribute)
    keep_defaults(node, new, old)
    while len(node.input) > old.max_input and not node.input[-1]:
        del node.input[-1]
    while len(node.output) > old.max_output and not node.output[-1]:
        del node.output[-1]
    if not old.min_input <= len(node.input) <= old.max_input or len(node.output) > old.max_output:
        raise Cannot(f"{label(node)}: {node.op_type} takes other inputs or outputs below opset {since}")
    if since == 11 and node.op_type in _AXIS_OPS:
        count_from_front(rewrite, node)
    bad = schemas.fault(node, since - 1)
    if bad:
        raise Cannot(f"{label(node)}: {bad}")


def _neutral(node: Any, name: str, new: Any) -> bool:
    """Whether an attribute has the value that means what was done before it existed."""
    if walk.attribute(node, name).ref_attr_name:
        return False
    value = walk.value_of(node, name)
    if name == "dilations":
        return set(value) <= {1}
    if name in ("saturate", "round_mode") and node.op_type == "Cast":
        to = walk.value_of(node, "to")
        return to not in (_SCALE8, *_FLOAT8)
    default = new.attributes[name].default_value
    if not default.type:
        return False
    copy = type(node)()
    copy.attribute.append(default)
    return bool(value == walk.value_of(copy, name))


def count_from_front(rewrite: Rewrite, node: Any) -> None:
    """Before opset 11 an axis was never counted from the back."""
    for name in _AXES_BEFORE_11:
        value = walk.value_of(node, name)
        if value is None or (min(value) if isinstance(value, list) else value) >= 0:
            continue
        rank = rewrite.rank(node.output[0] if node.op_type == "Unsqueeze" else node.input[0])
        if node.op_type == "OneHot":
            return  # its axis of -1 was always allowed
        if rank is None:
            raise Cannot(f"{label(node)}: the rank of {node.input[0]} is unknown")
        walk.set_value(node, name, [each % rank for each in value] if isinstance(value, list) else value % rank)
