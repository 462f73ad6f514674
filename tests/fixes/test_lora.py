"""Adapters that are left out, fresh, of another base, or used as if they were models: with real PEFT."""

import json
import os
import shutil

import pytest
from test_export_scripts import Build

from triage import discovery
from triage.fixes import _lora
from triage.remedy import Proposal, Refusal

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

HEAD = "import torch\nfrom transformers import AutoModelForCausalLM\n"
END = """
with torch.no_grad():
    print("sum", round(float(model(torch.arange(6)[None]).logits.abs().sum()), 2))
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base, an adapter of it, another base and an empty adapter; and what base and merged model answer."""
    folder = tmp_path_factory.mktemp("made")
    for name, options in (("right", {}), ("wide", {"hidden": 24}), ("empty", {"trained": False})):
        (folder / name).mkdir()
        _lora.sample(str(folder / name), **options)
    torch.manual_seed(9)
    shutil.copytree(folder / "right/base", folder / "twin")
    return folder, answer(folder / "right/base"), answer(folder / "right/base", folder / "right/adapter")


def answer(base, adapter=None):
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    if adapter:
        model = peft.PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        return f"sum {round(float(model(torch.arange(6)[None]).logits.abs().sum()), 2)}"


def place(made, folder, base="right/base", adapter="right/adapter", named="/train/base", where="store"):
    if base:
        shutil.copytree(made[0] / base, folder / where / "base")
    shutil.copytree(made[0] / adapter, folder / where / "tuned")
    path = folder / where / "tuned/adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": named}))


def told(build, fix, cause):
    _, log = build.run()
    said = list(discovery.load("triage.fixes", fix).propose(build.site(log, (cause,))))
    return [one for one in said if isinstance(one, Proposal)], [one for one in said if isinstance(one, Refusal)]


USED = {
    "literal": 'model = AutoModelForCausalLM.from_pretrained("store/tuned")',
    "argument": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--model', default='store/tuned')\n"
    "model = AutoModelForCausalLM.from_pretrained(p.parse_args().model)",
    "config": "import json\nconfig = json.load(open('run.json'))\n"
    "model = AutoModelForCausalLM.from_pretrained(config['model']['path'])",
}  # fmt: skip


@pytest.mark.parametrize("text", USED.values(), ids=USED)
def test_an_adapter_used_as_a_model_is_merged(made, tmp_path, text):
    place(made, tmp_path)
    build = Build(tmp_path, {"export.py": HEAD + text + END, "run.json": '{"model": {"path": "store/tuned"}}'})
    build.repair("merge_lora", "lora-adapter-unmerged")
    assert made[2] in build.run()[1]
    assert made[1] != made[2]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"adapter": "empty/adapter"}, "every lora_B is 0"),
        ({"base": "wide/base"}, "trained on another base"),
        ({"base": ""}, "is not in the build's folder"),
    ],
)
def test_what_cannot_be_merged_is_refused(made, tmp_path, options, why):
    place(made, tmp_path, **options)
    proposals, refusals = told(
        Build(tmp_path, {"export.py": HEAD + USED["literal"] + END}), "merge_lora", "model-file-missing"
    )
    assert not proposals
    assert why in refusals[0].why


def test_two_bases_that_fit_are_a_choice(made, tmp_path):
    place(made, tmp_path, named="/train/unknown")
    shutil.copytree(made[0] / "twin", tmp_path / "store/twin")
    proposals, refusals = told(
        Build(tmp_path, {"export.py": HEAD + USED["literal"] + END}), "merge_lora", "model-file-missing"
    )
    assert not proposals
    assert "would both fit" in refusals[0].why


FRESH = {
    "plain": 'config = PeftConfig.from_pretrained("store/tuned")\nmodel = PeftModel(base, config)',
    "get": 'from peft import get_peft_model\nmodel = get_peft_model(base, PeftConfig.from_pretrained("store/tuned"))',
    "merged": 'config = PeftConfig.from_pretrained("store/tuned")\nmodel = PeftModel(base, config).merge_and_unload()',
    "made": 'from peft import LoraConfig\nconfig = LoraConfig(r=2, target_modules=["q_proj", "v_proj"])\n'
    "model = PeftModel(base, config)",
    "function": "def attach(net, path):\n    return PeftModel(net, PeftConfig.from_pretrained(path))\n"
    'model = attach(base, "store/tuned")',
}  # fmt: skip


@pytest.mark.parametrize("text", FRESH.values(), ids=FRESH)
def test_the_trained_adapter_takes_the_place_of_a_fresh_one(made, tmp_path, text):
    place(made, tmp_path)
    body = "from peft import PeftConfig, PeftModel\nbase = AutoModelForCausalLM.from_pretrained('store/base')\n"
    check = f"\nassert '{made[2]}' == 'sum ' + str(round(float(model(torch.arange(6)[None]).logits.abs().sum()), 2))\n"
    build = Build(tmp_path, {"export.py": HEAD + body + text + END + check})
    build.repair("load_trained_adapter", "output-mismatch")
    assert made[2] in build.run()[1]


def test_an_adapter_that_the_script_fills_itself_is_left(made, tmp_path):
    place(made, tmp_path)
    body = "from peft import PeftConfig, PeftModel\nbase = AutoModelForCausalLM.from_pretrained('store/base')\n"
    body += FRESH["plain"] + "\nloss = model(torch.arange(6)[None]).logits.sum()\nloss.backward()\n"
    assert told(Build(tmp_path, {"export.py": HEAD + body}), "load_trained_adapter", "output-mismatch") == ([], [])


AUTO = "from peft import AutoPeftModelForCausalLM\nmodel = AutoPeftModelForCausalLM.from_pretrained('store/tuned')"


def test_the_adapter_names_the_base_that_lies_here(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    place(made, tmp_path)
    build = Build(tmp_path, {"export.py": HEAD + AUTO + END})
    build.files = ("export.py", "store/")
    build.repair("point_adapter_at_base", "lora-adapter-unmerged")
    assert made[2] in build.run()[1]


def test_the_wrong_base_is_exchanged_for_the_one_that_the_adapter_names(made, tmp_path):
    place(made, tmp_path, named="/train/base")
    shutil.copytree(made[0] / "wide/base", tmp_path / "store/other")
    body = "from peft import PeftModel\nBASE = 'store/other'\n"
    body += "model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(BASE), 'store/tuned')"
    build = Build(tmp_path, {"export.py": HEAD + body + END})
    build.repair("use_matching_base", "adapter-mismatch")
    assert made[2] in build.run()[1]
    assert os.path.isdir(tmp_path / "store/other")


def test_no_base_that_fits_is_said_with_the_sizes(made, tmp_path):
    place(made, tmp_path, base="wide/base")
    body = "from peft import PeftModel\nmodel = PeftModel.from_pretrained("
    body += "AutoModelForCausalLM.from_pretrained('store/base'), 'store/tuned')"
    proposals, refusals = told(
        Build(tmp_path, {"export.py": HEAD + body + END}), "use_matching_base", "adapter-mismatch"
    )
    assert not proposals
    assert "hidden size 16, here 24" in refusals[0].why
