"""The proof of a cure whose recipe gives no check: changed models, export scripts under watch, given references."""

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from triage.backends._choose import targets
from triage.backends.command import understands
from triage.backends.python_script import exports_onnx, program_of
from triage.compare import exports as exports_module
from triage.compare.exports import can_export, combined, from_exports
from triage.compare.files import Places, changed_files
from triage.compare.prove import examine, prove
from triage.compare.run import HERE, Runner
from triage.onnxgraph.samples import two_layers
from triage.recipe import as_plain
from triage.remedy import Proof, Recipe, Verify


def off(scale=1.3):
    """The sample model with one weight changed."""
    made = two_layers()
    tensor = made.graph.initializer[2]
    values = numpy_helper.to_array(tensor).copy()
    values[:, 0] *= np.float32(scale)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return made.SerializeToString()


GOOD, WRONG = two_layers().SerializeToString(), off()
COPY = "import shutil; shutil.copy('source.onnx', 'model.onnx')\n"


@pytest.fixture
def build(tmp_path):
    """Gives a function: files before, files changed (None removes) -> recipe, places; the cured build is run."""

    def lay(before, after, *, command=("python", "build.py"), outputs=("model.onnx",), verify=None, runs=True):
        for name, files in (("base", before), ("fixed", {**before, **after})):
            (tmp_path / name).mkdir()
            for path, content in files.items():
                if content is not None:
                    (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
                    data = content if isinstance(content, bytes) else content.encode()
                    (tmp_path / name / path).write_bytes(data)
        shutil.copytree(tmp_path / "base", tmp_path / "user")
        shutil.copytree(tmp_path / "fixed", tmp_path / "ran")
        if runs:
            words = [sys.executable if word == "python" else word for word in command]
            subprocess.run(words, cwd=tmp_path / "ran", check=True, capture_output=True)
        recipe = Recipe("x", str(tmp_path / "user"), tuple(command), ("./",), outputs, 120.0, verify)
        return recipe, Places(*(str(tmp_path / name) for name in ("base", "fixed", "ran")))

    return lay


@pytest.fixture
def proof_of(build, tmp_path, monkeypatch):
    """Gives a function: files before, files changed -> Proof, in this process."""
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])

    def run(before, after, *, now=None, keeps=True, **options):
        recipe, places = build(before, after, **options)
        (tmp_path / "scratch").mkdir()
        request = {
            "recipe": as_plain(recipe), "command": list(now or recipe.command), "places": places,
            "log": str(tmp_path / "proof.log"), "keeps": keeps,
        }  # fmt: skip
        return examine(json.loads(json.dumps(request, default=str)), str(tmp_path / "scratch"))

    return run


# --- changed models


def test_each_changed_model_must_hold(proof_of):
    other = two_layers(opset=16).SerializeToString()
    before = {"build.py": "", "a.onnx": GOOD, "b.onnx": GOOD}
    proof = proof_of(before, {"a.onnx": other, "b.onnx": WRONG}, runs=False)
    assert proof.verified is False
    assert "a.onnx: 6 feeds give the same outputs" in proof.how
    assert "b.onnx: the outputs differ" in proof.how
    assert {row["model"] for row in proof.numbers} == {"a.onnx", "b.onnx"}


def test_a_repair_that_is_meant_to_change_outputs_is_not_called_equal_nor_rejected(proof_of):
    proof = proof_of({"build.py": "", "a.onnx": GOOD}, {"a.onnx": WRONG}, runs=False, keeps=False)
    assert proof.verified is None
    assert "meant to change" in proof.how
    assert proof.numbers


def test_a_new_model_with_the_same_surface_stands_for_the_old(proof_of):
    assert proof_of({"build.py": "", "a.onnx": GOOD}, {"b.onnx": WRONG}, runs=False).verified is False


def test_a_model_from_nowhere_is_not_proven(proof_of):
    proof = proof_of({"build.py": ""}, {"b.onnx": GOOD}, runs=False)
    assert proof.verified is None
    assert "b.onnx is new" in proof.how


def test_a_moved_model_is_the_same_model(proof_of):
    proof = proof_of({"build.py": "", "m/model.onnx": GOOD}, {"m/model.onnx": None, "m/1/model.onnx": GOOD}, runs=False)
    assert proof.verified is None
    assert "the model files are unchanged" in proof.how


