"""Broken export scripts of many layouts, run for real, changed by one fix, and run again."""

import contextlib
import io
import os
import runpy
import sys
import traceback

import pytest

from triage import discovery
from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")
ort = pytest.importorskip("onnxruntime")

HEAD = """import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
"""
NET = (
    HEAD
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(6, 6)
    def forward(self, x):
        return torch.tril(self.l(x))
"""
)
PAIR = (
    HEAD
    + """
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.l = nn.Linear(4, 8), nn.Linear(8, 3)
    def forward(self, hidden, mask):
        return self.l((self.e(hidden) * mask[..., None]).cumsum(1))
"""
)
TRAINED = (
    HEAD
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.n, self.d, self.b = nn.Linear(6, 64), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 2)
        self.n.running_mean.fill_(0.5)
    def forward(self, x):
        return self.b(self.d(self.n(self.a(x))))
"""
)
COMPARE = """
import numpy, onnxruntime
got = onnxruntime.InferenceSession("model.onnx").run(None, {"x": x.numpy()})[0]
numpy.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-3, atol=1e-4)
"""
SERVE = """
import numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
numpy.savez("outputs.npz", **dict(zip(names, session.run(names, dict(numpy.load("feeds.npz"))))))
"""
TRACED = "dynamo=False, input_names=['x'], output_names=['y']"


def random(*shape):
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def run(folder, script, words):
    """The log of a script that is run in this process; its modules are forgotten afterwards."""
    said, before, argv, path, cwd = io.StringIO(), set(sys.modules), sys.argv, list(sys.path), os.getcwd()
    good = True
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            sys.argv = [script, *words]
            sys.path.insert(0, str(folder / os.path.dirname(script)))
            runpy.run_path(script, run_name="__main__")
    except BaseException as fault:  # noqa: BLE001 -- a failing build is what is wanted
        good = isinstance(fault, SystemExit) and not fault.code
        said.write(traceback.format_exc())
    finally:
        sys.argv, sys.path[:] = argv, path
        os.chdir(cwd)
        for name in set(sys.modules) - before:
            if getattr(sys.modules[name], "__file__", None) and str(folder) in str(sys.modules[name].__file__):
                del sys.modules[name]
    return good, said.getvalue()


class Build:
    """A broken build in a folder: its files, what fails, and what a fix makes of it."""

    def __init__(self, folder, files, feeds=None, command=("python", "export.py")):
        self.folder, self.command, self.files = folder, command, files
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        if feeds:
            np.savez(folder / "feeds.npz", **feeds)

    def run(self):
        at = next(place for place, word in enumerate(self.command) if word.endswith(".py"))
        return run(self.folder, self.command[at], self.command[at + 1 :])

    def site(self, log, causes):
        root = str(self.folder)
        return Site(
            Workspace(root, root), self.command, tuple(self.files), log=log, found=Found(causes=causes), built=root,
            outputs=("model.onnx", "outputs.npz"), verify={"command": ("python", "verify.py")},
        )  # fmt: skip

    def repair(self, fix, cause, rounds=1):
        """Applies the first proposal of a fix, once or more often; gives the words of what was done."""
        module, done = discovery.load("triage.fixes", fix), []
        for _ in range(rounds):
            good, log = self.run()
            if good:
                break
            site = self.site(log, (cause,))
            found = [one for one in module.propose(site) if isinstance(one, Proposal)]
            assert found, f"nothing is proposed for:\n{log[-1500:]}"
            module.apply(site, found[0].parameters)
            self.command = site.command
            done.append(found[0].what)
        good, log = self.run()
        assert good, f"after {done}:\n{log[-2500:]}"
        return done

    def text(self, path="export.py"):
        return (self.folder / path).read_text()

    def outputs(self):
        with np.load(self.folder / "outputs.npz") as found:
            return dict(found)


def reference(source, name, *inputs):
    space = {}
    exec(source, space)  # noqa: S102 -- our own text
    torch.manual_seed(0)
    model = space[name]().eval()
    with torch.no_grad():
        return model(*(torch.from_numpy(each) for each in inputs))


# --- opset


