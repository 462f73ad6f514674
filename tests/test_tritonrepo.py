"""Triton repositories: reading and mending config.pbtxt, what models have, what lies where."""

import random
import re
import subprocess
import sys
import zipfile

import pytest

from triage.site import Site
from triage.tritonrepo import checks, interface, layout, openvino, requests, samples, schema, torchscript, words
from triage.tritonrepo.config import Config
from triage.tritonrepo.mending import mend, plain
from triage.tritonrepo.parse import parse
from triage.tritonrepo.pymodel.model import read
from triage.tritonrepo.survey import Survey
from triage.workspace import Workspace

RICH = """\
# production config
name: "ranker"
platform: "onnxruntime_onnx"
max_batch_size: 32
input [
  { name: "user_id" data_type: TYPE_INT64 dims: [ 1 ] },
  { name: "history" data_type: TYPE_FP32 dims: [ -1, 64 ] optional: true },
  { name: "mask" data_type: TYPE_BOOL dims: [ -1 ] reshape: { shape: [ -1, 1 ] } }
]
output [
  {
    name: "score"  # a probability
    data_type: TYPE_FP32
    dims: [ 1 ]
    label_filename: "labels.txt"
  }
]
instance_group [
  {
    count: 2
    kind: KIND_GPU
    gpus: [ 0, 1 ]
  }
]
dynamic_batching {
  preferred_batch_size: [ 8, 16, 32 ]
  max_queue_delay_microseconds: 500
}
version_policy: { latest: { num_versions: 2 } }
optimization { execution_accelerators { gpu_execution_accelerator: [
  { name: "tensorrt" parameters { key: "precision_mode" value: "FP16" } } ] } }
parameters { key: "intra_op_thread_count" value: { string_value: "4" } }
"""
PLAIN = samples.CONFIG


def texts():
    return [RICH, PLAIN, samples.ENSEMBLE]


def outside_comments(text, marks):
    return [at for at, mark in enumerate(text) if mark in marks and "#" not in text[text.rfind("\n", 0, at) + 1 : at]]


def without(text, rng, marks):
    at = rng.choice(outside_comments(text, marks))
    return text[:at] + " " + text[at + 1 :]


def twice(text, rng, marks):
    at = rng.choice(outside_comments(text, marks))
    return text[:at] + text[at] + text[at:]


def other(text, rng, marks):
    at = rng.choice(outside_comments(text, marks))
    return text[:at] + {"[": "{", "]": "}", "{": "[", "}": "]", ":": "="}[text[at]] + text[at + 1 :]


def misspelt(text, rng):
    found = [m for m in re.finditer(r"\b[a-z_]{4,}\b(?=\s*[:{\[])", text) if m[0] not in ("key", "value")]
    match = rng.choice([m for m in found if "#" not in text[text.rfind("\n", 0, m.start()) + 1 : m.start()]])
    word, at = match[0], rng.randrange(1, len(match[0]))
    new = rng.choice([word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word + "s"])
    return text[: match.start()] + new + text[match.end() :]


def other_enum(text, rng):
    match = rng.choice(list(re.finditer(r"\b(?:TYPE|KIND)_\w+", text)))
    new = rng.choice([match[0].split("_")[1], match[0].lower(), f'"{match[0]}"', match[0] + "X"])
    return text[: match.start()] + new + text[match.end() :]


BREAKS = {
    "bracket-missing": lambda text, rng: without(text, rng, "[]{}"),
    "bracket-twice": lambda text, rng: twice(text, rng, "[]{}"),
    "bracket-of-other-kind": lambda text, rng: other(text, rng, "[]{}"),
    "comma-missing": lambda text, rng: without(text, rng, ","),
    "colon-missing": lambda text, rng: without(text, rng, ":"),
    "equals": lambda text, rng: other(text, rng, ":"),
    "quote-missing": lambda text, rng: without(text, rng, '"').replace('  "', ' "'),
    "field-misspelt": misspelt,
    "enum": other_enum,
}


@pytest.mark.parametrize("name", BREAKS)
def test_one_slip_is_mended_to_what_was_meant(name):
    rng = random.Random(name)  # noqa: S311
    tried = 0
    for _ in range(25):
        text = rng.choice(texts())
        if name == "comma-missing" and "," not in text:
            continue
        broken = BREAKS[name](text, rng)
        if parse(broken).fault is None:
            continue
        tried += 1
        found = mend(broken)
        assert found, broken
        assert plain(parse(found[0].text).root) == plain(parse(text).root), (broken, found[0].edits)
    assert tried > 5


