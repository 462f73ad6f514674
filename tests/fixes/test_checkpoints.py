"""Checkpoints whose names do not fit, that load loosely, or that torch refuses: loaded for real."""

import argparse
import collections
import datetime as dt
import pathlib

import pytest
from test_export_scripts import Build

from triage import discovery
from triage.remedy import Proposal, Refusal

torch = pytest.importorskip("torch")
np = pytest.importorskip("numpy")

NET = """import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 2)
    def forward(self, x):
        return self.head(self.stem(x))

"""
END = "\nprint('sum', float(sum(v.double().abs().sum() for v in model.state_dict().values())))\n"
PLAIN = 'model = Net()\nmodel.load_state_dict(torch.load("run/last.pt", map_location="cpu"))'
LAYOUTS = {
    "plain": PLAIN,
    "function": 'def restore(path="run/last.pt"):\n    net = Net()\n    state = torch.load(path)\n    net.load_state_dict(state, True)\n'
    "    return net\nmodel = restore()",
    "class": 'class Runner:\n    def __init__(self, path):\n        self.net = Net()\n        checkpoint = torch.load(path, weights_only=True)\n'
    '        self.net.load_state_dict(state_dict=checkpoint)\nmodel = Runner("run/last.pt").net',
}  # fmt: skip


def weights():
    space = {}
    exec(NET, space)  # noqa: S102 -- our own text
    torch.manual_seed(3)
    return space["Net"]().state_dict()


def build_of(folder, content, script=PLAIN, name="run/last.pt"):
    (folder / "run").mkdir()
    torch.save(content, folder / name)
    return Build(folder, {"export.py": NET + script + END})


def wanted(state):
    return f"sum {float(sum(v.double().abs().sum() for v in state.values()))}"


def told(build, fix, cause):
    good, log = build.run()
    assert not good, "it was meant to fail"
    said = list(discovery.load("triage.fixes", fix).propose(build.site(log, (cause,))))
    return [one for one in said if isinstance(one, Proposal)], [one for one in said if isinstance(one, Refusal)]


RENAMED = {
    "module": lambda state: {f"module.{key}": value for key, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "both": lambda state: {f"_orig_mod.module.{key}": value for key, value in state.items()},
    "own": lambda state: {f"backbone.net.{key}": value for key, value in state.items()},
    "nested": lambda state: {"epoch": 3, "model_state": state, "optimizer": {"state": {}, "param_groups": []}},
    "lightning": lambda state: {
        "state_dict": {f"model.{key}": value for key, value in state.items()}, "pytorch-lightning_version": "2.5",
    },
}  # fmt: skip


@pytest.mark.parametrize("script", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("change", RENAMED.values(), ids=RENAMED)
def test_names_are_brought_to_fit(tmp_path, change, script):
    state = weights()
    build = build_of(tmp_path, change(state), script)
    build.repair("strip_key_prefix", "checkpoint-mismatch", rounds=2)
    assert wanted(state) in build.run()[1]


def test_the_file_is_renamed_where_the_script_may_not_be(tmp_path):
    state = weights()
    build = build_of(tmp_path, RENAMED["module"](state))
    build.files = ("run/last.pt",)
    build.repair("strip_key_prefix", "checkpoint-mismatch")
    kept = torch.load(tmp_path / "run/last.pt")
    assert all(torch.equal(kept[key], value) for key, value in state.items() if "num_batches" not in key)
    assert wanted(state) in build.run()[1]


def wider(state):
    return {**state, "head.weight": torch.zeros(7, 4), "head.bias": torch.zeros(7)}


def lacking(state):
    return {f"module.{key}": value for key, value in state.items() if not key.startswith("head")}


def foreign(_state):
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 2)).state_dict()


@pytest.mark.parametrize("change", [wider, lacking, foreign])
def test_another_models_checkpoint_is_refused(tmp_path, change):
    proposals, refusals = told(build_of(tmp_path, change(weights())), "strip_key_prefix", "checkpoint-mismatch")
    assert not [one for one in proposals if one.safety != "unsafe"]
    assert refusals or proposals


def test_a_loose_load_says_what_it_left_out(tmp_path):
    state = weights()
    script = PLAIN.replace('"cpu")', '"cpu"), strict=False')
    build = build_of(tmp_path, RENAMED["module"](state), script + f"\nassert abs({wanted(state)[4:]} - float(sum("
                     "v.double().abs().sum() for v in model.state_dict().values()))) < 1e-6, 'outputs differ'")  # fmt: skip
    module = discovery.load("triage.fixes", "load_strictly")
    _, log = build.run()
    (proposal,) = module.propose(build.site(log, ("output-mismatch",)))
    module.apply(build.site(log, ()), proposal.parameters)
    assert "Missing key(s)" in build.run()[1]
    build.repair("strip_key_prefix", "checkpoint-mismatch")


# --- what torch refuses to unpickle


HARMLESS = {
    "namespace": lambda: argparse.Namespace(lr=0.1, name="a"),
    "numpy": lambda: {
        "best": np.float64(0.25),
        "step": np.int32(7),
        "curve": np.arange(3.0),
        "flags": np.array([True]),
    },
    "path": lambda: [pathlib.PurePosixPath("runs/7"), dt.date(2026, 1, 2), dt.timedelta(seconds=3)],
    "containers": lambda: (collections.defaultdict(list, a=[1]), collections.deque([1, 2], maxlen=4)),
    "module": lambda: torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()),
}
SAFELY = 'model = Net()\ncheckpoint = torch.load("run/last.pt", weights_only=True)\nmodel.load_state_dict(checkpoint["model"])'


@pytest.mark.parametrize("make", HARMLESS.values(), ids=HARMLESS)
def test_harmless_types_are_allowed(tmp_path, make):
    state = weights()
    build = build_of(tmp_path, {"model": state, "extra": make()}, SAFELY)
    with torch.serialization.safe_globals([]):
        build.repair("add_safe_globals", "checkpoint-unsafe-blocked", rounds=3)
        assert wanted(state) in build.run()[1]
    assert "weights_only=False" not in build.text()


class Hostile:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call, ("true",)


@pytest.mark.parametrize("call", [__import__("os").system, eval, __import__("subprocess").getoutput])
def test_a_hostile_file_is_never_allowed(tmp_path, call):
    build = build_of(tmp_path, {"model": weights(), "extra": Hostile(call)}, SAFELY)
    proposals, refusals = told(build, "add_safe_globals", "checkpoint-unsafe-blocked")
    assert not proposals
    assert "may be hostile" in refusals[0].why


def test_a_whole_model_of_an_unknown_class_is_refused(tmp_path):
    import sys

    lost = type(sys)("lost_library")
    lost.Lost = type("Lost", (torch.nn.Linear,), {"__module__": "lost_library"})
    sys.modules["lost_library"] = lost
    try:
        build = build_of(tmp_path, lost.Lost(3, 2), 'model = torch.load("run/last.pt")')
    finally:
        del sys.modules["lost_library"]
    proposals, refusals = told(build, "add_safe_globals", "checkpoint-unsafe-blocked")
    assert not proposals
    assert "whole model of the class lost_library.Lost" in refusals[0].why
