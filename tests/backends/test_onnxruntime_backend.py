"""`triage fix MODEL --target onnxruntime`: a script that stands alone loads the model and runs it once."""

import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from triage.backends import onnxruntime as backend
from triage.errors import UsageError
from triage.onnxgraph.samples import two_layers

pytest.importorskip("onnxruntime")
value, node = helper.make_tensor_value_info, helper.make_node


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Gives a function: model, options -> how the written script ended, what it said, and its outputs."""
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    folder = tmp_path / "build"
    folder.mkdir()

    def start(model, change=None, **options):
        onnx.save(model, folder / "model.onnx")
        made = backend.prepare(
            str(folder), "model.onnx", {key.replace("__", "."): text for key, text in options.items()}
        )
        if change:
            settings = json.loads((folder / backend.SETTINGS).read_text())
            change(settings)
            (folder / backend.SETTINGS).write_text(json.dumps(settings))
        clean = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
        done = subprocess.run(made.command, cwd=folder, capture_output=True, text=True, env=clean, check=False)
        outputs = dict(np.load(folder / "outputs.npz")) if (folder / "outputs.npz").exists() else {}
        return done, outputs

    return start


def graph(nodes, inputs, outputs, inits=()):
    made = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(a, n) for n, a in inits])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_it_says_what_can_run_here():
    probe = backend.probe()
    assert probe.can
    assert "CPUExecutionProvider" in probe.facts["providers"]
    assert probe.facts["version"][0].isdigit()


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "python").write_text(
        "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'onnxruntime'\" >&2; exit 1\n"
    )
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = backend.probe()
    assert not probe.can
    assert "No module named 'onnxruntime'" in probe.why
    assert "pip install onnxruntime" in probe.why


@pytest.mark.parametrize(("command", "own"), [
    ("python run_onnxruntime.py", True), ("onnxruntime_perf_test -m times m.onnx", True),
    ("python -m onnxruntime.tools.check_onnx_model_mobile_usability m.onnx", True), ("python deploy.py", False),
    ("", False),
])  # fmt: skip
def test_its_own_commands(command, own):
    assert backend.understands(command.split()) is own


def test_a_good_model_runs(run):
    done, outputs = run(two_layers(), size__batch="3")
    assert done.returncode == 0, done.stderr
    assert "ran on CPUExecutionProvider" in done.stdout
    assert outputs["logits"].shape == (3, 3)


def test_what_fixes_may_change_is_the_model_and_the_settings(run, tmp_path):
    (tmp_path / "build" / "model.onnx.data").write_bytes(b"x")
    (tmp_path / "build" / "weights").mkdir()
    onnx.save(two_layers(), tmp_path / "build" / "model.onnx")
    made = backend.prepare(str(tmp_path / "build"), "model.onnx", {})
    assert made.files == ("model.onnx", "model.onnx.data", "weights/", "run_onnxruntime.json")
    assert made.outputs == ("outputs.npz",)
    assert made.command == ("python", "run_onnxruntime.py")


def test_ids_stay_in_their_table_and_masks_are_ones(run):
    model = graph(
        [node("Gather", ["t", "ids"], ["e"]), node("Cast", ["attention_mask"], ["m"], to=1),
         node("Unsqueeze", ["m", "a"], ["u"]), node("Mul", ["e", "u"], ["y"])],
        [value("ids", TensorProto.INT64, ["b", "s"]), value("attention_mask", TensorProto.INT64, ["b", "s"])],
        [value("y", 1, ["b", "s", 2])],
        [("t", np.ones((3, 2), np.float32)), ("a", np.array([2]))],
    )  # fmt: skip
    done, outputs = run(model)
    assert done.returncode == 0, done.stderr
    assert outputs["y"].all()


def test_a_size_that_the_model_does_not_take_is_not_its_fault(run):
    model = graph([node("Conv", ["x", "k"], ["y"], strides=[8, 8])], [value("x", 1, ["n", 3, "h", "w"])],
                  [value("y", 1, None)], [("k", np.ones((1, 3, 16, 16), np.float32))])  # fmt: skip
    done, outputs = run(model)
    assert done.returncode == 0, done.stderr
    assert outputs["y"].ndim == 4


def test_a_broken_model_fails_with_the_runtimes_own_words(run):
    model = graph([node("Mul", ["x", "k"], ["y"])], [value("x", 1, [2])], [value("y", 1, [2])], [("k", np.ones(2))])
    done, outputs = run(model)
    assert done.returncode == 1
    assert "[ONNXRuntimeError]" in done.stderr
    assert "bound to different types" in done.stderr
    assert not outputs


def test_a_model_that_fails_on_each_size_fails_with_the_first_error(run):
    model = graph([node("Reshape", ["x", "s"], ["y"])], [value("x", 1, ["n", 3])], [value("y", 1, None)],
                  [("s", np.array([7, 11]))])  # fmt: skip
    done, _ = run(model)
    assert done.returncode == 1
    assert "Reshape" in done.stderr


def test_a_provider_that_is_not_there_is_no_silent_step_down(run):
    done, _ = run(two_layers(), providers="CUDAExecutionProvider,CPUExecutionProvider")
    if "CUDAExecutionProvider" in backend.probe().facts["providers"]:
        pytest.skip("there is CUDA here")
    assert done.returncode == 1
    assert "Specified provider 'CUDAExecutionProvider' is not in available provider names" in done.stderr


def test_that_failure_is_diagnosed(run):
    from support import cause_of

    done, _ = run(two_layers(), providers="CUDAExecutionProvider")
    assert cause_of(done.stderr) == "execution-provider-unavailable"


def test_given_feeds_are_used(run, tmp_path):
    feed = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    np.savez(tmp_path / "mine.npz", input=feed)
    done, outputs = run(two_layers(), feeds=str(tmp_path / "mine.npz"))
    assert done.returncode == 0, done.stderr
    assert outputs["logits"].shape == (4, 3)


def test_settings_can_be_edited(run):
    done, outputs = run(
        two_layers(), change=lambda settings: settings.update(shapes={"input": [5, 8]}, optimization="disable")
    )
    assert done.returncode == 0, done.stderr
    assert outputs["logits"].shape == (5, 3)


@pytest.mark.parametrize("kind", ["double", "float16", "int8", "uint8", "bool", "string", "int32"])
def test_inputs_of_every_usual_type(run, kind):
    number = {"double": 11, "float16": 10, "int8": 3, "uint8": 2, "bool": 9, "string": 8, "int32": 6}[kind]
    done, outputs = run(
        graph([node("Identity", ["x"], ["y"])], [value("x", number, ["n", 2])], [value("y", number, None)])
    )
    assert done.returncode == 0, done.stderr
    assert outputs["y"].shape[1] == 2


WRONG_OPTIONS = (
    {"optimization": "most"}, {"shape__x": "a"}, {"size__b": "0"}, {"feeds": "gone.npz"}, {"provider": "CPU"},
    {"shape__": "1"},
)  # fmt: skip


@pytest.mark.parametrize("options", WRONG_OPTIONS)
def test_wrong_options_are_refused(run, options):
    with pytest.raises(UsageError):
        run(two_layers(), **options)


def test_a_broken_model_is_cured_and_proven(tmp_path, monkeypatch, library):
    """The whole way: lay out, fail, repair, run again, compare."""
    from triage import discovery
    from triage.remediate.loop import Settings
    from triage.service.fixing import fix_build
    from triage.service.targets import recipe_for

    if "lower-ir-version" not in discovery.names("triage.fixes"):
        pytest.skip("needs the fix lower_ir_version")
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    model = two_layers()
    model.ir_version = 99
    onnx.save(model, tmp_path / "model.onnx")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    class Watch:
        started = diagnosed = ended = lambda *_: None
        running = staticmethod(lambda _: True)

    recipe = recipe_for([str(tmp_path / "model.onnx")], "onnxruntime")
    done = fix_build(recipe, Settings(), Watch(), str(tmp_path / "work"))
    assert (done.status, done.verified) == ("cured", True), done.why
    assert "the same outputs as the model before" in done.proof.how
    assert onnx.load(tmp_path / "model.onnx").ir_version == 99, "the user's file is as it was"