def test_other_weights_beside_an_unchanged_model_are_seen(proof_of, tmp_path):
    files = {}
    for name, data in (("good", GOOD), ("wrong", WRONG)):
        folder = tmp_path / f"made-{name}"
        folder.mkdir()
        onnx.save(onnx.load_from_string(data), folder / "m.onnx", save_as_external_data=True, location="w.bin",
                  size_threshold=0)  # fmt: skip
        files[name] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert files["good"]["m.onnx"] == files["wrong"]["m.onnx"]
    proof = proof_of({"build.py": "", **files["good"]}, {"w.bin": files["wrong"]["w.bin"]}, runs=False)
    assert proof.verified is False


def test_what_holds_no_model_is_not_compared(proof_of):
    proof = proof_of(
        {"build.py": "", "m/config.pbtxt": "a", "m/1/model.onnx": GOOD}, {"m/config.pbtxt": "b"}, runs=False
    )
    assert proof.verified is None
    assert "only m/config.pbtxt was changed" in proof.how


def test_a_changed_script_that_exports_nothing_has_no_reference(proof_of):
    proof = proof_of({"build.py": "1/0"}, {"build.py": ""}, outputs=())
    assert proof.verified is None
    assert "build.py was changed" in proof.how


def test_the_builds_own_feeds_are_used_where_made_ones_do_not_fit(proof_of, tmp_path):
    feeds = tmp_path / "feeds.npz"
    np.savez(feeds, x=np.random.default_rng(0).normal(size=(2, 37)).astype(np.float32), n=np.array([37, 2]))
    f, i64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Reshape", ["x", "n"], ["y"])], "g",
            [onnx.helper.make_tensor_value_info("x", f, ["a", "b"]), onnx.helper.make_tensor_value_info("n", i64, [2])],
            [onnx.helper.make_tensor_value_info("y", f, None)],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip
    other = onnx.ModelProto()
    other.CopyFrom(made)
    other.opset_import[0].version = 16
    before = {"build.py": "", "m.onnx": made.SerializeToString(), "feeds.npz": feeds.read_bytes()}
    proof = proof_of(before, {"m.onnx": other.SerializeToString()}, runs=False)
    assert proof.verified is True, proof.how


# --- the child


def test_a_proof_leaves_nothing_behind_and_says_what_it_ran(build, tmp_path):
    recipe, places = build(
        {"build.py": "", "model.onnx": GOOD}, {"model.onnx": two_layers(opset=16).SerializeToString()}
    )
    before = sorted(path.name for path in tmp_path.iterdir())
    proof = prove(recipe, recipe.command, places, str(tmp_path / "logs" / "01-verify.log"))
    assert proof.verified is True
    assert proof.reference == "the model before the repair, by ONNX Runtime " + __import__("onnxruntime").__version__
    assert isinstance(proof.numbers[0]["max_abs"], float)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "logs"])
    assert "_run_model.py" in (tmp_path / "logs" / "01-verify.log").read_text()


def test_no_change_needs_no_proof(build, tmp_path):
    recipe, places = build({"build.py": ""}, {}, outputs=())
    assert prove(recipe, recipe.command, places, str(tmp_path / "log")).how.startswith("nothing was changed")


