"""A build of one ONNX model, for the tests of fixes that mend graphs."""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, parser

from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace

HEAD = '<ir_version: {ir}, opset_import: ["" : {opset}{more}]>\n'


def graph(text, opset=17, ir=8, more=""):
    return parser.parse_model(HEAD.format(opset=opset, ir=ir, more=more) + text)


def with_tensors(model, **arrays):
    """The model with these initializers."""
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(values), name) for name, values in arrays.items())
    for value in [value for value in model.graph.value_info if value.name in arrays]:
        model.graph.value_info.remove(value)
    return model


def site_of(folder, model, log="", causes=(), verify=True, feeds=None, **found):
    onnx.save(model, folder / "model.onnx")
    if feeds is not None:
        np.savez(folder / "feeds.npz", **feeds)
    return Site(
        Workspace(str(folder), str(folder)), ("python", "run.py"), ("model.onnx",), log=log,
        found=Found(causes=tuple(causes), **found), verify={"command": ["python", "verify.py"]} if verify else {},
    )  # fmt: skip


def proposals(fix, site):
    return [each for each in fix.propose(site) if isinstance(each, Proposal)]


def refusals(fix, site):
    return [each for each in fix.propose(site) if isinstance(each, Refusal)]


def mended(fix, site, number=0):
    fix.apply(site, proposals(fix, site)[number].parameters)
    return onnx.load(site.path("model.onnx"))


def checked(model):
    onnx.checker.check_model(model, full_check=True)
    return model


def outputs(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def refused(model):
    try:
        outputs(model, {})
    except Exception as fault:  # noqa: BLE001 -- whatever it says, it is a refusal
        return "missing from input feed" not in str(fault)
    return False


def close(got, want, rtol=1e-5, atol=1e-6):
    np.testing.assert_allclose(np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64), rtol, atol)
