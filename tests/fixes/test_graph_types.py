"""Types that contradict each other, types without a kernel, types that a caller sends: mended and computed again."""

import math

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from graph_site import (  # noqa: E402
    checked,
    close,
    graph,
    mended,
    outputs,
    proposals,
    refusals,
    refused,
    site_of,
    with_tensors,
)
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from triage.fixes import (  # noqa: E402
    bridge_missing_kernels,
    cast_double,
    cast_int64,
    cast_uint8,
    unify_tensor_types,
)
from triage.onnxgraph import agree, elements, flow, narrow, recast, walk  # noqa: E402

X = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
UNDER = "NOT_IMPLEMENTED : Could not find an implementation for {}({}) node with name '{}'"


def ops(model, kind):
    return [node for node in walk.nodes(model) if node.op_type == kind]


CONFLICTS = {
    "int times float": (
        ("g (float[n,4] x) => (float[n,4] y) <int64 one = {1}> "
        "{ s = Shape(x) k = Gather(s, one) y = Mul(x, k) }"),
        lambda x: x * 4,
    ),
    "a double constant": (
        "g (float[n,4] x) => (float[n,4] y) <double[4] b = {1,2,3,4.5}> { h = Relu(x) y = Add(h, b) }",
        lambda x: np.maximum(x, 0) + np.array([1, 2, 3, 4.5]),
    ),
    "a half constant": (
        "g (float[n,4] x) => (float[n,4] y) <float16 b = {0}> { y = Max(x, b) }",
        lambda x: np.maximum(x, 0),
    ),
    "an integer constant": (
        "g (float[n,4] x) => (float[n,4] y) <int32 two = {2}> { h = Div(x, two) y = Sub(h, two) }",
        lambda x: x / 2 - 2,
    ),
    "a float as condition": (
        ("g (float[n,4] x) => (float[n,4] y) <float z = {0}> "
        "{ b = Greater(x, z) f = Cast<to=1>(b) y = Where(f, x, z) }"),
        lambda x: np.maximum(x, 0),
    ),
    "a bool mask times floats": (
        "g (float[n,4] x) => (float[n,4] y) <float z = {0}> { b = Less(x, z) y = Mul(x, b) }",
        lambda x: np.minimum(x, 0),
    ),
    "int32 sizes": (
        ("g (float[n,4] x) => (float[a,b] y) <int32[2] s = {-1,2}, int32[2] r = {1,2}> "
        "{ h = Reshape(x, s) y = Tile(h, r) }"),
        lambda x: np.tile(x.reshape(-1, 2), (1, 2)),
    ),
    "int32 beside int64 in a Slice": (
        ("g (float[n,4] x) => (float[n,b] y) <int32[1] s = {1}, int64[1] e = {9223372036854775807}, int32[1] a = {1}> "
        "{ y = Slice(x, s, e, a) }"),
        lambda x: x[:, 1:],
    ),
    "a float count": (
        "g (float[n,4] x) => (float[n,b] y) <float[1] k = {2}> { y, i = TopK(x, k) }",
        lambda x: -np.sort(-x, -1)[:, :2],
    ),
    "an integer beside whole floats in a shape": (
        ("g (float[n,4] x) => (float[a,b] y) "
        "<int64 zero = {0}, float[1] two = {2}, float[1] half = {-1}, int64[1] ax = {0}> "
        "{ s = Shape(x) n = Gather(s, zero) u = Unsqueeze(n, ax) m = Mul(u, two) t = Concat<axis=0>(m, half) "
        "y = Reshape(x, t) }"),
        lambda x: x.reshape(2 * len(x), -1),
    ),
    "an integer into a float-only operator": (
        ("g (float[n,4] x) => (float[n,4] y) <int64 one = {1}> "
        "{ s = Shape(x) k = Gather(s, one) r = Sqrt(k) y = Div(x, r) }"),
        lambda x: x / 2,
    ),
    "two conflicts": (
        ("g (float[n,4] x) => (float[n,4] y) <double b = {0.25}, int64 one = {1}> "
        "{ h = Add(x, b) s = Shape(x) k = Gather(s, one) y = Mul(h, k) }"),
        lambda x: (x + 0.25) * 4,
    ),
    "a Constant node": (
        "g (float[n,4] x) => (float[n,4] y) { c = Constant<value_int = 3>() y = Mul(x, c) }",
        lambda x: x * 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_conflict_is_settled(name, tmp_path):
    text, want = CONFLICTS[name]
    model = graph(text)
    assert refused(model)
    site = site_of(tmp_path, model, causes=["type-inference-conflict"])
    new = checked(mended(unify_tensor_types, site))
    (got,) = outputs(new, {"x": X})
    close(got, want(X))
    assert not proposals(unify_tensor_types, site)


def test_a_constant_of_one_reader_is_stored_anew_and_one_of_several_is_doubled():
    text = (
        "g (float[4] x) => (float[4] y, double[4] z) <double[4] k = {1,2,3,4}> "
        "{ y = Add(x, k) d = Cast<to=11>(x) z = Mul(d, k) }"
    )
    model = graph(text)
    recast.carry_out(model, next(agree.plans(model, "")).edits(), "")
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types == {"k": TensorProto.DOUBLE, "k_float32": TensorProto.FLOAT}
    assert len(ops(model, "Cast")) == 1
    alone = graph("g (float[4] x) => (float[4] y) <double[4] k = {1,2,3,4}> { h = Add(x, k) y = Mul(h, k) }")
    recast.carry_out(alone, next(agree.plans(alone, "")).edits(), "")
    assert [tensor.data_type for tensor in alone.graph.initializer] == [TensorProto.FLOAT]
    assert not ops(alone, "Cast")


def test_one_cast_serves_all_readers_and_the_declared_type_inside_follows():
    model = graph(
        "g (float[2,4] x) => (float[2,4] y) <int64 one = {1}, int64[2,4] r> "
        "{ s = Shape(x) k = Gather(s, one) a = Mul(x, k) y = Add(a, k) }"
    )
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.INT64, [2, 4]))
    recast.carry_out(model, next(agree.plans(model, "")).edits(), "")
    assert len(ops(model, "Cast")) == 1
    assert not [value for value in model.graph.value_info if value.name == "a"]


