"""Removed names, arguments and options become their successors: source to source, and run where that is possible."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from triage import discovery
from triage.folders import data_folder
from triage.pysource import movetable, options, trtmoves
from triage.pysource.source import parse
from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.workspace import Workspace

FIX = discovery.load("triage.fixes", "replace_removed_api")


@pytest.fixture
def moved(tmp_path):
    """Gives a function: text, log -> (new text, reasons of refusals, new command); None where nothing is proposed."""

    def move(text, log, command=("python", "build.py"), version=None, files=None):
        for path, content in {"build.py": text, **(files or {})}.items():
            (tmp_path / path).write_text(content)
        found = Found(causes=("api-removed",), tool_version=version)
        root = str(tmp_path)
        site = Site(Workspace(root, root), command, ("build.py", *(files or {})), log=log, found=found)
        answers = list(FIX.propose(site))
        proposals = [one for one in answers if isinstance(one, Proposal)]
        refusals = [one.why for one in answers if isinstance(one, Refusal)]
        for one in proposals:
            FIX.apply(site, one.parameters)
        assert parse(site.text("build.py")) is not None
        again = [one for one in FIX.propose(site) if isinstance(one, Proposal)]
        assert not again, "what was moved is not moved again"
        return (site.text("build.py") if proposals else None), refusals, site.command

    return move


def no(module, name):
    return f"AttributeError: module '{module}' has no attribute '{name}'\n"


def lost(name, module):
    return f"ImportError: cannot import name '{name}' from '{module}' (x)\n"


def unknown(function, argument):
    return f"TypeError: {function}() got an unexpected keyword argument '{argument}'\n"


NAMES = {
    "alias": (
        "import numpy as np\nx = np.zeros(2, np.bool).astype(np.float)",
        no("numpy", "bool"),
        "import numpy as np\nx = np.zeros(2, bool).astype(float)",
    ),
    "plain import": (
        "import numpy\nx = numpy.zeros(2, dtype=numpy.int)",
        no("numpy", "int"),
        "import numpy\nx = numpy.zeros(2, dtype=int)",
    ),
    "imported name": (
        "from numpy import bool, zeros\nx = zeros(2, bool)",
        lost("bool", "numpy"),
        "from numpy import zeros\nx = zeros(2, bool)",
    ),
    "imported under another name": (
        "from numpy import object as obj\nx = obj",
        lost("object", "numpy"),
        "obj = object\nx = obj",
    ),
    "a constant with a sign": (
        "import numpy as np\nx = [np.NINF]",
        "AttributeError: `np.NINF` was removed in the NumPy 2.0 release.",
        "import numpy as np\nx = [-np.inf]",
    ),
    "a function of an array": (
        "import numpy as np\nx = np.asscalar(y[0])",
        no("numpy", "asscalar"),
        "import numpy as np\nx = y[0].item()",
    ),
    "collections": (
        "from collections import OrderedDict, Mapping as M\nx = M",
        lost("Mapping", "collections"),
        "from collections.abc import Mapping as M\nfrom collections import OrderedDict\nx = M",
    ),
    "attribute of collections": (
        "import collections\nx = collections.Iterable",
        no("collections", "Iterable"),
        "import collections.abc\nimport collections\nx = collections.abc.Iterable",
    ),
    "a table": (
        "from onnx import mapping, helper\nx = mapping.TENSOR_TYPE_TO_NP_TYPE[1]",
        lost("mapping", "onnx"),
        "from onnx import helper\nx = helper.tensor_dtype_to_np_dtype(1)",
    ),
    "names of a table": (
        "from onnx.mapping import NP_TYPE_TO_TENSOR_TYPE as T, TENSOR_TYPE_TO_NP_TYPE as N\nx = T[N.get(1)]",
        "ModuleNotFoundError: No module named 'onnx.mapping'",
        "import onnx.helper\nx = onnx.helper.np_dtype_to_tensor_dtype(onnx.helper.tensor_dtype_to_np_dtype(1))",
    ),
    "a renamed helper": (
        "import onnx\nx = onnx.helper.make_sequence_value_info('a', 1, [])",
        no("onnx.helper", "make_sequence_value_info"),
        "import onnx\nx = onnx.helper.make_tensor_sequence_value_info('a', 1, [])",
    ),
    "a renamed module": (
        "from transformers.modeling_bert import BertModel",
        "ModuleNotFoundError: No module named 'transformers.modeling_bert'",
        "from transformers.models.bert.modeling_bert import BertModel",
    ),
    "a moved package": (
        "from sklearn.externals import joblib as j",
        lost("joblib", "sklearn.externals"),
        "import joblib as j",
    ),
    "old defaults are kept": (
        "from transformers import AdamW\no = AdamW(p, lr=1, correct_bias=False)",
        lost("AdamW", "transformers"),
        "from torch.optim import AdamW\no = AdamW(p, lr=1, eps=1e-6, weight_decay=0.0)",
    ),
    "inside try": (
        "try:\n    from collections import Mapping\nexcept ImportError:\n    raise",
        lost("Mapping", "collections"),
        "try:\n    from collections.abc import Mapping\nexcept ImportError:\n    raise",
    ),
    "the only statement of a block": (
        "def f():\n    from numpy import bool\n    return bool",
        lost("bool", "numpy"),
        "def f():\n    return bool",
    ),
}


@pytest.mark.parametrize(("text", "log", "wanted"), NAMES.values(), ids=NAMES)
def test_names_move(moved, text, log, wanted):
    assert moved(text + "\n", log)[0] == wanted + "\n"


EXPORT = "import torch\ntorch.onnx.export({})\n"
ARGUMENTS = {
    "several": (
        "m, x, 'f', example_outputs=m(x), opset_version=11, strip_doc_string=True",
        unknown("export", "example_outputs"),
        "m, x, 'f', opset_version=11",
    ),
    "by place": (
        "m, x, 'f', True, False, None, ['a'], ['b']",
        "TypeError: export() takes from 1 to 3 positional arguments but 8 were given",
        "m, x, 'f', export_params=True, verbose=False, input_names=['a'], output_names=['b']",
    ),
    "on lines": (
        "\n    m,\n    x,\n    use_external_data_format=True,  # big\n    dynamo=False,\n",
        unknown("export", "use_external_data_format"),
        "\n    m,\n    x,\n    dynamo=False,\n",
    ),
}


@pytest.mark.parametrize(("text", "log", "wanted"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments_of_an_export_go(moved, text, log, wanted):
    assert moved(EXPORT.format(text), log)[0] == EXPORT.format(wanted)


def test_arguments_go_from_where_they_are_kept(moved):
    log = unknown("export", "enable_onnx_checker")
    text = "import torch\nkw = {'f': 1, 'enable_onnx_checker': True}\nkw['aten'] = 1\ntorch.onnx.export(m, x, **kw)\n"
    assert moved(text, log)[0] == "import torch\nkw = {'f': 1}\ntorch.onnx.export(m, x, **kw)\n"


def test_arguments_go_from_a_data_file(moved, tmp_path):
    text = "import torch, yaml\ntorch.onnx.export(m, x, **yaml.safe_load(open('o.yaml')))\n"
    files = {"o.yaml": "f: m.onnx\nenable_onnx_checker: true\ndynamo: false\n"}
    assert moved(text, unknown("export", "enable_onnx_checker"), files=files)[0] == text
    assert (tmp_path / "o.yaml").read_text() == "f: m.onnx\ndynamo: false\n"


def test_the_first_dynamo_exporter_becomes_the_present_one(moved):
    text = """import torch
