"""Comparing outputs: what is wrong in a subtle way is caught, what is right but rounded otherwise passes."""

import copy
import json
import tempfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from triage.compare.feeds import Draw, Input, alike, feeds_for, inputs_of, together
from triage.compare.models import Two, before_and_after
from triage.compare.run import Runner
from triage.compare.structure import same_computation
from triage.compare.tolerance import precisions_of, tolerance_for
from triage.compare.verdict import Pair, compare
from triage.onnxgraph.ranges import Range
from triage.onnxgraph.samples import two_layers
from triage.remedy import Verify

F, I32, I64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
node, value = helper.make_node, helper.make_tensor_value_info
RANDOM = np.random.default_rng(1)
FP32 = tolerance_for((), ())


def init(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def model(nodes, inputs, outputs, inits=(), opset=17, ir=8):
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(inits))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def changed(given, change):
    made = copy.deepcopy(given)
    change(made)
    return made


def weight(given, name, change):
    """The model with one weight changed."""

    def apply(made):
        tensor = next(each for each in made.graph.initializer if each.name == name)
        tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))

    return changed(given, apply)


def unary(kind, opset=17, ir=8, shape=("n", 16), **attributes):
    return model(
        [node(kind, ["x"], ["y"], **attributes)], [value("x", F, shape)], [value("y", F, shape)], (), opset, ir
    )


@pytest.fixture
def proof_of(tmp_path):
    """Gives a function: model before, model after -> Proof."""

    def prove(before, after, given=(), verify=None):
        for name, made in (("before", before), ("after", after)):
            path = tmp_path / f"{name}.onnx"
            path.write_bytes(made) if isinstance(made, bytes) else onnx.save(made, path)
        scratch = tempfile.mkdtemp(dir=tmp_path)
        runner = Runner(scratch, str(tmp_path / "log"), seconds=60, environment={}, guarded=None)
        two = Two("model.onnx", str(tmp_path / "before.onnx"), str(tmp_path / "after.onnx"))
        return before_and_after(two, runner, given, verify)

    return prove


# --- pairs of models

DENSE = two_layers()
TABLES = {"tok": normal(20, 6), "pos": normal(12, 6), "w": normal(6, 4000) * 0.01}


def language(batch="b", kind=I64, name="input_ids", tables=None):
    """ids, positions and a mask -> small probabilities and the best token."""
    held = tables or TABLES
    return model(
        [
            node("Gather", ["tok", name], ["e"]), node("Gather", ["pos", "position_ids"], ["p"]),
            node("Add", ["e", "p"], ["h"]), node("Cast", ["attention_mask"], ["m"], to=F),
            node("Unsqueeze", ["m", "ax"], ["mu"]), node("Mul", ["h", "mu"], ["hm"]),
            node("MatMul", ["hm", "w"], ["o"]),
            node("Softmax", ["o"], ["probs"], axis=-1), node("ArgMax", ["o"], ["best"], axis=-1, keepdims=0),
        ],
        [value(each, kind, [batch, "s"]) for each in (name, "position_ids", "attention_mask")],
        [value("probs", F, ["b", "s", 4000]), value("best", I64, ["b", "s"])],
        [*(init(key, array) for key, array in held.items()), init("ax", np.array([2]))],
    )  # fmt: skip


KERNELS = {"k1": normal(8, 3, 8, 8) * 0.1, "k2": normal(4, 8, 6, 6) * 0.1, "w": normal(4, 5)}


def vision(dtype=np.float32, kernels=None):
    """A network that needs images of at least 32 by 32."""
    kind = {np.float32: F, np.float16: TensorProto.FLOAT16}[dtype]
    return model(
        [
            node("Conv", ["x", "k1"], ["c"], strides=[4, 4]), node("Relu", ["c"], ["r"]),
            node("Conv", ["r", "k2"], ["d"], strides=[4, 4]), node("GlobalAveragePool", ["d"], ["g"]),
            node("Flatten", ["g"], ["f"]), node("MatMul", ["f", "w"], ["y"]),
        ],
        [value("x", kind, ["n", 3, "h", "w_"])], [value("y", kind, ["n", 5])],
        [init(key, array.astype(dtype)) for key, array in (kernels or KERNELS).items()],
    )  # fmt: skip


