"""Scales, zero points and pairs: values stay what they are, and what cannot be known is refused."""

import os

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_sites import info, mended, model, node, proposals, refusals, run, site

from triage.fixes import complete_qdq, correct_qdq_parameters, symmetrise_zero_points
from triage.onnxgraph import quantized, symmetry

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(3, 8)).astype(np.float32)
W = RANDOM.integers(-60, 60, size=(8, 4)).astype(np.int8)
S = np.array([0.1, 0.2, 0.05, 0.3], np.float32)
I8, U8, F32 = np.int8, np.uint8, np.float32
ZEROS, STEP, MIDDLE = np.zeros(4, I8), F32(0.05), np.array(120, U8)


def weights(scale=S, zero=ZEROS, values=W, *, axis=1, opset=18, **more):
    """Y = x @ dequantize(w)."""
    return model(
        [node("DequantizeLinear", ["w", "s", "z"], ["f"], "dq", axis=axis), node("MatMul", ["x", "f"], ["y"], "fc")],
        opset=opset, w=values, s=scale, z=zero, **more,
    )  # fmt: skip


def pair(s1=STEP, z1=MIDDLE, s2=None, z2=None, *, opset=18, attributes=None):
    """Y = dequantize(quantize(x))."""
    return model(
        [node("QuantizeLinear", ["x", "s1", "z1"], ["q"], "q", **(attributes or {})),
         node("DequantizeLinear", ["q", "s2", "z2"], ["y"], "dq")],
        opset=opset, s1=s1, z1=z1, s2=s1 if s2 is None else s2, z2=z1 if z2 is None else z2,
    )  # fmt: skip


WANTED = X @ (W.astype(F32) * S)
FORMS = {
    "column": weights(S.reshape(4, 1), np.zeros((4, 1), I8)),
    "row": weights(S.reshape(1, 4), np.zeros((1, 4), I8)),
    "zero point alone": weights(zero=np.zeros((), I8)),
    "zero point of another shape": weights(zero=np.zeros((4, 1), I8)),
    "axis": weights(axis=0),
    "axis out of range": weights(axis=5),
    "zero point uint8": weights(zero=np.zeros(4, U8)),
    "zero point int32": weights(zero=np.zeros(4, np.int32)),
    "zero point float": weights(zero=np.zeros(4, F32)),
    "scale double": weights(S.astype(float)),
    "everything": weights(S.astype(float).reshape(4, 1), np.zeros((), np.int64), axis=0),
}


@pytest.mark.parametrize("name", FORMS)
def test_stored_weights(name, tmp_path):
    place = site(tmp_path, {"model.onnx": FORMS[name]}, verify=False)
    assert [each.safety for each in proposals(correct_qdq_parameters, place)] == [None]
    np.testing.assert_allclose(run(mended(correct_qdq_parameters, place), {"x": X}), WANTED, rtol=1e-5, atol=1e-5)


