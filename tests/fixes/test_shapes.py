"""Freed dimensions against the old model run item by item; declarations; where sessions are made."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import helper, parser  # noqa: E402

from triage.fixes import _relaxing, _session, infer_shapes, relax_batch, relax_sizes, unbake_sizes  # noqa: E402
from triage.onnxgraph import declarations, evaluate, files  # noqa: E402
from triage.onnxgraph.factors import Symbol, at, place  # noqa: E402
from triage.onnxgraph.relax import Baked, Wanted, proof, relax  # noqa: E402
from triage.remedy import Proposal, Refusal  # noqa: E402
from triage.site import CannotApply, Found, Site  # noqa: E402
from triage.workspace import Workspace  # noqa: E402

HEAD = '<ir_version: 8, opset_import: ["" : {opset}]>\n'


def model(text, opset=17):
    found = parser.parse_model(HEAD.format(opset=opset) + text)
    onnx.checker.check_model(found)
    return found


def weights(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def with_weights(found, **arrays):
    for name, value in arrays.items():
        found.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return found


def run(found, feeds):
    return evaluate.Runner(found).run(feeds)


def freed(found, *wanted, strategy=0):
    """A copy with free dimensions, checked by the proof."""
    new = onnx.ModelProto()
    new.CopyFrom(found)
    done = relax(new, [Wanted(*each) for each in wanted], None, strategy)
    proof.check(found, new, done, None, {(name, axis) for name, axis, *_ in wanted})
    onnx.checker.check_model(new, full_check=True)
    return new


BATCHED = {
    "heads": """
        g (float[1, 3, 8] x) => (float[1, 3, 8] y)
        <int64[4] a = {1, 3, 2, 4}, int64[3] b = {2, 3, 4}, int64[4] c = {1, 2, 3, 4}, int64[3] d = {1, 3, 8}> {
            h = Reshape(x, a) t = Transpose<perm = [0, 2, 1, 3]>(h) f = Reshape(t, b)
            u = Transpose<perm = [0, 2, 1]>(f) s = MatMul(f, u) p = Softmax<axis = -1>(s) m = MatMul(p, f)
            k = Reshape(m, c) v = Transpose<perm = [0, 2, 1, 3]>(k) y = Reshape(v, d)
        }""",
    "a learned query": """
        g (float[1, 5, 8] x) => (float[1, 24] y)
        <float[3, 1, 8] q = {0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23},
         int64[3] a = {3, 2, 4}, int64[3] b = {5, 2, 4}, int64[2] c = {1, 24}, int64[3] e = {3, 1, 8}> {
            n = Sin(q) h = Reshape(n, a) u = Transpose<perm = [1, 0, 2]>(h)
            t = Transpose<perm = [1, 0, 2]>(x) k = Reshape(t, b) v = Transpose<perm = [1, 2, 0]>(k)
            s = MatMul(u, v) p = Softmax<axis = -1>(s) w = Transpose<perm = [1, 0, 2]>(k) m = MatMul(p, w)
            z = Transpose<perm = [1, 0, 2]>(m) r = Reshape(z, e) o = Transpose<perm = [1, 0, 2]>(r) y = Reshape(o, c)
        }""",
    "length first": """
        g (float[1, 3, 8] x) => (float[1, 24] y)
        <int64[3] a = {3, 2, 4}, int64[2] b = {3, 8}, int64[3] c = {3, 1, 8}, int64[2] d = {1, 24}> {
            t = Transpose<perm = [1, 0, 2]>(x) h = Reshape(t, a) u = Transpose<perm = [1, 0, 2]>(h)
            p = Softmax<axis = -1>(u) v = Transpose<perm = [1, 0, 2]>(p) r = Reshape(v, b) k = Reshape(r, c)
            w = Transpose<perm = [1, 0, 2]>(k) y = Reshape(w, d)
        }""",
    "class token": """
        g (float[1, 3, 4] x) => (float[1, 4] y)
        <float[1, 1, 4] token = {1, 2, 3, 4}, int64[3] s = {1, 1, 4}, int64[1] z = {0}> {
            e = Expand(token, s) c = Concat<axis = 1>(e, x) p = Softmax<axis = 1>(c) i = Constant<value_int = 0>()
            y = Gather<axis = 1>(p, i)
        }""",
    "filled": """
        g (float[1, 4] x) => (float[1, 6] y)
        <int64[2] s = {1, 2}> {
            e = ConstantOfShape<value = float[1] {0.5}>(s) c = Concat<axis = 1>(e, x) y = Softmax<axis = 1>(c)
        }""",
    "tiled": """
        g (float[1, 4] x) => (float[1, 3, 4] y)
        <float[1, 3, 1] q = {1, 2, 3}, int64[3] r = {1, 1, 4}, int64[1] one = {1}> {
            t = Tile(q, r) u = Unsqueeze(x, one) c = Expand(u, r) m = Mul(c, t) y = Softmax<axis = 2>(m)
        }""",
    "cut": """
        g (float[1, 6] x) => (float[1, 6] y)
        <int64[1] z = {0}, int64[1] e = {1}, int64[2] p = {3, 3}> {
            a = Slice(x, z, e, z) b, c = Split<axis = 1>(a, p) d = Concat<axis = 1>(c, b) y = Softmax<axis = 1>(d)
        }""",
    "grown": """
        g (float[1, 2, 4, 4] x) => (float[1, 2, 6, 6] y) <int64[4] s = {1, 2, 6, 6}> {
            y = Resize<mode = "nearest">(x, , , s)
        }""",
    "coordinates": """
        g (float[1, 4] x) => (float[1, 3] y) <int64[1, 3, 2] i = {0, 0, 0, 3, 0, 1}> { y = GatherND(x, i) }""",
    "flattened first": """
        g (float[1, 2, 4] x) => (float[1, 8] y) { f = Flatten<axis = 0>(x) y = Softmax<axis = 1>(f) }""",
}  # fmt: skip


@pytest.mark.parametrize("name", BATCHED)
def test_a_batch(name):
    old = model(BATCHED[name])
    new = freed(old, ("x", 0, 3))
    assert new.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    shape = [dim.dim_value for dim in old.graph.input[0].type.tensor_type.shape.dim]
    data = weights(5, *shape[1:])
    parts = [run(old, {"x": data[[item]]})["y"].reshape(1, -1) for item in range(5)]
    got = run(new, {"x": data})["y"]
    np.testing.assert_allclose(got.reshape(5, -1), np.concatenate(parts), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(run(new, {"x": data[:1]})["y"].reshape(-1), parts[0].reshape(-1))


def test_a_batch_that_ends_up_between_other_factors_is_refused():
    """At batch 1 the order of length and batch does not show; at 3 the items would be woven into each other."""
    old = model("""
        g (float[1, 3, 8] x) => (float[1, 24] y) <int64[2] c = {1, 24}> {
            t = Transpose<perm = [1, 0, 2]>(x) y = Reshape(t, c)
        }""")
    with pytest.raises(Baked, match="inside another dimension"):
        freed(old, ("x", 0, 3))


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_a_recurrent_network_with_stored_zero_states(kind):
    gates = {"GRU": 3, "LSTM": 4}[kind]
    names = ["x", "w", "r", "", "lengths", "h"] + (["c"] if kind == "LSTM" else [])
    nodes = [
        helper.make_node("Transpose", ["b"], ["x"], perm=[1, 0, 2]),
        helper.make_node(kind, names, ["", "last"], hidden_size=4),
        helper.make_node("Identity", ["last"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("b", 1, [1, 5, 3])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", 1, [1, 1, 4])])
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    zeros = np.zeros((1, 1, 4), np.float32)
    arrays = {
        "w": weights(1, gates * 4, 3),
        "r": weights(1, gates * 4, 4),
        "lengths": np.array([5], np.int32),
        "h": zeros,
    }
    with_weights(found, **arrays, **({"c": zeros + 1} if kind == "LSTM" else {}))
    new = freed(found, ("b", 0, 3))
    data = weights(4, 5, 3)
    parts = [run(found, {"b": data[[item]]})["y"] for item in range(4)]
    np.testing.assert_allclose(run(new, {"b": data})["y"], np.concatenate(parts, axis=1), rtol=1e-5, atol=1e-6)


def test_a_batch_of_four_becomes_eight():
    old = model("g (float[4, 2, 3] x) => (float[4, 6] y) <int64[2] t = {4, 6}> { r = Reshape(x, t) y = Tanh(r) }")
    new = freed(old, ("x", 0, 8))
    data = weights(7, 2, 3)
    np.testing.assert_allclose(run(new, {"x": data})["y"], np.tanh(data.reshape(7, 6)), rtol=1e-5)


def test_inputs_that_share_the_batch_are_freed_together():
    old = model("g (float[1, 2] a, float[1, 3] b) => (float[1, 5] y) { y = Concat<axis = 1>(a, b) }")
    new = onnx.ModelProto()
    new.CopyFrom(old)
    done = relax(new, [Wanted("a", 0, 3)])  # b meets a, so it must follow
    assert {name for name, _ in done.symbols} == {"a", "b"}
    params = {value.type.tensor_type.shape.dim[0].dim_param for value in (*new.graph.input, *new.graph.output)}
    assert params == {"batch"}


@pytest.mark.parametrize(
    "body",
    [
        "m = ReduceMean<axes = [0], keepdims = 1>(x) y = Sub(x, m)", "y = Softmax<axis = 0>(x)",
        "s = Squeeze(x, z) t = Transpose(s) p = MatMul(s, t) u = MatMul(p, s) y = Unsqueeze(u, z)",
        "b, i, j = BatchNormalization<training_mode = 1>(x, one, one, one, one) y = Identity(b)",
        "y = CumSum(x, first)",
    ],
)  # fmt: skip
def test_items_that_depend_on_each_other_are_left_alone(body):
    head = "g (float[1, 2, 4] x) => (float[1, 2, 4] y) <int64[1] z = {0}, int64 first = {0}, float[2] one = {1, 1}>"
    text = f"{head} {{ {body} }}"
    with pytest.raises(Baked):
        freed(parser.parse_model(HEAD.format(opset=17) + text), ("x", 0, 3))


LENGTHS = {
    "positions": ("""
        g (int64[1, 6] x) => (float[1, 6, 2] y) <int64[1, 6] p = {0, 1, 2, 3, 4, 5}> {
            a = Gather(words, x) b = Gather(places, p) y = Add(a, b)
        }""", lambda ids, words, places: words[ids] + places[: ids.shape[1]]),
    "start of a table": ("""
        g (int64[1, 6] x) => (float[1, 6, 2] y) <int64[1] s = {0}, int64[1] e = {6}> {
            a = Gather(words, x) b = Slice(places, s, e, s) y = Add(a, b)
        }""", lambda ids, words, places: words[ids] + places[: ids.shape[1]]),
    "causal": ("""
        g (int64[1, 6] x) => (float[1, 6, 2] y)
        <float[1, 6, 6] mask = {
            0,-9,-9,-9,-9,-9, 0,0,-9,-9,-9,-9, 0,0,0,-9,-9,-9, 0,0,0,0,-9,-9, 0,0,0,0,0,-9, 0,0,0,0,0,0
        }> {
            a = Gather(words, x) t = Transpose<perm = [0, 2, 1]>(a) s = MatMul(a, t) m = Add(s, mask)
            y = MatMul(m, a)
        }""", lambda ids, words, _: (
            words[ids] @ words[ids].transpose(0, 2, 1) + np.triu(np.full((ids.shape[1],) * 2, -9), 1)) @ words[ids]),
    "flat": ("""
        g (int64[1, 6] x) => (float[1, 12] y) <int64[2] r = {6, 2}, int64[2] t = {1, 12}> {
            a = Gather(words, x) b = Reshape(a, r) c = Tanh(b) y = Reshape(c, t)
        }""", lambda ids, words, _: np.tanh(words[ids]).reshape(1, -1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize("length", [3, 5, 8])
def test_a_length(name, length):
    text, formula = LENGTHS[name]
    old = parser.parse_model(HEAD.format(opset=17) + text)
    words, places = weights(10, 2), weights(8, 2, seed=1)
    with_weights(old, words=words, places=places)
    new = freed(old, ("x", 1, length))
    ids = np.random.default_rng(0).integers(0, 10, (1, length))
    np.testing.assert_allclose(run(new, {"x": ids})["y"], formula(ids, words, places), rtol=1e-4, atol=1e-5)


def test_a_table_that_is_too_short_is_refused():
    old = parser.parse_model(HEAD.format(opset=17) + LENGTHS["positions"][0])
    with_weights(old, words=weights(10, 2), places=weights(8, 2))
    with pytest.raises(Baked, match="8 positions and the run needs 9"):
        freed(old, ("x", 1, 9))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("f = Flatten(x) y = MatMul(f, w)", "128 rows of w"),
        ("r = Resize<mode = 'linear'>(x, , , s) p = GlobalAveragePool(r) f = Flatten(p) y = Identity(f)", "fixed 5"),
    ],
)
def test_a_picture_whose_size_is_part_of_the_weights_is_refused(body, why):
    head = "g (float[1, 2, 8, 8] x) => (float y) <int64[4] s = {1, 2, 5, 5}>"
    found = parser.parse_model(HEAD.format(opset=17) + f"{head} {{ {body.replace(chr(39), chr(34))} }}")
    with_weights(found, w=weights(128, 3))
    with pytest.raises(Baked, match=why):
        relax(found, [Wanted("x", 2, 16), Wanted("x", 3, 12)])


def test_a_picture():
    text = """
        g (float[1, 2, 8, 8] x) => (float[1, 2, 8, 8] y) <int64[4] s = {1, 2, 8, 8}> {
            p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) y = Resize<mode = "nearest">(p, , , s)
        }"""
    new = freed(model(text), ("x", 2, 12), ("x", 3, 6))
    data = weights(1, 2, 12, 6)
    pooled = data.reshape(1, 2, 6, 2, 3, 2).max((3, 5))
    np.testing.assert_allclose(run(new, {"x": data})["y"], pooled.repeat(2, 2).repeat(2, 3))


@given(
    st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 4), st.data()
)
def test_factors_keep_their_number(dims, where, old, data):
    """However a tensor is cut into axes, the axes hold all of it at every size."""
    symbol = Symbol("batch", (old, old * 3, old * 5), ("dim", "x", 0), "batch")
    layout = [(size,) if size > 1 else () for size in dims]
    layout.insert(where % (len(dims) + 1), (symbol,))
    total, sizes = int(np.prod(dims)) * old, []
    left = total
    while left > 1 and len(sizes) < 5:
        sizes.append(data.draw(st.sampled_from([each for each in range(1, left + 1) if left % each == 0])))
        left //= sizes[-1]
    sizes.append(left)
    found = place(layout, sizes)
    if found is None:
        return
    assert [at(dim, 0) for dim in found] == sizes
    for case, times in ((1, 3), (2, 5)):
        assert int(np.prod([at(dim, case) for dim in found])) == total * times


def test_a_torch_export():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=False)
    net = torch.nn.Sequential(layer, torch.nn.Linear(8, 3)).eval()
    import io

    stream = io.BytesIO()
    torch.onnx.export(net, (torch.randn(5, 1, 8),), stream, input_names=["x"], dynamo=False, opset_version=17)
    found = onnx.load_from_string(stream.getvalue())
    new = onnx.ModelProto()
    new.CopyFrom(found)
    relax(new, [Wanted("x", 1, 4)])
    data = torch.randn(5, 4, 8)
    got = evaluate.Runner(new).run({"x": data.numpy()})
    np.testing.assert_allclose(next(iter(got.values())), net(data).detach().numpy(), rtol=1e-3, atol=1e-5)


# --- what a run needs -------------------------------------------------------------------------------------------


def site_of(folder, found, log="", causes=("input-shape-mismatch",), **told):
    if found is not None:
        files.save(found, str(folder / "model.onnx"))
    names = tuple(path.name for path in folder.iterdir())
    workspace = Workspace(str(folder), str(folder))
    return Site(workspace, ("python", "deploy.py"), names, log=log, found=Found(causes=causes), **told)


TWO = "g (float[1, 4] a, float[1, 4] b) => (float[1, 4] y) { y = Add(a, b) }"
WAYS = {
    "onnxruntime": "Got invalid dimensions for input: a for the following indices\n index: 0 Got: 3 Expected: 1\n",
    "triton": "unexpected shape for input 'a' for model 'm'. Expected [1,4], got [3,4]. NOTE: Setting",
    "tensorrt": "Static dimension mismatch while setting input shape for a. Set dimensions are [3,4]. Expected",
    "polygraphy": "[!] Input tensor: a | Received incompatible shape: (3, 4). Note: Expected",
    "profile": "(a: for dimension number 0 in profile 0 does not match network definition (got min=1, opt=2, max=3)",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_tool_says_which_size_it_needs(tmp_path, way):
    site = site_of(tmp_path, model(TWO), WAYS[way])
    proposals = list(relax_batch.propose(site))
    assert [[each[:2] for each in one.parameters["wanted"]] for one in proposals] == [[["a", 0], ["b", 0]], [["a", 0]]]
    assert proposals[0].parameters["wanted"][0][2] == 3
    relax_batch.apply(site, proposals[0].parameters)
    got = run(files.load(str(tmp_path / "model.onnx")), {"a": weights(3, 4), "b": weights(3, 4)})
    np.testing.assert_allclose(got["y"], weights(3, 4) * 2)
    assert not list(relax_batch.propose(site))


def test_a_server_that_batches_needs_it_too(tmp_path):
    log = (
        "tensor 'a': for the model to support batching the shape should have at least 1 dimension and the first "
        "dimension must be -1"
    )
    proposals = list(relax_batch.propose(site_of(tmp_path, model(TWO), log, ("max-batch-size-mismatch",))))
    assert [name for name, *_ in proposals[0].parameters["wanted"]] == ["a", "b"]


def test_the_feeds_say_which_inputs_share_the_batch(tmp_path):
    np.savez(tmp_path / "feeds.npz", a=weights(3, 4), b=weights(1, 4))
    np.savez(tmp_path / "other.npz", a=weights(1, 4))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    proposals = list(relax_batch.propose(site_of(tmp_path, model(TWO), WAYS["onnxruntime"])))
    assert [one.parameters["wanted"] for one in proposals] == [[["a", 0, 3]]]


def test_a_command_says_which_size_it_needs(tmp_path):
    files.save(model(TWO), str(tmp_path / "model.onnx"))
    site = Site(
        Workspace(str(tmp_path), str(tmp_path)),
        ("trtexec", "--onnx=model.onnx", "--minShapes=a:1x4,b:1x4", "--maxShapes=a:8x4,b:8x4"),
        ("model.onnx",), log="Static model does not take explicit shapes since",
        found=Found(causes=("profile-invalid",)),
    )  # fmt: skip
    (one,) = relax_batch.propose(site)
    assert one.parameters["wanted"] == [["a", 0, 8], ["b", 0, 8]]


def test_a_message_without_names_leaves_it_to_the_feeds(tmp_path):
    np.savez(tmp_path / "request.npz", a=weights(3, 4), b=weights(3, 4))
    (one,) = relax_batch.propose(site_of(tmp_path, model(TWO), "condition: engineDims.d[i] == dims.d[i]"))
    assert one.parameters["wanted"] == [["a", 0, 3], ["b", 0, 3]]


def test_another_layout_is_no_other_size(tmp_path):
    found = model("g (float[1, 3, 8, 8] a) => (float[1, 3, 8, 8] y) { y = Tanh(a) }")
    log = (
        "Got invalid dimensions for input: a for the following indices\n index: 1 Got: 8 Expected: 3\n"
        " index: 3 Got: 3 Expected: 8\n"
    )
    answers = list(relax_sizes.propose(site_of(tmp_path, found, log)))
    assert len(answers) == 1
    assert isinstance(answers[0], Refusal)
    assert "order" in answers[0].why


def test_a_size_needs_a_check_of_the_recipe(tmp_path):
    found = model("g (float[1, 3, 8, 8] a) => (float[1, 3, 8, 8] y) { y = Tanh(a) }")
    log = "Got invalid dimensions for input: a for the following indices\n index: 2 Got: 9 Expected: 8\n"
    (one,) = relax_sizes.propose(site_of(tmp_path, found, log))
    assert one.safety == "unsafe"
    (one,) = relax_sizes.propose(site_of(tmp_path, found, log, verify={"command": ("python", "verify.py")}))
    assert isinstance(one, Proposal)
    assert one.safety is None


def test_mixed_items_are_not_written(tmp_path):
    found = model("g (float[1, 4] a) => (float[1, 4] y) { y = Softmax<axis = 0>(a) }")
    site = site_of(tmp_path, found, WAYS["onnxruntime"])
    before = (tmp_path / "model.onnx").read_bytes()
    (one,) = relax_batch.propose(site)
    with pytest.raises(CannotApply):
        relax_batch.apply(site, one.parameters)
    assert (tmp_path / "model.onnx").read_bytes() == before


def test_external_weights_stay_where_they_are(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["a", "t"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])], "g",
        [helper.make_tensor_value_info("a", 1, [1, 2, 4])], [helper.make_tensor_value_info("y", 1, [1, 3])],
    )  # fmt: skip
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with_weights(found, t=np.array([1, 8]), w=weights(8, 3))
    onnx.save(found, str(tmp_path / "model.onnx"), save_as_external_data=True, location="w.bin", size_threshold=50)
    data = (tmp_path / "w.bin").read_bytes()
    site = site_of(tmp_path, None, WAYS["onnxruntime"])
    relax_batch.apply(site, next(relax_batch.propose(site)).parameters)
    assert (tmp_path / "w.bin").read_bytes() == data
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    x = weights(5, 2, 4)
    np.testing.assert_allclose(session.run(None, {"a": x})[0], x.reshape(5, 8) @ weights(8, 3), rtol=1e-4, atol=1e-5)
    assert not [path for path in tmp_path.iterdir() if path.name not in ("model.onnx", "w.bin")]


def test_a_model_with_local_functions(tmp_path):
    text = """
        <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
        g (float[1, 2, 4] a) => (float[1, 8] y) { y = own.flat(a) }
        <domain: "own", opset_import: ["" : 17]>
        flat(x) => (z) { t = Constant<value_ints = [1, 8]>() z = Reshape(x, t) }"""
    site = site_of(tmp_path, parser.parse_model(text), WAYS["onnxruntime"])
    relax_batch.apply(site, next(relax_batch.propose(site)).parameters)
    got = run(files.load(str(tmp_path / "model.onnx")), {"a": weights(3, 2, 4)})
    np.testing.assert_allclose(got["y"], weights(3, 2, 4).reshape(3, 8))


def test_a_baked_size_behind_a_free_input(tmp_path):
    found = model("g (float[N, 3, 4] a) => (float[N, 12] y) <int64[2] t = {2, 12}> { r = Reshape(a, t) y = Tanh(r) }")
    site = site_of(tmp_path, found, "cannot be reshaped to the requested shape", ("runtime-shape-conflict",))
    (one,) = unbake_sizes.propose(site)
    unbake_sizes.apply(site, one.parameters)
    got = run(files.load(str(tmp_path / "model.onnx")), {"a": weights(5, 3, 4)})
    np.testing.assert_allclose(got["y"], np.tanh(weights(5, 3, 4).reshape(5, 12)), rtol=1e-5)
    assert not list(unbake_sizes.propose(site))


def test_texts_of_logs_do_not_break_the_search():
    assert _relaxing.told(Site(Workspace("/", "/"), (), (), log="Got invalid dimensions for input: " * 3), {}) == []


# --- declarations -----------------------------------------------------------------------------------------------


def test_wrong_declarations_go_and_outputs_get_their_shape(tmp_path):
    text = """
        g (float[N, 4, 2] x) => (float[N, 4, 2] y, int64[K] z) <int64[2] t = {-1, 8}, double[N, 8] a, float[N, 9] b> {
            a = Reshape(x, t) b = Relu(a) y = Tanh(b) z = Shape(b)
        }"""
    found = parser.parse_model(HEAD.format(opset=17) + text)
    assert set(declarations.wrong(found)) == {"a", "b", "y"}
    site = site_of(tmp_path, found, "[ShapeInferenceError]", ("shape-inference-conflict",))
    (one,) = infer_shapes.propose(site)
    infer_shapes.apply(site, one.parameters)
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    got = run(files.load(str(tmp_path / "model.onnx")), {"x": weights(2, 4, 2)})
    assert got["y"].shape == (2, 8)
    assert not list(infer_shapes.propose(site))


def test_contradicting_nodes_are_no_wrong_declaration():
    text = "g (float[2, 3] x) => (float[2, 3] y) <float[4] w = {1, 2, 3, 4}> { y = Add(x, w) }"
    assert declarations.wrong(parser.parse_model(HEAD.format(opset=17) + text)) == {}


def test_missing_shapes_are_stored_where_they_are_asked_for(tmp_path):
    found = model("g (float[N, 4] x) => (float[N, 4] y) { a = Relu(x) y = Tanh(a) }")
    log = "Please run shape inference on the onnx model first."
    site = site_of(tmp_path, found, log, ("node-placement-failed",))
    (one,) = infer_shapes.propose(site)
    infer_shapes.apply(site, one.parameters)
    assert [value.name for value in files.load(str(tmp_path / "model.onnx")).graph.value_info] == ["a"]


# --- where sessions are made ------------------------------------------------------------------------------------

CHECK = (
    "\nassert session.get_session_options().graph_optimization_level == onnxruntime.GraphOptimizationLevel.{level}\n"
)
SCRIPTS = [
    "import onnxruntime\nsession = onnxruntime.InferenceSession('model.onnx')",
    """import onnxruntime as rt