def normed(eps=1e-5):
    """LayerNormalization in small operators."""
    return model(
        [
            node("ReduceMean", ["x"], ["m"], axes=[-1]), node("Sub", ["x", "m"], ["c"]),
            node("Mul", ["c", "c"], ["c2"]), node("ReduceMean", ["c2"], ["v"], axes=[-1]),
            node("Add", ["v", "eps"], ["ve"]), node("Sqrt", ["ve"], ["s"]), node("Div", ["c", "s"], ["q"]),
            node("Mul", ["q", "g"], ["h"]), node("Add", ["h", "b"], ["y"]),
        ],
        [value("x", F, ["n", 16])], [value("y", F, ["n", 16])],
        [init("g", SCALE), init("b", SHIFT), init("eps", np.float32(eps))],
    )  # fmt: skip


SCALE, SHIFT = normal(16), normal(16)
NORM = model([node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1)], [value("x", F, ["n", 16])],
             [value("y", F, ["n", 16])], [init("g", SCALE), init("b", SHIFT)])  # fmt: skip
FLAT_W = normal(8, 3)


def flattened(batch, target, *, mixing=False):
    """[batch, 2, 4] -> Reshape to a constant -> MatMul; mixing adds the mean over the batch."""
    nodes = [node("Reshape", ["x", "s"], ["r"]), node("MatMul", ["r", "w"], ["y0" if mixing else "y"])]
    if mixing:
        nodes += [node("ReduceMean", ["y0"], ["m"], axes=[0], keepdims=1), node("Add", ["y0", "m"], ["y"])]
    return model(nodes, [value("x", F, [batch, 2, 4])], [value("y", F, [batch, 3])],
                 [init("s", np.array(target)), init("w", FLAT_W)])  # fmt: skip


def grown_wrong(batch="n"):
    """Right for one item, wrong for more: adds the batch size less one."""
    return model(
        [
            node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"], axis=0),
            node("Sub", ["n", "one"], ["n1"]),
            node("Cast", ["n1"], ["f"], to=F), node("Add", ["x", "f"], ["y"]),
        ],
        [value("x", F, [batch, 4])], [value("y", F, [batch, 4])], [init("zero", np.array(0)), init("one", np.array(1))],
    )  # fmt: skip


def dropping(active):
    return model([node("Dropout", ["x", "r", "t"], ["y"])], [value("x", F, ["n", 64])], [value("y", F, ["n", 64])],
                 [init("r", np.float32(0.5)), init("t", np.array(active))])  # fmt: skip


def two_heads(first, second):
    return model([node("Relu", ["x"], [first]), node("Neg", ["x"], [second])], [value("x", F, ["n", 4])],
                 [value("a", F, ["n", 4]), value("b", F, ["n", 4])])  # fmt: skip


def one_percent(array):
    array.reshape(-1)[3] *= 1.01
    return array


def transposed(made):
    made.graph.node[2].output[0] = "before"
    made.graph.node.append(node("Transpose", ["before"], ["logits"]))
    made.graph.output[0].type.tensor_type.ClearField("shape")


def as_double(made):
    for tensor in made.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for each in (*made.graph.input, *made.graph.output):
        each.type.tensor_type.elem_type = TensorProto.DOUBLE


def opset(version):
    return lambda made: setattr(made.opset_import[0], "version", version)


CLIPPED = model([node("Clip", ["x", "lo", "hi"], ["y"])], [value("x", F, ["n", 16])], [value("y", F, ["n", 16])],
                [init("lo", np.float32(-50)), init("hi", np.float32(50))])  # fmt: skip
SWAPPED_ITEMS = model([node("Gather", ["x", "i"], ["y"], axis=0)], [value("x", F, [2, 4])], [value("y", F, [2, 4])],
                      [init("i", np.array([1, 0]))])  # fmt: skip