OPSETS = {
    "constant": ("OPSET = 12\ntorch.onnx.export(Net().eval(), x, 'model.onnx', opset_version=OPSET, {})", ()),
    "class": (
        (
            "class Exporter:\n    def __init__(self, model, opset=12):\n        self.model, self.opset = model, opset\n"
            "    def save(self, path):\n        torch.onnx.export(self.model, x, path, opset_version=self.opset, {})\n"
            "Exporter(Net().eval()).save('model.onnx')"
        ),
        (),
    ),
    "command": (
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--opset', type=int, default=17)\n"
            "torch.onnx.export(Net().eval(), x, 'model.onnx', opset_version=p.parse_args().opset, {})"
        ),
        ("--opset", "12"),
    ),
    "options": (
        "options = dict(opset_version=12)\ntorch.onnx.export(Net().eval(), x, 'model.onnx', **options, {})",
        (),
    ),
}


@pytest.mark.parametrize(("text", "words"), OPSETS.values(), ids=OPSETS)
def test_the_opset_is_raised_where_it_stands(tmp_path, text, words):
    body = f"{NET}x = torch.zeros(2, 6, 6)\n{text.format(TRACED)}\n{SERVE}"
    feed = random(2, 6, 6)
    build = Build(tmp_path, {"export.py": body}, {"x": feed}, ("python", "export.py", *words))
    build.repair("raise_opset", "export-opset-too-low")
    want = reference(NET, "Net", feed)
    np.testing.assert_allclose(build.outputs()["y"], want, rtol=1e-4, atol=1e-5)
    assert ("14" in build.command) == bool(words)
    assert build.text().count("14") == (0 if words else 1)


def test_an_opset_that_the_exporter_does_not_write_is_lowered(tmp_path):
    body = f"{NET}torch.onnx.export(Net().eval(), torch.zeros(2, 6, 6), 'model.onnx', opset_version=30, {TRACED})\n"
    build = Build(tmp_path, {"export.py": body})
    assert build.repair("lower_opset", "opset-unsupported") == ["export at opset 20: line 12 of export.py"]


def test_an_opset_that_is_high_enough_is_left(tmp_path):
    body = f"{NET}torch.onnx.export(Net().eval(), torch.zeros(2, 6, 6), 'model.onnx', opset_version=17, {TRACED})\n"
    build = Build(tmp_path, {"export.py": body})
    log = "Support for this operator was added in version 14, try exporting with this version"
    module = discovery.load("triage.fixes", "raise_opset")
    assert not [one for one in module.propose(build.site(log, ("export-opset-too-low",))) if "14" in one.what]


# --- dynamic dimensions

CALL = "torch.onnx.export(Pair().eval(), (torch.zeros(1, 5, 4), torch.ones(1, 5)), 'model.onnx', "
NAMES = "input_names=['hidden', 'mask'], output_names=['y']"
DIMENSIONS = {
    "tracing": f"{CALL}dynamo=False, {NAMES})",
    "tracing, part of the axes": f"{CALL}dynamo=False, {NAMES}, dynamic_axes={{'hidden': {{0: 'n'}}, 'mask': [0]}})",
    "tracing, wrong names": f"{CALL}dynamo=False, {NAMES}, dynamic_axes={{'inputs': [0, 1], 'masks': [0, 1]}})",
    "tracing, made by code": f"names = ['hidden', 'mask']\n{CALL}dynamo=False, {NAMES}, "
    "dynamic_axes={name: {0: 'n'} for name in names})",
    "torch.export": f"{CALL}dynamo=True, {NAMES})",
    "torch.export, one input": f"{CALL}dynamo=True, {NAMES}, dynamic_shapes={{'hidden': {{0: 'n'}}, 'mask': None}})",
    "torch.export, too few": f"{CALL}dynamo=True, {NAMES}, dynamic_shapes=({{0: 'n', 1: 'm'}},))",
    "torch.export, wrong keys": f"{CALL}dynamo=True, {NAMES}, dynamic_shapes={{'a': {{0: 'n'}}, 'b': {{0: 'n'}}}})",
    "torch.export, axes not convertible": f"{CALL}input_names=['hidden', 'mask'], dynamic_axes={{'hidden': {{0: 'n', "
    "1: 'm'}, 'mask': {0: 'n', 1: 'm'}, 'y': {0: 'n'}})",
    "two steps": "program = torch.export.export(Pair().eval(), (torch.zeros(2, 5, 4), torch.ones(2, 5)))\n"
    f"torch.onnx.export(program, (), 'model.onnx', {NAMES})",
}