def test_a_crash_while_comparing_is_no_proof(build, tmp_path, monkeypatch):
    recipe, places = build({"build.py": "", "model.onnx": GOOD}, {"model.onnx": WRONG})
    (tmp_path / "broken" / "numpy").mkdir(parents=True)
    (tmp_path / "broken" / "numpy" / "__init__.py").write_text("import os; os.abort()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    proof = prove(recipe, recipe.command, places, str(tmp_path / "log"))
    assert proof.verified is None
    assert "comparing failed" in proof.how


def test_changes_are_found_by_content(build):
    before = {"same": "a", "changed": "a", "gone": "b", "old": "long enough"}
    after = {"changed": "b", "gone": None, "old": None, "new": "long enough", "added": "c"}
    _, places = build(before, after, runs=False)
    changed = changed_files(places.base, places.fixed)
    assert changed.modified == {"changed"}
    assert changed.removed == {"gone", "old"}
    assert changed.moved == {"new": "old"}
    assert changed.contents == ["added", "changed"]


def test_one_doubt_or_one_fault_decides():
    yes, no, open_ = (Proof(verified, str(verified)) for verified in (True, False, None))
    assert combined([yes, yes]).verified is True
    assert combined([yes, open_]).verified is None
    assert combined([yes, open_, no]).verified is False


# --- a given reference


@pytest.mark.parametrize(("source", "verify", "verified"), [
    (GOOD, Verify(reference="original.onnx"), True),
    (WRONG, Verify(reference="original.onnx"), False),
    (GOOD, Verify(reference="original.onnx", inputs="feeds.npz"), True),
    (WRONG, Verify(reference="original.onnx", inputs="feeds.npz"), False),
    (WRONG, Verify(reference="original.onnx", inputs={"input": (4, 8)}, rtol=10.0, atol=10.0), True),
    (GOOD, Verify(reference="original.tflite"), None),
])  # fmt: skip
def test_a_model_as_reference(proof_of, tmp_path, source, verify, verified):
    np.savez(tmp_path / "feeds.npz", input=np.random.default_rng(3).normal(size=(3, 8)).astype(np.float32))
    before = {"build.py": "1/0", "source.onnx": source, "original.onnx": GOOD, "original.tflite": "x",
              "feeds.npz": (tmp_path / "feeds.npz").read_bytes()}  # fmt: skip
    proof = proof_of(before, {"build.py": COPY}, verify=verify)
    assert proof.verified is verified, proof.how


def test_a_reference_is_never_compared_with_itself(proof_of):
    before = {"build.py": "1/0", "original.onnx": GOOD}
    proof = proof_of(before, {"build.py": ""}, outputs=(), verify=Verify(reference="original.onnx"))
    assert proof.verified is None
    assert "no ONNX file" in proof.how


TORCH = """
import onnx, torch
from onnx import numpy_helper
def make():
    held = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in onnx.load("original.onnx").graph.initializer}
    class Net(torch.nn.Module):
        def forward(self, input):
            hidden = torch.relu(input @ held["fc1.weight"] + held["fc1.bias"])
            return hidden @ held["fc2.weight"] + held["fc2.bias"]
    return Net()
def of_arrays(input):
    return {"logits": make()(torch.from_numpy(input)).numpy()}
def bad(input):
    return of_arrays(input)["logits"] * 1.01
def broken(input):
    raise RuntimeError("no weights")
"""


@pytest.mark.parametrize(("function", "verified"), [("make", True), ("bad", False), ("broken", None)])
def test_a_function_as_reference(proof_of, function, verified):
    pytest.importorskip("torch")
    before = {"build.py": "1/0", "source.onnx": GOOD, "original.onnx": GOOD, "net.py": TORCH}
    proof = proof_of(before, {"build.py": COPY}, verify=Verify(reference=f"torch:net:{function}"))
    assert proof.verified is verified, proof.how
    if verified is None:
        assert "no weights" in proof.how


# --- export scripts under watch

HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
def net():
    return nn.Sequential(nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 4))
def export(model, path, **options):
    both = {"input_names": ["x"], "output_names": ["y"], "dynamo": False, "opset_version": 17,
            "dynamic_axes": {"x": {0: "b"}, "y": {0: "b"}}}
    torch.onnx.export(model, (torch.randn(1, 3, 8),), path, **{**both, **options})