options = torch.onnx.ExportOptions(opset_version=18)
program = torch.onnx.dynamo_export(m, x, scale=y, export_options=options)
program.save("m.onnx")
"""
    wanted = """import torch
program = torch.onnx.export(m, (x,), kwargs={"scale": y}, dynamo=True)
program.save("m.onnx")
"""
    assert moved(text, no("torch.onnx", "dynamo_export"))[0] == wanted


def test_providers_are_given_where_this_build_wants_them(moved):
    log = "ValueError: This ORT build has ['A']. Since ORT 1.9, you are required to explicitly set the providers"
    text = "import onnxruntime as rt\na = rt.InferenceSession('m')\nb = rt.InferenceSession('m', providers=['B'])\n"
    assert moved(text, log)[0] == text.replace("('m')", "('m', providers=rt.get_available_providers())")


REFUSED = {
    "no successor": (
        "import torch\nprint(torch.onnx.export_to_pretty_string(m, x))",
        no("torch.onnx", "export_to_pretty_string"),
    ),
    "another meaning": ("import torch\ntorch.solve(a, b)", no("torch", "solve")),
    "precision": (
        "import tensorrt as trt\nc.set_flag(trt.BuilderFlag.FP16)",
        "AttributeError: type object 'tensorrt.tensorrt.BuilderFlag' has no attribute 'FP16'",
    ),
    "parser": ("import tensorrt as trt\np = trt.UffParser()", no("tensorrt", "UffParser")),
}


@pytest.mark.parametrize(("text", "log"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_successor_is_refused(moved, text, log):
    changed, refused, _ = moved(text + "\n", log)
    assert changed is None
    assert len(refused) == 1


LEFT = {
    "an own function": (
        "def export(m, example_outputs):\n    pass\nexport(1, example_outputs=2)",
        unknown("export", "example_outputs"),
    ),
    "an own class": ("class np:\n    bool = 1\nx = np.bool", no("numpy", "bool")),
    "another package's fault": ("import numpy as np\nimport oldlib", no("numpy", "bool")),
    "another package": ("import keras as np\nx = np.bool", no("numpy", "bool")),
    "nothing is said of it": ("import numpy as np\nx = np.bool", "RuntimeError: shapes differ"),
    "another object": (
        "class C:\n    pass\nC().max_workspace_size = 1",
        "AttributeError: 'tensorrt.tensorrt.IBuilderConfig' object has no attribute 'max_workspace_size'",
    ),
}


@pytest.mark.parametrize(("text", "log"), LEFT.values(), ids=LEFT)
def test_nothing_else_is_touched(moved, text, log):
    assert moved(text + "\n", log) == (None, [], ("python", "build.py"))


RUN = {
    "numpy": "import numpy as np\nassert np.ones(2, np.int).dtype == int\nassert np.object is object\n",
    "collections": "from collections import Mapping, Iterable\nassert issubclass(dict, Mapping)\nassert Iterable\n",
    "onnx": "import numpy as np\nfrom onnx import mapping\nprint(mapping.NP_TYPE_TO_TENSOR_TYPE[np.dtype('f4')])\n",
    "torch": "import torch\ntorch.onnx.export(torch.nn.Linear(2, 2), torch.ones(1, 2), 'm.onnx', True, False, None,\n"
    "                  ['x'], ['y'], dynamo=False, enable_onnx_checker=True, example_outputs=None)\n",
}


@pytest.mark.parametrize("text", RUN.values(), ids=RUN)
def test_what_was_moved_runs(moved, tmp_path, text):
    pytest.importorskip("torch")
    (tmp_path / "build.py").write_text(text)

    def run():
        return subprocess.run([sys.executable, "build.py"], cwd=tmp_path, capture_output=True, text=True, check=False)

    for _ in range(3):
        done = run()
        if not done.returncode:
            break
        assert moved((tmp_path / "build.py").read_text(), done.stderr)[0]
    assert not run().returncode
    assert (tmp_path / "build.py").read_text() != text


# --- TensorRT, whose scripts cannot run here

LACKS = "AttributeError: 'tensorrt.tensorrt.{}' object has no attribute '{}'\n"
BUILD_8 = """import tensorrt as trt
LOGGER = trt.Logger()