@pytest.mark.parametrize("text", DIMENSIONS.values(), ids=DIMENSIONS)
def test_dimensions_are_declared_dynamic(tmp_path, text):
    hidden, mask = random(3, 7, 4), np.ones((3, 7), "float32")
    build = Build(tmp_path, {"export.py": f"{PAIR}{text}\n{SERVE}"}, {"hidden": hidden, "mask": mask})
    build.repair("add_dynamic_shapes", "input-shape-mismatch", rounds=3)
    (got,) = build.outputs().values()
    np.testing.assert_allclose(got, reference(PAIR, "Pair", hidden, mask), rtol=1e-4, atol=1e-5)


def test_options_in_a_class_hold_only_what_is_written_there(tmp_path):
    text = (
        "class Exporter:\n    options = dict(input_names=['hidden', 'mask'], output_names=['y'])\n"
        "    def __init__(self, net):\n        self.net = net.eval()\n    def __call__(self, path):\n"
        "        example = (torch.zeros(1, 5, 4), torch.ones(1, 5))\n"
        "        torch.onnx.export(self.net, example, path, dynamo=True, **self.options)\n"
        "Exporter(Pair())('model.onnx')\n"
    )
    hidden, mask = random(3, 5, 4), np.ones((3, 5), "float32")
    build = Build(tmp_path, {"export.py": PAIR + text + SERVE}, {"hidden": hidden, "mask": mask})
    build.repair("add_dynamic_shapes", "input-shape-mismatch")
    np.testing.assert_allclose(build.outputs()["y"], reference(PAIR, "Pair", hidden, mask), rtol=1e-4, atol=1e-5)


def test_a_loop_over_a_size_is_named(tmp_path):
    source = HEAD + (
        "class Loop(nn.Module):\n    def forward(self, x):\n        total = x[:, 0]\n"
        "        for at in range(1, x.size(1)):\n            total = total * 2 + x[:, at]\n        return total\n"
    )
    text = f"torch.onnx.export(Loop(), torch.zeros(1, 5), 'model.onnx', {TRACED})\n"
    build = Build(tmp_path, {"export.py": source + text + SERVE}, {"x": random(1, 7)})
    site = build.site(build.run()[1], ("input-shape-mismatch",))
    found = list(discovery.load("triage.fixes", "add_dynamic_shapes").propose(site))
    assert [type(one) for one in found] == [Proposal, Refusal]
    assert "loops over a size (export.py:8)" in found[1].why


def test_generated_names_stay_when_dimensions_are_declared(tmp_path):
    text = (
        f"net = nn.Linear(4, 2).eval()\ntorch.onnx.export(net, torch.zeros(1, 4), 'model.onnx', dynamo=False)\n{SERVE}"
    )
    build = Build(tmp_path, {"export.py": HEAD + text}, {"onnx::Gemm_0": random(3, 4)})
    build.repair("add_dynamic_shapes", "input-shape-mismatch")
    assert next(iter(build.outputs().values())).shape == (3, 2)
    assert 'input_names=["onnx::Gemm_0"]' in build.text()


@pytest.mark.parametrize(
    ("feed", "why"), [((3, 9), "weights take 4"), ((4, 1), None)], ids=["features", "batch and features exchanged"]
)
def test_a_wrong_feed_is_said_and_nothing_is_changed(tmp_path, feed, why):
    text = f"torch.onnx.export(nn.Linear(4, 2).eval(), torch.zeros(1, 4), 'model.onnx', {TRACED})\n{SERVE}"
    build = Build(tmp_path, {"export.py": HEAD + text}, {"x": random(*feed)})
    good, log = build.run()
    assert not good
    found = list(
        discovery.load("triage.fixes", "add_dynamic_shapes").propose(build.site(log, ("input-shape-mismatch",)))
    )
    assert [type(one) for one in found] == [Refusal]
    assert why is None or why in found[0].why


# --- exporters