ABSOLUTE_LOG = model([node("Abs", ["x"], ["z"]), node("Log", ["z"], ["y"])], [value("x", F, ["n", 16])],
                     [value("y", F, ["n", 16])])  # fmt: skip
TINY_TABLES = {**TABLES, "w": np.where(np.arange(4000) == 7, 1.01, 1.0).astype(np.float32) * TABLES["w"]}

WRONG = {
    "one weight by 1 %": (DENSE, weight(DENSE, "fc1.weight", one_percent), "rounding"),
    "a column of tiny probabilities by 1 %": (language(), language(tables=TINY_TABLES), "probs"),
    "transposed": (DENSE, changed(DENSE, transposed), "last two axes swapped"),
    "outputs of one shape swapped": (two_heads("a", "b"), two_heads("b", "a"), "a: "),
    "items of the batch mixed up": (unary("Identity", shape=(2, 4)), SWAPPED_ITEMS, "y: "),
    "wrong for more than one item": (unary("Identity", shape=("n", 4)), grown_wrong(), "y: "),
    "one batch size became all, wrongly": (unary("Identity", shape=(1, 4)), grown_wrong(), "3 old batches in one"),
    "relaxed, but the size is baked in": (flattened(1, [1, 8]), flattened("b", [1, 8]), "fails on 3 old batches"),
    "relaxed, but items influence each other": (
        flattened(1, [1, 8], mixing=True), flattened("b", [-1, 8], mixing=True), "3 old batches in one",
    ),
    "wrong for large values": (unary("Identity"), CLIPPED, "large values"),
    "another epsilon": (NORM, normed(1e-3), "y: "),
    "an approximation in its place": (
        unary("Gelu", 20, 9), unary("Gelu", 20, 9, approximate="tanh"), "y: ",
    ),
    "NaN hidden": (unary("Log"), ABSOLUTE_LOG, "instead of nan"),
    "NaN new": (ABSOLUTE_LOG, unary("Log"), "NaN where the reference has numbers"),
    "dropout now active": (dropping(active=False), dropping(active=True), "y: "),
    "half precision, but 10 % off": (
        vision(np.float16), vision(np.float16, {**KERNELS, "w": KERNELS["w"] * np.array([[1], [1.1], [1], [1]])}),
        "y: ",
    ),
}  # fmt: skip
RIGHT = {
    "the same": (DENSE, DENSE, "ONNX Runtime"),
    "double to float": (changed(DENSE, as_double), DENSE, "ONNX Runtime"),
    "float to half": (vision(), vision(np.float16), "ONNX Runtime"),
    "decomposed": (NORM, normed(), "ONNX Runtime"),
    "ids as int32": (language(), language(kind=I32), "ONNX Runtime"),
    "an input renamed": (language(), language(name="tokens"), "ONNX Runtime"),
    "batch relaxed": (flattened(1, [1, 8]), flattened("b", [-1, 8]), "ONNX Runtime"),
    "a batch of ids relaxed": (language(1), language(), "ONNX Runtime"),
    "NaN at the same places": (unary("Log"), unary("Log"), "ONNX Runtime"),
    "opset too new for the runtime": (changed(DENSE, opset(99)), DENSE, "onnx.reference"),
    "one weight of another type": (weight(DENSE, "fc1.bias", np.float64), DENSE, "onnx.reference"),
    "an operator newer than the opset": (unary("Gelu", 17), unary("Gelu", 20, 9), "the model before"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_caught(proof_of, name):
    before, after, said = WRONG[name]
    proof = proof_of(before, after)
    assert proof.verified is False, proof.how
    assert said in proof.how


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(proof_of, name):
    before, after, reference = RIGHT[name]
    proof = proof_of(before, after)
    assert proof.verified is True, proof.how
    assert reference in proof.reference
    for row in proof.numbers:
        assert row["equal"]
        assert row["mismatched"] == 0
        assert row["values"] > 0


def test_what_proves_nothing_is_not_called_equal(proof_of):
    zero = model([node("Mul", ["x", "z"], ["y"])], [value("x", F, ["n", 4])], [value("y", F, ["n", 4])],
                 [init("z", np.float32(0))])  # fmt: skip
    proof = proof_of(zero, zero)
    assert proof.verified is None
    assert "a comparison of constant outputs proves little" in proof.how


def test_a_random_model_proves_nothing(proof_of):
    proof = proof_of(dropping(active=True), dropping(active=False))
    assert proof.verified is None
    assert "other numbers each time" in proof.how


def test_a_model_that_cannot_be_run_is_said_so(proof_of):
    custom = model([node("Mystery", ["x"], ["y"], domain="my.ops")], [value("x", F, [4])], [value("y", F, [4])])
    proof = proof_of(custom, unary("Identity", shape=(4,)))
    assert proof.verified is None
    assert "cannot be run" in proof.how
    assert proof_of(b"no model", DENSE).verified is None


def test_a_part_of_the_weights_that_no_feed_reaches_is_not_proven(proof_of):
    def lookup(table):
        return model([node("Gather", ["tok", "ids"], ["y"])], [value("ids", I64, ["n"])], [value("y", F, ["n", 4])],
                     [init("tok", table)])  # fmt: skip

    table = normal(5000, 4)
    other = table.copy()
    other[4321] += 1
    assert proof_of(lookup(table), lookup(table.astype(np.float16).astype(np.float32))).verified is not True
    proof = proof_of(lookup(table), lookup(other))
    assert proof.verified is None
    assert "tok differs in 1 of 5,000 rows" in proof.how


def test_an_invalid_quantized_model_is_not_read_as_plain_numbers(proof_of):
    def multiplied(*, through):
        nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("MatMul", ["q", "w"], ["y"])]
        if through:
            nodes[1:] = [node("DequantizeLinear", ["q", "s", "z"], ["d"]), node("MatMul", ["d", "w"], ["y"])]
        return model(nodes, [value("x", F, ["n", 4])], [value("y", F, ["n", 2])],
                     [init("s", np.float32(0.1)), init("z", np.uint8(128)), init("w", normal(4, 2))])  # fmt: skip

    assert proof_of(multiplied(through=False), multiplied(through=True)).verified is None


def test_a_recipes_tolerance_is_used_to_the_letter(proof_of):
    off = weight(DENSE, "fc2.bias", lambda array: array + np.float32(1e-3))
    assert proof_of(DENSE, off).verified is False
    assert proof_of(DENSE, off, verify=Verify(reference="x", rtol=0.0, atol=1e-2)).verified is True
    assert proof_of(DENSE, off, verify=Verify(reference="x", rtol=0.0, atol=1e-4)).verified is False


def test_shapes_of_a_recipe_are_used(proof_of):
    proof = proof_of(DENSE, DENSE, verify=Verify(reference="x", inputs={"input": (7, 8)}))
    assert proof.verified
    assert proof.numbers[0]["values"] == proof.numbers[0]["feeds"] * 7 * 3


# --- verdicts on arrays


def verdict(want, got, twin=None, tolerance=FP32):
    rows = [[("y", np.asarray(each))] if each is not None else None for each in (want, got, twin)]
    return compare([Pair("feed", *rows)], tolerance)


def test_outputs_are_paired_by_name_then_in_order():
    a, b = normal(3), normal(4)
    assert compare([Pair("", [("a", a), ("b", b)], [("b", b), ("a", a)])], FP32).equal
    told = compare([Pair("", [("a", a), ("b", b)], [("a", a), ("other", b)])], FP32)
    assert told.equal
    assert "b is other" in told.remarks[0]
    missing = compare([Pair("", [("a", a), ("b", b)], [("a", a)])], FP32)
    assert missing.equal is False
    assert "missing" in missing.why
    further = compare([Pair("", [("a", a)], [("a", a), ("z", b)])], FP32)
    assert further.equal
    assert "z" in further.remarks[0]


@pytest.mark.parametrize(("want", "got"), [
    (normal(2, 3), normal(2, 3)[:, :2]), (normal(4), normal(4).reshape(4, 1)), ([1.0, 2.0], [1, 2]),
    ([1.0, np.nan], [1.0, 2.0]), ([1.0, 2.0], [1.0, np.inf]), ([1.0, np.inf], [1.0, -np.inf]), ([1, 2], [1, 3]),
    ([True, False], [True, True]), (["a", "b"], ["a", "c"]), ([1.0, 2.0], [1.0, 2.003]),
    ([1e-6, 2e-6], [1e-6, 2.01e-6]),
    ([1.0, 0.0], [1.0, 2e-5]),
])  # fmt: skip
def test_these_differ(want, got):
    assert verdict(want, got).equal is False


@pytest.mark.parametrize(("want", "got"), [
    ([1.0, 2.0, np.nan, np.inf], [1.0, 2.0, np.nan, np.inf]), (np.array([1.0, 2.0]), np.array([1.0, 2.0], np.float32)),
    (np.array([1, 2]), np.array([1, 2], np.int32)), ([1.0, 2.0], [1.0, 2.0005]), (["a", "b"], ["a", "b"]),
    ([1000.0, 0.0], [1000.0, 1e-3]),
])  # fmt: skip
def test_these_are_equal(want, got):
    assert verdict(want, got).equal


def test_one_wrong_row_of_a_batch_is_named():
    want = normal(4, 100)
    got = want.copy()
    got[2] += 1
    assert "only in rows 2 of 4" in verdict(want, got).why


def test_small_but_systematic_differences_are_no_rounding():
    want = normal(1000)
    twin = want * (1 + 2.0**-21)
    assert verdict(want, want * np.float32(1 + 1e-6), twin).equal
    told = verdict(want, want * np.float32(1 + 2e-4), twin)
    assert told.equal is False
    assert "rounding" in told.why


def test_an_output_that_hangs_on_the_last_bits_is_not_compared():
    want = normal(100)
    told = verdict(want, want, np.roll(want, 1))
    assert told.equal is None
    assert "last bits" in told.remarks[0]


def test_a_tie_may_flip():
    assert verdict([1, 2, 3], [1, 9, 3], [1, 9, 3]).equal
    assert verdict([1, 2, 3], [1, 9, 3], [1, 2, 3]).equal is False


def test_large_outputs_are_compared_in_pieces(monkeypatch):
    monkeypatch.setattr("triage.compare.verdict._PIECE", 7)
    want = normal(5, 9)
    got = want.copy()
    got[4, 8] += 1
    whole = verdict(want, got)
    assert whole.rows[0]["mismatched"] == 1
    assert whole.rows[0]["values"] == 45
    assert verdict(want, want * np.float32(1 + 1e-7), want * np.float32(1 + 1e-7)).equal


def test_numbers_are_plain_json():
    told = verdict([1.0, np.nan, np.inf, 4], [1.0, np.nan, np.inf, 5])
    text = json.dumps([dict(row) for row in told.rows], allow_nan=False)
    assert set(json.loads(text)[0]) == {
        "name", "values", "feeds", "max_abs", "max_rel", "mismatched", "rtol", "atol", "equal", "why",
    }  # fmt: skip


# --- tolerance


def test_the_tolerance_is_that_of_what_the_model_computes_in():
    assert precisions_of(DENSE) == set()
    assert precisions_of(vision(np.float16)) == {"fp16"}
    stored = model([node("Cast", ["w"], ["f"], to=F), node("MatMul", ["x", "f"], ["y"])], [value("x", F, ["n", 4])],
                   [value("y", F, ["n", 2])], [init("w", normal(4, 2).astype(np.float16))])  # fmt: skip
    assert precisions_of(stored) == set(), "weights that are only stored in halves are exact on both sides"
    quantized = model(
        [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])],
        [value("x", F, ["n", 4])], [value("y", F, ["n", 4])], [init("s", np.float32(0.1)), init("z", np.int8(0))],
    )  # fmt: skip
    assert precisions_of(quantized) == {"int8"}