def test_a_double_input_before_float_weights_is_cast_once_rather_than_every_weight():
    random = np.random.default_rng(0)
    a, b, c = (random.normal(size=shape).astype(np.float32) for shape in [(4, 3), (3,), (3, 2)])
    text = "g (double[n,4] x) => (float[n,2] y) { h = Gemm(x, a, b) r = Relu(h) y = MatMul(r, c) }"
    model = with_tensors(graph(text), a=a, b=b, c=c)
    recast.carry_out(model, next(agree.plans(model, "")).edits(), "")
    (got,) = outputs(checked(model), {"x": X.astype(np.float64)})
    close(got, np.maximum(X @ a + b, 0) @ c)
    assert got.dtype == np.float32
    assert len(ops(model, "Cast")) == 1


def test_branches_bodies_and_states_agree():
    branch = graph(
        "g (float[3] x) => (float[3] y) <float z = {0}> { s = ReduceSum<keepdims=0>(x) c = Greater(s, z) "
        "y = If(c) <then_branch = t () => (float[3] a) { k = Constant<value = double {2.5}>() a = Mul(x, k) }, "
        "else_branch = e () => (double[3] b) { b = Cast<to=11>(x) }> }"
    )
    loop = graph(
        "g (float[3] x) => (float[3] y) <int32 n = {4}, float t = {1}> { y = Loop(n, t, x) <body = b "
        "(int64 i, bool c, float[3] v) => (bool d, float[3] w) { f = Cast<to=11>(i) w = Add(v, f) d = Identity(c) }> }"
    )
    x = np.array([1, 2, 3], dtype=np.float32)
    for model, want in ((branch, x * 2.5), (loop, x + 6)):
        assert refused(model)
        recast.carry_out(model, next(agree.plans(model, "")).edits(), "")
        (got,) = outputs(checked(model), {"x": x})
        close(got, want)


def test_a_state_that_grows_inside_a_loop_is_cast_on_its_way_in():
    model = graph(
        "g (float x) => (float y) <int64 n = {3}, bool t = {1}, int64 start = {0}> { y = Loop(n, t, start) <body = b "
        "(int64 i, bool c, int64 v) => (bool d, float w) { w = Add(v, x) d = Identity(c) }> }"
    )
    recast.carry_out(model, next(agree.plans(model, "")).edits(), "")
    (got,) = outputs(checked(model), {"x": np.array(0.5, dtype=np.float32)})
    close(got, 1.5)


def test_what_would_lose_its_meaning_is_refused(tmp_path):
    half = graph("g (float[4] x) => (float[2] y) <float[2] i = {0.5,1}> { y = Gather(x, i) }")
    site = site_of(tmp_path, half)
    assert not proposals(unify_tensor_types, site)
    assert "no whole numbers" in refusals(unify_tensor_types, site)[0].why
    text = graph("g (float[4] x) => (float[4] y) { y = Add(x, s) }")
    text.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"a"]))
    assert not proposals(unify_tensor_types, site_of(tmp_path, text))
    old = graph("g (float[4] x) => (bool[4] y) <int64[4] k = {1,2,3,4}> { y = Equal(x, k) }", opset=7)
    assert not proposals(unify_tensor_types, site_of(tmp_path, old)), "0.5 and 0.7 would be equal as integers"