def build(path, fp16):
    with trt.Builder(LOGGER) as builder, builder.create_network(1) as net, builder.create_builder_config() as config:
        config.max_workspace_size = 1 << 30
        builder.max_batch_size = 8
        if fp16:
            config.set_flag(trt.BuilderFlag.FP16)
        return builder.build_engine(net, config)
"""
BUILD_10 = """import tensorrt as trt
LOGGER = trt.Logger()

def build(path, fp16):
    with trt.Builder(LOGGER) as builder, builder.create_network(1) as net, builder.create_builder_config() as config:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 30)
        if fp16:
            config.set_flag(trt.BuilderFlag.FP16)
        return trt.Runtime(LOGGER).deserialize_cuda_engine(builder.build_serialized_network(net, config))
"""
RUN_8 = """import tensorrt as trt

class Runner:
    def __init__(self, path):
        self.engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(open(path, "rb").read())
        self.context = self.engine.create_execution_context()
        for name in self.engine:
            size = trt.volume(self.engine.get_binding_shape(name)) * self.engine.max_batch_size
            dtype = self.engine.get_binding_dtype(name)
            given = self.engine.binding_is_input(name)
        for i in range(self.engine.num_bindings):
            print(self.engine.get_binding_name(i), self.context.get_binding_shape(i))

    def run(self, x, stream):
        index = self.engine.get_binding_index("x")
        self.context.set_binding_shape(index, x.shape)
        self.context.execute_async_v2(bindings=self.addresses, stream_handle=stream.handle)