def test_an_operator_that_tracing_lacks_goes_through_torch_export(tmp_path):
    source = NET.replace("torch.tril(self.l(x))", "self.l(x).mT @ x")
    text = (
        f"model = Net().eval()\ntorch.onnx.export(model, torch.zeros(1, 6, 6), 'model.onnx', {TRACED},\n"
        "                  dynamic_axes={'x': {0: 'n'}, 'y': {0: 'n'}})\n"
    )
    feed = random(3, 6, 6)
    build = Build(tmp_path, {"export.py": source + text + SERVE}, {"x": feed})
    build.repair("switch_exporter", "export-op-unsupported")
    np.testing.assert_allclose(build.outputs()["y"], reference(source, "Net", feed), rtol=1e-4, atol=1e-4)
    assert "dynamic_shapes=" in build.text()
    assert "dynamic_axes" not in build.text()
    assert not (tmp_path / "model.onnx.data").exists(), "one file, as before"


def test_a_branch_on_values_is_traced_with_all_that_goes_with_it(tmp_path):
    source = NET.replace("torch.tril(self.l(x))", "self.l(x) / 2 if float(x.abs().max()) > 1e9 else self.l(x)")
    text = """
program = torch.onnx.export(Net().eval(), (torch.zeros(2, 6),), dynamo=True, opset_version=22, input_names=["x"],
                            output_names=["y"], dynamic_shapes=({0: torch.export.Dim("rows")},))
program.optimize()
program.save("model.onnx")
"""
    feed = random(3, 6)
    build = Build(tmp_path, {"export.py": source + text + SERVE}, {"x": feed})
    build.repair("switch_exporter", "export-data-dependent-control-flow")
    np.testing.assert_allclose(build.outputs()["y"], reference(source, "Net", feed), rtol=1e-4, atol=1e-5)
    assert "program" not in build.text()
    assert 'dynamic_axes={"x": {0: "rows"}, "y": {0: "rows"}}' in build.text()


def test_freezing_a_branch_is_unsafe_where_nothing_is_compared(tmp_path):
    text = f"{NET}torch.onnx.export(Net().eval(), torch.zeros(2, 6), 'model.onnx', dynamo=True)\n"
    log = 'File "/lib/torch/onnx/_internal/exporter/_core.py"\ntorch.fx: GuardOnDataDependentSymNode: Could not guard\n'
    site = Build(tmp_path, {"export.py": text}).site(log, ("export-data-dependent-control-flow",))
    site.verify = {}
    found = list(discovery.load("triage.fixes", "switch_exporter").propose(site))
    assert [one.safety for one in found if isinstance(one, Proposal)] == ["unsafe"]
    assert [one.why for one in found if isinstance(one, Refusal)] == [
        "the model branches on values, which a graph can only freeze"
    ]


@pytest.mark.parametrize(
    ("body", "safety"),
    [
        ("if x.sum().item() > 3:\n            return x * 2\n        return x", "unsafe"),
        ("x = -x if x.sum() > 3 else x\n        return x", "unsafe"),
        ("if x.sum() > 3:\n            raise ValueError('too much')\n        return x", None),
    ],
)
def test_a_check_of_few_feeds_does_not_make_a_frozen_branch_safe(tmp_path, body, safety):
    source = HEAD + f"class Net(nn.Module):\n    def forward(self, x):\n        {body}\n"
    text = "torch.onnx.export(Net().eval(), torch.zeros(2, 6), 'model.onnx', dynamo=True)\n"
    build = Build(tmp_path, {"export.py": source + text})
    good, log = build.run()
    assert not good
    site = build.site(log, ("export-data-dependent-control-flow",))
    found = list(discovery.load("triage.fixes", "switch_exporter").propose(site))
    assert [one.safety for one in found if isinstance(one, Proposal)] == [safety]


def test_operators_of_an_own_library_are_not_tried(tmp_path):
    text = f"{NET}torch.onnx.export(Net().eval(), torch.zeros(2, 6), 'model.onnx', {TRACED})\n"
    log = "File \"/lib/torch/onnx/utils.py\"\nUnsupportedOperatorError: Exporting the operator 'mylib::roll' to ONNX\n"
    site = Build(tmp_path, {"export.py": text}).site(log, ("export-op-unsupported",))
    (found,) = discovery.load("triage.fixes", "switch_exporter").propose(site)
    assert "mylib::roll" in found.why