def test_cutting_computed_fractions_needs_a_comparison(tmp_path):
    model = graph(
        "g (float[2] i) => (float[2] y) <float[3] t = {5,6,7}, float k = {2}> { j = Mul(i, k) y = Gather(t, j) }"
    )
    assert proposals(unify_tensor_types, site_of(tmp_path, model))[0].safety != "unsafe"
    assert proposals(unify_tensor_types, site_of(tmp_path, model, verify=False))[0].safety == "unsafe"


def test_a_constant_in_another_file_is_cast_alone(tmp_path):
    b, k = np.linspace(0, 1, 64), np.linspace(1, 2, 64, dtype=np.float32)
    text = "g (float[n,64] x) => (float[n,64] y) { h = Add(x, b) y = Mul(h, k) }"
    model = with_tensors(graph(text), b=b, k=k)
    site = site_of(tmp_path, model)
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    unify_tensor_types.apply(site, proposals(unify_tensor_types, site)[0].parameters)
    stored = onnx.load(tmp_path / "model.onnx", load_external_data=False).graph.initializer
    assert [len(tensor.external_data) > 0 for tensor in stored] == [False, True]
    x = np.ones((2, 64), dtype=np.float32)
    close(outputs(onnx.load(tmp_path / "model.onnx"), {"x": x})[0], (x + b) * k)


def test_sound_models_are_left_alone():
    for text in (
        "g (float[n,4] x) => (float[n,4] y) <int64 e = {2}> { y = Pow(x, e) }",
        "g (uint8[4] x) => (float[4] y) <float s = {0.5}, uint8 z = {3}> { y = DequantizeLinear(x, s, z) }",
        "g (float[4] x, int64[2] i) => (float[2] y) { y = Gather(x, i) }",
        "g (float16[4] x) => (float[4] y) { y = Cast<to=1>(x) }",
        "g (float[4] x) => (int64[1] y) { y = ArgMax(x) }",
        "g (float[3] x) => (float[3,2] y) { s = SequenceConstruct(x, x) y = ConcatFromSequence<axis=1,new_axis=1>(s) }",
    ):
        walked = flow.plain(graph(text))
        assert not walked.unsettled
        assert not walked.declared
        assert not list(agree.plans(graph(text), ""))


@pytest.mark.parametrize(
    ("values", "to", "lost"),
    [
        ([1.0, 2.0], elements.INT64, None), ([1.5], elements.INT64, "whole"), ([1e300], elements.FLOAT, "range"),
        ([16777217.0], elements.FLOAT, "whole number"), ([1e15], elements.FLOAT, None),
        ([1e-60], elements.FLOAT, "becomes 0"),
        ([-np.finfo(np.float64).max], elements.FLOAT, None), ([np.inf, np.nan], elements.FLOAT, None),
        ([1e5], elements.FLOAT16, "range"), ([0.0, 1.0], elements.BOOL, None), ([2.0], elements.BOOL, "neither"),
    ],
)  # fmt: skip
def test_what_a_value_loses(values, to, lost):
    why = elements.loss(np.array(values), to)
    assert (why is None) if lost is None else lost in why


@settings(max_examples=200, derandomize=True)
@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=4),
    st.sampled_from([elements.INT32, elements.FLOAT, elements.DOUBLE, elements.UINT8, elements.BOOL]),
)
def test_what_is_said_to_fit_comes_back(values, to):
    array = np.array(values, dtype=np.int64)
    if elements.loss(array, to) is None:
        assert elements.converted(array, to).astype(np.int64).tolist() == values


def convolution(element=TensorProto.DOUBLE):
    text = (
        "g (float[n,1,6,6] image) => (float[n,2,1,1] y) <float s = {0.5}> { [stem] h = Conv(image, w) "
        "c = Constant<value = float {2.0}>() m = Mul(h, c) k = Mul(m, s) y = GlobalAveragePool(k) }"
    )
    model = with_tensors(graph(text), w=np.random.default_rng(3).normal(size=(2, 1, 3, 3)).astype(np.float32))
    narrow.narrow(model, TensorProto.FLOAT, element, "")
    return model


