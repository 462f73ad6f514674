"""Operator domains: who defines an operator, and what the opset imports of a model leave out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from triage.onnxgraph import schemas, walk

ML, CONTRIB = "ai.onnx.ml", "com.microsoft"
# operators of ONNX Runtime that no other domain has, for where the package itself cannot be asked
_CONTRIB = (
    "BiasAdd", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "CDist", "DecoderMaskedMultiHeadAttention",
    "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "EmbedLayerNormalization", "FastGelu", "FusedConv", "FusedGemm",
    "FusedMatMul", "GroupNorm", "GroupQueryAttention", "LongformerAttention", "MatMulBnb4", "MatMulIntegerToFloat",
    "MatMulNBits", "MoE", "MultiHeadAttention", "NhwcMaxPool", "QAttention", "QEmbedLayerNormalization", "QGemm",
    "QLinearAdd", "QLinearAveragePool", "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul",
    "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere", "QuickGelu", "RelativePositionBias", "SkipGroupNorm",
    "SkipLayerNormalization", "SkipSimplifiedLayerNormalization", "SparseAttention", "TransposeMatMul",
)  # fmt: skip


class Stranger(NamedTuple):
    """An operator that its domain does not have; ``home`` is the one domain that has it, None where there is none."""

    op: str
    domain: str
    home: str | None


@cache
def contrib() -> frozenset[str]:
    """Names of the operators of com.microsoft that the installed ONNX Runtime has, else those that are known here."""
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as runtime

        found = frozenset(each.name for each in runtime.get_all_operator_schema() if each.domain == CONTRIB)
    except (ImportError, AttributeError):
        found = frozenset()
    return found or frozenset(_CONTRIB)


def missing(model: Any) -> Iterator[tuple[Any, str]]:
    """(model or function, domain) of every domain that is used there and has no opset import."""
    for holder, first in ((model, model.graph), *((function, function) for function in model.functions)):
        have = {walk.domain_of(each.domain) for each in holder.opset_import}
        used = {walk.domain_of(node.domain) for body in walk.below(first) for node in body.node}
        for domain in sorted(used - have):
            yield holder, domain


def doubled(model: Any) -> dict[str, list[int]]:
    """Domains that the model imports more than once, with the versions."""
    found: dict[str, list[int]] = {}
    for each in model.opset_import:
        found.setdefault(walk.domain_of(each.domain), []).append(each.version)
    return {domain: versions for domain, versions in found.items() if len(versions) > 1}


def strangers(model: Any) -> list[Stranger]:
    """Operators that their domain does not have."""
    local = {(walk.domain_of(each.domain), each.name) for each in model.functions}
    found = {
        Stranger(node.op_type, domain, _home(node.op_type, domain, local))
        for node in walk.nodes(model)
        if not _there(node.op_type, domain := walk.domain_of(node.domain), local)
    }
    return sorted(found, key=lambda each: (each.domain, each.op))


def _there(name: str, domain: str, local: set[tuple[str, str]]) -> bool:
    if (domain, name) in local:
        return True
    if domain in ("", ML):
        return bool(schemas.editions(name, domain)) or name == "SimplifiedLayerNormalization"
    if domain == CONTRIB:
        return name in contrib() or not (schemas.editions(name) or _homes(name, domain, local))
    return False


def _home(name: str, domain: str, local: set[tuple[str, str]]) -> str | None:
    """The one other domain that has an operator of that name."""
    if domain not in ("", ML, CONTRIB) and domain not in {each for each, _ in local}:
        return None  # a domain of someone's own: its operator of the same name may be another
    homes = _homes(name, domain, local)
    return homes[0] if len(homes) == 1 else None


def _homes(name: str, domain: str, local: set[tuple[str, str]]) -> list[str]:
    found = [each for each, function in sorted(local) if function == name]
    found += ["" for _ in schemas.editions(name)[:1]] + [ML for _ in schemas.editions(name, ML)[:1]]
    found += [CONTRIB] if name in contrib() and "" not in found else []
    return [each for each in dict.fromkeys(found) if each != domain]
