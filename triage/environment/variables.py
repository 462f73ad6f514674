"""Environment variables that change how models are built and served. Nothing else is ever read out.

A name must stand in the list or start like one that does, and must not sound like
a secret; values pass the masks. What a variable holds beyond 500 signs is cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from triage.ingest.text import plain
from triage.masks import redact

_NAMES = frozenset((
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_HOME", "CUDA_PATH", "CUDA_VERSION", "CUDNN_VERSION", "HF_DATASETS_OFFLINE",
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_ENABLE_HF_TRANSFER", "HF_HUB_OFFLINE", "KMP_AFFINITY", "KMP_BLOCKTIME",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "LIBRARY_PATH", "MALLOC_ARENA_MAX", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "PYTHONHASHSEED", "PYTHONOPTIMIZE",
    "PYTHONPATH", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_JIT", "TENSORRT_VERSION",
    "TF32_OVERRIDE", "TOKENIZERS_PARALLELISM", "TRANSFORMERS_CACHE", "TRANSFORMERS_OFFLINE", "TRT_VERSION",
    "VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "CONDA_PREFIX",
))  # fmt: skip
_STARTS = (
    "CUDA_", "CUDNN_", "GGML_", "LLAMA_", "NCCL_", "NVIDIA_", "NVTE_", "ONNX_", "ORT_", "POLYGRAPHY_",
    "TENSORRT_", "TORCH_", "TORCHINDUCTOR_", "TRITON_", "TRTLLM_", "TRT_", "VLLM_",
)  # fmt: skip
_SECRET = re.compile(r"TOKEN|SECRET|PASS|KEY|CREDENTIAL|AUTH|COOKIE|SESSION")
_LONGEST = 500


def relevant(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter to deployment, by name, with secrets masked."""
    return {
        name: _value(name, environ[name])
        for name in sorted(environ)
        if (name in _NAMES or name.startswith(_STARTS)) and not _SECRET.search(name)
    }


def _value(name: str, value: str) -> str:
    text = plain(value.replace("\n", " "))
    masked = redact(f"{name}={text}")  # some secrets are known only by what they are assigned to
    return masked.removeprefix(f"{name}=")[:_LONGEST]