def test_two_slips_are_mended_together():
    rng = random.Random(11)  # noqa: S311
    names = [name for name in BREAKS if name != "comma-missing"]
    good = tried = 0
    for _ in range(60):
        text = broken = rng.choice(texts())
        for name in rng.sample(names, 2):
            broken = BREAKS[name](broken, rng)
        if parse(broken).fault is not None:
            found = mend(broken)
            tried += 1
            good += bool(found) and plain(parse(found[0].text).root) == plain(parse(text).root)
    assert good >= 0.95 * tried


def told(text):
    config = Config(text)
    entries = config.tensors("input") + config.tensors("output")
    return config.max_batch_size, config.word("backend"), [(each.name, each.data_type, each.dims) for each in entries]


WRITTEN = {
    "json": '{"name": "m", "backend": "python", "max_batch_size": 8,'
    ' "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [3, 4]}],'
    ' "output": [{"name": "y", "data_type": "TYPE_INT64", "dims": [2]}]}',
    "yaml": "# mine\nname: m\nbackend: python\nmax_batch_size: 8\ninput:\n  - name: x\n    data_type: TYPE_FP32\n"
    "    dims: [3, 4]\noutput:\n- {name: y, data_type: TYPE_INT64, dims: [2]}\n",
    "python": "{'name': 'm', 'backend': 'python', 'max_batch_size': 8,\n 'input': [{'name': 'x', 'data_type': 'fp32', "
    "'dims': [3, 4]}],\n 'output': [{'name': 'y', 'data_type': 'int64', 'dims': [2]}]}",
    "toml": 'name = "m"\nbackend = "python"\nmax_batch_size = 8\n'
    "input { name: 'x' data_type: TYPE_FP32 dims: (3, 4) }\noutput { name: 'y' data_type: int64 dims: 2 }\n",
    "camel": 'name: "m" backend: "python" maxBatchSize: 8 input [ { name: "x" dataType: TYPE_FP32 dims: [ 3, 4 ] } ]\n'
    'output [ { name: "y" dataType: TYPE_INT64 dims: [ 2 ] } ]',
    "curly": "name: \u201cm\u201d\nbackend: \u201cpython\u201d\nmax_batch_size: 8\n"
    "input [ { name: \u201cx\u201d data_type: TYPE_FP32 dims: [ 3, 4 ] } ]\n"
    "output [ { name: \u201cy\u201d data_type: TYPE_INT64 dims: [ 2 ] } ]",
    "comments": '// a model\nname: "m"\n/* it is\n * Python */\nbackend: "python" -- really\nmax_batch_size: "8";\n'
    'input [ { name: "x" data_type: TYPE_FLOAT32 dims: 3, 4 } ]\n'
    "output: [ { name: y data_type: TYPE_LONG dims: [2] } ]",
    "bom": '\ufeffname:\u00a0"m"\nbackend:\u00a0"python"\r\nmax_batch_size: 8\n'
    'input { name: "x" data_type: TYPE_FP32 dims: "3,4" } output { name: "y" data_type: TYPE_INT64 dims: [ 2 ] }',
    "fence": '```\nname: "m"\nbackend: "python"\nmax_batch_size: 8.0\ninput [ { name: "x" type: FP32 shape: 3x4 } ]\n'
    'output [ { name: "y" data_type: np.int64 dims: [ 2 ] } ]\n```\n',
    "swallowed": 'name: "m"\nbackend: "python\nmax_batch_size: 8\ninput [ { name: "x, data_type: TYPE_FP32, '
    'dims: [ 3, 4 ] } ]\noutput [ { name: "y" data_type: TYPE_INT64 dims: [ 2 ] } ]',
}


@pytest.mark.parametrize("name", WRITTEN)
def test_other_ways_of_writing_become_protobuf_text(name):
    found = mend(WRITTEN[name])
    assert found
    assert told(found[0].text) == (8, "python", [("x", "TYPE_FP32", (3, 4)), ("y", "TYPE_INT64", (2,))])
    if name == "yaml":
        assert found[0].text.startswith("# mine\n")


