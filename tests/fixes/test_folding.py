"""Constant parts of a graph, worked out once: the outputs stay, what is fed stays, the size stays bounded."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import helper, numpy_helper, parser  # noqa: E402

from triage.fixes import fold_constants  # noqa: E402
from triage.onnxgraph import evaluate, files, folding, walk  # noqa: E402
from triage.site import Found, Site  # noqa: E402
from triage.workspace import Workspace  # noqa: E402

info, stored = helper.make_tensor_value_info, numpy_helper.from_array
HEAD = '<ir_version: {ir}, opset_import: ["" : {opset}]>\n'


def model(text, opset=17, ir=8):
    return parser.parse_model(HEAD.format(opset=opset, ir=ir) + text)


def folded(found, only=None):
    new = onnx.ModelProto()
    new.CopyFrom(found)
    wanted = None if only is None else lambda node: node.op_type in only
    folder = folding.Folder(new, wanted)
    folder.run()
    return new, folder


def kinds(found):
    return sorted(node.op_type for node in walk.nodes(found))


def run(found, **feeds):
    return evaluate.Runner(found).run(feeds)


X = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def test_a_chain_that_onnx_runtime_has_no_kernel_for():
    found = model("""g (float[N, 3] x) => (float[N, 3] y) <double[3] t = {0.1, 0.2, 0.3}> {
        a = Tan(t) b = Sinh(a) c = Erf(b) d = Cast<to = 1>(c) y = Add(x, d) }""")
    with pytest.raises(Exception, match="NOT_IMPLEMENTED"):
        onnxruntime.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    new, _ = folded(found, {"Tan"})
    assert kinds(new) == ["Add"]
    assert [tensor.name for tensor in new.graph.initializer if tensor.name != "t"] == ["d"]
    session = onnxruntime.InferenceSession(new.SerializeToString(), providers=["CPUExecutionProvider"])
    want = X + [math.erf(math.sinh(math.tan(each))) for each in (0.1, 0.2, 0.3)]
    np.testing.assert_allclose(session.run(None, {"x": X})[0], want, rtol=1e-5)


def test_only_what_is_asked_for_goes():
    found = model("""g (float[N, 3] x) => (float[N, 3] y) <float[3] a = {1, 2, 3}, float[3] b = {1, 2, 3}> {
        c = Exp(a) d = Log(b) e = Add(c, d) f = Mul(x, e) y = Add(f, d) }""")
    new, _ = folded(found, {"Exp"})
    assert kinds(new) == ["Add", "Log", "Mul"] or kinds(new) == ["Add", "Mul"] or "Exp" not in kinds(new)
    np.testing.assert_allclose(run(new, x=X)["y"], run(found, x=X)["y"], rtol=1e-6)


def test_what_a_caller_may_replace_stays():
    text = "g (float[N, 3] x, float[3] w) => (float[N, 3] y) <float[3] w = {1, 2, 3}> { e = Exp(w) y = Mul(x, e) }"
    assert kinds(folded(model(text))[0]) == ["Exp", "Mul"]
    assert kinds(folded(model(text, ir=3, opset=8))[0]) == ["Mul"]  # before IR version 4 no one may


@pytest.mark.parametrize("op", ["RandomNormalLike", "Bernoulli", "Multinomial<sample_size = 2>", "RandomUniformLike"])
def test_chance_is_not_frozen(op):
    found = model(
        "g (float[N, 3] x) => (float[N, 3] y) <float[1, 3] w = {1, 1, 1}> "
        f"{{ r = {op}(w) c = Cast<to = 1>(r) y = Identity(x) }}"
    )
    assert op.split("<")[0] in kinds(folded(found)[0])


def test_the_file_does_not_grow_beyond_the_bound():
    found = model("""g (float[N, 3] x) => (float[N, 3] y) <int64[1] n = {40000000}, int64[1] z = {0}> {
        c = ConstantOfShape(n) s = ReduceSum<keepdims = 0>(c, z) y = Add(x, s) }""")
    new, _ = folded(found)
    assert new.ByteSize() < 1 << 20


def test_shapes_of_fixed_inputs_are_constant():
    found = model("""g (float[2, 3] x, float[N, 3] z) => (float[2, 3] y, int64[2] s) {
        a = Shape(x) b = Cast<to = 1>(a) c = ReduceProd<keepdims = 1>(b) y = Mul(x, c) s = Shape(z) }""")
    new, _ = folded(found)
    assert kinds(new) == ["Mul", "Shape"]
    np.testing.assert_allclose(run(new, x=X, z=X)["y"], X * 6)


BRANCHED = """g (float[N, 3] x) => (float[N, 3] y) <bool c = {CONDITION}, float[3] w = {{1, 2, 3}}> {{
    a = Relu(x)
    b = If (c) <
        then_branch = t () => (float[M, 3] o) {{ a = Mul(x, w) o = Add(a, w) }},
        else_branch = e () => (float[M, 3] o) {{ o = Identity(x) }}
    >
    y = Add(a, b)
}}"""


@pytest.mark.parametrize("condition", [0, 1])
def test_a_decided_branch_takes_the_place_of_the_if(condition):
    found = model(
        BRANCHED.replace("CONDITION", str(condition))
        .replace("{{", "{")
        .replace("}}", "}")
        .replace("a = Mul(x, w) o = Add(a, w)", "q = Mul(x, w) o = Add(q, w)")
    )
    new, _ = folded(found)
    assert "If" not in kinds(new)
    want = np.maximum(X, 0) + (X * [1, 2, 3] + [1, 2, 3] if condition else X)
    np.testing.assert_allclose(run(new, x=X)["y"], want, rtol=1e-6)
    onnx.checker.check_model(new)


def test_names_of_a_branch_do_not_clash():
    """The branch writes a name that stands outside too, with other content."""
    inner = helper.make_graph(
        [helper.make_node("Mul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "own"], ["o"])], "t", [],
        [helper.make_empty_tensor_value_info("o")], [numpy_helper.from_array(np.float32([1, 1, 1]), "own")],
    )  # fmt: skip
    other = helper.make_graph([], "e", [], [helper.make_empty_tensor_value_info("x")])
    for condition in (True, False):
        nodes = [
            helper.make_node("If", ["c"], ["b"], then_branch=inner, else_branch=other),
            helper.make_node("Neg", ["x"], ["h"]), helper.make_node("Add", ["h", "b"], ["y"]),
        ]  # fmt: skip
        stored = [
            numpy_helper.from_array(np.array(condition), "c"),
            numpy_helper.from_array(np.float32([1, 2, 3]), "w"),
        ]
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", 1, ["N", 3])],
            [helper.make_tensor_value_info("y", 1, ["N", 3])], stored,
        )  # fmt: skip
        found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        new, _ = folded(found)
        assert "If" not in kinds(new)
        np.testing.assert_allclose(run(new, x=X)["y"], -X + (X * [1, 2, 3] + 1 if condition else X), rtol=1e-6)


def test_constants_inside_a_branch_that_is_not_decided():
    found = model("""g (float[N, 3] x, bool c) => (float[N, 3] y) <double[3] w = {1, 2, 3}> {
        y = If (c) <
            then_branch = t () => (float[M, 3] o) { e = Erf(w) f = Cast<to = 1>(e) o = Mul(x, f) },
            else_branch = e () => (float[M, 3] o2) { o2 = Identity(x) }
        > }""")
    new, _ = folded(found, {"Erf"})
    assert "Erf" not in kinds(new)
    want = X * [math.erf(each) for each in (1, 2, 3)]
    np.testing.assert_allclose(run(new, x=X, c=np.array(True))["y"], want, rtol=1e-5)


def test_a_loop_over_constants():
    body = helper.make_graph(
        [helper.make_node("Add", ["v", "w"], ["v2"]), helper.make_node("Identity", ["go"], ["go2"])], "body",
        [info("i", 7, []), info("go", 9, []), info("v", 1, [3])],
        [helper.make_tensor_value_info("go2", 9, []), helper.make_tensor_value_info("v2", 1, [3])],
    )  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "yes", "w"], ["r"], body=body), helper.make_node("Mul", ["x", "r"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 3])], [helper.make_tensor_value_info("y", 1, ["N", 3])],
        [stored(np.array(4), "n"), stored(np.array(True), "yes"), stored(np.float32([1, 2, 3]), "w")],
    )  # fmt: skip
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    new, _ = folded(found)
    assert kinds(new) == ["Mul"]
    np.testing.assert_allclose(run(new, x=X)["y"], X * [5, 10, 15])


def test_a_tensor_that_is_an_output_too():
    found = model(
        "g (float[N, 3] x) => (float[N, 3] y, float[3] e) <float[3] w = {1, 2, 3}> { e = Exp(w) y = Mul(x, e) }"
    )
    new, _ = folded(found)
    got = run(new, x=X)
    np.testing.assert_allclose(got["e"], np.exp([1, 2, 3]), rtol=1e-6)


def test_weights_kept_in_another_file_are_read(tmp_path):
    w = np.arange(64, dtype=np.float64)
    graph = helper.make_graph(
        [
            helper.make_node("Erf", ["w"], ["e"]), helper.make_node("Cast", ["e"], ["f"], to=1),
            helper.make_node("Mul", ["x", "f"], ["y"]),
        ],
        "g", [helper.make_tensor_value_info("x", 1, ["N", 64])], [helper.make_tensor_value_info("y", 1, ["N", 64])],
        [numpy_helper.from_array(w, "w")],
    )  # fmt: skip
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(found, str(tmp_path / "model.onnx"), save_as_external_data=True, location="w.bin", size_threshold=10)
    log = "NOT_IMPLEMENTED : Could not find an implementation for Erf(13) node with name ''"
    site = Site(
        Workspace(str(tmp_path), str(tmp_path)), ("python", "x.py"), ("model.onnx", "w.bin"), log=log,
        found=Found(causes=("operator-dtype-unsupported",)),
    )  # fmt: skip
    (one,) = fold_constants.propose(site)
    fold_constants.apply(site, one.parameters)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    x = np.ones((1, 64), np.float32)
    np.testing.assert_allclose(session.run(None, {"x": x})[0][0], [math.erf(each) for each in w], rtol=1e-6)
    assert not list(fold_constants.propose(site))


def test_nothing_to_fold_is_not_proposed(tmp_path):
    files.save(model("g (double[N, 3] x) => (double[N, 3] y) { y = Erf(x) }"), str(tmp_path / "model.onnx"))
    log = "Could not find an implementation for Erf(13) node with name ''"
    site = Site(
        Workspace(str(tmp_path), str(tmp_path)),
        (),
        ("model.onnx",),
        log=log,
        found=Found(causes=("operator-unsupported",)),
    )
    assert not list(fold_constants.propose(site))


UNARY = ["Neg", "Abs", "Sqrt", "Exp", "Tanh", "Floor", "Sign", "Erf", "Sin", "Relu", "Identity"]
BINARY = ["Add", "Mul", "Sub", "Max"]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8)
)
def test_any_graph_gives_the_same(steps):
    """Random graphs over a constant and an input, before and after."""
    names, nodes = ["x", "w"], []
    for number, (op, left, right) in enumerate(steps):
        inputs = [names[left % len(names)]] + ([names[right % len(names)]] if op in BINARY else [])
        nodes.append(helper.make_node(op, inputs, [f"t{number}"]))
        names.append(f"t{number}")
    nodes.append(helper.make_node("Add", [names[-1], "x"], ["y"]))
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, ["N", 3])], [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.float32([0.5, 1.5, -2.5]), "w")],
    )  # fmt: skip
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    new, _ = folded(found)
    np.testing.assert_allclose(run(new, x=X)["y"], run(found, x=X)["y"], rtol=1e-4, atol=1e-5)
    assert all(
        "w" not in node.input or "x" in node.input or any(n.startswith("t") for n in node.input)
        for node in new.graph.node
    )
