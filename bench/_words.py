"""What synthetic incidents are put together from: operators, names, clauses, values."""

from __future__ import annotations


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


OPERATORS = _listed(
    "Conv ConvTranspose Gemm MatMul Einsum Softmax LayerNormalization InstanceNormalization GroupNormalization "
    "Resize GridSample NonMaxSuppression NonZero TopK Gather GatherND ScatterND ScatterElements Slice Split Concat "
    "Reshape Transpose Squeeze Unsqueeze Expand Tile Pad Where Range Loop If Scan CumSum ReduceMean ReduceSum "
    "ReduceMax ArgMax Clip Relu Gelu Erf Sigmoid HardSwish LSTM GRU AveragePool MaxPool GlobalAveragePool "
    "RoiAlign DepthToSpace QuantizeLinear DequantizeLinear Cast Shape ConstantOfShape Trilu Mod Pow Sqrt Div "
    "OneHot Attention"
)
BLOCKS = _listed(
    "encoder decoder backbone neck head stem vision text audio unet vae clip bert gpt llama swin fpn rpn mask router "
    "adapter lora tower trunk bridge"
)
LAYERS = _listed(
    "attn self_attn cross_attn ffn mlp norm embed pos_embed patch_embed down_block up_block mid_block bottleneck "
    "upsample downsample shortcut residual gate expert token_mixer channel_mixer rope kv_cache pooler lateral"
)
ENDS = _listed(
    "q_proj k_proj v_proj out_proj weight bias scale zero_point input output gamma beta logits hidden_states scores "
    "boxes indices mask lengths ids states cache table kernel"
)
CLAUSES = (
    "during tactic selection", "while folding constants", "after shape inference", "before the first enqueue",
    "while building the optimization profile", "during calibration", "when exporting with dynamic axes",
    "on the second execution context", "while deserializing the engine", "in the fallback path",
    "during graph partitioning", "while loading external data", "after weight streaming was enabled",
    "when the batch is empty", "while capturing the CUDA graph", "in strict type mode", "with refit enabled",
    "while converting to half precision", "inside the sub-graph", "for the sparse kernel", "under MPS",
    "after the timing cache was read", "with tensor parallelism", "while warming up", "on the secondary device",
)  # fmt: skip
WHERE = (
    "for tensor {}", "in layer {}", "at node {}", "(input {})", "[op: {}]", "required by {}", "while visiting {}",
    "from module {}", "of parameter {}", "near {}", "(see {})", "in function {}", "bound to {}", "of block {}",
)  # fmt: skip
OUTER = (
    "Failed to convert {}", "Exception while tracing {}", "Failed to load {}", "Could not build {}", "step {} failed",
    "worker raised in {}", "error creating instance of {}", "unable to initialize {}", "validation of {}",
)  # fmt: skip
PREFIXES = (
    "[TRT] [E] ", "RuntimeError: ", "ERROR: ", "error: ", "[E] ", "Exception: ", "Traceback end: ", "fatal: ",
    "E1120 10:26:19.123456 77 model_lifecycle.cc:621] ", "2026-11-20 10:26:19 ERROR ", "[rank0]: ", "Internal: ",
)  # fmt: skip
FILLERS = ("also", "currently", "unexpectedly", "(again)", "here", "internally", "the", "at runtime", "first", "now")
SYNONYMS = (
    ("not supported", "unsupported"), ("unsupported", "not supported"), ("Unsupported", "Not supported"),
    ("failed", "has failed"), ("Failed", "Unable"), ("failed to", "could not"), ("cannot", "can not"),
    ("could not", "was unable to"), ("Could not", "Cannot"), ("invalid", "illegal"), ("Invalid", "Bad"),
    ("is not", "isn't"), ("does not", "doesn't"), ("not found", "missing"), ("missing", "absent"),
    ("expected", "required"), ("must be", "has to be"), ("must", "should"), ("error", "failure"), ("Error", "Failure"),
    ("unable to", "cannot"), ("requires", "needs"), ("tensor", "value"), ("with", "having"), ("input", "argument"),
)  # fmt: skip
VALUES = {
    "path": (
        "/models/a/1/model.onnx",
        "/workspace/out/engine.plan",
        "/home/ci/build/77/export.py",
        "/data/calib/x.npz",
    ),
    "file": ("vit_b.onnx", "bert.plan", "decoder.onnx", "unet_fp16.engine", "yolo.pt"),
    "shape": ("(1, 3, 224, 224)", "(8, 77)", "(2, 4096)", "(16, 3, 640, 640)", "(4, 128, 768)"),
    "number": ("3", "17", "128", "4096", "77", "11"),
    "version": ("8.6.1", "10.3.0", "1.17.3", "2.4.1", "10.7.0.23"),
    "name": ("'images'", "'input_ids'", "'pixel_values'", "'logits'", "'attention_mask'"),
    "size": ("512 MiB", "2.00 GiB", "80 MB", "1024 bytes"),
    "source": ("network.cpp:3062", "builder.cpp:1129", "graph.cc:77", "export.py:205"),
    "address": ("0x7f12ab", "0xffee12", "0x1000"),
    "time": ("10:26:19.123", "2026-11-20 08:00:01", "23:59:59"),
    "duration": ("31 ms", "4.5 s", "120 s"),
    "scoped": ("/encoder/layer/MatMul", "/model/block/Conv", "onnx/graph/node"),
    "numbered": ("Conv_45", "MatMul_7", "Resize_301"),
    "ip": ("10.0.0.7:8001", "192.168.1.4"),
}
MODELS = _listed(
    "bert_base vit_b resnet swin_t yolo unet whisper_small llama clip_text sam_decoder detr segformer tts asr_ctc "
)
PRECISIONS = ("fp32", "fp16", "int8", "bf16", "fp8", "int4")
VERSIONS = ("8.5.3", "8.6.1", "10.0.1", "10.3.0", "10.7.0", "10.13.2", "1.17.3", "1.20.1", "2.4.1", "2.7.0", "0.6.3")
CI = ("github", "gitlab", "jenkins", "")
REPOSITORIES = tuple(f"team/{name}" for name in MODELS)
BRANCHES = ("main", "develop", "release", "feature/int8", "feature/trt10", "fix/profile", "nightly", "exp/fp8")