"""
RUN_10 = """import tensorrt as trt

class Runner:
    def __init__(self, path):
        self.engine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(open(path, "rb").read())
        self.context = self.engine.create_execution_context()
        for name in [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]:
            size = trt.volume(self.engine.get_tensor_shape(name)) * 1
            dtype = self.engine.get_tensor_dtype(name)
            given = self.engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        for i in range(self.engine.num_io_tensors):
            print(self.engine.get_tensor_name(i), self.context.get_tensor_shape(self.context.engine.get_tensor_name(i)))

    def run(self, x, stream):
        index = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)].index("x")
        self.context.set_input_shape(self.context.engine.get_tensor_name(index), x.shape)
        for index, address in enumerate(self.addresses):
            self.context.set_tensor_address(self.context.engine.get_tensor_name(index), int(address))
        self.context.execute_async_v3(stream.handle)
"""
BUILD_7 = """import tensorrt as trt

def build(path):
    logger = trt.Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    builder.max_workspace_size = 1 << 28
    builder.fp16_mode = True
    builder.int8_mode = False
    return builder.build_cuda_engine(network)
"""
BUILD_7_AS_8 = """import tensorrt as trt

def build(path):
    logger = trt.Logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 1 << 28)
    config.set_flag(trt.BuilderFlag.FP16)
    return trt.Runtime(logger).deserialize_cuda_engine(builder.build_serialized_network(network, config))
