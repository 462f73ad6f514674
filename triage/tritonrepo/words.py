"""What people write for what is meant: fields, data types, kinds and backends under other names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from triage.tritonrepo import schema

# field -> what else it is called; compared without case, underscores and a plural s
_FIELDS = {
    "data_type": ("dtype", "type", "datatype", "element_type", "tensor_type"),
    "dims": ("dim", "shape", "dimension", "size"),
    "max_batch_size": ("max_batch", "batch_size", "maximum_batch_size", "max_batchsize", "batchsize"),
    "input": ("model_input", "inputs"),
    "output": ("model_output", "outputs"),
    "name": ("model_name", "tensor_name", "id"),
    "backend": ("framework", "runtime_backend", "engine"),
    "platform": ("model_platform",),
    "instance_group": ("instance", "instance_groups", "instances"),
    "count": ("instance_count", "instances", "num_instances", "number"),
    "gpus": ("gpu", "gpu_ids", "gpu_id", "devices", "device", "device_ids"),
    "kind": ("type", "device_type", "device"),
    "dynamic_batching": ("dynamic_batch", "dynamic_batcher", "batching"),
    "preferred_batch_size": ("preferred_batch", "preferred_size"),
    "max_queue_delay_microseconds": ("max_queue_delay", "queue_delay_microseconds", "max_delay", "max_queue_delay_us"),
    "ensemble_scheduling": ("ensemble", "ensemble_schedule", "ensembling", "ensemble_scheduler"),
    "step": ("steps", "stage"),
    "input_map": ("input_mapping", "inputs_map", "inputs", "input"),
    "output_map": ("output_mapping", "outputs_map", "outputs", "output"),
    "model_name": ("name", "model"),
    "model_version": ("version",),
    "key": ("name", "from", "source", "model_tensor"),
    "value": ("to", "target", "ensemble_tensor", "val"),
    "string_value": ("value", "string", "str_value", "text"),
    "parameters": ("params", "parameter", "options"),
    "version_policy": ("versions_policy", "model_version_policy", "policy"),
    "num_versions": ("number", "count", "num", "n"),
    "versions": ("version",),
    "default_model_filename": (
        "model_filename",
        "filename",
        "default_filename",
        "model_file",
        "default_model_file_name",
    ),
    "model_warmup": ("warmup", "warm_up"),
    "optimization": ("optimisation", "optimizations", "optimization_policy"),
    "model_transaction_policy": ("transaction_policy",),
    "sequence_batching": ("sequence_batch", "sequence_batcher"),
    "label_filename": ("labels", "label_file", "labels_filename"),
    "response_cache": ("cache",),
}
_TYPES = {
    "BOOL": ("bool", "boolean"),
    "UINT8": ("uint8", "u8", "byte", "uchar"), "UINT16": ("uint16", "u16"),
    "UINT32": ("uint32", "u32", "uint"), "UINT64": ("uint64", "u64", "ulong"),
    "INT8": ("int8", "i8", "char"), "INT16": ("int16", "i16", "short"), "INT32": ("int32", "i32", "int", "integer"),
    "INT64": ("int64", "i64", "long", "longlong", "int64t"),
    "FP16": ("fp16", "float16", "f16", "half"), "FP32": ("fp32", "float32", "f32", "float", "single"),
    "FP64": ("fp64", "float64", "f64", "double"), "BF16": ("bf16", "bfloat16", "bfp16", "brainfloat"),
    "STRING": ("string", "str", "bytes", "text", "object", "utf8"),
}  # fmt: skip
_PREFIXES = re.compile(r"(?i)^(?:(?:inference|datatype|type|dtype|tensorproto|torch|np|numpy|tf|data)[._ ]?)+(?=\w)")


def normal(text: str) -> str:
    """A name without case, separators and a plural s."""
    return re.sub(r"[\W_]+", "", text.lower()).removesuffix("s")


def closest_fields(name: str, known: Iterable[str]) -> list[tuple[str, float]]:
    """Fields that a misspelt one may stand for, each with how far off it is: 0 (another spelling) to 1."""
    found = {}
    for each in known:
        if normal(each) == normal(name):
            found[each] = 0.0
        elif normal(name) in {normal(other) for other in _FIELDS.get(each, ())}:
            found[each] = 0.1
        elif slip(each.lower(), name.lower()):
            found[each] = 0.25
        else:
            alike = difflib.SequenceMatcher(None, normal(each), normal(name)).ratio()
            if alike >= 0.7:
                found[each] = 0.2 + (1 - alike)
    return sorted(found.items(), key=lambda item: (item[1], item[0]))


def slip(one: str, other: str) -> bool:
    """Whether two words differ by one slip of the fingers: a letter more, less, another, or two that changed places."""
    if min(len(one), len(other)) < 3 or abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    start = min(len(one), len(other)) if start is None else start
    first, second = one[start:], other[start:]
    swapped = first[:2] == second[:2][::-1] and first[2:] == second[2:]
    return swapped or first[1:] == second[1:] or first[1:] == second or first == second[1:]


def data_types_of(text: str) -> list[str]:
    """The data types that a word may stand for, the likeliest first: ``float32`` -> TYPE_FP32."""
    word = re.sub(r"[\W_]+", "", _PREFIXES.sub("", text.strip()).lower()).removeprefix("tensor")
    exact = [f"TYPE_{name}" for name, others in _TYPES.items() if word in (name.lower(), *others)]
    if exact:
        return exact + (["TYPE_INT64"] if word in ("int", "integer") else [])
    written = text.upper() if text.upper().startswith("TYPE") else f"TYPE_{text.upper()}"
    return closest(written, schema.data_types(), 0.75)


def enum_values_of(text: str, enum: str) -> list[str]:
    """The values of an enumeration that a word may stand for, the likeliest first."""
    if enum == "DataType":
        return data_types_of(text)
    named = list(schema.values(enum))
    prefix = named[0].split("_")[0] if len({name.split("_")[0] for name in named}) == 1 else ""
    exact = [name for name in named if normal(text) in (normal(name), normal(name.removeprefix(prefix)))]
    if exact:
        return exact
    written = text.upper() if text.upper().startswith(prefix) else f"{prefix}_{text.upper()}"
    return closest(written, named, 0.7)


def closest(word: str, known: Iterable[str], cutoff: float = 0.6) -> list[str]:
    """Known words that look like one, compared without case; the likeliest first."""
    spelled: dict[str, str] = {}
    for each in known:
        spelled.setdefault(each.lower(), each)
    if word.lower() in spelled:
        return [spelled[word.lower()]]
    return [spelled[each] for each in difflib.get_close_matches(word.lower(), spelled, n=3, cutoff=cutoff)]
