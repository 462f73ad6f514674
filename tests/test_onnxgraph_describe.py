"""What changed in an ONNX file, for people: short, complete in kind, and never in the way."""

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from triage.onnxgraph import describe, versions
from triage.onnxgraph.samples import two_layers


@pytest.fixture
def told(tmp_path):
    """The difference of two models, as lines."""

    def difference(old, new):
        for name, model in (("old", old), ("new", new)):
            if model is not None:
                onnx.save(model, tmp_path / f"{name}.onnx")
        paths = [
            str(tmp_path / f"{name}.onnx") if model is not None else None
            for name, model in (("old", old), ("new", new))
        ]
        text = describe.difference(*paths)
        lines = text.splitlines()
        assert not text or text.endswith("\n")
        assert all(line[:2] in ("- ", "+ ") for line in lines)
        assert len(lines) <= 60
        return lines

    return difference


def changed(change):
    model = two_layers()
    change(model)
    return model


def test_nothing_changed(told):
    assert told(two_layers(), two_layers()) == []


def test_numbers_of_the_file(told):
    def change(model):
        model.ir_version, model.opset_import[0].version, model.producer_name = 9, 18, "triage"

    assert told(two_layers(), changed(change)) == [
        "- IR version 8", "+ IR version 9", "- opset ai.onnx 17", "+ opset ai.onnx 18",
        "- producer ?", "+ producer triage",
    ]  # fmt: skip


def test_inputs_and_outputs(told):
    lines = told(two_layers(4), two_layers("batch"))
    assert lines == [
        "- input input: float [4, 8]", "+ input input: float [batch, 8]",
        "- output logits: float [4, 3]", "+ output logits: float [batch, 3]",
    ]  # fmt: skip


def test_nodes(told):
    def change(model):
        model.graph.node[1].op_type = "Gelu"
        model.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.5))
        model.graph.node.append(helper.make_node("Identity", ["h2"], ["spare"], "copy"))

    lines = told(two_layers(), changed(change))
    assert "- node relu Relu(h1) -> h2" in lines
    assert "+ node relu Gelu(h1) -> h2" in lines
    assert "+ node fc1 Gemm(input, fc1.weight, fc1.bias) -> h1 {alpha = 0.5}" in lines
    assert "+ node copy Identity(h2) -> spare" in lines


def test_order_of_nodes(told):
    def change(model):
        nodes = list(reversed(model.graph.node))
        del model.graph.node[:]
        model.graph.node.extend(nodes)

    assert told(two_layers(), changed(change)) == [
        "- nodes in the order fc1 Gemm, relu Relu, fc2 Gemm", "+ nodes in the order fc2 Gemm, relu Relu, fc1 Gemm",
    ]  # fmt: skip


def test_initializers(told):
    def change(model):
        tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        values = numpy_helper.to_array(tensors["fc1.weight"]).copy()
        values[0, 0] += 0.25
        tensors["fc1.weight"].CopyFrom(numpy_helper.from_array(values, "fc1.weight"))
        bias = numpy_helper.to_array(tensors["fc2.bias"]).astype(np.float64)
        tensors["fc2.bias"].CopyFrom(numpy_helper.from_array(bias, "fc2.bias"))
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 2]), "axes"))

    lines = told(two_layers(), changed(change))
    assert "+ initializer fc1.weight: float [8, 16] (largest difference 0.25)" in lines
    assert any(line.startswith("+ initializer fc2.bias: double [3]") and "the same values" in line for line in lines)
    assert "+ initializer axes: int64 [2] = [1, 2]" in lines


def test_external_data_are_not_read(told, tmp_path):
    model = two_layers()
    onnx.save(model, tmp_path / "x.onnx", save_as_external_data=True, location="gone.bin", size_threshold=0)
    (tmp_path / "gone.bin").unlink()
    moved = onnx.load(tmp_path / "x.onnx", load_external_data=False)
    again = onnx.ModelProto()
    again.CopyFrom(moved)
    for tensor in again.graph.initializer:
        tensor.external_data[0].value = "here.bin"
    (tmp_path / "a.onnx").write_bytes(moved.SerializeToString())
    (tmp_path / "b.onnx").write_bytes(again.SerializeToString())
    text = describe.difference(str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"))
    assert "- initializer fc1.weight: float [8, 16] in gone.bin at 0, 512 bytes" in text
    assert "+ initializer fc1.weight: float [8, 16] in here.bin at 0, 512 bytes" in text


def test_metadata_functions_and_nested_graphs(told):
    def with_branch(op):
        then = helper.make_graph(
            [helper.make_node(op, ["h2"], ["t"])], "then", [], [helper.make_tensor_value_info("t", 1, None)]
        )
        other = helper.make_graph(
            [helper.make_node("Abs", ["h2"], ["e"])], "else", [], [helper.make_tensor_value_info("e", 1, None)]
        )

        def change(model):
            model.graph.node.append(helper.make_node("If", ["c"], ["o"], "branch", then_branch=then, else_branch=other))
            helper.set_model_props(model, {"op": op})

        return changed(change)

    lines = told(with_branch("Relu"), with_branch("Neg"))
    branch = "node branch If(c) -> o {else_branch = graph of 1 nodes, then_branch = graph of 1 nodes}"
    assert lines == [
        f"- {branch} (its nested graphs or constants)", f"+ {branch} (its nested graphs or constants)",
        "- metadata op = Relu", "+ metadata op = Neg",
    ]  # fmt: skip


def test_a_large_change_stays_short(told):
    def chain(count, op):
        nodes = [helper.make_node(op, [f"t{n}"], [f"t{n + 1}"], f"n{n}") for n in range(count)]
        tensors = [numpy_helper.from_array(np.full(3, n + (op == "Neg"), np.float32), f"w{n}") for n in range(count)]
        return helper.make_model(helper.make_graph(nodes, "chain", [], [], tensors))

    lines = told(chain(2000, "Relu"), chain(1500, "Neg"))
    assert any("more lines on nodes" in line for line in lines)
    assert any("more lines on initializers" in line for line in lines)


def test_a_new_and_a_removed_file(told):
    assert "+ node relu Relu(h1) -> h2" in told(None, two_layers())
    assert "- node relu Relu(h1) -> h2" in told(two_layers(), None)


def test_a_conversion_reads_well(told):
    model = two_layers(opset=20)
    model.graph.node[1].op_type = "Gelu"
    older = onnx.ModelProto()
    older.CopyFrom(model)
    versions.convert(older, 17)
    lines = told(model, older)
    assert lines[:3] == ["- opset ai.onnx 20", "+ opset ai.onnx 17", "- node relu Gelu(h1) -> h2"]


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x0e\xff\xff", None])
def test_what_cannot_be_read_has_no_difference(content, tmp_path):
    onnx.save(two_layers(), tmp_path / "good.onnx")
    path = tmp_path / "bad.onnx"
    if content is not None:
        path.write_bytes(content)
    assert describe.difference(str(tmp_path / "good.onnx"), str(path)) == "" or content == b""
    assert describe.difference(None, None) == ""


@given(st.binary(max_size=400), st.integers(0, 3000))
def test_broken_bytes_never_raise(tmp_path_factory, noise, at):
    folder = tmp_path_factory.mktemp("noise")
    data = two_layers().SerializeToString()
    (folder / "a.onnx").write_bytes(data)
    (folder / "b.onnx").write_bytes(data[:at] + noise + data[at + len(noise) :])
    text = describe.difference(str(folder / "a.onnx"), str(folder / "b.onnx"))
    assert len(text.splitlines()) <= 60
    assert text.isprintable() or "\n" in text