"""
BUILD_10_OLD = """import tensorrt as trt
logger = trt.Logger()
builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
registry = trt.get_plugin_registry()
creator = registry.get_plugin_creator("Name", "1", "")
"""
BUILD_11 = """import tensorrt as trt
logger = trt.Logger()
builder = trt.Builder(logger)
network = builder.create_network(0)
registry = trt.get_plugin_registry()
creator = registry.get_creator("Name", "1", "")
"""
SCRIPTS = {
    "build, 8 to 10": (BUILD_8, LACKS.format("IBuilderConfig", "max_workspace_size"), BUILD_10),
    "run, 8 to 10": (RUN_8, LACKS.format("ICudaEngine", "get_binding_shape"), RUN_10),
    "build, 7 to 8": (BUILD_7, LACKS.format("Builder", "max_workspace_size"), BUILD_7_AS_8),
    "build, 10 to 11": (
        BUILD_10_OLD,
        "type object 'tensorrt.tensorrt.NetworkDefinitionCreationFlag' has no attribute 'EXPLICIT_BATCH'\n",
        BUILD_11,
    ),
}


@pytest.mark.parametrize(("text", "log", "wanted"), SCRIPTS.values(), ids=SCRIPTS)
def test_tensorrt_scripts_move(moved, text, log, wanted):
    changed, refused, _ = moved(text, log)
    assert changed == wanted
    assert not refused


def test_only_what_the_release_lacks_moves(moved):
    text = "import tensorrt as trt\nb = trt.Builder(trt.Logger())\nb.fp16_mode = True\ne = b.build_engine(n, c)\n"
    changed = moved(text, LACKS.format("Builder", "fp16_mode"), version="8.6")[0]
    assert "set_flag(trt.BuilderFlag.FP16)" in changed
    assert "b.build_engine(n, c)" in changed, "it is there until 8.6"


# --- options

TRTEXEC = "&&&& RUNNING TensorRT.trtexec [TensorRT v{}]\n[E] Unknown option: {}\n"
OPTIONS = {
    "all of a release": (
        ("trtexec", "--onnx=m", "--workspace=64", "--explicitBatch", "--buildOnly", "--nvtxMode=verbose"),
        TRTEXEC.format("100300", "--explicitBatch"),
        ("trtexec", "--onnx=m", "--memPoolSize=workspace:64", "--skipInference", "--profilingVerbosity=detailed"),
    ),
    "only what is named": (
        ("trtexec", "--onnx=m", "--workspace=64", "--buildOnly"),
        "[E] Unknown option: --workspace 64\n",
        ("trtexec", "--onnx=m", "--memPoolSize=workspace:64", "--buildOnly"),
    ),
    "one more pool": (
        ("trtexec", "--memPoolSize=dlaSRAM:1", "--workspace=64"),
        TRTEXEC.format("100000", "--workspace"),
        ("trtexec", "--memPoolSize=dlaSRAM:1,workspace:64"),
    ),
    "still there": (
        ("trtexec", "--onnx=m", "--fp16", "--explicitBatch"),
        TRTEXEC.format("100300", "--explicitBatch"),
        ("trtexec", "--onnx=m", "--fp16"),
    ),
    "polygraphy": (
        ("polygraphy", "run", "m", "--trt", "--workspace=1G", "--strict-types"),
        "[!] Unrecognized Options: ['--workspace=1G', '--strict-types']",
        ("polygraphy", "run", "m", "--trt", "--pool-limit", "workspace:1G", "--precision-constraints", "obey"),
    ),
    "polygraphy, modes": (
        ("polygraphy", "inspect", "model", "m", "--mode=attrs"),
        "[!] Unrecognized Options: ['--mode=attrs']",
        ("polygraphy", "inspect", "model", "m", "--show", "layers", "attrs"),
    ),
}


@pytest.mark.parametrize(("command", "log", "wanted"), OPTIONS.values(), ids=OPTIONS)
def test_options_move(moved, command, log, wanted):
    assert moved("", log, command)[2] == wanted


def test_an_option_that_changed_the_engine_is_refused(moved):
    _, refused, command = moved("", TRTEXEC.format("110000", "--fp16"), ("trtexec", "--onnx=m", "--fp16"))
    assert command == ("trtexec", "--onnx=m", "--fp16")
    assert "--fp16" in refused[0]


# --- the tables


def test_every_row_of_the_tables_is_complete():
    for move in movetable.table():
        assert move.gone, move
        assert move.new or move.how in ("drop", "gone", "keyword", "dynamo", "refuse"), move
        assert move.note or move.how != "refuse", move
        assert move.how in ("name", "module", "gone", "call", "index", "keyword", "drop", "add", "dynamo", "refuse")
    for row in trtmoves.table():
        assert row.new or row.how in ("drop", "async", "refuse", "zero-flag"), row
        assert row.note or row.how != "refuse", row
    for option in options.table():
        assert option.new or option.how in ("drop", "refuse"), option


def test_the_tables_agree_with_the_bindings():
    known = Path(data_folder("kb"), "compat", "tensorrt-removed-api.yaml").read_text()
    pairs = set(
        re.findall(r'name: "(\w+)", owner: "(\w+)"[^\n]*api: "python", last: "[\d.]+", gone: "([\d.]+)"', known)
    )
    gone = {(name, owner): release for name, owner, release in pairs}
    for row in trtmoves.table():
        if row.gone in ("10.0", "11.0") and (row.name, row.owner) in gone:
            assert gone[row.name, row.owner] == row.gone, row