ADDED = {
    "dynamic_batching: true": {"dynamic_batching": [{}]},
    "dynamic_batching": {"dynamic_batching": [{}]},
    "preferred_batch_size: [ 4 ]": {"dynamic_batching": [{"preferred_batch_size": [4]}]},
    "version_policy: all": {"version_policy": [{"all": [{}]}]},
    'version_policy: "latest"': {"version_policy": [{"latest": [{"num_versions": [1]}]}]},
    "versions: [ 1, 2 ]": {"version_policy": [{"specific": [{"versions": [1, 2]}]}]},
    "kind: CPU count: 2": {"instance_group": [{"kind": ["KIND_CPU"], "count": [2]}]},
    "instance_group: KIND_CPU": {"instance_group": [{"kind": ["KIND_CPU"]}]},
    'instance_groups [ { gpus: "0" } ]': {"instance_group": [{"gpus": [0]}]},
    'parameters: {"a": "b", "c": 4}': {
        "parameters": [
            {"key": ["a"], "value": [{"string_value": ["b"]}]}, {"key": ["c"], "value": [{"string_value": ["4"]}]},
        ]
    },
    'parameters { key: "a" value: "b" }': {"parameters": [{"key": ["a"], "value": [{"string_value": ["b"]}]}]},
    'parameters { key: "a" value: { "b" } }': {"parameters": [{"key": ["a"], "value": [{"string_value": ["b"]}]}]},
    "decoupled: True": {"model_transaction_policy": [{"decoupled": [True]}]},
    "optimization { graph_level: 1 }": {"optimization": [{"graph": [{"level": [1]}]}]},
    'execution_accelerators { cpu_execution_accelerator { name: "openvino" } }': {
        "optimization": [{"execution_accelerators": [{"cpu_execution_accelerator": [{"name": ["openvino"]}]}]}]
    },
    'precision_mode: "INT8"': {},
    'author: "me"': {},
}  # fmt: skip


@pytest.mark.parametrize("line", ADDED)
def test_a_setting_is_put_where_it_belongs(line):
    found = mend(f"{PLAIN}{line}\n")
    assert found
    before, after = plain(parse(PLAIN).root), plain(parse(found[0].text).root)
    assert {name: value for name, value in after.items() if name not in before} == ADDED[line]
    assert {name: value for name, value in after.items() if name in before} == before


def test_precision_mode_goes_to_the_accelerator_of_onnx_runtime_only():
    text = f"{PLAIN}precision_mode: FP16\n".replace('"python"', '"onnxruntime"')
    found = mend(text)[0].text
    way = Config(found).root.first("optimization").first("execution_accelerators").first("gpu_execution_accelerator")
    assert (way.plain("name"), plain(way.each("parameters")[0])) == (
        "tensorrt", {"key": ["precision_mode"], "value": ["FP16"]},
    )  # fmt: skip
    assert "# precision_mode: FP16" in found


def test_what_is_mended_keeps_comments_and_all_other_lines():
    broken = RICH.replace("max_batch_size: 32", "max_batch_size 32").replace("  }\n]\ninstance", "  }\ninstance")
    found = mend(broken)[0].text.splitlines()
    changed = [line for line in RICH.splitlines() if line not in found]
    assert len(changed) <= 1
    assert "# production config" in found
    assert '    name: "score"  # a probability' in found


def test_what_cannot_be_meant_is_not_mended():
    for text in ("\x00\x01\x02", "just some words here", "<html><body>404</body></html>", "{" * 400):
        for one in mend(text):
            assert not Config(one.text).tensors("input")


def test_the_reader_agrees_with_protobufs():
    descriptor = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    text_format = pytest.importorskip("google.protobuf.text_format")
    rng = random.Random(3)  # noqa: S311
    for _ in range(150):
        text = rng.choice(texts())
        if rng.random() < 0.8:
            text = BREAKS[rng.choice([name for name in BREAKS if name != "comma-missing"])](text, rng)
        try:
            text_format.Parse(text, descriptor.ModelConfig())
        except text_format.ParseError:
            assert parse(text).fault is not None, text
        else:
            assert parse(text).fault is None, text