def test_dynamic_shapes_given_to_tracing_become_axes(tmp_path):
    text = (
        f"{CALL}dynamo=False, {NAMES}, dynamic_shapes={{'hidden': {{0: 'n', 1: 'm'}}, 'mask': {{0: 'n', 1: 'm'}}}})\n"
    )
    hidden, mask = random(3, 7, 4), np.ones((3, 7), "float32")
    build = Build(tmp_path, {"export.py": PAIR + text + SERVE}, {"hidden": hidden, "mask": mask})
    build.repair("switch_exporter", "configuration-error")
    np.testing.assert_allclose(build.outputs()["y"], reference(PAIR, "Pair", hidden, mask), rtol=1e-4, atol=1e-5)


# --- eval mode

EVALS = {
    "at the module": "model = Net()\nx = torch.ones(2, 6)\nwant = model(x)\n",
    "from a function": "def load():\n    return Net()\nmodel = load()\nx = torch.ones(2, 6)\nwant = model(x)\n",
    "after training": "model = Net()\nmodel.train()\nmodel(torch.ones(2, 6)).sum().backward()\nx = torch.ones(2, 6)\n"
    "want = model(x)\n",
}


@pytest.mark.parametrize("text", EVALS.values(), ids=EVALS)
def test_the_model_is_put_in_eval_mode_before_it_is_compared(tmp_path, text):
    export = f"torch.onnx.export(model, (x,), 'model.onnx', {TRACED})\n"
    build = Build(tmp_path, {"export.py": TRAINED + text + export + COMPARE})
    build.repair("set_eval_mode", "output-mismatch")
    lines = build.text().splitlines()
    at = lines.index("model.eval()")
    assert lines[at + 1].startswith("want =")
    assert not any("backward" in line for line in lines[at:]), "training is left as it is"


def test_an_export_for_training_becomes_one_for_inference(tmp_path):
    text = (
        "model = Net().eval()\nx = torch.ones(2, 6)\nwant = model(x)\n"
        f"torch.onnx.export(model, (x,), 'model.onnx', training=torch.onnx.TrainingMode.TRAINING, {TRACED})\n"
    )
    build = Build(tmp_path, {"export.py": TRAINED + text + COMPARE})
    build.repair("set_eval_mode", "export-trace-mismatch")
    assert "TrainingMode.EVAL" in build.text()


DROPOUT = TRAINED.replace("self.d(self.n(self.a(x)))", "F.dropout(self.a(x), 0.5{})")


@pytest.mark.parametrize("given", ["", ", True", ", training=True"])
def test_functional_dropout_follows_the_mode(tmp_path, given):
    text = f"model = Net().eval()\nx = torch.ones(2, 6)\ntorch.onnx.export(model, (x,), 'model.onnx', {TRACED})\n"
    source = DROPOUT.format(given)
    build = Build(tmp_path, {"export.py": source + text + "want = model(x)\n" + COMPARE})
    build.repair("set_eval_mode", "output-mismatch")
    assert "training=self.training" in build.text() or "0.5, self.training)" in build.text()


def test_dropout_that_may_be_meant_is_unsafe_where_nothing_is_compared(tmp_path):
    text = f"model = Net().eval()\nx = torch.ones(2, 6)\ntorch.onnx.export(model, (x,), 'model.onnx', {TRACED})\n"
    build = Build(tmp_path, {"export.py": DROPOUT.format("") + text + "want = model(x)\n" + COMPARE})
    site = build.site(build.run()[1], ("output-mismatch",))
    site.verify = {}
    first, second = discovery.load("triage.fixes", "set_eval_mode").propose(site)
    assert first.safety == "unsafe"
    assert isinstance(second, Refusal)


# --- names


def test_inputs_get_the_names_that_are_fed(tmp_path):
    text = "torch.onnx.export(Pair().eval(), (torch.zeros(3, 7, 4), torch.ones(3, 7)), 'model.onnx', dynamo=False)\n"
    hidden, mask = random(3, 7, 4), np.ones((3, 7), "float32")
    build = Build(tmp_path, {"export.py": PAIR + text + SERVE}, {"hidden": hidden, "mask": mask})
    build.repair("name_inputs", "input-name-mismatch")
    (got,) = build.outputs().values()
    np.testing.assert_allclose(got, reference(PAIR, "Pair", hidden, mask), rtol=1e-4, atol=1e-5)


