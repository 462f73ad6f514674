"""Sites with ONNX files for the tests of opset, external data and quantization: propose, apply, run for real."""

import os

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace, walk

onnxruntime.set_default_logger_severity(4)
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def node(op, inputs, outputs, name="", **attributes):
    return helper.make_node(op, inputs, outputs, name, **attributes)


def info(name, shape=("n", 8), kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, None if shape is None else list(shape))


def model(nodes, *, inputs=None, outputs=None, opset=18, ir=8, imports=None, functions=(), **arrays):
    """y = nodes(x), with arrays as initializers."""
    graph = helper.make_graph(
        nodes, "g", inputs or [info("x")], outputs or [info("y", None)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in arrays.items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid(domain, version) for domain, version in (imports or {"": opset}).items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=functions)


def restamped(given, opset=None, ir=None):
    copy = onnx.ModelProto()
    copy.CopyFrom(given)
    if opset is not None:
        copy.opset_import[0].version = opset
    if ir is not None:
        copy.ir_version = ir
    return copy


def run(given, feeds):
    """First output of a model by ONNX Runtime, without fusions that round otherwise."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(given.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def site(folder, files=None, *, causes=(), log="", verify=True, offered=None, command=("python", "run.py"), **found):
    """A site of a folder; models given by path are written first."""
    for path, content in (files or {}).items():
        os.makedirs(os.path.dirname(folder / path), exist_ok=True)
        if isinstance(content, bytes):
            (folder / path).write_bytes(content)
        else:
            onnx.save(content, folder / path)
    offered = offered or tuple(walk(str(folder)))
    check = {"command": ["python", "verify.py"]} if verify else {}
    return Site(
        Workspace(str(folder), str(folder)), command, offered, log=log,
        found=Found(causes=tuple(causes), **found), verify=check,
    )  # fmt: skip


def proposals(fix, place):
    return [each for each in fix.propose(place) if isinstance(each, Proposal)]


def refusals(fix, place):
    return [each for each in fix.propose(place) if isinstance(each, Refusal)]


def mended(fix, place, number=0, path="model.onnx"):
    """The model after one proposal was applied; the same is not proposed again."""
    chosen = proposals(fix, place)[number]
    fix.apply(place, chosen.parameters)
    again = Site(place.workspace, place.command, place.files, log=place.log, found=place.found, verify=place.verify)
    assert chosen.what not in [each.what for each in proposals(fix, again)]
    return onnx.load(place.path(path))