@pytest.mark.parametrize("fed", [np.float32, np.float64])
def test_a_double_model_becomes_float_and_takes_what_is_fed(fed, tmp_path):
    image = np.random.default_rng(4).normal(size=(2, 1, 6, 6))
    (want,) = outputs(convolution(TensorProto.FLOAT), {"image": image.astype(np.float32)})
    log = UNDER.format("Conv", 11, "stem")
    site = site_of(tmp_path, convolution(), log, ["operator-dtype-unsupported"], feeds={"image": image.astype(fed)})
    (got,) = outputs(checked(mended(cast_double, site)), {"image": image.astype(fed)})
    close(got, want, 1e-4)
    assert got.dtype == fed


def test_double_that_float_cannot_hold_stays(tmp_path):
    log = UNDER.format("Erf", 13, "e")
    text = "g (double[n] t) => (double[n] y) <double t0 = {1700000001}> {{ d = Sub(t, t0) [e] y = Erf(d) }}"
    site = site_of(tmp_path, graph(text.replace("{{", "{").replace("}}", "}")), log, ["operator-dtype-unsupported"])
    assert "1700000001" in refusals(cast_double, site)[0].why
    times = np.array([1700000001.0, 1700000001.75])
    new = checked(mended(bridge_missing_kernels, site))
    close(outputs(new, {"t": times})[0], [0, math.erf(0.75)])


BRIDGES = {
    "Where": ("g (bool[4] c, bool[4] a, bool[4] b) => (bool[4] y) { [n] y = Where(c, a, b) }", "bool", 16),
    "Erf": ("g (double[4] x) => (double[4] y) { [n] y = Erf(x) }", "double", 13),
    "LeakyRelu": (
        "g (bfloat16[4] x) => (float[4] y) { h = Add(x, x) [n] r = LeakyRelu(h) y = Cast<to=1>(r) }", "half", 16,
    ),
    "DepthToSpace": ("g (int64[1,4,2,2] x) => (int64[1,1,4,4] y) { [n] y = DepthToSpace<blocksize=2>(x) }", "int", 13),
}  # fmt: skip


@pytest.mark.parametrize("operator", BRIDGES)
def test_a_node_without_a_kernel_is_computed_in_another_type(operator, tmp_path):
    text, kind, version = BRIDGES[operator]
    model = graph(text)
    log = UNDER.format(operator, version, "n")
    random = np.random.default_rng(1)
    made = {
        "bool": {name: random.integers(0, 2, 4).astype(bool) for name in "cab"},
        "double": {"x": np.linspace(-1, 1, 4)},
        "half": {"x": np.linspace(-1, 1, 4, dtype=np.float32)},
        "int": {"x": random.integers(-9, 9, (1, 4, 2, 2))},
    }[kind]
    assert refused(model)
    site = site_of(tmp_path, model, log, ["operator-dtype-unsupported"], captures={"op": operator})
    new = checked(mended(bridge_missing_kernels, site))
    if kind == "half":
        recast.accept(new, "x", TensorProto.FLOAT)
    want = {
        "Where": lambda: np.where(made["c"], made["a"], made["b"]),
        "Erf": lambda: [math.erf(each) for each in made["x"]],
        "LeakyRelu": lambda: np.where(made["x"] > 0, 2 * made["x"], 0.02 * made["x"]),
        "DepthToSpace": lambda: made["x"].reshape(1, 2, 2, 1, 2, 2).transpose(0, 3, 4, 1, 5, 2).reshape(1, 1, 4, 4),
    }[operator]()
    close(outputs(new, made)[0], want, 1e-2 if kind == "half" else 1e-5)


def test_a_kernel_that_refuses_at_run_time_is_bridged_in_the_blamed_type(tmp_path):
    model = graph(
        'g (float16[2,4] x) => (float16[2,4] y) <int64[2,1] i = {0,2}, float16[2,1] u = {15360,15360}> '
        '{ y = ScatterElements<axis=1, reduction="add">(x, i, u) }',
        opset=18,
    )  # fmt: skip
    x = np.zeros((2, 4), dtype=np.float16)
    with pytest.raises(Exception, match="data type is not supported") as fault:
        outputs(model, {"x": x})
    site = site_of(tmp_path, model, str(fault.value), ["operator-dtype-unsupported"])
    (got,) = outputs(checked(mended(bridge_missing_kernels, site)), {"x": x})
    close(got, [[1, 0, 0, 0], [0, 0, 1, 0]])