def test_the_table_of_fields_is_that_of_triton():
    descriptor = pytest.importorskip("tritonclient.grpc.model_config_pb2").DESCRIPTOR
    known = descriptor.message_types_by_name["ModelConfig"].fields_by_name
    assert set(schema.fields("ModelConfig")) <= set(known)
    types = {name.removeprefix("TYPE_") for name in schema.data_types()}
    assert types <= {value.name.removeprefix("TYPE_") for value in descriptor.enum_types_by_name["DataType"].values}
    for name, field in schema.fields("ModelConfig").items():
        repeated = known[name].message_type and known[name].message_type.GetOptions().map_entry
        assert field.map == bool(repeated), name


@pytest.mark.parametrize(
    ("word", "meant"),
    [("float32", "TYPE_FP32"), ("FP16", "TYPE_FP16"), ("tensor(int64)", "TYPE_INT64"), ("TYPE_BYTES", "TYPE_STRING"),
     ("np.uint8", "TYPE_UINT8"), ("bfloat16", "TYPE_BF16"), ("TYPE_FP3", "TYPE_FP32"), ("DT_BOOL", "TYPE_BOOL")],
)  # fmt: skip
def test_data_types_have_many_names(word, meant):
    assert words.data_types_of(word)[0] == meant


# ---- changing a config that can be read

