"""Merges a LoRA adapter into its base and proves it: merge_adapter.py BASE ADAPTER [TARGET].

Without TARGET nothing is written. Prints one JSON line with the largest differences of the outputs.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from peft import PeftModel

CLASSES = {
    "CAUSAL_LM": "AutoModelForCausalLM", "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "SEQ_CLS": "AutoModelForSequenceClassification", "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "FEATURE_EXTRACTION": "AutoModel",
}  # fmt: skip
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "chat_template.jinja",
)  # fmt: skip
PROCESSOR = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def main(base: str, adapter: str, target: str | None) -> None:
    """Merges, saves, loads again and compares."""
    torch.manual_seed(0)
    with open(os.path.join(adapter, "adapter_config.json"), encoding="utf-8") as stream:
        config = json.load(stream)
    tensors = _tensors(adapter)
    kind = _class(base, config)
    model = _loaded(kind, base, tensors)
    feeds = _feeds(model)
    plain = _outputs(model, feeds)
    tuned = PeftModel.from_pretrained(model, adapter).eval()
    wanted = _outputs(tuned, feeds)
    merged = tuned.merge_and_unload(safe_merge=True)
    if target is None:
        got = _outputs(merged.eval(), feeds)
    else:
        merged.save_pretrained(target)
        _copy(adapter, base, target)
        got = _outputs(kind.from_pretrained(target, local_files_only=True).eval(), feeds)
    error, effect = _largest(got, wanted), _largest(got, plain)
    largest = max([1.0, *(float(each.abs().max()) for each in wanted)])
    limit = TOLERANCE.get(next(merged.parameters()).dtype, 1e-2) * largest
    if not error <= limit:
        sys.exit(f"the merged model does not answer like the model with its adapter: they differ by {error:.3g}")
    if not effect > 0:
        sys.exit("the merged model answers exactly like the base: the adapter is empty")
    print(json.dumps({"error": error, "limit": limit, "effect": effect}))


def _tensors(adapter: str) -> dict[str, Any]:
    path = os.path.join(adapter, "adapter_model.safetensors")
    if os.path.exists(path):
        from safetensors.torch import load_file

        return dict(load_file(path))
    return dict(torch.load(os.path.join(adapter, "adapter_model.bin"), map_location="cpu", weights_only=True))


def _class(base: str, config: Mapping[str, Any]) -> Any:
    """The class that the adapter's task asks for, else the one that the base was saved from."""
    name = CLASSES.get(str(config.get("task_type")).upper().removeprefix("TASKTYPE."))
    saved = transformers.AutoConfig.from_pretrained(base, local_files_only=True).architectures or []
    named = next((each for each in saved if hasattr(transformers, each)), None)
    return getattr(transformers, name or named or "AutoModel")


def _loaded(kind: Any, base: str, tensors: Mapping[str, Any]) -> Any:
    """The base in its own precision, with as many labels and tokens as the adapter was trained with."""
    options: dict[str, Any] = {"local_files_only": True}
    heads = [
        value for name, value in tensors.items() if name.endswith(_HEADS) and "lora_" not in name and value.ndim == 2
    ]
    if heads and ("Classification" in kind.__name__):
        options["num_labels"] = heads[-1].shape[0]
    try:
        model, said = kind.from_pretrained(base, dtype="auto", output_loading_info=True, **options)
    except TypeError:
        model, said = kind.from_pretrained(base, torch_dtype="auto", output_loading_info=True, **options)
    lacking = [key for key in said["missing_keys"] if not any(_same(key, name) for name in tensors)]
    if lacking:
        sys.exit(f"neither the base nor the adapter holds {lacking[0]}: as {kind.__name__} it would be random")
    rows = next((value.shape[0] for name, value in tensors.items() if name.endswith(_TABLES)), None)
    if rows is not None and rows != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(rows)
    return model.eval()


_HEADS = ("score.weight", "classifier.weight", "out_proj.weight", "qa_outputs.weight")
_TABLES = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "shared.weight")


def _same(key: str, name: str) -> bool:
    name = name.replace("modules_to_save.default.", "").replace("modules_to_save.", "")
    return name.endswith(key) or key.endswith(name.removeprefix("base_model.model."))


def _feeds(model: Any) -> dict[str, Any]:
    """Fixed inputs that fit the kind of model."""
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    name = model.main_input_name
    if name == "input_ids":
        size = model.get_input_embeddings().weight.shape[0]
        ids = torch.arange(8)[None] * 7 % max(1, size - 4) + min(3, size - 1)
        feeds = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return {**feeds, "decoder_input_ids": ids} if model.config.is_encoder_decoder else feeds
    if name == "pixel_values":
        size = getattr(config, "image_size", 224)
        height, width = (size, size) if isinstance(size, int) else tuple(size)
        return {
            name: torch.linspace(-1, 1, getattr(config, "num_channels", 3) * height * width).reshape(
                1, -1, height, width
            )
        }
    return {name: torch.linspace(-1, 1, 16000)[None]}


def _outputs(model: Any, feeds: Mapping[str, Any]) -> list[Any]:
    dtype = next(model.parameters()).dtype
    given = {name: value.to(dtype) if value.is_floating_point() else value for name, value in feeds.items()}
    with torch.no_grad():
        answer = model(**given)
    values = answer.to_tuple() if hasattr(answer, "to_tuple") else tuple(answer)
    return [value.float() for value in values if isinstance(value, torch.Tensor) and value.is_floating_point()]


def _largest(some: list[Any], others: list[Any]) -> float:
    return max(
        (float((one - other).abs().max()) for one, other in zip(some, others, strict=True)), default=float("nan")
    )


def _copy(adapter: str, base: str, target: str) -> None:
    """The tokenizer comes from one folder as a whole: the adapter's where it has one."""
    for names in (TOKENIZER, PROCESSOR):
        for folder in (adapter, base):
            there = [name for name in names if os.path.isfile(os.path.join(folder, name))]
            if there:
                for name in there:
                    shutil.copy2(os.path.join(folder, name), os.path.join(target, name))
                break


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