def test_tolerances_widen_with_coarser_precision():
    order = [tolerance_for((), [kind]) for kind in ("fp32", "fp16", "bf16", "int8", "int4")]
    assert [each.rtol for each in order] == sorted(each.rtol for each in order)
    assert (order[0].rtol, order[0].atol) == (1e-3, 1e-5)
    assert tolerance_for(["int8"], ["int8"]).rtol < tolerance_for([], ["int8"]).rtol
    given = tolerance_for([], ["fp16"], 0.5)
    assert (given.rtol, given.given) == (0.5, True)


# --- feeds


def feed_of(given, draw=None):
    return next(feed for _, feed in feeds_for(inputs_of(given), [draw or Draw(2, 8, "normal", 0)]))


def test_ids_stay_below_the_rows_of_their_table():
    feed = next(iter(feeds_for(inputs_of(language()), [Draw(50, 50, "normal", 0)])))[1]
    assert feed["input_ids"].max() == 19
    assert feed["position_ids"].max() == 11
    assert set(np.unique(feed["attention_mask"])) == {0, 1}
    assert feed["attention_mask"].any(axis=-1).all(), "no row is all padding"


def test_ids_are_found_through_casts_tables_of_halves_and_subgraphs():
    inner = helper.make_graph([node("Gather", ["tok", "c"], ["o"])], "then", [], [value("o", F, None)])
    made = model(
        [
            node("Cast", ["x"], ["c0"], to=I64), node("Unsqueeze", ["c0", "ax"], ["c"]),
            node("Cast", ["h"], ["tok"], to=F),
            node("If", ["cond"], ["y"], then_branch=inner, else_branch=inner),
        ],
        [value("x", F, ["n"]), value("cond", TensorProto.BOOL, [])], [value("y", F, None)],
        [init("h", normal(5, 2).astype(np.float16)), init("ax", np.array([0]))],
    )  # fmt: skip
    assert inputs_of(made)[0].range == Range(0, 4)
    feed = feed_of(made)
    assert np.array_equal(feed["x"], np.floor(feed["x"]))


