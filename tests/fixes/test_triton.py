"""Fixes of Triton repositories: what they propose, what they leave alone, and real servers that then answer."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from triage import discovery
from triage.backends import tritonserver
from triage.remedy import Proposal, Refusal
from triage.site import CannotApply, Found, Site
from triage.tritonrepo import samples
from triage.tritonrepo.config import Config
from triage.workspace import Workspace

GIVEN = Path(__file__).resolve().parents[3] / "shared" / "repair"
FIXES = (
    "correct_ensemble_map", "correct_execution_environment", "correct_triton_fields", "correct_triton_warmup",
    "drop_triton_settings", "mend_triton_config", "mend_triton_scheduling", "mend_triton_syntax", "name_python_model",
    "name_triton_model", "repair_repository_layout", "return_one_response_per_request", "set_instance_group_cpu",
    "set_triton_backend", "set_triton_batch_size", "set_triton_decoupled", "set_triton_version_policy",
    "write_triton_config",
)  # fmt: skip
CONFIG = "models/scorer/config.pbtxt"
CLIENT = 'MODEL = "scorer"\nFEEDS = "feeds.npz"\n'
server = pytest.mark.skipif(importlib.util.find_spec("pytriton") is None, reason="needs a Triton server")


def fix(name):
    return discovery.load("triage.fixes", name)


def site_of(folder, log="", command=("python", "client.py"), verify=True, files=("models/",), causes=()):
    return Site(
        Workspace(str(folder), str(folder)), command, files, log=log, found=Found(causes=causes),
        verify={"command": ["python", "verify.py"]} if verify else {},
    )  # fmt: skip


def proposals(name, site):
    return [each for each in fix(name).propose(site) if isinstance(each, Proposal)]


def refusals(site):
    return [each for name in FIXES for each in fix(name).propose(site) if isinstance(each, Refusal)]


def everything(site):
    return [(name, each) for name in FIXES for each in fix(name).propose(site) if isinstance(each, Proposal)]


def cured(name, folder, log="", **more):
    """Applies a fix's first proposal; gives a fresh site."""
    site = site_of(folder, log, **more)
    found = proposals(name, site)
    assert found, f"nothing proposed; refused: {refusals(site)}"
    fix(name).apply(site_of(folder, log, **more), found[0].parameters)
    return site_of(folder, log, **more)


def given(folder, config=samples.CONFIG, model=samples.MODEL, file="1/model.py", client=CLIENT):
    samples.repository(str(folder), config, model, file=file)
    samples.put(str(folder), "client.py", client)
    rows = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    np.savez(folder / "feeds.npz", features=rows)
    np.savez(folder / "expected.npz", score=rows @ np.arange(12, dtype=np.float32).reshape(6, 2))
    return folder


def plain_model():
    """The sample without auto_complete_config."""
    text = samples.MODEL
    start, end = text.index("    @staticmethod"), text.index("    def execute")
    return text[:start] + text[end:]