def test_keys_of_the_axes_follow_a_new_name(tmp_path):
    text = (
        "torch.onnx.export(nn.Linear(4, 2).eval(), torch.zeros(1, 4), 'model.onnx', dynamo=False, "
        "input_names=['image'], output_names=['y'], dynamic_axes={'image': {0: 'n'}, 'y': {0: 'n'}})\n"
    )
    build = Build(tmp_path, {"export.py": HEAD + text + SERVE}, {"pixels": random(3, 4)})
    build.repair("name_inputs", "input-name-mismatch")
    assert "dynamic_axes={\"pixels\": {0: 'n'}" in build.text()


def test_inputs_of_one_shape_are_not_guessed(tmp_path):
    source = HEAD + "class Sub(nn.Module):\n    def forward(self, first, second):\n        return first - second\n"
    text = (
        "torch.onnx.export(Sub(), (torch.zeros(2), torch.zeros(2)), 'model.onnx', dynamo=False, "
        "input_names=['a', 'b'], output_names=['y'])\n"
    )
    build = Build(tmp_path, {"export.py": source + text + SERVE}, {"left": random(2), "right": random(2)})
    good, log = build.run()
    assert not good
    found = list(discovery.load("triage.fixes", "name_inputs").propose(build.site(log, ("input-name-mismatch",))))
    assert [one.why for one in found] == ["nothing tells which of the inputs a, b is meant by left, right"]


@pytest.mark.parametrize(("ids", "dense"), [("int32", "float32"), ("int64", "float64"), ("int32", "float64")])
def test_the_type_that_is_sent_is_taken(tmp_path, ids, dense):
    source = HEAD + (
        "class Mix(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.e, self.l = nn.Embedding(9, 4), nn.Linear(7, 2)\n    def forward(self, ids, dense, scale: float):\n"
        "        return self.l(torch.cat([self.e(ids), dense * scale], -1))\n"
    )
    text = (
        "torch.onnx.export(Mix().eval(), (torch.zeros(2, dtype=torch.long), torch.ones(2, 3), 0.5), 'model.onnx', "
        "dynamo=True, input_names=['ids', 'dense'], output_names=['y'])\n"
    )
    feeds = {"ids": np.array([3, 8], ids), "dense": np.ones((2, 3), dense)}
    build = Build(tmp_path, {"export.py": source + text + SERVE}, feeds)
    build.repair("export_fed_type", "input-dtype-mismatch")
    space = {}
    exec(source, space)  # noqa: S102 -- our own text
    torch.manual_seed(0)
    want = space["Mix"]().eval()(torch.tensor([3, 8]), torch.ones(2, 3), 0.5)
    np.testing.assert_allclose(build.outputs()["y"], want.detach(), rtol=1e-4, atol=1e-5)


def test_fractions_are_not_cut_off_for_whole_numbers(tmp_path):
    text = "torch.onnx.export(nn.Embedding(9, 4), torch.zeros(2, dtype=torch.long), 'model.onnx', " + TRACED + ")\n"
    build = Build(tmp_path, {"export.py": HEAD + text + SERVE}, {"x": random(2)})
    site = build.site(build.run()[1], ("input-dtype-mismatch",))
    (found,) = discovery.load("triage.fixes", "export_fed_type").propose(site)
    assert found.why.startswith("float32 is sent where the model takes int64")


# --- inputs and outputs that are no tensors

RECORD = (
    "from dataclasses import dataclass\n"
    + HEAD
    + """
@dataclass
class Batch:
    ids: torch.Tensor
    mask: torch.Tensor
@dataclass
class Out:
    logits: torch.Tensor
    hidden: torch.Tensor
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.l = nn.Embedding(20, 8), nn.Linear(8, 3)
    def forward(self, batch):
        hidden = (self.e(batch.ids) * batch.mask[..., None]).sum(1)
        return Out(self.l(hidden), hidden)
"""
)


