"""The Triton backends: laying out a repository, serving it for real, and checking one without a server."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from triage.backends import triton_repository, tritonserver
from triage.errors import UsageError
from triage.tritonrepo import samples
from triage.tritonrepo.config import Config

server = pytest.mark.skipif(importlib.util.find_spec("pytriton") is None, reason="needs a Triton server")


def network(folder, name="net.onnx", **more):
    pytest.importorskip("onnx")
    from triage.onnxgraph.files import save
    from triage.onnxgraph.samples import two_layers

    save(two_layers(**more), str(folder / name))


def run(folder, prepared):
    return subprocess.run(
        [sys.executable, *prepared.command[1:]], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_they_understand():
    assert tritonserver.understands(["tritonserver", "--model-repository=models"])
    assert tritonserver.understands(["/opt/tritonserver/bin/tritonserver"])
    assert tritonserver.understands(["docker", "run", "image", "tritonserver"])
    assert not tritonserver.understands(["python", "train.py"])
    assert triton_repository.understands(triton_repository.command("models"))
    assert not triton_repository.understands(["python", "-m", "triage"])
    assert set(tritonserver.NEEDS) == set(triton_repository.NEEDS) == {"memory", "disk", "gpu_memory"}
    assert triton_repository.probe().can


def test_a_server_that_is_not_there_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(tritonserver.importlib.util, "find_spec", {}.get)
    found = tritonserver.probe()
    assert not found.can
    assert "nvidia-pytriton" in found.why


def test_a_repository_is_laid_out_from_the_model(tmp_path):
    network(tmp_path)
    made = tritonserver.prepare(str(tmp_path), "net.onnx", {"backend": "onnxruntime", "name": "ranker"})
    assert (made.command, made.outputs) == (("python", "run_triton.py"), ("outputs.npz",))
    config = Config((tmp_path / "model_repository/ranker/config.pbtxt").read_text(encoding="utf-8"))
    assert (config.word("name"), config.word("backend"), config.max_batch_size) == ("ranker", "onnxruntime", 8)
    assert config.tensors("input")[0][:3] == ("input", "TYPE_FP32", (8,))
    assert os.path.exists(tmp_path / "model_repository/ranker/1/model.onnx")
    network(tmp_path, "fixed.onnx", batch=2)
    tritonserver.prepare(str(tmp_path), "fixed.onnx", {"backend": "onnxruntime"})
    config = Config((tmp_path / "model_repository/fixed/config.pbtxt").read_text(encoding="utf-8"))
    assert (config.max_batch_size, config.tensors("input")[0].dims) == (0, (2, 8))


def test_external_weights_come_along(tmp_path):
    onnx = pytest.importorskip("onnx")
    from triage.onnxgraph.samples import two_layers

    onnx.save(
        two_layers(), str(tmp_path / "net.onnx"), save_as_external_data=True, location="net.data", size_threshold=0
    )
    tritonserver.prepare(str(tmp_path), "net.onnx", {})
    assert os.path.exists(tmp_path / "model_repository/net/1/net.data")


@pytest.mark.parametrize(
    ("model", "options"),
    [("net.onnx", {"colour": "red"}), ("net.onnx", {"max_batch_size": "many"}), ("net.onnx", {"feeds": "gone.npz"}),
     ("net.onnx", {"shape.x": "axb"}), ("notes.txt", {}), ("empty", {})],
)  # fmt: skip
def test_what_cannot_be_prepared_is_said(tmp_path, model, options):
    network(tmp_path)
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        tritonserver.prepare(str(tmp_path), model, options)


@server
def test_a_model_is_served_for_real(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network(tmp_path)
    rows = np.random.default_rng(1).normal(size=(5, 8)).astype(np.float32)
    np.savez(tmp_path / "feeds.npz", input=rows)
    made = tritonserver.prepare(str(tmp_path), "net.onnx", {"feeds": str(tmp_path / "feeds.npz")})
    done = run(tmp_path, made)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = onnxruntime.InferenceSession(str(tmp_path / "net.onnx")).run(None, {"input": rows})[0]
    np.testing.assert_allclose(np.load(tmp_path / "outputs.npz")["logits"], wanted, rtol=1e-5, atol=1e-6)


MANY = """\
import numpy as np
import triton_python_backend_utils as pb_utils

KINDS = ["BOOL", "UINT8", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "STRING"]


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        for kind in KINDS:
            config.add_input({"name": "in_" + kind, "data_type": "TYPE_" + kind, "dims": [-1]})
            config.add_output({"name": "out_" + kind, "data_type": "TYPE_" + kind, "dims": [-1]})
        config.set_max_batch_size(4)
        return config

    def execute(self, requests):
        def answer(request):
            given = {kind: pb_utils.get_input_tensor_by_name(request, "in_" + kind).as_numpy() for kind in KINDS}
            return pb_utils.InferenceResponse([pb_utils.Tensor("out_" + kind, value) for kind, value in given.items()])

        return [answer(request) for request in requests]
"""


@server
def test_every_type_goes_there_and_back(tmp_path):
    samples.put(str(tmp_path), "models/echo/1/model.py", MANY)
    made = tritonserver.prepare(str(tmp_path), "models", {"shape.in_FP32": "2,7"})
    assert json.loads((tmp_path / "run_triton.json").read_text(encoding="utf-8"))["model"] == "echo"
    done = run(tmp_path, made)
    assert done.returncode == 0, done.stdout + done.stderr
    found = np.load(tmp_path / "outputs.npz")
    assert found["out_FP32"].shape == (2, 7)
    assert {str(found[name].dtype) for name in found.files if "STRING" not in name} == {
        "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
    }  # fmt: skip
    assert found["out_STRING"].dtype.kind == "U"


@server
def test_a_refused_model_ends_the_script_with_the_servers_words(tmp_path):
    samples.repository(str(tmp_path), samples.CONFIG.replace("[ 6 ]", "[ 7 ]"))
    done = run(tmp_path, tritonserver.prepare(str(tmp_path), "models/scorer", {}))
    assert done.returncode != 0
    assert "the model expects dims [6]" in done.stdout + done.stderr
    assert "tritonserver exited with code" in done.stderr


def test_the_repository_check_runs_by_itself(tmp_path):
    samples.ensemble(str(tmp_path))
    command = [sys.executable, *triton_repository.command(str(tmp_path / "models"))[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"0 findings in {tmp_path / 'models'}\n")
    samples.put(str(tmp_path), "models/scorer/config.pbtxt", samples.CONFIG.replace("dims: [ 6 ]", "dims [ 6 ]"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert 'Expected ":", found "["' in done.stdout
