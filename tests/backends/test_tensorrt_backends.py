"""The backends for TensorRT: what they say of this machine, what they understand, and the build that they write."""

import ast
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest

from triage.backends import Probe, polygraphy, tensorrt, trtexec
from triage.backends._choose import targets
from triage.errors import UsageError
from triage.folders import package_folder
from triage.onnxgraph import files
from triage.onnxgraph.samples import two_layers
from triage.trtbuild import own_json, standalone
from triage.trtbuild.settings import Range

CAN = tensorrt.probe()


@pytest.mark.parametrize("backend", [tensorrt, trtexec, polygraphy])
def test_a_probe_says_why_not(backend):
    told = backend.probe()
    assert isinstance(told, Probe)
    assert told.can or told.why
    assert all(amount > 0 for amount in backend.NEEDS.values())


def test_what_they_understand():
    assert trtexec.understands(["/usr/src/tensorrt/bin/trtexec", "--onnx=a.onnx"])
    assert trtexec.understands(["env", "CUDA_VISIBLE_DEVICES=0", "trtexec"])
    assert not trtexec.understands(["python", "trtexec_like.py"])
    assert not trtexec.understands([])
    assert polygraphy.understands(["polygraphy", "run", "a.onnx", "--trt"])
    assert polygraphy.understands(["python", "-m", "polygraphy", "convert", "a.onnx"])
    assert not polygraphy.understands(["trtexec"])
    assert tensorrt.understands(["python", "build_tensorrt.py"])
    assert not tensorrt.understands(["python", "build.py"])


def test_tensorrt_is_a_target():
    assert "tensorrt" in targets()
    assert "trtexec" not in targets()


@pytest.mark.parametrize(
    ("told", "meant"), [("8601", "8.6.1"), ("101300", "10.13.0"), ("10.2.0", "10.2.0"), ("86", "86")]
)
def test_versions_of_trtexec(told, meant):
    assert trtexec._dotted(told) == meant  # noqa: SLF001


def test_a_build_is_written(tmp_path):
    files.save(two_layers(), str(tmp_path / "model.onnx"))
    made = tensorrt.prepare(str(tmp_path), "model.onnx", {
        "profile": "input:1x8:4x8:16x8", "precision": "FP16", "workspace": "512", "level": "2", "plugins": "a.so,b.so",
        "tactics": "edge_mask_convolutions,jit_convolutions", "verbose": "yes",
    })  # fmt: skip
    assert made.command == ("python", "build_tensorrt.py")
    assert made.files == ("build_tensorrt.json", "model.onnx")
    assert made.outputs == ("model.plan", "outputs.npz")
    body = json.loads((tmp_path / own_json.NAME).read_text(encoding="utf-8"))
    told = own_json.from_body(body)
    assert told.profiles == ({"input": Range((1, 8), (4, 8), (16, 8))},)
    assert (told.flags, told.pools, told.level) == ({"fp16"}, {"workspace": 512 << 20}, 2)
    assert (told.plugins, told.tactics) == (("a.so", "b.so"), ("edge_mask_convolutions", "jit_convolutions"))
    assert body["verbose"] is True
    with open(tmp_path / standalone.SCRIPT, encoding="utf-8") as stream:
        assert stream.read() == standalone.script_text()


def test_the_reference_lies_inside_the_given_profile(tmp_path):
    files.save(two_layers(), str(tmp_path / "model.onnx"))
    tensorrt.prepare(str(tmp_path), "model.onnx", {"profile": "wrong_name:7x8:5x8:3x8"})
    stored = np.load(tmp_path / "reference.npz")
    shapes = {stored[key].shape for key in stored.files if "/in/" in key}
    assert shapes == {(5, 8), (3, 8)}
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": stored["0/in/input"]})
    assert np.array_equal(logits, stored["0/out/logits"])


def test_given_feeds_are_taken_along(tmp_path):
    files.save(two_layers(), str(tmp_path / "model.onnx"))
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "mine.npz", input=np.ones((6, 8), np.float32))
    tensorrt.prepare(str(tmp_path), "model.onnx", {"feeds": str(tmp_path / "data" / "mine.npz")})
    assert np.load(tmp_path / "reference.npz")["0/in/input"].shape == (6, 8)


def test_a_model_that_does_not_run_here_has_no_reference(tmp_path):
    model = two_layers()
    model.graph.node[1].op_type = "Relool"
    onnx.save(model, tmp_path / "model.onnx")
    tensorrt.prepare(str(tmp_path), "model.onnx", {})
    assert not (tmp_path / "reference.npz").exists()
    assert "feeds" not in json.loads((tmp_path / own_json.NAME).read_text(encoding="utf-8"))


def test_a_plan_is_only_loaded(tmp_path):
    (tmp_path / "old.plan").write_bytes(b"stale")
    made = tensorrt.prepare(str(tmp_path), "old.plan", {})
    told = own_json.from_body(json.loads((tmp_path / own_json.NAME).read_text(encoding="utf-8")))
    assert (told.model, told.plan) == (None, "old.plan")
    assert made.outputs == ("outputs.npz",)


def test_all_faults_of_the_options_are_said_at_once(tmp_path):
    with pytest.raises(UsageError) as caught:
        tensorrt.prepare(str(tmp_path), "model.onnx", {"presicion": "fp16", "profile": "x:1x2", "feeds": "nowhere.npz"})
    assert "presicion is unknown" in str(caught.value)
    assert "NAME:MIN:OPT:MAX" in str(caught.value)
    assert "nowhere.npz" in str(caught.value)


@pytest.mark.parametrize("name", ["_build_tensorrt.py", "_calibrator.py"])
def test_what_is_left_behind_stands_alone(name):
    """Only the standard library, numpy and tensorrt are imported outright."""
    with open(package_folder("trtbuild", name), encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
    wanted = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    wanted |= {str(node.module).split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert wanted - set(sys.stdlib_module_names) == {"numpy", "tensorrt"}


def test_the_build_script_needs_no_triage(tmp_path):
    (tmp_path / "build_tensorrt.py").write_text(standalone.script_text(), encoding="utf-8")
    code = "import runpy, sys; sys.modules['triage'] = None; runpy.run_path('build_tensorrt.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "triage" not in done.stderr
    assert done.returncode  # no TensorRT here, or no settings


@pytest.mark.skipif(not CAN.can, reason=f"TensorRT cannot run here: {CAN.why}")
@pytest.mark.parametrize("profile", ["input:1x8:4x8:16x8", ""])
def test_a_build_on_a_gpu(tmp_path, profile):
    files.save(two_layers(4 if not profile else "batch"), str(tmp_path / "model.onnx"))
    options = {"tactics": "edge_mask_convolutions,jit_convolutions", **({"profile": profile} if profile else {})}
    made = tensorrt.prepare(str(tmp_path), "model.onnx", options)
    done = subprocess.run(
        [sys.executable, *made.command[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "largest difference" in done.stdout
    assert all(os.path.exists(tmp_path / name) for name in made.outputs)