import onnxruntime
session = rt.InferenceSession(
    'model.onnx',
    providers=['CPUExecutionProvider'],
)""",
    """import onnxruntime
from onnxruntime import InferenceSession as Make, SessionOptions
session = Make('model.onnx', SessionOptions())""",
    """from __future__ import annotations
from onnxruntime import InferenceSession
import onnxruntime as ort
def make():
    return InferenceSession('model.onnx')
session = make()
onnxruntime = ort""",
    """import onnxruntime
so = onnxruntime.SessionOptions()
so.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
session = onnxruntime.InferenceSession('model.onnx', so, providers=['CPUExecutionProvider'])""",
    """import onnxruntime
def make(path):
    return onnxruntime.InferenceSession(path)
session = make('model.onnx')""",
    """import onnxruntime
class S:
    def __init__(self):
        self.o = onnxruntime.SessionOptions()
        self.s = onnxruntime.InferenceSession('model.onnx', sess_options=self.o)
session = S().s""",
    "import onnxruntime\nif True:\n\tsession = onnxruntime.InferenceSession('model.onnx', )",
]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_DISABLE_ALL"])
def test_a_session_gets_the_level(tmp_path, script, level):
    if level == "ORT_DISABLE_ALL" and script != SCRIPTS[0]:
        pytest.skip("one script is enough for the second level")
    files.save(model("g (float[N, 4] x) => (float[N, 4] y) { y = Tanh(x) }"), str(tmp_path / "model.onnx"))
    assert _session.sessions(script) == 1
    changed = _session.with_level(script, level)
    done = subprocess.run(
        [sys.executable, "-c", changed + CHECK.format(level=level)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, changed + done.stderr


@pytest.mark.parametrize(
    "script", ["print('InferenceSession')", "def broken(:", "make = lambda: __import__('x').InferenceSession"]
)
def test_no_session(script):
    assert _session.sessions(script) == 0
    with pytest.raises(ValueError, match="no session"):
        _session.with_level(script, "ORT_DISABLE_ALL")