"""
ZOO = """
class Baked(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(24, 4)
    def forward(self, x):
        return self.line(x.reshape(int(x.shape[0]), 24)) + float(x.shape[0])
class Many(nn.Module):
    def forward(self, x, scale=None, past=None):
        return {"a": x * scale, "past": (torch.cat([past[0], x], 1), past[0].argmax(-1))}
class Twisted(nn.Module):
    def forward(self, x):
        return x.sum(-1) if x.shape[0] == 1 else x.sum(-1).flip(0)
export(net().eval(), "good.onnx")
export(Baked().eval(), "baked.onnx")
export(Twisted().eval(), "twisted.onnx")
torch.onnx.export(Many(), (torch.randn(2, 4, 8),), "many.onnx", kwargs={"past": (torch.randn(2, 3, 8),),
                  "scale": torch.tensor(2.0)}, dynamo=True)
export(net().train(), "train.onnx", training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False)
later = net().eval()
export(later, "later.onnx")
import onnx
from onnx import numpy_helper
made = onnx.load("later.onnx")
tensor = made.graph.initializer[1]
values = numpy_helper.to_array(tensor).copy()
values += 0.01
tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
onnx.save(made, "later.onnx")
import io
stream = io.BytesIO()
export(net().eval(), stream)
from peft import LoraConfig, PeftModel, get_peft_model
base = net()
tuned = get_peft_model(base, LoraConfig(r=2, target_modules=["1"]))
torch.nn.init.normal_(tuned.base_model.model[1].lora_B["default"].weight)
tuned.save_pretrained("adapter")
export(tuned.eval(), "inside.onnx")
export(tuned.merge_and_unload().eval(), "merged.onnx")
export(PeftModel(net(), LoraConfig(r=2, target_modules=["1"])).merge_and_unload().eval(), "fresh.onnx")
export(net().eval(), "without.onnx")
"""


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Proofs of a script that exports several modules, by file."""
    pytest.importorskip("torch")
    pytest.importorskip("peft")
    place = tmp_path_factory.mktemp("zoo")
    for name in ("base", "fixed", "scratch"):
        (place / name).mkdir()
    (place / "base" / "export.py").write_text("raise SystemExit(1)\n")
    (place / "fixed" / "export.py").write_text(HEAD + ZOO)
    shutil.copytree(place / "fixed", place / "ran")
    recipe = Recipe("zoo", str(place / "user"), (sys.executable, "export.py"), ("export.py",), (), 300.0)
    runner = Runner(str(place / "scratch"), str(place / "log"), seconds=300, environment={}, guarded=None)
    places = Places(*(str(place / name) for name in ("base", "fixed", "ran")))
    proofs = from_exports(recipe, recipe.command, places, runner, keeps=True)
    return {proof.how.partition(":")[0]: proof for proof in proofs}


@pytest.mark.parametrize(("file", "verified", "said"), [
    ("good.onnx", True, "feeds give the module's own outputs"),
    ("many.onnx", True, "feeds give the module's own outputs"),
    ("export.onnx", True, "feeds give the module's own outputs"),
    ("baked.onnx", False, "a batch larger by 2"),
    ("twisted.onnx", False, "a batch larger by 2"),
    ("train.onnx", False, "differs from the module"),
    ("later.onnx", False, "differs from the module"),
    ("inside.onnx", True, "feeds give the module's own outputs"),
    ("merged.onnx", True, "an adapter was merged into it"),
    ("fresh.onnx", False, "the adapter that was merged changes nothing"),
    ("without.onnx", None, "an adapter that is not in the exported module"),
])  # fmt: skip
def test_an_exported_file_is_compared_with_its_module(zoo, file, verified, said):
    assert zoo[file].verified is verified, zoo[file].how
    assert said in zoo[file].how
    assert "by PyTorch" in zoo[file].reference


def script(load="", opset=17):
    loading = load and f"model.load_state_dict({load})"
    return f"{HEAD}model = net()\n{loading}\nmodel.eval()\nexport(model, 'model.onnx', opset_version={opset})\n"


def test_the_module_must_compute_what_it_did_before(proof_of):
    pytest.importorskip("torch")
    proof = proof_of({"build.py": script(opset=99)}, {"build.py": script().replace("nn.ReLU()", "nn.LeakyReLU(0.3)")})
    assert proof.verified is False
    assert "the repair changed what the module computes" in proof.how


def test_weights_that_were_left_out_are_seen(proof_of, tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 16), torch.nn.ReLU(), torch.nn.Dropout(0.5),
                              torch.nn.Linear(16, 4))  # fmt: skip
    torch.save({f"module.{key}": values for key, values in net.state_dict().items()}, tmp_path / "w.pt")
    before = {"build.py": script("torch.load('w.pt')"), "w.pt": (tmp_path / "w.pt").read_bytes()}
    proof = proof_of(before, {"build.py": script("torch.load('w.pt'), strict=False")})
    assert proof.verified is False
    assert "4 weights were not loaded" in proof.how


def test_a_build_that_starts_python_inside_is_watched_too(proof_of):
    pytest.importorskip("torch")
    before = {"build.py": script(opset=99), "build.sh": "set -e\ncd .\npython build.py\n"}
    proof = proof_of(before, {"build.py": script()}, command=("sh", "build.sh"))
    assert proof.verified is True, proof.how
    assert "the module computes what it did before the repair" in proof.how


