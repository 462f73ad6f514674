"""Model folders that lack files, name shards that are not there, or lie elsewhere: loaded for real."""

import json
import os
import shutil

import pytest
from test_export_scripts import Build

from triage import discovery
from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")
safetensors = pytest.importorskip("safetensors.torch")

LOAD = """import torch
from transformers import AutoModel, AutoTokenizer

model = AutoModel.from_pretrained("{path}").eval()
with torch.no_grad():
    out = model(input_ids=torch.tensor([[3, 7, 9]])).last_hidden_state
print("sum", round(float(out.abs().sum()), 3))
"""
TOKENS = (
    LOAD + "assert AutoTokenizer.from_pretrained('{path}')('w3 w7 w9')['input_ids'][-3:] == [3, 7, 9], 'other tokens'\n"
)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Two tiny models with their tokenizers; the second has another size and vocabulary."""
    folder = tmp_path_factory.mktemp("zoo")
    for name, vocabulary, hidden in (("first", 40, 16), ("second", 60, 32)):
        torch.manual_seed(hidden)
        config = transformers.BertConfig(
            vocab_size=vocabulary, hidden_size=hidden, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24,
            max_position_embeddings=16,
        )  # fmt: skip
        transformers.BertModel(config).save_pretrained(folder / name)
        words = {"[UNK]": 0, "[PAD]": 1, **{f"w{number}": number for number in range(2, vocabulary)}}
        made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))  # noqa: S106 -- a word
        made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        transformers.PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]").save_pretrained(  # noqa: S106 -- a word
            folder / name
        )
    return folder


def place(zoo, folder, **models):
    for where, name in models.items():
        shutil.copytree(zoo / name, folder / where.replace("__", "/"))


def build_of(folder, text, path, *files):
    return Build(
        folder, {"export.py": text.replace("{path}", path), **{name: (folder / name).read_text() for name in files}}
    )


def answer(folder, path):
    model = transformers.AutoModel.from_pretrained(folder / path).eval()
    with torch.no_grad():
        return f"sum {round(float(model(input_ids=torch.tensor([[3, 7, 9]])).last_hidden_state.abs().sum()), 3)}"


def told(folder, fix, cause, log="", command=("python", "export.py")):
    site = Site(Workspace(str(folder), str(folder)), command, ("out/", "export.py"), log=log, found=Found((cause,)),
                verify={"command": ("python", "verify.py")})  # fmt: skip
    said = list(discovery.load("triage.fixes", fix).propose(site))
    return site, [one for one in said if isinstance(one, Proposal)], [one for one in said if isinstance(one, Refusal)]


def applied(fix, site, proposal):
    discovery.load("triage.fixes", fix).apply(site, proposal.parameters)


def split(folder, names=("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")):
    """Makes two shards and an index of a folder's one file."""
    state = safetensors.load_file(folder / "model.safetensors")
    keys = sorted(state)
    halves = keys[: len(keys) // 2], keys[len(keys) // 2 :]
    for name, half in zip(names, halves, strict=True):
        safetensors.save_file({key: state[key] for key in half}, folder / name, metadata={"format": "pt"})
    table = {key: name for name, half in zip(names, halves, strict=True) for key in half}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": table}))
    os.unlink(folder / "model.safetensors")
    return index


# --- files that lie beside


def test_a_config_from_beside_by_its_sizes(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first", out__other="second")
    want = answer(tmp_path, "out/run")
    (tmp_path / "out/start").mkdir()
    shutil.move(tmp_path / "out/run/config.json", tmp_path / "out/start/config.json")
    build = build_of(tmp_path, LOAD, "out/run")
    build.files = {"export.py": "", "out/": ""}
    assert build.repair("copy_model_files", "model-file-missing") == ["copy config.json from out/start into out/run"]
    assert want in build.run()[1]


def test_no_config_of_another_size(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first", out__other="second")
    os.unlink(tmp_path / "out/run/config.json")
    log = "OSError: out/run does not appear to have a file named config.json. Checkout"
    assert not told(tmp_path, "copy_model_files", "model-file-missing", log)[1]


@pytest.mark.parametrize("cause", ["tokenizer-mismatch", "output-mismatch"])
def test_a_tokenizer_from_above(zoo, tmp_path, cause):
    place(zoo, tmp_path, out="first", out__checkpoint="first")
    for name in os.listdir(tmp_path / "out/checkpoint"):
        if "token" in name:
            os.unlink(tmp_path / "out/checkpoint" / name)
    for name in ("config.json", "model.safetensors"):
        os.unlink(tmp_path / "out" / name)
    build = build_of(tmp_path, TOKENS, "out/checkpoint")
    log = "OSError: Can't load tokenizer for 'out/checkpoint'. If" if cause == "tokenizer-mismatch" else "sum 1"
    site, proposals, _ = told(tmp_path, "copy_model_files", cause, log)
    assert proposals[0].safety == "safe"
    applied("copy_model_files", site, proposals[0])
    assert build.run()[0]


def test_no_tokenizer_of_another_vocabulary(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first", out__run__tokenizer="second")
    for name in os.listdir(tmp_path / "out/run"):
        if "token" in name and not (tmp_path / "out/run" / name).is_dir():
            os.unlink(tmp_path / "out/run" / name)
    log = "OSError: Can't load tokenizer for 'out/run'. If"
    assert not told(tmp_path, "copy_model_files", "tokenizer-mismatch", log)[1]


# --- the index of shards


def test_an_index_is_rebuilt_for_a_renamed_shard(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first")
    want = answer(tmp_path, "out/run")
    split(tmp_path / "out/run")
    os.rename(tmp_path / "out/run/model-00002-of-00002.safetensors", tmp_path / "out/run/rest.safetensors")
    build = build_of(tmp_path, LOAD, "out/run")
    build.files = {"export.py": "", "out/": ""}
    build.repair("repair_safetensors_index", "checkpoint-corrupt")
    assert want in build.run()[1]


@pytest.mark.parametrize("kind", ["wrong", "gone", "empty"])
def test_an_index_that_says_the_wrong_thing(zoo, tmp_path, kind):
    place(zoo, tmp_path, out__run="first")
    want = answer(tmp_path, "out/run")
    index = split(tmp_path / "out/run")
    body = json.loads(index.read_text())
    if kind == "wrong":
        names = sorted(set(body["weight_map"].values()))
        body["weight_map"] = {key: names[name == names[0]] for key, name in body["weight_map"].items()}
    if kind == "empty":
        body["weight_map"] = {}
    index.write_text(json.dumps(body))
    if kind == "gone":
        os.unlink(index)
    build = build_of(tmp_path, LOAD, "out/run")
    site, proposals, _ = told(tmp_path, "repair_safetensors_index", "model-file-missing", build.run()[1])
    applied("repair_safetensors_index", site, proposals[0])
    assert want in build.run()[1]


def test_a_lost_shard_is_refused(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first")
    split(tmp_path / "out/run")
    os.unlink(tmp_path / "out/run/model-00001-of-00002.safetensors")
    _, proposals, refusals = told(tmp_path, "repair_safetensors_index", "checkpoint-corrupt")
    assert not proposals
    assert "not all there" in refusals[0].why


def test_one_tensor_in_two_files_is_a_choice(zoo, tmp_path):
    place(zoo, tmp_path, out__run="first")
    split(tmp_path / "out/run")
    shutil.copy(tmp_path / "out/run/model-00001-of-00002.safetensors", tmp_path / "out/run/copy.safetensors")
    os.unlink(tmp_path / "out/run/model-00001-of-00002.safetensors")
    shutil.copy(tmp_path / "out/run/copy.safetensors", tmp_path / "out/run/copy-2.safetensors")
    assert not told(tmp_path, "repair_safetensors_index", "checkpoint-corrupt")[1]


# --- copies that lie here


@pytest.mark.parametrize("text", ['"acme/tiny_bert"', "NAME", '"/train/models/tiny-bert"'])
def test_the_copy_of_the_same_name_is_used(zoo, tmp_path, text):
    place(zoo, tmp_path, models__tiny_bert="first")
    want = answer(tmp_path, "models/tiny_bert")
    body = LOAD.replace('"{path}"', text).replace("model =", 'NAME = "acme/tiny-bert"\nmodel =')
    build = Build(tmp_path, {"export.py": body})
    name = "acme/tiny-bert" if text == "NAME" else text.strip('"')
    log = f"OSError: {name} is not a local folder and is not a valid model identifier"
    site = build.site(log, ("model-file-missing",))
    (proposal,) = discovery.load("triage.fixes", "use_local_copy").propose(site)
    applied("use_local_copy", site, proposal)
    assert want in build.run()[1]


def test_another_name_is_another_model(zoo, tmp_path):
    place(zoo, tmp_path, models__tiny_bert_v2="first")
    build = Build(tmp_path, {"export.py": LOAD.replace("{path}", "acme/tiny-bert")})
    site = build.site("OSError: acme/tiny-bert is not a local folder", ("model-file-missing",))
    assert not list(discovery.load("triage.fixes", "use_local_copy").propose(site))


def test_a_pointer_of_git_lfs_is_refused(tmp_path):
    (tmp_path / "weights.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab12\nsize 99\n")
    _, proposals, refusals = told(tmp_path, "fetch_lfs_objects", "checkpoint-corrupt")
    assert "ab12" in refusals[0].why
    assert proposals[0].parameters["commands"] == ["git lfs pull --include weights.bin"]