def test_int32_keeps_what_must_be_int64_and_refuses_what_does_not_fit(tmp_path):
    log = "This version of TensorRT only supports INT32 input indices."
    text = (
        "g (int64[b,t] ids) => (float[b,w] y) <int64 k = {BIG}, int64[1] s = {1}, int64[1] e = {9223372036854775807}, "
        "int64[1] a = {1}, float[6,2] table = {0,1,2,3,4,5,6,7,8,9,10,11}, int64[2] shape = {0,-1}> "
        "{ m = Mod(ids, k) c = Slice(m, s, e, a) r = Gather(table, c) y = Reshape(r, shape) }"
    )
    ids = np.array([[9, 1, 8], [3, 11, 2]])
    (want,) = outputs(graph(text.replace("BIG", "6")), {"ids": ids})
    site = site_of(tmp_path, graph(text.replace("BIG", "6")), log, ["operator-dtype-unsupported"], tool="tensorrt")
    new = checked(mended(cast_int64, site))
    close(outputs(new, {"ids": ids.astype(np.int32)})[0], want)
    assert {tensor.name for tensor in new.graph.initializer if tensor.data_type == TensorProto.INT64} == {"shape"}
    big = site_of(tmp_path, graph(text.replace("BIG", str(1 << 40))), log, ["operator-dtype-unsupported"])
    assert not proposals(cast_int64, big)
    assert "does not fit" in refusals(cast_int64, big)[0].why


def test_bytes_are_cast_at_the_start_and_constants_beside_them_follow(tmp_path):
    model = graph(
        "g (uint8[n,4] image) => (float[n,4] y) <uint8 hi = {200}, float k = {255}> "
        "{ m = Min(image, hi) f = Cast<to=1>(m) y = Div(f, k) }"
    )
    log = "TensorRT does not support UINT8 types for intermediate tensors!"
    site = site_of(tmp_path, model, log, ["operator-dtype-unsupported"], tool="tensorrt")
    image = np.array([[0, 100, 201, 255]], dtype=np.uint8)
    new = checked(mended(cast_uint8, site))
    close(outputs(new, {"image": image})[0], np.minimum(image, 200) / 255)
    assert {value.type.tensor_type.elem_type for value in new.graph.input} == {TensorProto.UINT8}
    assert not proposals(cast_uint8, site)


def test_a_cast_with_the_wrong_target_is_the_second_reading(tmp_path):
    text = "g (float[4] x) => (float[4] y) <float k = {0.5}> { h = Mul(x, k) [c] c = Cast<to=7>(h) y = Mul(x, c) }"
    site = site_of(tmp_path, graph(text), causes=["type-inference-conflict"])
    second = proposals(unify_tensor_types, site)[1]
    assert "target of Cast c" in second.what
    unify_tensor_types.apply(site, second.parameters)
    new = checked(onnx.load(tmp_path / "model.onnx"))
    close(outputs(new, {"x": X[2]})[0], X[2] * X[2] / 2)
    assert len(ops(new, "Cast")) == 1


def test_a_float_mask_as_condition_needs_a_comparison(tmp_path):
    text = "g (float[n,4] x, float[n,4] m) => (float[n,4] y) <float z = {-9}> { y = Where(m, x, z) }"
    (one,) = proposals(unify_tensor_types, site_of(tmp_path, graph(text), verify=False))
    assert one.safety == "unsafe"  # the mask may be one that is added: then 0 means yes


def test_computed_indices_are_cut_off_or_rounded_as_the_check_says(tmp_path):
    text = (
        "g (float[n] x) => (float[n] y) <float k = {9.9999}, float[9] t = {0,1,2,3,4,5,6,7,8}> "
        "{ q = Mul(x, k) y = Gather(t, q) }"
    )
    site = site_of(tmp_path, graph(text))
    found = proposals(unify_tensor_types, site)
    assert [each.guess for each in found] == [True, True]
    x = np.array([0.1, 0.7], np.float32)
    unify_tensor_types.apply(site, found[1].parameters)
    close(outputs(checked(onnx.load(site.path("model.onnx"))), {"x": x})[0], [1, 7])
    onnx.save(graph(text), site.path("model.onnx"))
    unify_tensor_types.apply(site, found[0].parameters)
    close(outputs(checked(onnx.load(site.path("model.onnx"))), {"x": x})[0], [0, 6])


def test_stored_numbers_and_zero_points_are_no_case_for_a_cast(tmp_path):
    text = (
        "g (float[n,2] x) => (float[n,2] y) <int8[2,2] w = {1,2,3,4}, float s = {0.5}, uint8 z = {128}> "
        "{ f = DequantizeLinear(w, s, z) y = MatMul(x, f) }"
    )
    assert not proposals(unify_tensor_types, site_of(tmp_path, graph(text)))
