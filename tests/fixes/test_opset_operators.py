"""Every operator keeps its numbers when it is brought to another opset: by the backend tests of ONNX itself."""

from contextlib import suppress

import numpy as np
import onnxruntime
import pytest
from onnx.backend.test.case.node import collect_testcases
from onnx.reference import ReferenceEvaluator
from onnx_sites import restamped

from triage.onnxgraph import versions

OPERATORS = (
    "affine_grid_2d", "argmax", "attention_4d", "averagepool", "batchnorm_ep", "cast_DOUBLE_to_FLOAT", "celu", "clip",
    "constant_", "depthtospace", "dft", "dropout_", "elu", "flatten", "gelu", "gemm", "gridsample", "group_norm",
    "gru", "hannwindow", "hardsigmoid", "hardswish", "if_", "instancenorm", "layer_normal", "logsoftmax", "loop11",
    "lrn", "lstm", "maxpool", "mish", "mod_", "onehot", "pad", "prelu", "quantizelinear", "range_", "reduce_l2",
    "reduce_mean", "reduce_sum", "reshape", "resize", "rms_norm", "roialign", "rotary", "scatter", "selu", "shape",
    "simple_rnn", "slice", "softmax", "softplus", "spacetodepth", "split_", "squeeze", "swiglu", "swish", "topk",
    "trilu", "unsqueeze",
)  # fmt: skip
UNLIKE = ("training", "bernoulli", "random", "_bf16", "bfloat16")


def cases():
    with np.errstate(all="ignore"):
        found = [each for each in collect_testcases(None) if each.data_sets]
    wanted = [
        each for each in found
        if each.name.removeprefix("test_").startswith(OPERATORS) and not any(part in each.name for part in UNLIKE)
    ]  # fmt: skip
    return [each for each in wanted if not each.name.endswith("_expanded")][::3]


def values_of(given, feeds):
    """What ONNX Runtime, else the reference evaluator, makes of a model; None where neither can."""
    with suppress(Exception):
        slim = restamped(given, ir=min(given.ir_version, 10))
        session = onnxruntime.InferenceSession(slim.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, dict(zip([each.name for each in session.get_inputs()], feeds, strict=False)))
    with suppress(Exception):
        evaluator = ReferenceEvaluator(given)
        return evaluator.run(None, dict(zip(evaluator.input_names, feeds, strict=False)))
    return None


def alike(left, right):
    if left is None or right is None or isinstance(left, list) or isinstance(right, list):
        return isinstance(left, list) == isinstance(right, list) and len(left) == len(right)
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if right.dtype.kind not in "fiub":
        return (left.astype(str) == right.astype(str)).all()
    loose = 2e-2 if right.dtype == np.float16 else 1e-3
    return np.allclose(left.astype(float), right.astype(float), rtol=loose, atol=max(loose / 10, 1e-5), equal_nan=True)


@pytest.mark.parametrize("target", [26, 17, 13])
@pytest.mark.filterwarnings("ignore")
def test_every_operator_keeps_its_numbers_downwards_and_back(target):
    """The backend tests of ONNX itself, lowered and lifted again; what cannot be lowered is refused, never wrong."""
    converted = 0
    for case in cases():
        for way in ((target,), (target, 26)):
            given = restamped(case.model)
            try:
                for opset in way:
                    versions.convert(given, opset)
            except versions.Unconvertible:
                break
            feeds, wanted = case.data_sets[0]
            found = values_of(given, feeds)
            if found is None:
                assert values_of(case.model, feeds) is None, f"{case.name} no longer runs at {way}"
                break
            before = values_of(case.model, feeds)
            fits = [all(map(alike, found, each)) for each in (wanted, before) if each is not None]
            assert any(fits), f"{case.name} differs at {way}"
            converted += 1
    assert converted > 150