def test_watching_changes_neither_outcome_nor_random_numbers(tmp_path):
    pytest.importorskip("torch")
    text = HEAD + (
        "import random, sys, warnings\nimport numpy as np\nrandom.seed(1); np.random.seed(1)\nmodel = net().train()\n"
        "export(model, 'model.onnx')\n"
        "print(torch.rand(3), random.random(), np.random.rand(), model.training, sys.argv, __name__, sys.path[0])\n"
        "print([float(p.sum()) for p in model.parameters()], model(torch.ones(1, 3, 8)))\n"
        "raise SystemExit(3)\n"
    )
    (tmp_path / "export.py").write_text(text)
    plain = subprocess.run([sys.executable, "export.py", "a", "--b"], cwd=tmp_path, capture_output=True, check=False)
    watcher = [sys.executable, os.path.join(HERE, "_watch_export.py"), "out", "export.py", "a", "--b"]
    watched = subprocess.run(watcher, cwd=tmp_path, capture_output=True, check=False)
    assert plain.returncode == watched.returncode == 3
    assert watched.stdout == plain.stdout
    with open(tmp_path / "out" / "001" / "record.json", encoding="utf-8") as stream:
        record = json.load(stream)
    assert record["exported"]
    assert record["training"]
    assert "fault" not in record


def test_only_builds_that_may_export_are_run_again(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("from torch import onnx as o\no.export(1, 2)\n")
    assert can_export(str(tmp_path), ["python", "a.py"])
    (tmp_path / "a.py").write_text("import torch\n# torch.onnx.export(…)\n")
    assert not can_export(str(tmp_path), ["python", "a.py"])
    assert can_export(str(tmp_path), ["optimum-cli", "export", "onnx"])
    assert exports_module.HERE


# --- the generic backends


@pytest.mark.parametrize(("command", "words"), [
    ("python a.py --x 1", ("a.py", "--x", "1")), ("/usr/bin/python3.12 -u -W ignore a.py", ("a.py",)),
    ("python -m pkg.export -o x", ("-m", "pkg.export", "-o", "x")), ("env A=1 python a.py", ("a.py",)),
    ("A=1 B=2 python3 a.py", ("a.py",)), ("python -c pass", None), ("trtexec --onnx=m.onnx", None), ("python", None),
    ("bash build.sh", None), ("python -Xdev -mpkg", ("-m", "pkg")),
])  # fmt: skip
def test_the_python_program_of_a_command(command, words):
    found = program_of(command.split())
    assert (found.words if found else None) == words


@pytest.mark.parametrize(("text", "yes"), [
    ("import torch\ntorch.onnx.export(m, x, 'f')", True), ("import torch as t\nt.onnx.export(m, x, 'f')", True),
    ("from torch.onnx import export\nexport(m, x, 'f')", True), ("from torch.onnx import export as e\ne(m)", True),
    ("import torch.onnx as o\no.export(m)", True), ("from torch.onnx import utils\nutils.export(m)", True),
    ("import torch\ntorch.export.export(m)", False), ("import onnx\nonnx.export(m)", False), ("def broken(:", False),
    ("from other import export\nexport(m)", False),
])  # fmt: skip
def test_whether_a_script_exports(tmp_path, text, yes):
    (tmp_path / "a.py").write_text(text)
    assert exports_onnx(str(tmp_path / "a.py")) is yes


def test_any_command_is_understood_by_one_backend():
    assert understands(["make", "model"])
    assert not understands([])
    assert "onnxruntime" in targets()
    assert not {"command", "python-script"} & set(targets())


def test_the_builds_own_feeds_count_where_made_ones_hide_a_loss(proof_of):
    """Times in double: made feeds are small, and the last bits of those that are really fed are lost in float."""
    head = '<ir_version: 8, opset_import: ["" : 17]>\n'
    text = head + "g (double[n] t) => (double[n] y) <double z = {1700000000.25}> { y = Sub(t, z) }"
    lost = (
        head + "g (double[n] t) => (double[n] y) <float z = {1700000000}> "
        "{ f = Cast<to=1>(t) d = Sub(f, z) y = Cast<to=11>(d) }"
    )
    one, two = (onnx.parser.parse_model(each).SerializeToString() for each in (text, lost))
    stream = io.BytesIO()
    np.savez(stream, t=1.7e9 + np.linspace(0, 50, 7))
    proof = proof_of({"model.onnx": one, "feeds.npz": stream.getvalue(), "build.py": ""}, {"model.onnx": two})
    assert proof.verified is False, proof.how