PAIRS = {
    "scale with dimensions": pair(np.full((1, 1), 0.05, F32), np.full((1, 1), 120, U8)),
    "scale double": pair(np.float64(0.05)),
    "reader int8, the same point": pair(z2=np.array(-8, I8)),
    "output type beside a zero point": pair(opset=21, attributes={"output_dtype": onnx.TensorProto.INT8}),
    "zero point float": pair(z1=np.array(120.0, F32), z2=np.array(120, U8)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name, tmp_path):
    place = site(tmp_path, {"model.onnx": PAIRS[name]})
    found = mended(correct_qdq_parameters, place)
    np.testing.assert_array_equal(run(found, {"x": X}), run(pair(), {"x": X}))


def test_two_types_for_one_tensor_only_count_when_compared(tmp_path):
    given = pair(z1=np.array(0, U8), z2=np.array(0, I8))
    made = proposals(correct_qdq_parameters, site(tmp_path, {"model.onnx": given}, verify=False))
    assert [each.safety for each in made] == ["unsafe", "unsafe"]
    made = proposals(correct_qdq_parameters, site(tmp_path, {"model.onnx": given}))
    assert [each.safety for each in made] == ["safe", "safe"]


def test_two_axes_of_one_length(tmp_path):
    """The operator behind tells the likelier one; the other is kept for the comparison."""
    square = RANDOM.integers(-60, 60, size=(4, 4, 2)).astype(I8)
    given = model([node("DequantizeLinear", ["w", "s", "z"], ["y"], axis=2)], w=square, s=S, z=np.zeros(4, I8))
    made = proposals(correct_qdq_parameters, site(tmp_path, {"model.onnx": given}))
    assert [each.what.rpartition(" ")[2] for each in made] == ["0", "1"]


REFUSED = {
    "value that does not fit": (weights(zero=np.full(4, 200, U8)), "does not have"),
    "number of scales": (weights(S[:3], np.zeros(3, I8)), "no axis has that length"),
    "scale that is no number": (weights(np.array([0.1, np.nan, 1, 1], F32), np.zeros(4, U8)), "no numbers"),
    "negative scale": (weights(-S), "negative"),
    "scale of 0": (weights(np.array([0.1, 0, 1, 1], F32)), "is 0"),
    "several zero points": (weights(F32(0.1), np.array([1, 2, 3, 4], I8)), "different zero points"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_nobody_can_know_is_refused(name, tmp_path):
    given, why = REFUSED[name]
    place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"])
    assert not proposals(correct_qdq_parameters, place)
    assert why in refusals(correct_qdq_parameters, place)[0].why


def test_a_dead_channel_gets_a_scale(tmp_path):
    values = W.copy()
    values[:, 1] = 7
    given = weights(np.array([0.1, 0, 0.05, 0.3], F32), np.array([0, 7, 0, 0], I8), values)
    place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"])
    found = mended(correct_qdq_parameters, place)
    np.testing.assert_array_equal(run(found, {"x": X}), run(given, {"x": X}))
    assert (numpy_helper.to_array(found.graph.initializer[-1]) > 0).all()


def test_right_models_are_left_alone(tmp_path):
    blocked = model(
        [node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=4), node("MatMul", ["x", "f"], ["y"])],
        opset=21, ir=10, w=W, s=np.full((2, 4), 0.1, F32),
    )  # fmt: skip
    for given in (
        weights(),
        pair(),
        blocked,
        weights(F32(0.1), np.zeros((), I8)),
        pair(np.full(1, 0.1, F32), np.zeros(1, U8)),
    ):
        place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"], log="zero point must be all zeros")
        assert not proposals(correct_qdq_parameters, place)
        assert not proposals(complete_qdq, place)


def convolution(**changed):
    image = info("x", ("n", 3, 8, 8))
    arrays = {
        "xs": F32(0.03), "xz": np.array(128, U8),
        "w": np.random.default_rng(0).integers(-60, 60, (4, 3, 3, 3)).astype(I8),
        "ws": S, "wz": np.zeros(4, I8), "ys": F32(0.5), "yz": np.array(128, U8),
    }  # fmt: skip
    return model(
        [node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
         node("QLinearConv", ["xq", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["yq"], "qconv"),
         node("DequantizeLinear", ["yq", "ys", "yz"], ["y"])], inputs=[image], **{**arrays, **changed},
    )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"ws": S.reshape(4, 1, 1, 1), "wz": np.zeros((4, 1, 1, 1), I8)}, {"wz": np.zeros(4, U8)},
        {"xs": np.full((1, 1), 0.03, F32)}, {"ys": np.float64(0.5), "yz": np.full((1, 1), 128, U8)},
    ],
)  # fmt: skip
def test_quantized_operators(changed, tmp_path):
    image = {"x": RANDOM.normal(size=(1, 3, 8, 8)).astype(F32)}
    place = site(tmp_path, {"model.onnx": convolution(**changed)})
    np.testing.assert_array_equal(run(mended(correct_qdq_parameters, place), image), run(convolution(), image))


def test_parameters_in_constants_and_branches(tmp_path):
    """Scale and zero point are written by Constant nodes, and used in a branch of If."""
    constants = [
        node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(array)))
        for name, array in (("s", np.full((1, 1), 0.1, F32)), ("z", np.zeros((1, 1), I8)))
    ]
    then = helper.make_graph(
        [*constants, node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["t"])],
        "then", [], [info("t", None)],
    )  # fmt: skip
    other = helper.make_graph([node("Identity", ["x"], ["e"])], "else", [], [info("e", None)])
    given = model(
        [node("ReduceSum", ["x"], ["sum"], keepdims=0), node("Less", ["sum", "huge"], ["c"]),
         node("If", ["c"], ["y"], then_branch=then, else_branch=other)], huge=F32(1e9),
    )  # fmt: skip
    found = mended(correct_qdq_parameters, site(tmp_path, {"model.onnx": given}))
    wanted = np.clip(np.round(X / F32(0.1)), -128, 127) * F32(0.1)
    np.testing.assert_allclose(run(found, {"x": X}), wanted, rtol=1e-6)