@pytest.mark.parametrize("dynamo", [False, True])
def test_records_of_tensors_are_taken_apart(tmp_path, dynamo):
    text = f"""
model = Net().eval()
batch = Batch(ids=torch.ones(2, 3, dtype=torch.long), mask=torch.ones(2, 3))
torch.onnx.export(model, (batch,), "model.onnx", dynamo={dynamo}, input_names=["ids", "mask"],
                  output_names=["logits", "hidden"])
"""
    ids, mask = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 1, 0], [1, 1, 1]], "float32")
    build = Build(tmp_path, {"export.py": RECORD + text + SERVE}, {"ids": ids, "mask": mask})
    build.repair("wrap_inputs", "export-input-type-unsupported")
    space = {"__name__": "record"}
    sys.modules["record"] = type(sys)("record")  # dataclasses look their module up
    try:
        exec(RECORD, space)  # noqa: S102
    finally:
        del sys.modules["record"]
    torch.manual_seed(0)
    want = space["Net"]().eval()(space["Batch"](torch.from_numpy(ids), torch.from_numpy(mask)))
    np.testing.assert_allclose(build.outputs()["logits"], want.logits.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(build.outputs()["hidden"], want.hidden.detach(), rtol=1e-4, atol=1e-5)


FORMS = {
    "a dictionary at the end": ("({'x': torch.zeros(2, 6)},)", "batch", "batch['x']", False),
    "a dictionary alone": ("{'x': torch.zeros(2, 6)}", "batch", "batch['x']", False),
    "a dictionary made by name": ("dict(x=torch.zeros(2, 6))", "batch", "batch['x']", False),
    "a list": ("[torch.zeros(2, 6)]", "x", "x", True),
}


@pytest.mark.parametrize(("example", "parameter", "use", "dynamo"), FORMS.values(), ids=FORMS)
def test_example_inputs_get_the_form_that_is_wanted(tmp_path, example, parameter, use, dynamo):
    source = NET.replace("forward(self, x)", f"forward(self, {parameter})").replace("self.l(x)", f"self.l({use})")
    names = "input_names=['x'], output_names=['y']"
    text = f"torch.onnx.export(Net().eval(), {example}, 'model.onnx', dynamo={dynamo}, {names})\n"
    feed = random(2, 6)
    build = Build(tmp_path, {"export.py": source + text + SERVE}, {"x": feed})
    build.repair("wrap_inputs", "export-input-type-unsupported")
    np.testing.assert_allclose(build.outputs()["y"], reference(NET, "Net", feed), rtol=1e-4, atol=1e-5)


def test_a_number_that_became_an_input_is_fixed_in_the_graph(tmp_path):
    source = (
        HEAD + "class Net(nn.Module):\n    def forward(self, x, times: int, flag=False):\n        return x * times\n"
    )
    text = "torch.onnx.export(Net().eval(), (torch.ones(2, 3), 4, True), 'model.onnx', dynamo=False, "
    names = "input_names=['x'], output_names=['y'])\n"
    build = Build(tmp_path, {"export.py": source + text + names + SERVE}, {"x": random(2, 3)})
    build.repair("wrap_inputs", "input-name-mismatch")
    np.testing.assert_allclose(build.outputs()["y"], random(2, 3) * 4, rtol=1e-5)


def test_a_flag_of_a_record_stays_a_flag(tmp_path):
    source = RECORD.replace("mask: torch.Tensor", "mask: torch.Tensor\n    scaled: bool = True").replace(
        "return Out(", "if batch.scaled:\n            hidden = hidden * 2\n        return Out("
    )
    text = (
        "batch = Batch(ids=torch.ones(2, 3, dtype=torch.long), mask=torch.ones(2, 3), scaled=False)\n"
        "torch.onnx.export(Net().eval(), (batch,), 'model.onnx', dynamo=True, input_names=['ids', 'mask'], "
        "output_names=['logits', 'hidden'])\n"
    )
    feeds = {"ids": np.ones((2, 3), "int64"), "mask": np.ones((2, 3), "float32")}
    build = Build(tmp_path, {"export.py": source + text + SERVE}, feeds)
    build.repair("wrap_inputs", "export-input-type-unsupported")
    assert "scaled=False" in build.text().split("class PlainTensors")[1]


# --- pruned and parametrized weights

WEIGHTS = {
    "pruned and copied": (
        (
            "import copy\nfrom torch.nn.utils import prune\nmodel = nn.Sequential(nn.Linear(6, 4), nn.ReLU()).eval()\n"
            "prune.l1_unstructured(model[0], 'weight', 0.5)\n"
        ),
        "final = copy.deepcopy(model)\n",
    ),
    "spectral norm": (
        "model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 2))).eval()\n",
        "final = model\n",
    ),
    "orthogonal": ("model = nn.utils.parametrizations.orthogonal(nn.Linear(6, 6)).eval()\n", "final = model\n"),
}


@pytest.mark.parametrize(("made", "taken"), WEIGHTS.values(), ids=WEIGHTS)
def test_weights_are_made_plain_before_the_export(tmp_path, made, taken):
    text = f"x = torch.ones(2, 6)\nwant = model(x)\n{taken}torch.onnx.export(final, (x,), 'model.onnx', {TRACED})\n"
    build = Build(tmp_path, {"export.py": HEAD + made + text + COMPARE})
    build.repair("make_pruning_permanent", "export-op-unsupported")
    import onnx

    assert {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node} - {"Relu"} == {"Gemm"}


PRUNED = """import torch
from torch import nn
model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
model.load_state_dict(torch.load("pruned.pt"){taken})
x = torch.ones(2, 6)
want = torch.load("want.pt")
torch.onnx.export(model.eval(), (x,), "model.onnx", dynamo=False, input_names=["x"], output_names=["y"])
"""


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_that_was_saved_pruned_is_multiplied_by_its_masks(tmp_path, prefix):
    from torch.nn.utils import prune

    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    prune.random_unstructured(model[0], "weight", 0.5)
    torch.save({"net": {prefix + key: value for key, value in model.state_dict().items()}}, tmp_path / "pruned.pt")
    torch.save(model(torch.ones(2, 6)).detach(), tmp_path / "want.pt")
    files = {"export.py": PRUNED.format(taken='["net"]') + COMPARE}
    if prefix:
        files["export.py"] = files["export.py"].replace("nn.Linear(4, 2))", "nn.Linear(4, 2)).eval()")
    Build(tmp_path, files).repair("make_pruning_permanent", "checkpoint-mismatch")


def test_masks_of_another_model_are_left_alone(tmp_path):
    state = {"0.weight_orig": torch.ones(4, 6), "0.weight_mask": torch.ones(4, 6), "head.weight": torch.ones(2, 4)}
    torch.save(state, tmp_path / "pruned.pt")
    build = Build(tmp_path, {"export.py": PRUNED.format(taken="")})
    good, log = build.run()
    assert not good
    fix = discovery.load("triage.fixes", "make_pruning_permanent")
    assert not list(fix.propose(build.site(log, ("checkpoint-mismatch",))))


# --- large models

LARGE = {
    "onnx.save(model, 'b.onnx')": "onnx.save(model, 'b.onnx', save_as_external_data=True)",
    "onnx.checker.check_model(model)": "onnx.checker.check_model('a.onnx')",
    "torch.onnx.export(m, x, 'b.onnx', external_data=False)": "torch.onnx.export(m, x, 'b.onnx', external_data=True)",
    "quantize_dynamic('a.onnx', 'b.onnx')": "quantize_dynamic('a.onnx', 'b.onnx', use_external_data_format=True)",
    "done.save_model_to_file('b.onnx')": "done.save_model_to_file('b.onnx', use_external_data_format=True)",
}


@pytest.mark.parametrize(("before", "after"), LARGE.items())
def test_models_above_the_limit_are_saved_in_two_files(tmp_path, before, after):
    head = "import onnx, torch\nfrom onnxruntime.quantization import quantize_dynamic\nmodel = onnx.load('a.onnx')\n"
    build = Build(tmp_path, {"export.py": f"{head}{before}\n"})
    log = "ValueError: Message onnx.ModelProto exceeds maximum protobuf size of 2GB: 3221225472\n"
    module = discovery.load("triage.fixes", "save_external_data")
    site = build.site(log, ("model-exceeds-protobuf-limit",))
    (found,) = module.propose(site)
    module.apply(site, found.parameters)
    assert build.text() == f"{head}{after}\n"
