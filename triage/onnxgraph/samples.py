"""Small ONNX models with fixed weights, for the examples of fixes and for tests."""

from __future__ import annotations

from typing import Any


def two_layers(batch: int | str = "batch", *, opset: int = 17) -> Any:
    """input[batch,8] -> Gemm -> Relu -> Gemm -> logits[batch,3], float32."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {
        "fc1.weight": random.normal(size=(8, 16)), "fc1.bias": random.normal(size=16),
        "fc2.weight": random.normal(size=(16, 3)), "fc2.bias": random.normal(size=3),
    }  # fmt: skip
    nodes = [
        helper.make_node("Gemm", ["input", "fc1.weight", "fc1.bias"], ["h1"], "fc1"),
        helper.make_node("Relu", ["h1"], ["h2"], "relu"),
        helper.make_node("Gemm", ["h2", "fc2.weight", "fc2.bias"], ["logits"], "fc2"),
    ]
    graph = helper.make_graph(
        nodes, "two_layers",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