SYMMETRIC = "Assertion failed: shiftIsAllZeros(zeroPoint): TensorRT only supports symmetric quantization."


def asymmetric(kind, zero, weight_zero=ZEROS, moved=False):
    middle = [node("Reshape", ["q", "shape"], ["r"]), node("Transpose", ["r"], ["t"], perm=[1, 0])] if moved else []
    tensor = "t" if moved else "q"
    end = [node("Transpose", ["d"], ["e"], perm=[1, 0])] if moved else []
    return model(
        [node("QuantizeLinear", ["x", "xs", "xz"], ["q"], "q"), *middle,
         node("DequantizeLinear", [tensor, "xs", "xz"], ["d"], "dq"), *end,
         node("DequantizeLinear", ["w", "s", "z"], ["f"], "dqw", axis=1),
         node("MatMul", ["e" if moved else "d", "f"], ["y"], "fc")],
        opset=18, xs=F32(0.02), xz=np.array(zero, kind), w=W, s=S, z=weight_zero, shape=np.array([-1, 8]),
    )  # fmt: skip


def zero_points(given):
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in given.graph.initializer}
    return [stored[each.input[2]] for each in given.graph.node if each.op_type in quantized.PAIR]


@pytest.mark.parametrize("moved", [False, True])
def test_bytes_round_128_become_symmetric_exactly(moved, tmp_path):
    given = asymmetric(U8, 128, np.array([1, -2, 3, 0], I8), moved)
    place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"], log=SYMMETRIC, verify=False)
    assert proposals(symmetrise_zero_points, place)[0].safety == "safe"
    found = mended(symmetrise_zero_points, place)
    assert all(zero.dtype == I8 and not zero.any() for zero in zero_points(found))
    np.testing.assert_array_equal(run(found, {"x": X}), run(given, {"x": X}))


@pytest.mark.parametrize(("kind", "zero"), [(I8, 64), (I8, -100), (U8, 0), (U8, 200)])
def test_other_activations_keep_their_range(kind, zero, tmp_path):
    """Nothing that was inside the range is cut off, and no value moves by more than half of both steps."""
    given = pair(F32(0.02), np.array(zero, kind))
    place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"], log=SYMMETRIC)
    assert (
        proposals(symmetrise_zero_points, site(tmp_path, causes=["qdq-invalid"], log=SYMMETRIC, verify=False))[0].safety
        == "unsafe"
    )
    found = mended(symmetrise_zero_points, place)
    low, high = (np.iinfo(kind).min - zero) * 0.02, (np.iinfo(kind).max - zero) * 0.02
    values = np.linspace(low, high, 8 * 40, dtype=F32).reshape(-1, 8)
    step = numpy_helper.to_array(next(each for each in found.graph.initializer if "symmetric" in each.name))
    assert step <= 0.02 * 2.01
    apart = np.abs(run(found, {"x": values}) - run(given, {"x": values})).max()
    assert apart <= (float(step) + 0.02) / 2 + 1e-5


def test_what_cannot_be_symmetric_is_refused(tmp_path):
    fed = model(
        [node("DequantizeLinear", ["x", "s", "z"], ["y"])], inputs=[info("x", ("n", 8), onnx.TensorProto.UINT8)],
        s=F32(0.1), z=np.array(3, U8),
    )  # fmt: skip
    for given, why in ((fed, "fed as bytes"), (convolution(), "reads the bytes themselves")):
        place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"], log=SYMMETRIC)
        assert not proposals(symmetrise_zero_points, place)
        assert why in refusals(symmetrise_zero_points, place)[0].why


def test_no_word_of_symmetry_no_change(tmp_path):
    place = site(tmp_path, {"model.onnx": asymmetric(U8, 120)}, causes=["qdq-invalid"], log="Scale shape is not valid")
    assert not proposals(symmetrise_zero_points, place)