LAYOUTS = [
    PLAIN,
    """name: "m" max_batch_size: 4 input [ { name: "a" data_type: TYPE_FP32 dims: [ 1 ] } ]
output { name: "b" data_type: TYPE_FP32 dims: 1 dims: 2 }""",
    """input { name: "a", data_type: TYPE_FP32, dims: [1, 2] }
input { name: "c" data_type: TYPE_FP32 dims: [1] }
output [ { name: "b" data_type: TYPE_FP32 dims: [ 3 ] }, { name: "d" data_type: TYPE_FP32 dims: [ 3 ] } ]
""",
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_changes_leave_the_rest_alone(text):
    config = Config(text)
    first = config.tensors("input")[0]
    changed = config.put_list(first.node, "dims", [7, -1])
    assert changed.readable
    assert changed.tensors("input")[0].dims == (7, -1)
    changed = changed.put(changed.root, "max_batch_size", "64")
    assert (changed.readable, changed.max_batch_size) == (True, 64)
    changed = changed.put_word("backend", "python")
    more = changed.add_tensor("output", interface.Tensor("new"), "TYPE_INT8", [5])
    assert more.readable
    assert more.tensors("output")[-1][:3] == ("new", "TYPE_INT8", (5,))
    assert plain(more.remove_tensor("output", more.tensors("output")[-1].node).root) == plain(changed.root)
    assert [entry.name for entry in more.tensors("input")] == [entry.name for entry in config.tensors("input")]


def test_the_first_of_several_tensors_can_go():
    config = Config(LAYOUTS[2])
    for direction in ("input", "output"):
        left = config.remove_tensor(direction, config.tensors(direction)[0].node)
        assert left.readable
        assert [entry.name for entry in left.tensors(direction)] == [
            entry.name for entry in config.tensors(direction)[1:]
        ]


# ---- what models have


def code(tmp_path, text):
    path = tmp_path / "m" / "1" / "model.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read(str(path), "m", "1", str(path.parent.parent))


HEAD = "import os, json\nimport numpy as np\nimport triton_python_backend_utils as pb_utils\n"


def test_declared_tensors_are_read_through_loops_helpers_and_constants(tmp_path):
    found = code(
        tmp_path,
        HEAD + "KINDS = {'a': 'TYPE_INT64', 'b': 'TYPE_FP16'}\nWIDTH = 4 * 2\n"
        "def tensor(name, dims=(1,)):\n"
        "    return dict(name=f'{name.upper()}__0', data_type=KINDS[name], dims=list(dims))\n"
        "class TritonPythonModel:\n    MOST = 16\n    @staticmethod\n    def auto_complete_config(cfg):\n"
        "        for name in sorted(KINDS):\n            cfg.add_input(tensor(name, (-1, WIDTH)))\n"
        "        outputs = [{'name': 'Y', 'data_type': 'TYPE_BOOL', 'dims': [1]}]\n"
        "        known = [o['name'] for o in cfg.as_dict()['output']]\n"
        "        for each in outputs:\n            if each['name'] not in known:\n"
        "                cfg.add_output(each)\n"
        "        cfg.set_max_batch_size(TritonPythonModel.MOST)\n        return cfg\n",
    ).declared
    assert found.input == (
        interface.Tensor("A__0", "TYPE_INT64", (-1, 8)), interface.Tensor("B__0", "TYPE_FP16", (-1, 8)),
    )  # fmt: skip
    assert (found.output, found.most) == ((interface.Tensor("Y", "TYPE_BOOL", (1,)),), 16)


def test_what_depends_on_the_unknown_is_not_claimed(tmp_path):
    found = code(
        tmp_path,
        HEAD + "class TritonPythonModel:\n    @staticmethod\n    def auto_complete_config(cfg):\n"
        "        if os.environ.get('HALF'):\n            kind, dims = 'TYPE_FP16', [4]\n"
        "        else:\n            kind, dims = 'TYPE_FP32', [4]\n"
        "        cfg.add_input({'name': 'X', 'data_type': kind, 'dims': dims})\n"
        "        cfg.set_max_batch_size(int(os.environ['MOST']))\n",
    ).declared
    assert found.input == (interface.Tensor("X", None, (4,)),)


def test_code_tells_names_types_and_files(tmp_path):
    onnx = pytest.importorskip("onnx")
    from triage.onnxgraph.samples import two_layers

    (tmp_path / "m" / "1").mkdir(parents=True)
    onnx.save(two_layers(), str(tmp_path / "m" / "1" / "net.onnx"))
    found = code(
        tmp_path,
        HEAD + "from pathlib import Path\nimport onnxruntime as ort\n"
        "class TritonPythonModel:\n    def initialize(self, args):\n"
        "        self.net = ort.InferenceSession(str(Path(__file__).parent / 'net.onnx'))\n"
        "    async def execute(self, requests):\n        out = []\n        for r in requests:\n"
        "            x = pb_utils.get_input_tensor_by_name(r, 'PIXELS')\n"
        "            if x is None:\n                continue\n"
        "            (y,) = self.net.run(None, {'input': x.as_numpy()})\n"
        "            best = np.argmax(y, axis=1)\n"
        "            tensors = [pb_utils.Tensor('LOGITS', y), pb_utils.Tensor('BEST', best)]\n"
        "            out.append(pb_utils.InferenceResponse(tensors))\n"
        "        return out\n",
    ).used
    assert found.input == (interface.Tensor("PIXELS", "TYPE_FP32", (-1, 8)),)
    assert found.output == (interface.Tensor("LOGITS", "TYPE_FP32", (-1, 3)), interface.Tensor("BEST", "TYPE_INT64"))
    assert (found.takes_batches, found.complete) == (True, ("input", "output"))


@pytest.mark.parametrize(
    "body",
    ["while True:\n            pass", "return self.execute(requests)", "x = 'a' * 10**12", "x = '%99999999999d' % 1",
     "x = '{:9999999999}'.format(1)", "x = [0] * 10**12", "x = 2 ** 10**9", "x = list(range(10**15))",
     "[y for a in range(999) for b in range(999) for y in range(999)]"],
)  # fmt: skip
def test_reading_code_never_hangs(tmp_path, body):
    text = HEAD + f"class TritonPythonModel:\n    def execute(self, requests):\n        {body}\n"
    assert code(tmp_path, text).classes == (("TritonPythonModel", ("execute",)),)


def test_code_that_is_none_says_so(tmp_path):
    assert code(tmp_path, "class TritonPythonModel:\n  def execute(self, requests) return []").fault.startswith(
        "SyntaxError"
    )


def test_torchscript_and_openvino_files_tell_their_inputs(tmp_path):
    code_ = (
        "class M(Module):\n  def forward(self: __torch__.M,\n    x: Tensor,\n    y: Tensor) -> Tuple[Tensor, Tensor]:\n"
    )
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as stored:
        stored.writestr("model/code/__torch__.py", code_)
    found = torchscript.interface(str(tmp_path / "model.pt"), "1/model.pt")
    assert [tensor.name for tensor in found.input] == ["x", "y"]
    assert [tensor.name for tensor in found.output] == ["OUTPUT__0", "OUTPUT__1"]
    (tmp_path / "model.xml").write_text(
        '<net><layers><layer id="0" name="img" type="Parameter" version="opset1"><output>'
        '<port id="0" precision="FP32" names="image"><dim>-1</dim><dim>3</dim></port></output></layer>'
        '<layer id="1" name="relu" type="ReLU"><input><port id="0"><dim>-1</dim></port></input><output>'
        '<port id="1" precision="FP32" names="out"><dim>-1</dim><dim>3</dim></port></output></layer>'
        '<layer id="2" name="r" type="Result"><input><port id="0"><dim>-1</dim></port></input></layer></layers>'
        '<edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>'
        '<edge from-layer="1" from-port="1" to-layer="2" to-port="0"/></edges></net>',
        encoding="utf-8",
    )
    found = openvino.interface(str(tmp_path / "model.xml"), "1/model.xml")
    assert found.input == (interface.Tensor("image", "TYPE_FP32", (-1, 3)),)
    assert found.output == (interface.Tensor("out", "TYPE_FP32", (-1, 3)),)


# ---- where things lie


def site(folder, command=("python", "serve.py"), log="", **more):
    return Site(Workspace(str(folder), str(folder)), command, ("models/", "repo/", "."), log=log, **more)


def test_the_repository_is_what_the_server_says(tmp_path):
    samples.repository(str(tmp_path))
    samples.put(str(tmp_path), "other/x/1/model.py", samples.MODEL)
    log = "| model_repository_path[0]         | other    |"
    assert [each.path for each in Survey(site(tmp_path, log=log)).repositories] == ["other"]
    assert [each.path for each in Survey(site(tmp_path, ("tritonserver", "--model-store", "models"))).repositories] == [
        "models"
    ]
    assert "models" in [each.path for each in Survey(site(tmp_path)).repositories]


def test_numbered_folders_alone_are_no_repository(tmp_path):
    samples.put(str(tmp_path), "runs/1/model.onnx", "")
    samples.put(str(tmp_path), "train.py", "print('training')\n")
    assert Survey(site(tmp_path, ("python", "train.py"))).repositories == ()


def test_a_path_out_of_the_build_is_left_alone(tmp_path):
    samples.repository(str(tmp_path))
    log = "| model_repository_path[0]         | /data/models    |"
    assert [each.path for each in Survey(site(tmp_path, ("x", "--model-repository=../up"), log)).repositories] == [
        "models"
    ]


def test_stored_requests_are_looked_at_and_never_unpickled(tmp_path):
    numpy = pytest.importorskip("numpy")
    samples.repository(str(tmp_path))
    samples.put(str(tmp_path), "serve.py", 'MODEL = "scorer"\nDATA = "feeds.npz"\n')
    numpy.savez(tmp_path / "feeds.npz", features=numpy.zeros((3, 6), "float32"), text=numpy.array([b"a", None], object))
    numpy.savez(tmp_path / "expected.npz", score=numpy.zeros((3, 2), "float32"))
    found = requests.fed(site(tmp_path), "scorer", {"features"}, {"score"})
    assert found["features"] == interface.Tensor("features", "TYPE_FP32", (3, 6))
    assert found["text"].data_type == "TYPE_STRING"
    assert requests.fed(site(tmp_path), "another", {"features"}) == {}


def test_names_of_version_folders():
    assert [layout.is_version(name) for name in ("1", "0", "42", "01", "v1", "1.0", "latest", "")] == [
        True, True, True, False, False, False, False, False,
    ]  # fmt: skip
    assert all(layout.is_config(name) for name in ("config.pbtext", "config.txt", "config.pbtxt.txt", "Config.pbtxt"))
    assert not any(layout.is_config(name) for name in ("config.pbtxt", "config.json", "model.py", "configure.py"))


def test_a_sound_repository_has_no_findings_and_a_broken_one_has(tmp_path):
    samples.ensemble(str(tmp_path))
    assert checks.check(str(tmp_path / "models")) == []
    samples.put(str(tmp_path), "models/scorer/config.pbtxt", samples.CONFIG.replace("[ 6 ]", "[ 9 ]"))
    samples.put(str(tmp_path), "models/flow/config.pbtxt", samples.ENSEMBLE.replace('"score"', '"scores"'))
    found = {(one.model, one.cure) for one in checks.check(str(tmp_path / "models"))}
    assert ("scorer", "features [6] instead of [9]") in found
    assert any(model == "flow" and "key score instead of scores" in cure for model, cure in found)


def test_the_check_is_a_command_of_its_own(tmp_path):
    samples.repository(str(tmp_path), samples.CONFIG.replace("max_batch_size", "max_batchsize"))
    done = subprocess.run(
        [sys.executable, "-m", "triage.tritonrepo", str(tmp_path / "models")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Poll failed for model directory 'scorer': Error parsing text-format" in done.stdout