def test_the_same_symbol_has_the_same_size_and_sums_are_sums():
    inputs = [
        Input("a", "float32", ("b", "s")), Input("b", "float32", ("b", "past", 4)),
        Input("c", "int64", ("b", "past + s")),
        Input("d", "float32", ("?", 3)), Input("e", "float32", ("?", 2)),
    ]  # fmt: skip
    feed = next(iter(feeds_for(inputs, [Draw(3, 5, "normal", 2, apart=True)])))[1]
    assert feed["a"].shape[0] == feed["b"].shape[0] == feed["c"].shape[0] == 3
    assert feed["c"].shape[1] == feed["b"].shape[1] + feed["a"].shape[1]
    assert feed["a"].shape[1] != feed["b"].shape[1]
    assert feed["d"].shape[0] == feed["e"].shape[0]


def test_feeds_are_the_same_each_time_and_differ_by_seed():
    one, two, three = (feed_of(DENSE, Draw(2, 8, "normal", seed))["input"] for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_values_fit_both_sides():
    wide, narrow = [Input("x", "float64", ("n", 4))], [Input("x", "float16", (3, 4))]
    (both,) = together(wide, narrow)
    assert (both.kind, both.dims) == ("float16", (3, 4))
    feed = next(iter(feeds_for([both], [Draw(2, 8, "normal", 0)])))[1]["x"]
    assert np.array_equal(feed, feed.astype(np.float16).astype(np.float32))
    (ids,) = together([Input("i", "int64", ("n",), Range(0, 300))], [Input("i", "int8", ("n",), Range(0, 90))])
    assert (ids.kind, ids.range.high) == ("int8", 90)


def test_what_cannot_be_fed_is_said():
    with pytest.raises(ValueError, match="rank"):
        list(feeds_for([Input("x", "float32", None)], [Draw(2, 8, "normal", 0)]))
    with pytest.raises(ValueError, match="type"):
        list(feeds_for([Input("x", None, (1,))], [Draw(2, 8, "normal", 0)]))


def test_a_feed_like_another_stays_in_its_ranges():
    given = {
        "ids": np.array([[3, 9], [4, 5]]),
        "x": normal(2, 2) + 100,
        "flag": np.array([True]),
        "text": np.array(["a"]),
    }
    made = alike(given, 1)
    assert {name: (array.shape, array.dtype) for name, array in made.items()} == {
        name: (array.shape, array.dtype) for name, array in given.items()
    }
    assert made["ids"].min() >= 3
    assert made["ids"].max() <= 9
    assert abs(made["x"].mean() - 100) < 10
    assert made["text"][0] == "a"


# --- structure


@pytest.fixture
def difference(tmp_path):
    def compute(before, after):
        onnx.save(before, tmp_path / "one.onnx")
        onnx.save(after, tmp_path / "two.onnx")
        return same_computation(str(tmp_path / "one.onnx"), str(tmp_path / "two.onnx"))

    return compute


def shuffled(made):
    nodes = list(reversed(made.graph.node))
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.node.append(node("Exp", ["h1"], ["unused"]))
    made.graph.initializer.append(init("unused.weight", normal(3)))
    made.ir_version = 99
    made.graph.node[0].name = "another name"
    made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def test_order_names_and_unused_parts_do_not_matter(difference):
    assert not difference(changed(DENSE, shuffled), DENSE)


def test_what_the_graph_computes_matters(difference):
    assert (
        difference(DENSE, weight(DENSE, "fc2.bias", lambda array: array + np.float32(1e-6)))
        == "logits is computed otherwise"
    )
    assert difference(DENSE, changed(DENSE, lambda made: setattr(made.graph.node[1], "op_type", "Elu")))
    assert difference(two_heads("a", "b"), two_heads("b", "a"))
    assert difference(unary("Softmax", 12), unary("Softmax", 13)), "Softmax means something else since opset 13"
    assert not difference(unary("Relu", 14), unary("Relu", 17))
    assert difference(
        changed(DENSE, lambda made: made.graph.input[0].type.tensor_type.__setattr__("elem_type", 11)), DENSE
    )


def test_what_is_not_clear_is_not_called_the_same(difference):
    def twice(made):
        made.graph.node[0].output[0] = "h2"

    def cycle(made):
        made.graph.node[0].input[0] = "logits"

    def gone(made):
        made.graph.node[2].input[0] = "nothing"

    for change in (twice, cycle, gone):
        assert difference(changed(DENSE, change), changed(DENSE, change))


def test_the_same_inner_graph_with_other_inputs_is_not_the_same(difference):
    def looping(source):
        body = helper.make_graph(
            [node("Identity", ["cond"], ["go"]), node("Add", ["acc", source], ["next"])], "body",
            [value("i", I64, []), value("cond", TensorProto.BOOL, []), value("acc", F, [4])],
            [value("go", TensorProto.BOOL, []), value("next", F, [4])],
        )  # fmt: skip
        return model([node("Loop", ["n", "", "x"], ["y"], body=body)], [value("x", F, [4])], [value("y", F, [4])],
                     [init("n", np.array(3))])  # fmt: skip

    assert not difference(looping("x"), looping("x"))
    assert difference(looping("x"), looping("acc"))


def test_weights_outside_the_file_count_by_content(tmp_path):
    for name, scale in (("one", 1), ("two", 1), ("three", 2)):
        (tmp_path / name).mkdir()
        made = weight(DENSE, "fc1.weight", lambda array, by=scale: array * by)
        onnx.save(made, tmp_path / name / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    paths = [str(tmp_path / name / "m.onnx") for name in ("one", "two", "three")]
    assert not same_computation(paths[0], paths[1])
    assert same_computation(paths[0], paths[2])
    (tmp_path / "one" / "w.bin").unlink()
    assert "not there" in same_computation(paths[0], paths[1])