ECHO = os.path.join(os.path.dirname(__file__), "../../../shared/repair-trt/echo-zero-point-sixty-four")


@pytest.mark.skipif(not os.path.isdir(ECHO), reason="needs the shared builds")
def test_the_echo_sounder_stays_within_its_tolerance(tmp_path):
    """A zero point of 64, made 0 over a wider range, against the reference of the build; here without TensorRT."""
    place = site(
        tmp_path, {"model.onnx": onnx.load(os.path.join(ECHO, "echo_int8.onnx"))}, causes=["qdq-invalid"], log=SYMMETRIC
    )
    found = mended(symmetrise_zero_points, place)
    assert not any(zero.any() for zero in zero_points(found))
    reference = np.load(os.path.join(ECHO, "reference.npz"))
    for name in [name for name in reference.files if "/out/" in name]:
        number = name.split("/")[0]
        feeds = {key.split("/", 2)[2]: reference[key] for key in reference.files if key.startswith(f"{number}/in/")}
        np.testing.assert_allclose(run(found, feeds), reference[name], rtol=0.03, atol=0.15)


def test_stored_integers_that_do_not_fit_are_rounded(tmp_path):
    given = weights(zero=np.array([100, 0, 0, 0], I8), values=np.clip(W.astype(int) * 2, -128, 127).astype(I8))
    scope = next(quantized.scopes(given))
    group = next(symmetry.groups(scope))
    assert not group.exact
    place = site(tmp_path, {"model.onnx": given}, causes=["qdq-invalid"], log=SYMMETRIC)
    found = run(mended(symmetrise_zero_points, place), {"x": X})
    np.testing.assert_allclose(found, run(given, {"x": X}), atol=0.1 * 2 * 8)


def quantized_net(*left_out):
    """Y = dequantize(quantize(x)) @ w, without some of its nodes."""
    nodes = {
        "q": node("QuantizeLinear", ["x", "xs", "xz"], ["xq"], "q"), "flat": node("Reshape", ["xq", "shape"], ["xr"]),
        "dq": node("DequantizeLinear", ["xr", "xs", "xz"], ["xd"], "dq"),
        "fc": node("MatMul", ["xd", "w"], ["y"], "fc"),
    }  # fmt: skip
    passes = {"q": ("xq", "x"), "dq": ("xd", "xr")}
    for name in left_out:
        del nodes[name]
        for each in nodes.values():
            each.input[:] = [passes[name][1] if given == passes[name][0] else given for given in each.input]
    return model(list(nodes.values()), xs=F32(0.05), xz=np.array(0, I8), w=W.astype(F32), shape=np.array([-1, 8]))


@pytest.mark.parametrize("gone", ["q", "dq"])
def test_lone_nodes_get_their_partner(gone, tmp_path):
    place = site(tmp_path, {"model.onnx": quantized_net(gone)}, causes=["qdq-invalid"])
    assert proposals(complete_qdq, site(tmp_path, causes=["qdq-invalid"], verify=False))[0].safety == "unsafe"
    found = mended(complete_qdq, place)
    np.testing.assert_array_equal(run(found, {"x": X}), run(quantized_net(), {"x": X}))


def test_weights_get_their_node_back_by_name(tmp_path):
    given = model(
        [node("MatMul", ["x", "fc_quantized"], ["y"], "fc")],
        fc_quantized=W, fc_scale=S, fc_zero_point=np.zeros(4, I8),
    )  # fmt: skip
    found = mended(complete_qdq, site(tmp_path, {"model.onnx": given}, causes=["type-inference-conflict"]))
    np.testing.assert_allclose(run(found, {"x": X}), WANTED, rtol=1e-5, atol=1e-5)


def test_bytes_of_unknown_scale_are_refused(tmp_path):
    given = model(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
        inputs=[info("x", ("n", 8), onnx.TensorProto.INT8)], s=F32(0.1), z=np.array(0, I8),
    )  # fmt: skip
    place = site(tmp_path, {"model.onnx": given}, causes=["type-inference-conflict"])
    assert not proposals(complete_qdq, place)
    assert "nothing tells the scale" in refusals(complete_qdq, place)[0].why