def answers(folder, model="scorer", repository="models"):
    """Serves the repository with a real server; the outputs for the stored feeds, or None."""
    import json

    shutil.copyfile(os.path.join(os.path.dirname(tritonserver.__file__), "_run_triton.py"), folder / "run_triton.py")
    settings = {"repository": repository, "model": model, "feeds": "feeds.npz", "seconds": 40}
    (folder / "run_triton.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "run_triton.py"], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    return dict(np.load(folder / "outputs.npz")) if done.returncode == 0 else done.stderr + done.stdout


def test_a_sound_repository_is_left_alone(tmp_path):
    samples.ensemble(str(tmp_path))
    given(tmp_path)
    assert everything(site_of(tmp_path)) == []
    assert refusals(site_of(tmp_path)) == []


def test_builds_that_are_not_tritons_are_left_alone(tmp_path):
    samples.put(str(tmp_path), "runs/v1/net.onnx", "")
    samples.put(str(tmp_path), "runs/1/model.py", "class Net:\n    def execute(self):\n        pass\n")
    samples.put(str(tmp_path), "train.py", "import torch\n")
    site = site_of(
        tmp_path, "RuntimeError: mat1 and mat2 shapes cannot be multiplied", ("python", "train.py"), files=(".",)
    )
    assert everything(site) == []
    assert refusals(site) == []


# ---- real servers: the defect is refused, the cure answers rightly

REAL = {
    "syntax": ("mend_triton_syntax", lambda text: text.replace("    dims: [ 6 ]\n  }\n]\n", "    dims: [ 6 \n"), {}),
    "fields": (
        "correct_triton_fields",
        lambda text: text.replace("max_batch_size: 8", 'batch_size: "8"').replace("TYPE_FP32", "float"), {},
    ),
    "dims": ("mend_triton_config", lambda text: text.replace("[ 6 ]", "[ 1, 6 ]").replace('"score"', '"scores"'), {}),
    "version": ("repair_repository_layout", lambda text: text, {"file": "version-3/model.py"}),
    "backend": (
        "set_triton_backend", lambda text: text.replace('backend: "python"', 'platform: "onnxruntime_onnx"'),
        {"log": "failed to load 'scorer' version 1: unable to find backend library for backend 'onnxruntime'"},
    ),
}  # fmt: skip


@server
@pytest.mark.parametrize("name", REAL)
def test_a_real_server_answers_after_the_cure(tmp_path, name):
    which, change, more = REAL[name]
    given(tmp_path, change(samples.CONFIG), file=more.get("file", "1/model.py"))
    if name in ("dims", "backend"):  # the others are refused before a model is loaded
        assert isinstance(answers(tmp_path), str)
    cured(which, tmp_path, more.get("log", ""))
    found = answers(tmp_path)
    assert isinstance(found, dict), found
    np.testing.assert_allclose(found["score"], np.load(tmp_path / "expected.npz")["score"], rtol=1e-5)


@server
def test_a_real_ensemble_answers_after_the_cure(tmp_path):
    text = samples.ENSEMBLE.replace('key: "features"', 'key: "INPUT"').replace('value: "Y"', 'value: "y_out"')
    samples.ensemble(str(tmp_path), text.replace("model_version: -1", ""))
    given(tmp_path, client='MODEL = "flow"\nFEEDS = "feeds.npz"\n')
    rows = np.load(tmp_path / "feeds.npz")["features"]
    np.savez(tmp_path / "feeds.npz", X=rows)
    cured("correct_ensemble_map", tmp_path)
    found = answers(tmp_path, "flow")
    assert isinstance(found, dict), found
    np.testing.assert_allclose(found["Y"], np.load(tmp_path / "expected.npz")["score"], rtol=1e-5)


@server
def test_a_real_model_without_declarations_gets_a_config(tmp_path):
    pytest.importorskip("onnx")
    from triage.onnxgraph.files import save
    from triage.onnxgraph.samples import two_layers

    model = tritonserver._THROUGH_PYTHON.replace("model.onnx", "net.onnx")  # noqa: SLF001
    given(tmp_path, None, model, client='MODEL = "scorer"\n')
    save(two_layers(), str(tmp_path / "models/scorer/1/net.onnx"))
    cured("write_triton_config", tmp_path, command=("tritonserver", "--disable-auto-complete-config"))
    config = Config((tmp_path / CONFIG).read_text(encoding="utf-8"))
    assert (config.max_batch_size, config.tensors("input")[0][:3]) == (8, ("input", "TYPE_FP32", (8,)))
    np.savez(tmp_path / "feeds.npz", input=np.ones((5, 8), np.float32))
    found = answers(tmp_path)
    assert isinstance(found, dict), found
    assert found["logits"].shape == (5, 3)


# ---- disagreement with the model

COMPLAINTS = {
    "type": "inference input 'features' data-type is 'FP32', but model 'scorer' expects 'FP64'",
    "names": "unexpected inference input 'features' for model 'scorer'",
    "count": "expected 0 inputs but got 1 inputs for model 'scorer'. Got input(s) ['features'], but missing required",
}


def test_the_model_is_believed_and_not_the_message(tmp_path):
    """Older servers name the two sides the wrong way round."""
    given(tmp_path, samples.CONFIG.replace("TYPE_FP32", "TYPE_INT64"), plain_model())
    log = "unexpected datatype TYPE_FP32 for inference input 'features', expecting TYPE_INT64 for scorer"
    assert proposals("mend_triton_config", site_of(tmp_path, log)) == []
    given(tmp_path, samples.CONFIG.replace("TYPE_FP32", "TYPE_INT64"))
    site = cured("mend_triton_config", tmp_path, log)
    assert site.text(CONFIG) == samples.CONFIG


def test_what_clients_send_counts_where_the_model_does_not_tell(tmp_path):
    given(tmp_path, samples.CONFIG.replace("TYPE_FP32", "TYPE_FP64"), plain_model())
    assert proposals("mend_triton_config", site_of(tmp_path)) == []
    assert cured("mend_triton_config", tmp_path, COMPLAINTS["type"]).text(CONFIG) == samples.CONFIG


@pytest.mark.parametrize("model", [samples.MODEL, plain_model()])
def test_a_missing_input_comes_back(tmp_path, model):
    start, end = samples.CONFIG.index("input ["), samples.CONFIG.index("output [")
    given(tmp_path, samples.CONFIG[:start] + samples.CONFIG[end:], model)
    site = cured("mend_triton_config", tmp_path, COMPLAINTS["count"])
    entry = Config(site.text(CONFIG)).tensors("input")[0]
    assert (entry.name, entry.data_type, len(entry.dims)) == ("features", "TYPE_FP32", 1)


def test_an_input_that_only_the_config_has_stays_unless_the_log_complains(tmp_path):
    text = samples.CONFIG.replace(
        "dims: [ 6 ]\n  }\n", 'dims: [ 6 ]\n  },\n  { name: "mean" data_type: TYPE_FP32 dims: [ 6 ] }\n'
    )
    given(tmp_path, text, plain_model())
    assert proposals("mend_triton_config", site_of(tmp_path)) == []
    log = "expected 2 inputs but got 1 inputs for model 'scorer'. Got input(s) ['features'], but missing ['mean']"
    assert "mean" not in cured("mend_triton_config", tmp_path, log).text(CONFIG)


def test_a_batch_in_the_dims_goes_and_a_missing_batch_size_comes(tmp_path):
    pytest.importorskip("onnx")
    from triage.onnxgraph.files import save
    from triage.onnxgraph.samples import two_layers

    model = tritonserver._THROUGH_PYTHON  # noqa: SLF001
    text = 'backend: "python"\nmax_batch_size: 4\ninput { name: "input" data_type: TYPE_FP32 dims: [ -1, 8 ] }\n'
    text += 'output { name: "logits" data_type: TYPE_FP32 dims: [ 3 ] }\n'
    given(tmp_path, text, model)
    save(two_layers(), str(tmp_path / "models/scorer/1/model.onnx"))
    assert Config(cured("mend_triton_config", tmp_path).text(CONFIG)).tensors("input")[0].dims == (8,)
    given(tmp_path, text.replace("max_batch_size: 4\n", "").replace("-1, ", ""), model)
    site = cured("set_triton_batch_size", tmp_path)
    assert Config(site.text(CONFIG)).max_batch_size == 8


# ---- batch sizes

TOO_LARGE = "[request id: <id_unknown>] inference request batch-size must be <= {} for 'scorer'"


def test_a_batch_is_never_raised_above_what_the_model_declares(tmp_path):
    given(tmp_path, samples.CONFIG.replace("max_batch_size: 8", "max_batch_size: 2"))
    site = cured("set_triton_batch_size", tmp_path, TOO_LARGE.format(2))
    assert site.text(CONFIG) == samples.CONFIG
    assert proposals("set_triton_batch_size", site_of(tmp_path, TOO_LARGE.format(8))) == []
    said = refusals(site_of(tmp_path, TOO_LARGE.format(8)))
    assert any("at most 8" in each.why for each in said)


def test_a_model_of_any_batch_gets_enough_for_the_stored_request(tmp_path):
    given(tmp_path, samples.CONFIG.replace("max_batch_size: 8", "max_batch_size: 2"), plain_model())
    np.savez(tmp_path / "feeds.npz", features=np.zeros((20, 6), np.float32))
    assert Config(cured("set_triton_batch_size", tmp_path, TOO_LARGE.format(2)).text(CONFIG)).max_batch_size == 32


def test_requests_without_a_batch_take_the_batch_away(tmp_path):
    given(tmp_path, samples.CONFIG, plain_model())
    log = "unexpected shape for input 'features' for model 'scorer'. Expected [-1,6], got [6]."
    assert Config(cured("set_triton_batch_size", tmp_path, log).text(CONFIG)).max_batch_size == 0


def test_an_ensemble_takes_no_more_than_its_models(tmp_path):
    samples.ensemble(str(tmp_path), samples.ENSEMBLE.replace("max_batch_size: 8", "max_batch_size: 64"))
    site = cured("set_triton_batch_size", tmp_path)
    assert Config(site.text("models/flow/config.pbtxt")).max_batch_size == 8


# ---- layout

LAYOUTS = {
    "latest": ("latest/model.py", "1/model.py"), "leading-zero": ("01/model.py", "1/model.py"),
    "v12": ("v12/model.py", "12/model.py"), "dotted": ("1.0/model.py", "1/model.py"),
    "beside": ("model.py", "1/model.py"), "other-name": ("4/inference.py", "4/model.py"),
    "capital": ("1/Model.py", "1/model.py"), "too-deep": ("1/src/model.py", "1/model.py"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_model_file_comes_to_its_place(tmp_path, name):
    before, after = LAYOUTS[name]
    given(tmp_path, file=before)
    site = cured("repair_repository_layout", tmp_path)
    assert site.text(f"models/scorer/{after}") == samples.MODEL
    assert not site.has(f"models/scorer/{before}")
    assert everything(site) == []


def test_helpers_come_along_and_labels_stay(tmp_path):
    text = samples.CONFIG.replace("dims: [ 2 ]", 'dims: [ 2 ]\n    label_filename: "labels.txt"')
    given(tmp_path, text, file="model.py")
    for name in ("helper.py", "weights.npz", "labels.txt", "tokens/vocab.json"):
        samples.put(str(tmp_path), f"models/scorer/{name}", "")
    site = cured("repair_repository_layout", tmp_path)
    for name in ("1/helper.py", "1/weights.npz", "labels.txt", "1/tokens/vocab.json"):
        assert site.has(f"models/scorer/{name}")


def test_two_candidates_for_the_model_are_left_alone(tmp_path):
    given(tmp_path, file="1/one.py")
    samples.put(str(tmp_path), "models/scorer/1/two.py", samples.MODEL)
    assert proposals("repair_repository_layout", site_of(tmp_path)) == []


def test_a_missing_model_file_is_refused(tmp_path):
    given(tmp_path, model=None)
    samples.put(str(tmp_path), "models/scorer/1/.gitkeep", "")
    site = site_of(tmp_path, "Python model file not found in 'models/scorer/1/model.py'")
    assert everything(site) == []
    assert any("is missing" in each.why for each in refusals(site))


@pytest.mark.parametrize(
    "name", ["config.pbtext", "config.pbtxt.txt", "Config.pbtxt", "1/config.pbtxt", "../config.pbtxt"]
)
def test_a_config_elsewhere_is_moved_and_not_written_anew(tmp_path, name):
    given(tmp_path, None)
    samples.put(str(tmp_path), os.path.normpath(f"models/scorer/{name}"), samples.CONFIG + "# mine\n")
    command = ("tritonserver", "--model-repository=models", "--disable-auto-complete-config")
    assert proposals("write_triton_config", site_of(tmp_path, command=command)) == []
    site = cured("repair_repository_layout", tmp_path, command=command)
    assert site.text(CONFIG).endswith("# mine\n")


def test_models_at_the_wrong_level_move(tmp_path):
    given(tmp_path)
    shutil.move(tmp_path / "models", tmp_path / "inner")
    (tmp_path / "models").mkdir()
    shutil.move(tmp_path / "inner", tmp_path / "models" / "all")
    log = "| model_repository_path[0] | models |"
    site = cured("repair_repository_layout", tmp_path, log)
    assert site.has("models/scorer/1/model.py")
    assert not site.has("models/all")
    site = site_of(
        tmp_path, log.replace("| models |", "| models/scorer |"), ("tritonserver", "--model-repository=models/scorer")
    )
    found = proposals("repair_repository_layout", site)
    assert [each.parameters.get("command") for each in found[:1]] == [["tritonserver", "--model-repository=models"]]
    fix("repair_repository_layout").apply(site, found[1].parameters)
    assert site.has("models/scorer/scorer/1/model.py")


def test_an_empty_newer_version_is_passed_over(tmp_path):
    given(tmp_path)
    (tmp_path / "models/scorer/2").mkdir()
    site = cured("set_triton_version_policy", tmp_path)
    assert "versions: [ 1 ]" in site.text(CONFIG)
    assert [each.safety for each in proposals("set_triton_version_policy", site_of(tmp_path, verify=False))] == []


def test_another_version_needs_a_comparison_or_consent(tmp_path):
    given(tmp_path, samples.CONFIG + "version_policy { specific { versions: [ 7 ] } }\n")
    assert {each.safety for each in proposals("set_triton_version_policy", site_of(tmp_path, verify=False))} == {
        "unsafe"
    }
    assert proposals("set_triton_version_policy", site_of(tmp_path))[0].safety is None


# ---- names, backends, instances


def test_the_folder_or_the_name_follows_the_clients(tmp_path):
    given(tmp_path, samples.CONFIG.replace('"scorer"', '"ranker"'))
    first = proposals("name_triton_model", site_of(tmp_path))[0]
    assert first.parameters["configs"]
    samples.put(str(tmp_path), "client.py", 'MODEL = "ranker"\n')
    first = proposals("name_triton_model", site_of(tmp_path))[0]
    assert first.parameters["moves"] == [["models/scorer", "models/ranker"]]


def test_another_model_is_not_renamed_without_a_comparison(tmp_path):
    given(tmp_path, client='MODEL = "detector"\n')
    log = "[404] Request for unknown model: 'detector' is not found"
    assert [each.safety for each in proposals("name_triton_model", site_of(tmp_path, log, verify=False))] == ["unsafe"]


@pytest.mark.parametrize("word", ["pyton", "Python", "python3", "py", "pythonn", "python_backend"])
def test_misspelt_backends(tmp_path, word):
    given(tmp_path, samples.CONFIG.replace('"python"', f'"{word}"'))
    log = (
        f"failed to load 'scorer' version 1: Invalid argument: unable to find backend library for backend '{word}', try"
    )
    assert cured("set_triton_backend", tmp_path, log).text(CONFIG) == samples.CONFIG


def test_a_backend_that_is_only_not_installed_is_refused(tmp_path):
    given(tmp_path, samples.CONFIG.replace('"python"', '"onnxruntime"'), "", file="1/model.onnx")
    log = (
        "failed to load 'scorer' version 1: Invalid argument: unable to find backend library for backend 'onnxruntime'"
    )
    site = site_of(tmp_path, log)
    assert everything(site) == []
    assert any("has no backend onnxruntime" in each.why for each in refusals(site))


NO_GPU = "instance group scorer_0 of model scorer has kind KIND_GPU but no GPUs are available"


@pytest.mark.parametrize(
    "line",
    ["instance_group [ { kind: KIND_GPU } ]", "instance_group { gpus: [ 0, 1 ] count: 2 kind: KIND_GPU }",
     "instance_group [\n  {\n    gpus: 0\n  }\n]"],
)  # fmt: skip
def test_instances_go_to_the_cpu_where_there_is_no_gpu(tmp_path, line):
    given(tmp_path, f"{samples.CONFIG}{line}\n")
    groups = Config(cured("set_instance_group_cpu", tmp_path, NO_GPU).text(CONFIG)).groups()
    assert [(group.kind, group.gpus) for group in groups] == [("KIND_CPU", ())]


def test_a_plan_is_not_put_on_the_cpu(tmp_path):
    text = samples.CONFIG.replace('"python"', '"tensorrt"') + "instance_group { kind: KIND_GPU }\n"
    given(tmp_path, text, "", file="1/model.plan")
    site = site_of(tmp_path, f"failed to load 'scorer': {NO_GPU}")
    assert everything(site) == []
    assert any("plan" in each.why for each in refusals(site))


# ---- ensembles

TWO_STEPS = """\
platform: "ensemble"
max_batch_size: 8
input [ { name: "X" data_type: TYPE_FP32 dims: [ 6 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ 2 ] } ]
ensemble_scheduling { step [
  { model_name: "both" model_version: -1 input_map { key: "A" value: "X" }
    output_map { key: "LEFT" value: "l" } output_map { key: "RIGHT" value: "r" } },
  { model_name: "join" model_version: -1 input_map { key: "FIRST" value: "l" } input_map { key: "SECOND" value: "r" }
    output_map { key: "OUT" value: "Y" } }
] }
"""


def wired(folder, text, types=("TYPE_FP32", "TYPE_FP32")):
    entry = '{{ name: "{}" data_type: {} dims: [ {} ] }}'
    one = f"input [ {entry.format('A', 'TYPE_FP32', 6)} ]\noutput [ {entry.format('LEFT', types[0], 6)}, "
    one += f"{entry.format('RIGHT', types[1], 6)} ]\n"
    two = f"input [ {entry.format('FIRST', types[0], 6)}, {entry.format('SECOND', types[1], 6)} ]\n"
    two += f"output [ {entry.format('OUT', 'TYPE_FP32', 2)} ]\n"
    for name, body in (("both", one), ("join", two)):
        samples.put(str(folder), f"models/{name}/config.pbtxt", f'backend: "python"\nmax_batch_size: 8\n{body}')
        samples.put(str(folder), f"models/{name}/1/model.py", "import triton_python_backend_utils as pb_utils\n")
    samples.put(str(folder), "models/flow/config.pbtxt", text)
    samples.put(str(folder), "models/flow/1/.gitkeep", "")


def maps(site):
    return [(step.input_map, step.output_map) for step in Config(site.text("models/flow/config.pbtxt")).steps()]


RIGHT = [({"A": "X"}, {"LEFT": "l", "RIGHT": "r"}), ({"FIRST": "l", "SECOND": "r"}, {"OUT": "Y"})]


@pytest.mark.parametrize(
    ("old", "new"),
    [('key: "A"', 'key: "INPUT"'), ('key: "OUT"', 'key: "output"'),
     ('key: "LEFT" value: "l"', 'key: "l" value: "LEFT"'),
     ('value: "r" }\n    output', 'value: "rr" }\n    output'), ('value: "Y"', 'value: "y0"'), ('"join"', '"joined"'),
     ('input_map { key: "SECOND" value: "r" }', ""), ('model_version: -1 input_map { key: "A"', 'input_map { key: "A"'),
     ('output_map { key: "RIGHT" value: "r" }', "")],
)  # fmt: skip
def test_loose_ends_are_tied(tmp_path, old, new):
    assert old in TWO_STEPS
    wired(tmp_path, TWO_STEPS.replace(old, new))
    site = cured("correct_ensemble_map", tmp_path)
    assert [{**one, **two} for one, two in maps(site)] != []
    config = Config(site.text("models/flow/config.pbtxt"))
    assert [step.model for step in config.steps()] == ["both", "join"]
    assert [step.version for step in config.steps()] == [-1, -1]
    if 'key: "l"' not in new:
        assert maps(site) == RIGHT
    assert everything(site) == []


def test_crossed_wires_are_seen_by_their_types(tmp_path):
    text = TWO_STEPS.replace('"FIRST" value: "l"', '"FIRST" value: "r"').replace(
        '"SECOND" value: "r"', '"SECOND" value: "l"'
    )
    wired(tmp_path, text, ("TYPE_INT64", "TYPE_FP32"))
    assert maps(cured("correct_ensemble_map", tmp_path)) == RIGHT


def test_a_guess_between_equal_wires_is_tried_only_where_outputs_are_compared(tmp_path):
    text = TWO_STEPS.replace('"FIRST" value: "l"', '"INPUT_0" value: "l"')
    wired(tmp_path, text.replace('"SECOND" value: "r"', '"INPUT_1" value: "r"'))
    assert len({each.what for each in proposals("correct_ensemble_map", site_of(tmp_path))}) == 2
    site = site_of(tmp_path, verify=False)
    assert proposals("correct_ensemble_map", site) == []
    assert any("several wirings" in each.why for each in refusals(site))


def test_models_that_truly_disagree_are_left_alone(tmp_path):
    wired(tmp_path, TWO_STEPS, ("TYPE_INT64", "TYPE_FP32"))
    samples.put(
        str(tmp_path), "models/join/config.pbtxt",
        (tmp_path / "models/join/config.pbtxt").read_text(encoding="utf-8").replace("TYPE_INT64", "TYPE_FP16"),
    )  # fmt: skip
    assert proposals("correct_ensemble_map", site_of(tmp_path)) == []


def test_a_step_whose_model_is_nowhere_is_refused(tmp_path):
    wired(tmp_path, TWO_STEPS)
    shutil.rmtree(tmp_path / "models/join")
    assert any("not in the repository" in each.why for each in refusals(site_of(tmp_path)))


# ---- what may be changed


def test_only_what_the_recipe_offers_is_changed(tmp_path):
    given(tmp_path, samples.CONFIG.replace("max_batch_size", "max_batchsize"))
    assert everything(site_of(tmp_path, files=("client.py",))) == []
    site = site_of(tmp_path)
    found = proposals("correct_triton_fields", site)[0]
    samples.put(str(tmp_path), CONFIG, samples.CONFIG)
    with pytest.raises(CannotApply):
        fix("correct_triton_fields").apply(site_of(tmp_path), found.parameters)


def test_several_configs_with_one_defect_are_cured_together(tmp_path):
    given(tmp_path, samples.CONFIG.replace("TYPE_FP32", "fp32"))
    samples.put(
        str(tmp_path),
        "models/other/config.pbtxt",
        samples.CONFIG.replace('"scorer"', '"other"').replace("dims", "shape"),
    )
    samples.put(str(tmp_path), "models/other/1/model.py", samples.MODEL)
    site = cured("correct_triton_fields", tmp_path)
    assert Config(site.text(CONFIG)).readable
    assert Config(site.text("models/other/config.pbtxt")).readable


# ---- the builds that were given

TOPICS = {
    "triton-backend-missing": "set_triton_backend", "triton-backend-typo": "set_triton_backend",
    "triton-config-in-version-folder": "repair_repository_layout", "triton-config-missing": "write_triton_config",
    "triton-config-syntax": "mend_triton_syntax", "triton-config-unknown-field": "correct_triton_fields",
    "triton-dims": "mend_triton_config", "triton-dtype": "mend_triton_config",
    "triton-ensemble-key": "correct_ensemble_map", "triton-folder-name": "name_triton_model",
    "triton-gpu-instance": "set_instance_group_cpu", "triton-input-name": "mend_triton_config",
    "triton-max-batch-size": "set_triton_batch_size", "triton-model-file-name": "repair_repository_layout",
    "triton-request-batch": "set_triton_batch_size", "triton-version-folder-missing": "repair_repository_layout",
    "triton-version-folder-name": "repair_repository_layout",
}  # fmt: skip


@pytest.mark.skipif(not GIVEN.is_dir(), reason="the builds are not here")
@pytest.mark.parametrize("name", TOPICS)
def test_one_family_alone_answers_for_each_given_build(tmp_path, name):
    from triage.recipe import read_recipe

    shutil.copytree(GIVEN / name, tmp_path / "build")
    recipe = read_recipe(str(tmp_path / "build" / "recipe.toml"))
    log = (tmp_path / "build" / "failing.log").read_text(encoding="utf-8", errors="replace")
    site = site_of(tmp_path / "build", log, recipe.command, files=recipe.files)
    assert {which for which, _ in everything(site)} == {TOPICS[name]}
