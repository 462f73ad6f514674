"""Packages by the name under which they are imported, and which names a log is believed."""

from __future__ import annotations

import re

PACKAGES = {
    "cv2": "opencv-python-headless", "PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml",
    "skimage": "scikit-image", "google.protobuf": "protobuf", "google.cloud.storage": "google-cloud-storage",
    "modelopt": "nvidia-modelopt[onnx]", "pytriton": "nvidia-pytriton", "tritonclient": "tritonclient[all]",
    "dateutil": "python-dateutil", "dotenv": "python-dotenv", "Crypto": "pycryptodome", "attr": "attrs",
    "pkg_resources": "setuptools", "distutils": "setuptools", "bs4": "beautifulsoup4", "OpenSSL": "pyopenssl",
    "mpl_toolkits": "matplotlib", "git": "gitpython", "faiss": "faiss-cpu", "ruamel": "ruamel.yaml",
    "onnxruntime.training": "onnxruntime-training", "optimum.exporters": "optimum[exporters]",
    "optimum.onnxruntime": "optimum[onnxruntime]", "optimum.intel": "optimum[openvino]",
    "tensorrt_bindings": "tensorrt", "tensorrt_libs": "tensorrt", "transformer_engine": "transformer-engine[pytorch]",
    "neural_compressor": "neural-compressor", "awq": "autoawq", "auto_gptq": "gptqmodel", "jwt": "pyjwt",
    "serial": "pyserial", "usb": "pyusb", "zmq": "pyzmq", "kafka": "kafka-python", "redis": "redis",
    "Xlib": "python-xlib", "wx": "wxpython", "gi": "pygobject", "lxml": "lxml", "magic": "python-magic",
    "onnx_tf": "onnx-tf", "tflite_runtime": "tflite-runtime", "sentence_transformers": "sentence-transformers",
    "flash_attn": "flash-attn", "pytorch_lightning": "pytorch-lightning", "lightning_fabric": "lightning",
    "paddle": "paddlepaddle", "mx": "mxnet", "MNN": "mnn", "rknn": "rknn-toolkit2", "ultralytics": "ultralytics",
}  # fmt: skip
TOOLS = {
    "onnxruntime": "onnxruntime", "onnx": "onnx", "torch-export": "torch onnxscript", "tensorrt": "tensorrt",
    "polygraphy": "polygraphy", "torch-tensorrt": "torch-tensorrt", "tensorrt-llm": "tensorrt-llm", "vllm": "vllm",
    "peft": "peft", "transformers": "transformers", "optimum": "optimum-onnx", "quantization": "onnxruntime",
}  # fmt: skip
OPTIONS = {"flash-attn": "--no-build-isolation"}
# what people call modules of their own
LOCAL = re.compile(
    r"(?i)_?(?:utils?|helpers?|common|configs?|settings|constants|models?|modules?|modeling|networks?|nets?|layers?|src|lib|"
    r"libs|core|base|data|dataset|dataloader|loaders?|tools?|scripts?|train\w*|tests?|main|app|export\w*|convert\w*|build|"
    r"preprocess\w*|postprocess\w*|metrics|loss(?:es)?|engine|inference|pipeline|my_?\w+|quant|calibrat\w*)"
)
# What stands in a log is no reason to install a package of any name.
_KNOWN = re.compile(r"\S+").findall(
    """
    absl-py accelerate addict aiohttp albumentations auto-gptq autoawq av bitsandbytes blobfile causal-conv1d
    cffi click cmake coloredlogs compressed-tensors coqui-tts coremltools cuda-python cupy-cuda12x cython
    datasets decord deepsparse deepspeed diffusers easydict einops evaluate executorch fairseq fastapi filelock
    fire flashinfer-python flask flatbuffers flax fsspec ftfy fvcore gguf gptqmodel grpcio h5py hf-transfer hqq
    httpx huggingface-hub hydra-core imageio insightface iopath jax jaxlib jinja2 joblib jsonschema kenlm keras
    kornia librosa lightgbm lightning llama-cpp-python llmcompressor loguru mamba-ssm matplotlib mistral-common
    ml-dtypes mlflow mmcv mmdeploy mmengine mteb munch ncnn nemo-toolkit networkx ninja nltk nncf numba numpy
    nvidia-dali-cuda120 nvidia-ml-py nvtx omegaconf onnx onnx-graphsurgeon onnx-ir onnx-simplifier
    onnxconverter-common onnxmltools onnxoptimizer onnxruntime onnxruntime-extensions onnxruntime-genai
    onnxruntime-gpu onnxscript onnxsim onnxslim open-clip-torch openai-whisper opencv-python openvino-tokenizers
    optimum optimum-intel optimum-onnx optimum-quanto outlines packaging paddle2onnx pandas peft pillow-simd
    polygraphy protobuf psutil pyarrow pybind11 pycocotools pycuda pydantic pynvml python-multipart
    pytorch-quantization pyyaml quanto qwen-vl-utils rapidocr ray regex requests rich rotary-embedding-torch
    sacremoses safetensors scipy seaborn segment-anything segmentation-models-pytorch sentencepiece setuptools
    shapely skl2onnx snac soundfile soxr spacy sparseml sympy tabulate tensorboard tensorflow tensorflow-hub
    tensorrt tensorrt-llm termcolor tf-keras tf2onnx thop tiktoken timm tokenizers torch torch-geometric
    torch-scatter torch-sparse torch-tensorrt torchao torchaudio torchmetrics torchvision tqdm transformers
    triton typer typing-extensions ujson uvicorn vector-quantize-pytorch vllm wandb websockets wget wheel
    x2paddle xformers xgboost xgrammar yacs
    """
)


def is_known(package: str) -> bool:
    """Whether this is a package that builds of models are known to need, by its name on the index."""
    tools = " ".join(TOOLS.values()).split()
    return _plain(package) in {_plain(each) for each in (*_KNOWN, *PACKAGES.values(), *tools)}


def of_module(name: str) -> str:
    """The package of an import name: by its longest known beginning, else the first part of the name itself."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        known = PACKAGES.get(".".join(parts[:count]))
        if known:
            return known
    return parts[0].replace("_", "-")


def base(requirement: str) -> str:
    """The name of a requirement as the index writes it: ``Peft[x]>=0.5`` is ``peft``."""
    return _plain(requirement)


def _plain(package: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~ ]", package)[0]).lower()
