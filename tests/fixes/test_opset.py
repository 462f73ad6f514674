"""Opset, IR version and operator domains: every conversion keeps the numbers, or is refused."""

import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_sites import INT64, info, mended, model, node, proposals, refusals, restamped, run, site

from triage.fixes import (
    convert_opset,
    correct_declared_opset,
    correct_domains,
    lower_ir_version,
    stamp_older_versions,
)
from triage.onnxgraph import strays, versions
from triage.recipe import read_recipe
from triage.remediate.loop import Settings
from triage.service.fixing import fix_build

TILL = (
    "ONNX Runtime only *guarantees* support for models stamped with official released onnx opset versions. Opset {} is "
    "under development. Current official support for domain ai.onnx is till opset {}."
)
X = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)


def test_older_opsets_are_lifted():
    """Models of opset 6 with axis, broadcast and is_test, as old converters wrote them."""
    weights = np.random.default_rng(1).normal(size=(6, 3, 3, 3)).astype(np.float32)
    bias, image = np.arange(6, dtype=np.float32), np.ones((2, 3, 8, 8), np.float32)
    old = model(
        [
            node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Add", ["c", "b"], ["a"], broadcast=1, axis=1),
            node("BatchNormalization", ["a", "s", "b", "b", "s"], ["n"], is_test=1),
            node("Dropout", ["n"], ["d"], is_test=1), node("Clip", ["d"], ["k"], min=-1.0, max=3.0),
            node("ReduceMean", ["k"], ["y"], axes=[2, 3], keepdims=0),
        ],
        inputs=[info("x", (2, 3, 8, 8))], opset=6, ir=4, w=weights, b=bias, s=np.ones(6, np.float32),
    )  # fmt: skip
    new = restamped(old)
    versions.convert(new, 18)
    normal = (
        run(
            model(
                [node("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])],
                inputs=[info("x", (2, 3, 8, 8))],
                w=weights,
                b=bias,
            ),
            {"x": image},
        )
        - bias[:, None, None]
    ) / np.sqrt(1 + 1e-5) + bias[:, None, None]
    np.testing.assert_allclose(run(new, {"x": image}), normal.clip(-1, 3).mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_branches_functions_and_names_survive():
    function = helper.make_function(
        "own", "Centre", ["a"], ["o"],
        [node("Constant", [], ["axes"], value=numpy_helper.from_array(np.array([1]))),
         node("ReduceMean", ["a", "axes"], ["m"]), node("Sub", ["a", "m"], ["o"])], [helper.make_opsetid("", 28)],
    )  # fmt: skip
    branches = [
        helper.make_graph([node("Centre", ["x"], ["t"], domain="own")], "then", [], [info("t", None)]),
        helper.make_graph(
            [node("Unsqueeze", ["x", "zero"], ["u"]), node("Squeeze", ["u", "zero"], ["e"])],
            "else",
            [],
            [info("e", None)],
        ),
    ]
    given = model(
        [node("ReduceSum", ["x"], ["s"], keepdims=0), node("Less", ["s", "huge"], ["c"]),
         node("If", ["c"], ["y"], "branch", then_branch=branches[0], else_branch=branches[1])],
        imports={"": 28, "own": 1}, functions=[function], huge=np.float32(1e9), zero=np.array([0]),
    )  # fmt: skip
    given.metadata_props.add(key="author", value="someone")
    versions.convert(given, 17)
    assert [each.version for each in given.functions[0].opset_import] == [17]
    assert given.metadata_props[0].value == "someone"
    assert given.graph.node[2].name == "branch"
    np.testing.assert_allclose(run(given, {"x": X}), X - X.mean(1, keepdims=True), rtol=1e-4, atol=1e-5)
    versions.convert(given, 12)
    np.testing.assert_allclose(run(given, {"x": X}), X - X.mean(1, keepdims=True), rtol=1e-4, atol=1e-5)


def test_axes_in_a_data_file_are_read(tmp_path):
    given = model([node("ReduceMean", ["x", "axes"], ["y"], keepdims=0)], opset=20, axes=np.array([1]))
    onnx.save(given, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    place = site(tmp_path, causes=["opset-unsupported"], log=TILL.format(20, 15))
    converted = mended(convert_opset, place)
    np.testing.assert_allclose(run(converted, {"x": X}), X.mean(1), rtol=1e-5)


def test_a_meaning_that_does_not_exist_below_is_refused(tmp_path):
    given = model([node("CumProd", ["x", "axis"], ["y"])], opset=26, axis=np.array(1))
    place = site(tmp_path, {"model.onnx": given}, causes=["opset-unsupported"], log=TILL.format(26, 25))
    assert not proposals(convert_opset, place)
    assert "CumProd" in refusals(convert_opset, place)[0].why


@pytest.mark.parametrize(
    "log",
    [
        "edge-runtime: the model uses opset 20, this runtime supports opset version up to 17",
        "RuntimeError: Model has opset 20; maximum supported opset is 17. Please re-export.",
        "ERROR npu: opset 20 > max 17",
        "compiler: unsupported opset: 20 (limit: 17)",
    ],
)
def test_other_tools_say_it_in_other_words(log, tmp_path):
    place = site(tmp_path, {"model.onnx": model([node("Gelu", ["x"], ["y"])], opset=20)}, log=log)
    converted = mended(convert_opset, place)
    assert converted.opset_import[0].version == 17
    assert "Gelu" not in [each.op_type for each in converted.graph.node]


def test_only_the_named_model_is_changed_first(tmp_path):
    one = model([node("Relu", ["x"], ["y"])], opset=28)
    log = f"Load model from parts/decoder.onnx failed: {TILL.format(28, 26)}"
    place = site(
        tmp_path, {"parts/encoder.onnx": one, "parts/decoder.onnx": one}, causes=["opset-unsupported"], log=log
    )
    made = proposals(convert_opset, place)
    assert [each.parameters["models"] for each in made] == [
        ["parts/decoder.onnx"], ["parts/decoder.onnx", "parts/encoder.onnx"],
    ]  # fmt: skip


def test_no_limit_no_conversion(tmp_path):
    place = site(tmp_path, {"model.onnx": model([node("Relu", ["x"], ["y"])], opset=18)}, causes=["model-invalid"])
    assert not proposals(convert_opset, place)


def test_a_script_that_converts_is_served_first(tmp_path):
    (tmp_path / "run.py").write_text("import onnx\nonnx.version_converter.convert_version(m, target_version=16)\n")
    given = model([node("Gelu", ["x"], ["y"])], opset=20)
    log = "RuntimeError: /io/onnx/version_converter/BaseConverter.h:60: No Previous Version of Gelu exists"
    place = site(tmp_path, {"model.onnx": given}, causes=["opset-unsupported"], log=log)
    assert mended(convert_opset, place).opset_import[0].version == 16


def _mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


STRAYS = {
    "attribute that became an input": (
        18, [node("Unsqueeze", ["x"], ["u"], axes=[0]), node("ReduceMax", ["u"], ["y"], axes=[0], keepdims=0)],
        lambda x: x,
    ),
    "input that was an attribute": (
        12, [node("ReduceSum", ["x", "one"], ["y"], keepdims=0)], lambda x: x.sum(1),
    ),
    "attribute that is new": (
        13, [node("Split", ["x"], ["a", "b"], axis=1, num_outputs=2), node("Add", ["a", "b"], ["y"])],
        lambda x: x[:, :4] + x[:, 4:],
    ),
    "operator that is new": (12, [node("Trilu", ["x"], ["y"], upper=0)], np.tril),
    "type that is new": (
        13, [node("Cast", ["x"], ["i"], to=6), node("Relu", ["i"], ["r"]), node("Cast", ["r"], ["y"], to=1)],
        lambda x: x.astype(np.int32).clip(0),
    ),
    "old and new in one graph": (
        17, [node("Clip", ["x"], ["c"], min=0.0), node("Mish", ["c"], ["y"])], lambda x: _mish(x.clip(0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRAYS)
def test_nodes_and_opset_are_made_to_agree(name, tmp_path):
    opset, nodes, wanted = STRAYS[name]
    place = site(tmp_path, {"model.onnx": model(nodes, opset=opset, one=np.array([1]))})
    found = mended(correct_declared_opset, place)
    assert not strays.strays(found)
    np.testing.assert_allclose(run(found, {"x": X}), wanted(X), rtol=1e-4, atol=1e-5)


def test_two_readings_only_count_when_compared(tmp_path):
    """Softmax without an axis means another thing below 13, and Gelu says 20."""
    given = model([node("Softmax", ["x"], ["s"]), node("Trilu", ["s"], ["y"])], opset=12)
    made = proposals(correct_declared_opset, site(tmp_path, {"model.onnx": given}, verify=False))
    assert {each.safety for each in made} == {"unsafe"}
    made = proposals(correct_declared_opset, site(tmp_path, {"model.onnx": given}))
    assert {each.safety for each in made} == {"safe"}
    assert len(made) == 2


def test_group_normalization_is_read_by_the_size_of_its_scale(tmp_path):
    image = np.random.default_rng(0).normal(size=(2, 6, 4, 4)).astype(np.float32)
    given = model(
        [node("GroupNormalization", ["x", "s", "b"], ["y"], num_groups=3)],
        inputs=[info("x", (2, 6, 4, 4))], opset=21, ir=10, s=np.array([1, 2, 3], np.float32), b=np.zeros(3, np.float32),
    )  # fmt: skip
    wanted = run(restamped(given, opset=20), {"x": image})
    place = site(tmp_path, {"model.onnx": given})
    np.testing.assert_allclose(run(mended(correct_declared_opset, place), {"x": image}), wanted, rtol=1e-4, atol=1e-5)


def test_legal_models_are_left_alone(tmp_path):
    for opset, op in ((12, "Softmax"), (20, "Gelu"), (28, "Relu")):
        place = site(tmp_path, {"model.onnx": model([node(op, ["x"], ["y"])], opset=opset)})
        assert not proposals(correct_declared_opset, place)
        assert not proposals(correct_domains, place)


def test_domains(tmp_path):
    twice = helper.make_function(
        "own", "Twice", ["a"], ["o"], [node("Add", ["a", "a"], ["o"])], [helper.make_opsetid("", 17)]
    )
    given = {
        "no import": model([node("Twice", ["x"], ["y"], domain="own")], opset=17, functions=[twice]),
        "no domain": model([node("Twice", ["x"], ["y"])], imports={"": 17, "own": 1}, functions=[twice]),
    }
    for broken in given.values():
        place = site(tmp_path, {"model.onnx": broken})
        made = mended(correct_domains, place)
        while proposals(correct_domains, site(tmp_path)):
            made = mended(correct_domains, site(tmp_path))
        np.testing.assert_allclose(run(made, {"x": X}), 2 * X)


def test_a_domain_listed_twice(tmp_path):
    given = model([node("Relu", ["x"], ["y"])], opset=17)
    given.opset_import.add(domain="ai.onnx", version=13)
    made = mended(correct_domains, site(tmp_path, {"model.onnx": given}))
    assert [(each.domain, each.version) for each in made.opset_import] == [("", 17)]


def test_an_unknown_operator_is_refused_unless_a_library_is_there(tmp_path):
    given = model([node("FusedRope", ["x"], ["y"], domain="acme")], imports={"": 17, "acme": 1})
    place = site(tmp_path, {"model.onnx": given}, causes=["custom-op-unregistered"])
    assert "acme::FusedRope" in refusals(correct_domains, place)[0].why
    place = site(tmp_path, {"lib/ops.so": b"\x7fELF"}, causes=["custom-op-unregistered"])
    assert not refusals(correct_domains, place)


IR = "Unsupported model IR version: {}, max supported IR version: {}"


def test_ir_version(tmp_path):
    given = model([node("Relu", ["x"], ["y"])], opset=17, ir=14)
    place = site(tmp_path, {"model.onnx": given}, causes=["ir-version-unsupported"], log=IR.format(14, 9))
    made = mended(lower_ir_version, place)
    assert made.ir_version == 9
    assert made.graph == given.graph


def test_below_ir_4_initializers_are_inputs(tmp_path):
    given = model([node("MatMul", ["x", "w"], ["y"])], opset=9, ir=8, w=np.eye(8, dtype=np.float32))
    place = site(tmp_path, {"model.onnx": given}, causes=["ir-version-unsupported"], log=IR.format(8, 3))
    made = mended(lower_ir_version, place)
    assert [each.name for each in made.graph.input] == ["x", "w"]
    np.testing.assert_allclose(run(made, {"x": X}), X)


def test_types_that_came_later_are_refused(tmp_path):
    given = model(
        [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"], ["y"])],
        opset=21,
        ir=12,
        s=np.float32(1),
    )
    given.graph.initializer.append(helper.make_tensor("w", onnx.TensorProto.INT4, [8, 2], [1] * 16))
    place = site(tmp_path, {"model.onnx": given}, causes=["ir-version-unsupported"], log=IR.format(12, 9))
    assert not proposals(lower_ir_version, place)
    assert "INT4" in refusals(lower_ir_version, place)[0].why


SCRIPT = """import onnx
from onnx.helper import make_graph, make_model, make_node, make_opsetid, make_tensor_value_info

LATEST = 28
graph = make_graph(
    [make_node("Relu", ["x"], ["y"])], "g", [make_tensor_value_info("x", 1, [2])], [make_tensor_value_info("y", 1, [2])]
)
model = make_model(graph, opset_imports=[make_opsetid("", LATEST)])
model.ir_version = 14
onnx.save(model, "model.onnx")
"""


def test_versions_in_the_script_that_builds_the_model(tmp_path):
    (tmp_path / "run.py").write_text(SCRIPT)
    log = f"{IR.format(14, 13)}\n{TILL.format(28, 26)}"
    place = site(tmp_path, causes=["ir-version-unsupported", "opset-unsupported"], log=log)
    stamp_older_versions.apply(place, proposals(stamp_older_versions, place)[0].parameters)
    subprocess.run([sys.executable, "run.py"], cwd=tmp_path, check=True)
    made = onnx.load(tmp_path / "model.onnx")
    assert (made.ir_version, made.opset_import[0].version) == (13, 26)


class Quiet:
    def started(self, *_):
        pass

    diagnosed = ended = started

    def running(self, _):
        return True


RUN = """import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession("net/model.onnx", providers=["CPUExecutionProvider"])
np.save("out.npy", session.run(None, {"x": np.load("x.npy")})[0])
"""
CHECK = (
    'import numpy as np\nnp.testing.assert_allclose(np.load("out.npy"), np.load("want.npy"), rtol=1e-4, atol=1e-5)\n'
)
RECIPE = """[build]
command = ["python", "run.py"]
files = ["net/"]
outputs = ["out.npy"]
[verify]
command = ["python", "verify.py"]
"""


def test_a_whole_repair_of_two_faults(tmp_path, library):
    """IR and opset too new, one named after the other, in a build that is really run."""
    given = model(
        [node("RMSNormalization", ["x", "s"], ["n"]), node("Gelu", ["n"], ["y"])],
        opset=28,
        ir=14,
        s=np.ones(8, np.float32),
    )
    folder = tmp_path / "build"
    (folder / "net").mkdir(parents=True)
    onnx.save(given, folder / "net" / "model.onnx")
    normal = X / np.sqrt((X**2).mean(1, keepdims=True) + 1e-5)
    for name, text in (("run.py", RUN), ("verify.py", CHECK), ("recipe.toml", RECIPE)):
        (folder / name).write_text(text)
    np.save(folder / "x.npy", X)
    np.save(folder / "want.npy", run(model([node("Gelu", ["x"], ["y"])], opset=20), {"x": normal}))
    done = fix_build(read_recipe(str(folder / "recipe.toml")), Settings(), Quiet(), str(tmp_path / "place"))
    assert (done.status, done.verified) == ("cured", True)
    assert {each.step.fix for each in done.attempts if each.number in done.path} == {
        "lower_ir_version",
        "convert_opset",
    }
    assert onnx.load(folder / "net" / "model.onnx").ir_version == 14, "the user's file is as it was"
    shutil.rmtree(tmp_path / "place")
    assert os.listdir(tmp_path) == ["build"]


def test_int_ids_stay_int(tmp_path):
    ids = np.array([[1, 2, 0]])
    given = model(
        [node("Gather", ["e", "x"], ["g"]), node("ReduceMean", ["g", "a"], ["y"], keepdims=0)], opset=28,
        inputs=[info("x", ("b", "t"), INT64)], e=np.arange(12, dtype=np.float32).reshape(3, 4), a=np.array([1]),
    )  # fmt: skip
    place = site(tmp_path, {"model.onnx": given}, causes=["opset-unsupported"], log=TILL.format(28, 14))
    made = mended(convert_opset, place)
    assert made.graph.input == given.graph.input
    np.testing.assert_allclose(run(made, {"x": ids}), np.arange(12).reshape(3, 4)[ids].mean(1), rtol=1e-6)
