"""Graphs that break the rules of ONNX: leftovers, doubles, lost names, wrong declarations; mended and run again."""

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
from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from triage.fixes import (  # noqa: E402
    complete_model_fields,
    correct_declared_types,
    deduplicate_graph,
    reconnect_tensors,
    remove_dead_nodes,
    sort_graph,
)
from triage.onnxgraph import unique, walk  # noqa: E402

X = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
INVALID = ["model-invalid"]
PLAIN = "g (float[n,4] x) => (float[n,4] y) <float[4] b = {1,2,3,4}> { h = Add(x, b) y = Relu(h) }"


def plain(x):
    return np.maximum(x + np.array([1, 2, 3, 4]), 0)


def spoiled(*nodes, text=PLAIN, opset=17):
    model = graph(text, opset)
    model.graph.node.extend(nodes)
    return model


# leftovers


LEFT = {
    "it reads what nothing writes": [helper.make_node("Mul", ["h", "mask"], ["left"], "left")],
    "so does what follows it": [
        helper.make_node("Mul", ["h", "mask"], ["one"], "one"), helper.make_node("Neg", ["one"], ["two"], "two"),
    ],
    "no such operator": [helper.make_node("Frobnicate", ["h"], ["left"], "left")],
    "no such domain": [helper.make_node("Rope", ["h"], ["left"], "left", domain="acme")],
    "a circle": [helper.make_node("Add", ["p", "h"], ["q"], "a"), helper.make_node("Neg", ["q"], ["p"], "b")],
    "inside a branch": [
        helper.make_node(
            "If", ["flag"], ["left"], "left",
            then_branch=graph("t () => (float[n,4] a) { a = Neg(lost) }").graph,
            else_branch=graph("e () => (float[n,4] b) { b = Neg(h) }").graph,
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("why", LEFT)
def test_a_broken_leftover_is_removed(why, tmp_path):
    model = with_tensors(spoiled(*LEFT[why]), flag=np.array(True), only=np.ones(3))
    assert refused(model)
    new = checked(mended(remove_dead_nodes, site_of(tmp_path, model, causes=INVALID)))
    assert [node.op_type for node in new.graph.node] == ["Add", "Relu"]
    assert [tensor.name for tensor in new.graph.initializer] == ["b"]
    close(outputs(new, {"x": X})[0], plain(X))


def test_a_leftover_in_a_body_that_is_needed_goes_too(tmp_path):
    model = graph(
        "g (float[4] x) => (float[4] y) <bool c = {1}> { y = If(c) <then_branch = t () => (float[4] a) "
        "{ a = Neg(x) d = Mul(a, lost) }, else_branch = e () => (float[4] b) { b = Relu(x) }> }"
    )
    new = checked(mended(remove_dead_nodes, site_of(tmp_path, model, causes=INVALID)))
    assert not [node for node in walk.nodes(new) if node.op_type == "Mul"]
    close(outputs(new, {"x": X[0]})[0], -X[0])


@pytest.mark.parametrize("kind", ["short", "untyped", "elsewhere"])
def test_a_broken_tensor_that_nothing_reads_is_removed(kind, tmp_path):
    model = graph(PLAIN)
    tensor = model.graph.initializer.add(name="stale", data_type=TensorProto.FLOAT, dims=[8], raw_data=b"abc")
    if kind == "untyped":
        tensor.data_type = TensorProto.UNDEFINED
    if kind == "elsewhere":
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="gone.bin")
    site = site_of(tmp_path, model, causes=INVALID)
    close(outputs(checked(mended(remove_dead_nodes, site)), {"x": X})[0], plain(X))


def test_a_sound_leftover_goes_only_where_the_failure_names_it(tmp_path):
    model = spoiled(
        helper.make_node("Cast", ["h"], ["d"], "debug/Cast", to=TensorProto.DOUBLE),
        helper.make_node("Erf", ["d"], ["e"], "debug/Erf"),
    )
    line = "Could not find an implementation for Erf(13) node with name 'debug/Erf'"
    named = site_of(tmp_path, model, line, ["operator-dtype-unsupported"], evidence=(line,), captures={"op": "Erf"})
    assert len(mended(remove_dead_nodes, named).graph.node) == 2
    other = site_of(tmp_path, model, causes=["input-shape-mismatch"], evidence=("Got invalid dimensions for input: x",))
    assert not proposals(remove_dead_nodes, other)


def test_an_input_that_nothing_reads_and_nobody_feeds_goes(tmp_path):
    model = graph(PLAIN.replace("(float[n,4] x)", "(float[n,4] x, float temperature, float[n] rate)"))
    log = "ValueError: Required inputs (['temperature', 'rate']) are missing from input feed (['x'])."
    new = checked(mended(remove_dead_nodes, site_of(tmp_path, model, log, ["input-name-mismatch"])))
    close(outputs(new, {"x": X})[0], plain(X))
    read = graph(PLAIN.replace("(float[n,4] x)", "(float[n,4] x, float[4] k)").replace("Relu(h)", "Mul(h, k)"))
    log = "ValueError: Required inputs (['k']) are missing from input feed (['x'])."
    assert not proposals(remove_dead_nodes, site_of(tmp_path, read, log, ["input-name-mismatch"]))


def test_what_an_output_depends_on_is_never_removed(tmp_path):
    model = graph(PLAIN.replace("Add(x, b)", "Add(lost, b)"))
    site = site_of(tmp_path, model, causes=INVALID)
    assert not proposals(remove_dead_nodes, site)
    assert "lost" in refusals(remove_dead_nodes, site)[0].why


# doubles


DOUBLES = {
    "each in the place of the last": (
        "g (float[n,4] x) => (float[n,4] y) { [a] h = Relu(x) [a] h = Neg(h) [a] h = Exp(h) [a] y = Add(h, x) }",
        lambda x: np.exp(-np.maximum(x, 0)) + x,
    ),
    "the output's own name": (
        "g (float[n,4] x) => (float[n,4] y) { y = Relu(x) y = Neg(y) y = Add(y, x) }",
        lambda x: -np.maximum(x, 0) + x,
    ),
    "the input's name": (
        "g (float[n,4] x) => (float[n,4] y) { x = Relu(x) z = Neg(x) y = Add(x, z) }",
        lambda x: x * 0,
    ),
    "one node twice": (
        "g (float[n,4] x) => (float[n,4] y) { [a] h = Relu(x) [a] h = Relu(x) y = Neg(h) }",
        lambda x: -np.maximum(x, 0),
    ),
    "a stored tensor that is read before": (
        "g (float[n,4] x) => (float[n,4] y) <float[4] k = {1,2,3,4}> { h = Add(x, k) k = Relu(h) y = Mul(k, x) }",
        lambda x: plain(x) * x,
    ),
    "in a branch": (
        ("g (float[n,4] x) => (float[n,4] y) <bool c = {1}> { h = Relu(x) y = If(c) <then_branch = t () => "
        "(float[n,4] h) { i = Neg(h) h = Exp(i) }, else_branch = e () => (float[n,4] j) { j = Neg(h) }> }"),
        lambda x: np.exp(-np.maximum(x, 0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOUBLES)
def test_each_reader_gets_the_nearest_writer_before_it(name, tmp_path):
    text, want = DOUBLES[name]
    model = graph(text)
    assert refused(model)
    site = site_of(tmp_path, model, causes=INVALID)
    new = checked(mended(deduplicate_graph, site))
    close(outputs(new, {"x": X})[0], want(X))
    assert not proposals(deduplicate_graph, site)
    assert [value.name for value in new.graph.output] == ["y"]


@pytest.mark.parametrize("name", ["each in the place of the last", "the output's own name"])
def test_the_reference_evaluator_agrees(name):
    model = graph(DOUBLES[name][0])
    before = ReferenceEvaluator(model).run(None, {"x": X})
    unique.Mending(model, "")
    close(ReferenceEvaluator(model).run(None, {"x": X})[0], before[0])


def test_equal_doubles_are_kept_once(tmp_path):
    model = graph(PLAIN)
    model.graph.initializer.append(numpy_helper.from_array(numpy_helper.to_array(model.graph.initializer[0]), "b"))
    model.graph.input.append(model.graph.input[0])
    for _ in range(2):
        model.metadata_props.add(key="source", value="train.py")
    site = site_of(tmp_path, model, causes=INVALID)
    new = checked(mended(deduplicate_graph, site))
    close(outputs(new, {"x": X})[0], plain(X))
    assert len(new.graph.initializer) == len(new.graph.input) == len(new.metadata_props) == 1


def test_an_attribute_that_stands_twice(tmp_path):
    model = graph("g (float[n,4] x) => (float[n,4] y) { y = Softmax<axis=-1>(x) }")
    model.graph.node[0].attribute.append(model.graph.node[0].attribute[0])
    assert refused(model)
    checked(mended(deduplicate_graph, site_of(tmp_path, model, causes=INVALID)))
    model.graph.node[0].attribute[1].i = 0
    assert refusals(deduplicate_graph, site_of(tmp_path, model, causes=INVALID))


def test_different_values_under_one_name_are_refused_unless_sizes_tell(tmp_path):
    model = graph(PLAIN)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(4, dtype=np.float32), "b"))
    site = site_of(tmp_path, model, causes=INVALID)
    assert not proposals(deduplicate_graph, site)
    assert "different values" in refusals(deduplicate_graph, site)[0].why
    layers = graph("g (float[n,4] x) => (float[n,2] y) { h = Gemm(x, w) r = Relu(h) y = Gemm(r, w) }")
    first, second = np.ones((4, 3), dtype=np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)
    for values in (second, first):
        layers.graph.initializer.append(numpy_helper.from_array(values, "w"))
    new = checked(mended(deduplicate_graph, site_of(tmp_path, layers, causes=INVALID)))
    close(outputs(new, {"x": X})[0], np.maximum(X @ first, 0) @ second)
    square = graph("g (float[n,4] x) => (float[n,4] y) { h = Gemm(x, w) y = Gemm(h, w) }")
    for values in (np.eye(4, dtype=np.float32), np.ones((4, 4), dtype=np.float32)):
        square.graph.initializer.append(numpy_helper.from_array(values, "w"))
    assert not proposals(deduplicate_graph, site_of(tmp_path, square, causes=INVALID))


def test_what_cannot_be_told_is_refused(tmp_path):
    early = graph("g (float[n,4] x) => (float[n,4] y) { y = Add(h, x) h = Relu(x) h = Neg(x) }")
    assert refusals(deduplicate_graph, site_of(tmp_path, early, causes=INVALID))
    through = graph("g (float[n,4] x) => (float[n,4] x) { x = Relu(x) }")
    assert refusals(deduplicate_graph, site_of(tmp_path, through, causes=INVALID))


def test_both_readings_of_a_stored_name_are_offered_and_unsafe_without_a_check(tmp_path):
    model = graph(DOUBLES["a stored tensor that is read before"][0])
    assert [each.safety for each in proposals(deduplicate_graph, site_of(tmp_path, model))] == [None, None]
    site = site_of(tmp_path, model, verify=False)
    assert [each.safety for each in proposals(deduplicate_graph, site)] == ["unsafe", "unsafe"]
    new = checked(mended(deduplicate_graph, site, number=1))
    close(outputs(new, {"x": X})[0], np.array([1, 2, 3, 4]) * X)


def test_node_names_alone_matter_only_to_an_invalid_model(tmp_path):
    model = graph("g (float[n,4] x) => (float[n,4] y) { [same] h = Relu(x) [same] y = Neg(h) }")
    assert not proposals(deduplicate_graph, site_of(tmp_path, model, causes=["input-shape-mismatch"]))
    new = mended(deduplicate_graph, site_of(tmp_path, model, causes=INVALID))
    close(outputs(new, {"x": X})[0], -np.maximum(X, 0))


# lost names


@pytest.mark.parametrize(
    ("text", "unsafe"),
    [
        (PLAIN.replace("Relu(h)", "Relu(H)"), False),
        (PLAIN.replace("Relu(h)", 'Relu("scope/h:0")'), False),
        (PLAIN.replace("y = Relu", "Y = Relu"), False),
        (PLAIN.replace("Add(x, b)", "Add(x, B)"), False),
        (PLAIN.replace("Relu(h)", "Relu(middle)"), True),
    ],
)
def test_a_name_that_is_read_is_joined_to_the_one_that_is_written(text, unsafe, tmp_path):
    model = graph(text)
    assert refused(model)
    site = site_of(tmp_path, model, causes=INVALID, verify=False)
    assert [each.safety == "unsafe" for each in proposals(reconnect_tensors, site)] == [unsafe]
    new = checked(mended(reconnect_tensors, site))
    close(outputs(new, {"x": X})[0], plain(X))
    assert [value.name for value in new.graph.output] == ["y"]


def test_a_lost_node_is_not_made_up(tmp_path):
    gone = graph("g (float[n,4] x) => (float[n,4] y) <float[4] b = {1,2,3,4}> { y = Relu(h) }")
    assert not proposals(reconnect_tensors, site_of(tmp_path, gone, causes=INVALID))
    wrong = graph(
        "g (float[n,4] x) => (float[n,2] y) <float[4,2] w = {1,2,3,4,5,6,7,8}> { s = Shape(x) y = Gemm(h, w) }"
    )
    assert not proposals(reconnect_tensors, site_of(tmp_path, wrong, causes=INVALID)), "a shape is no row of numbers"


# declarations


def declared(**changes):
    model = graph(
        "g (float[n,4] x) => (float[n,4] y, int64[n] i) { h = Relu(x) y = Neg(h) i = ArgMax<axis=1,keepdims=0>(h) }"
    )
    for name, (element, sizes) in changes.items():
        value = next((each for each in model.graph.output if each.name == name), None) or model.graph.value_info.add()
        value.CopyFrom(helper.make_tensor_value_info(name, element, sizes))
    return model


@pytest.mark.parametrize(
    "changes",
    [
        {"y": (TensorProto.DOUBLE, ["n", 4])}, {"i": (TensorProto.INT32, ["n"])}, {"y": (TensorProto.INT64, ["n", 4])},
        {"h": (TensorProto.DOUBLE, ["n", 4])}, {"y": (TensorProto.FLOAT, ["n", 7])}, {"y": (TensorProto.FLOAT, ["n"])},
        {"h": (TensorProto.FLOAT, ["n", 4, 1])}, {"h": (TensorProto.INT8, [9]), "i": (TensorProto.FLOAT, ["n", 1])},
    ],
)  # fmt: skip
def test_wrong_declarations_are_corrected(changes, tmp_path):
    model = declared(**changes)
    with pytest.raises(Exception, match=r"(?i)infer|type"):
        checked(model)
    site = site_of(tmp_path, model, causes=["type-inference-conflict"])
    new = checked(mended(correct_declared_types, site))
    y, i = outputs(new, {"x": X})
    close(y, -np.maximum(X, 0))
    close(i, np.maximum(X, 0).argmax(1))
    assert [dim.dim_param or dim.dim_value for dim in new.graph.output[0].type.tensor_type.shape.dim] == ["n", 4]
    assert not proposals(correct_declared_types, site)


def test_a_declared_float_may_also_be_kept_by_a_cast(tmp_path):
    site = site_of(tmp_path, declared(y=(TensorProto.DOUBLE, ["n", 4])), causes=["type-inference-conflict"])
    new = checked(mended(correct_declared_types, site, number=1))
    y, _ = outputs(new, {"x": X})
    assert y.dtype == np.float64


def test_true_declarations_stay(tmp_path):
    model = declared(y=(TensorProto.FLOAT, ["rows", 4]), h=(TensorProto.FLOAT, [3, 4]))
    assert not proposals(correct_declared_types, site_of(tmp_path, model, causes=["type-inference-conflict"]))


@pytest.mark.parametrize("kind", ["name", "type", "shape", "old", "twice"])
def test_empty_fields_are_filled(kind, tmp_path):
    model = graph(PLAIN)
    if kind == "name":
        model.graph.name = ""
    elif kind in ("type", "shape"):
        where = model.graph.output[0]
        where.ClearField("type") if kind == "type" else where.type.tensor_type.ClearField("shape")
    elif kind == "old":
        model.ir_version = 3
    else:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.float_data[:] = [1, 2, 3, 4]
        tensor.raw_data = np.array([1, 2, 3, 4], dtype=np.float32).tobytes()
    with pytest.raises(onnx.checker.ValidationError) as fault:
        checked(model)
    fix = correct_declared_types if kind in ("type", "shape") else complete_model_fields
    site = site_of(tmp_path, model, str(fault.value), INVALID)
    close(outputs(checked(mended(fix, site)), {"x": X})[0], plain(X))


def test_a_leftover_under_a_name_that_is_taken_only_goes_when_compared(tmp_path):
    model = with_tensors(
        graph("g (float[n,4] x) => (float[n,2] y) { y = MatMul(x, w) }"), w=np.ones((4, 2), np.float32)
    )
    with_tensors(model, w=np.ones((2, 4), np.float32))
    (one,) = proposals(deduplicate_graph, site_of(tmp_path, model, causes=INVALID, verify=False))
    assert one.safety == "unsafe"


def test_a_circle_that_an_output_needs_is_named(tmp_path):
    model = graph("g (float[n] x) => (float[n] y) { a = Add(x, x) b = Neg(a) y = Identity(b) }")
    model.graph.node[0].input[1] = "b"
    (refusal,) = refusals(sort_graph, site_of(tmp_path, model, causes=INVALID))
    assert "Add a -> Neg b -> Add a" in refusal.why


# whole builds: run, diagnosed, repaired, compared

RUN = """import numpy as np, onnxruntime as ort
session = ort.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
got = session.run(None, dict(np.load("sent.npz")))
np.savez("got.npz", **{value.name: array for value, array in zip(session.get_outputs(), got)})
"""
CHECK = """import numpy as np
np.testing.assert_allclose(np.load("got.npz")["y"], np.load("right.npz")["y"], rtol=1e-4, atol=1e-5)
"""
BUILDS = {
    "types": ("g (float[n,4] x) => (float[n,4] y) <double k = {0.5}> { h = Mul(x, k) y = Relu(h) }", np.float32),
    "double": (
        "g (double[n,4] x) => (double[n,4] y) <double k = {0.5}> { h = Mul(x, k) y = HardSwish(h) }",
        np.float64,
    ),
    "fed": ("g (float[n,4] x) => (float[n,4] y) { y = Relu(x) }", np.float64),
}


class Silent:
    def running(self, seconds):
        return seconds >= 0

    def diagnosed(self, *told):
        pass

    started = ended = diagnosed


@pytest.mark.parametrize("name", BUILDS)
def test_a_build_is_cured_and_the_folder_stays(name, tmp_path):
    from triage.recipe import read_recipe
    from triage.remediate.loop import Settings
    from triage.service.fixing import fix_build

    text, kind = BUILDS[name]
    scale = 1 if name == "fed" else 2
    gate = np.clip(X / 12 + 0.5, 0, 1) if name == "double" else X > 0
    folder = tmp_path / "build"
    (tmp_path / "place").mkdir()
    folder.mkdir()
    onnx.save(graph(text), folder / "model.onnx")
    np.savez(folder / "sent.npz", x=X.astype(kind))
    np.savez(folder / "right.npz", y=X / scale * gate)
    (folder / "run.py").write_text(RUN)
    (folder / "check.py").write_text(CHECK)
    (folder / "recipe.toml").write_text(
        '[build]\ncommand = ["python", "run.py"]\nfiles = ["model.onnx"]\noutputs = ["got.npz"]\n'
        '[verify]\ncommand = ["python", "check.py"]\n'
    )
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = fix_build(read_recipe(str(folder / "recipe.toml")), Settings(), Silent(), str(tmp_path / "place"))
    assert (done.status, done.verified) == ("cured", True), done.why
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
