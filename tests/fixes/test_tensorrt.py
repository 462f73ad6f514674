"""Repairs of TensorRT builds: what they see, and what they write, text by text. No TensorRT is needed."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from triage.commandline import Command
from triage.fixes import (
    add_calibration,
    correct_profile,
    free_refused_dimension,
    keep_layers_fp32,
    load_plugin_library,
    rebuild_engine,
    rebuild_profiles,
    set_int8_flag,
    widen_profile,
)
from triage.remedy import Proposal, Refusal
from triage.site import Found, Site
from triage.trtbuild import (
    carriers,
    correct,
    inputs,
    look,
    overflow,
    own_json,
    ranges,
    requests,
    settings,
    standalone,
    trial,
    words,
)
from triage.trtbuild.settings import Range, Settings
from triage.workspace import Workspace

LOGS = Path(__file__).parents[2] / "fixtures" / "logs"
HEAD = """import sys
import tensorrt as trt

logger = trt.Logger(trt.Logger.INFO)
"""
PARSE = """builder = trt.Builder(logger)
network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH))
parser = trt.OnnxParser(network, logger)
if not parser.parse_from_file("net.onnx"):
    sys.exit(1)
config = builder.create_builder_config()
"""
END = """plan = builder.build_serialized_network(network, config)
open("net.plan", "wb").write(plan)
"""


def a_model(folder, dims=("batch", 3, "h", "w"), name="images", path="net.onnx"):
    """One convolution and a global pool: any batch and any size from 3x3 on."""
    weights = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [name, "w"], ["c"], "conv", kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c"], ["y"], "pool"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [dims[0], 4, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/{path}")


def two_inputs(folder, path="net.onnx", names=("input_ids", "attention_mask")):
    """A table, a mask, a mean: both inputs share [batch, seq]."""
    table = np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", names[0]], ["e"]),
        helper.make_node("Cast", [names[1]], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["f", "last"], ["u"]),
        helper.make_node("Mul", ["e", "u"], ["m"]),
        helper.make_node("ReduceMean", ["m"], ["y"], axes=[1]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "seq"]) for name in names],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "last")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{folder}/{path}")


def a_site(folder, command=("python", "build.py"), log="", causes=("profile-invalid",), files=(".",), **more):
    os.makedirs(folder, exist_ok=True)
    workspace = Workspace(str(folder), str(folder))
    return Site(workspace, command, files, log=log, found=Found(causes=causes, **more))


def write(folder, **texts):
    for name, text in texts.items():
        Path(folder, name.replace("__", ".")).write_text(text, encoding="utf-8")


def cure(fix, site, at=0):
    """The site after a proposal of a fix."""
    made = [each for each in fix.propose(site) if isinstance(each, Proposal)]
    assert made, "nothing is proposed"
    fix.apply(site, json.loads(json.dumps(made[at].parameters)))
    again = Site(site.workspace, site.command, site.files, log=site.log, found=site.found)
    assert made[at].what not in [each.what for each in fix.propose(again) if isinstance(each, Proposal)]
    return again


def the_profiles(site):
    return [view.settings.profiles for view in look.views(site) if view.settings.profiles]


RIGHT = {"images": Range((1, 3, 16, 16), (2, 3, 24, 24), (8, 3, 32, 32))}
LAYOUTS = {
    "positional": """p = builder.create_optimization_profile()
p.set_shape("images", (8, 3, 32, 32), (2, 3, 24, 24), (1, 3, 16, 16))
""",
    "keywords": """p = builder.create_optimization_profile()
p.set_shape(
    input='images',  # the camera
    max=(1, 3, 16, 16),
    min=(8, 3, 32, 32),
    opt=(2, 3, 24, 24),
)
""",
    "constants": """SMALL = (1, 3, 16, 16)
USUAL, LARGE = (2, 3, 24, 24), (8, 3, 32, 32)
p = builder.create_optimization_profile()
p.set_shape('images', LARGE, USUAL, SMALL)
""",
    "sums": """rest = (24, 24)
p = builder.create_optimization_profile()
p.set_shape('images', [2 ** 3, 3] + [32] * 2, trt.Dims((2, 3) + rest), trt.Dims4(1, 3, 16, 16))
""",
    "a table": """RANGES = {
    'images': [(8, 3, 32, 32), (2, 3, 24, 24), (1, 3, 16, 16)],
}
p = builder.create_optimization_profile()
for name, (low, usual, high) in RANGES.items():
    p.set_shape(name, low, usual, high)
""",
    "a table and a star": """RANGES = {'images': [(8, 3, 32, 32), (2, 3, 24, 24), (1, 3, 16, 16)]}
p = builder.create_optimization_profile()
for name in RANGES:
    p.set_shape(name, *RANGES[name])
""",
    "a table and two stars": """R = {'images': dict(min=(8, 3, 32, 32), opt=(2, 3, 24, 24), max=(1, 3, 16, 16))}
p = builder.create_optimization_profile()
for name in R:
    p.set_shape(name, **R[name])
""",
    "a function": """def give(profile, name, low, usual, high):
    profile.set_shape(name, low, usual, high)


p = builder.create_optimization_profile()
give(p, 'images', (8, 3, 32, 32), usual=(2, 3, 24, 24), high=(1, 3, 16, 16))
""",
    "a class": """class Sizes:
    small = (1, 3, 16, 16)
    large = (8, 3, 32, 32)


p = builder.create_optimization_profile()
p.set_shape('images', Sizes.large, (2, 3, 24, 24), Sizes.small)
""",
}
ADD = "config.add_optimization_profile(p)\n"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_min_and_max_change_places_however_they_are_written(tmp_path, layout, newline):
    a_model(tmp_path)
    text = (HEAD + PARSE + LAYOUTS[layout] + ADD + END).replace("\n", newline)
    (tmp_path / "build.py").write_bytes(text.encode())
    site = cure(correct_profile, a_site(tmp_path))
    assert the_profiles(site) == [(RIGHT,)]
    after = site.text("build.py")
    assert after.count(newline) == text.count(newline), "lines are kept"
    assert "# the camera" in after or layout != "keywords"
    assert not list(correct_profile.propose(site))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"input": RIGHT["images"]}, RIGHT),
        ({"images:0": RIGHT["images"]}, RIGHT),
        (
            {"images": Range((3, 16, 16), (3, 24, 24), (3, 32, 32))},
            {"images": Range((1, 3, 16, 16), (4, 3, 24, 24), (8, 3, 32, 32))},
        ),
        ({"images": Range((1, 1, 3, 16, 16), (1, 2, 3, 24, 24), (1, 8, 3, 32, 32))}, RIGHT),
        ({"images": Range((1, 16, 16, 3), (2, 24, 24, 3), (8, 32, 32, 3))}, RIGHT),
        ({"images": Range((1, 1, 16, 16), (2, 1, 24, 24), (8, 1, 32, 32))}, RIGHT),
        (
            {"images": Range((1, 3, 16, 16), (16, 3, 24, 24), (8, 3, 32, 32))},
            {"images": Range((1, 3, 16, 16), (8, 3, 24, 24), (16, 3, 32, 32))},
        ),
        ({"images": RIGHT["images"], "labels": Range((1,), (1,), (1,))}, RIGHT),
    ],
)
def test_a_profile_is_laid_over_the_inputs(tmp_path, given, wanted):
    a_model(tmp_path)
    told = carriers.inputs(a_site(tmp_path), "net.onnx")
    (first, *_) = correct.corrections(told, [given], {}, {}, lambda _: True)
    assert first.profiles == (wanted,)
    assert first.told


def test_a_right_profile_is_left_alone(tmp_path):
    a_model(tmp_path)
    told = carriers.inputs(a_site(tmp_path), "net.onnx")
    assert not list(correct.corrections(told, [RIGHT], {}, {}, lambda _: True))


def test_a_best_size_outside_has_two_ways(tmp_path):
    a_model(tmp_path)
    told = carriers.inputs(a_site(tmp_path), "net.onnx")
    given = {"images": Range((1, 3, 16, 16), (16, 3, 24, 24), (8, 3, 32, 32))}
    found = [each.profiles[0]["images"].most[0] for each in correct.corrections(told, [given], {}, {}, lambda _: True)]
    assert found == [16, 8]


def test_two_wrong_names_go_to_the_likest_inputs(tmp_path):
    two_inputs(tmp_path)
    write(
        tmp_path,
        build__py=HEAD
        + PARSE
        + """
p = builder.create_optimization_profile()
for name in ("mask", "ids"):
    p.set_shape(name, (1, 4), (2, 8), (4, 16))
config.add_optimization_profile(p)
"""
        + END,
    )
    site = cure(correct_profile, a_site(tmp_path, causes=("profile-missing",)))
    assert 'for name in ("attention_mask", "input_ids"):' in site.text("build.py")


def test_a_forgotten_input_gets_the_range_of_the_one_it_shares_with(tmp_path):
    two_inputs(tmp_path)
    write(
        tmp_path,
        build__py=HEAD
        + PARSE
        + """
p = builder.create_optimization_profile()
p.set_shape("input_ids", (1, 4), (2, 8), (4, 16))
config.add_optimization_profile(p)
"""
        + END,
    )
    log = (LOGS / "trt86-profile-missing-bert-mask" / "log.txt").read_text(encoding="utf-8")
    site = cure(correct_profile, a_site(tmp_path, log=log, causes=("profile-missing",)))
    assert 'p.set_shape("attention_mask", min=(1, 4), opt=(2, 8), max=(4, 16))\nconfig.add' in site.text("build.py")


@pytest.mark.parametrize(
    ("case", "word", "wanted"),
    [
        (
            "trt86-profile-missing-bert-mask",
            "input_ids:1x1:1x32:4x64",
            ["input_ids:1x1:1x32:4x64", "--profile", "attention_mask:1x1:1x32:4x64"],
        ),
        (
            "trt86-profile-wrong-name",
            "ids:1x1:1x32:4x64",
            ["input_ids:1x1:1x32:4x64", "--profile", "attention_mask:1x1:1x32:4x64"],
        ),
    ],
)
def test_ranges_in_the_words_of_a_real_log_s_command(tmp_path, case, word, wanted):
    two_inputs(tmp_path, "bert_dyn.onnx")
    command = ("python3", "build_engine.py", "--onnx", "bert_dyn.onnx", "--profile", word)
    log = (LOGS / case / "log.txt").read_text(encoding="utf-8") if (LOGS / case).exists() else ""
    site = cure(correct_profile, a_site(tmp_path, command, log, ("profile-missing",)))
    assert list(site.command[5:]) == wanted


def test_a_rank_in_the_words_of_a_real_log_s_command(tmp_path):
    a_model(tmp_path, path="vit_dyn.onnx")
    log = (LOGS / "trt86-profile-wrong-rank" / "log.txt").read_text(encoding="utf-8")
    command = ("python3", "build_engine.py", "--onnx", "vit_dyn.onnx", "--profile", "images:3x32x32:3x64x64:3x128x128")
    site = cure(correct_profile, a_site(tmp_path, command, log))
    assert site.command[-1] == "images:1x3x32x32:4x3x64x64:8x3x128x128"


def test_a_missing_profile_covers_what_is_asked_for(tmp_path):
    a_model(tmp_path)
    write(tmp_path, build__py=HEAD + "def main():\n    " + PARSE.replace("\n", "\n    ") + END.replace("\n", "\n    "))
    np.savez(tmp_path / "frames.npz", **{"0/in/images": np.zeros((5, 3, 20, 28), np.float32)})
    site = cure(rebuild_profiles, a_site(tmp_path, causes=("profile-missing",)))
    ((profile,),) = the_profiles(site)
    assert profile["images"].covers((5, 3, 20, 28))
    assert "\n    profile = builder.create_optimization_profile()\n    profile.set_shape(" in site.text("build.py")


def test_a_missing_profile_takes_sizes_that_the_model_takes(tmp_path):
    """A flattened size baked into a matrix allows one height and width only."""
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones((224 * 224, 2), np.float32), "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx"
    )
    told = carriers.inputs(a_site(tmp_path), "net.onnx")
    made = ranges.fresh(told, {}, {}, trial.Trial(str(tmp_path / "net.onnx"), told).fits)
    assert made["x"].least[2:] == made["x"].most[2:] == (224, 224)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (
            (
                "p = builder.create_optimization_profile()\n"
                "p.set_shape('images', (1, 3, 9, 9), (2, 3, 9, 9), (8, 3, 9, 9))\n"
            ),
            "config.add_optimization_profile(p)",
        ),
        (
            "p = builder.create_optimization_profile()\nfor n, s in load():\n    p.set_shape(n, *s)\nif 0:\n    " + ADD,
            "config.add_optimization_profile(profile)",
        ),
    ],
)
def test_a_profile_that_never_reaches_the_builder(tmp_path, profile, expected):
    a_model(tmp_path)
    write(tmp_path, build__py=HEAD + PARSE + profile + END)
    log = "Network has dynamic or shape inputs, but no optimization profile has been defined."
    site = cure(rebuild_profiles, a_site(tmp_path, log=log, causes=("profile-missing",)))
    assert expected in site.text("build.py")
    compile(site.text("build.py"), "build.py", "exec")


def test_computed_ranges_give_way_to_a_table(tmp_path):
    two_inputs(tmp_path)
    write(
        tmp_path,
        build__py=HEAD
        + PARSE
        + """
p = builder.create_optimization_profile()
for at in range(network.num_inputs):
    tensor = network.get_input(at)
    p.set_shape(tensor.name, *compute(tensor.shape))
config.add_optimization_profile(p)
"""
        + END,
    )
    site = cure(rebuild_profiles, a_site(tmp_path))
    ((profile,),) = the_profiles(site)
    assert set(profile) == {"input_ids", "attention_mask"}
    assert profile["input_ids"] == profile["attention_mask"]


def test_a_request_outside_widens_inputs_that_share_a_dimension(tmp_path):
    two_inputs(tmp_path)
    write(
        tmp_path,
        build__py=HEAD
        + PARSE
        + """
p = builder.create_optimization_profile()
p.set_shape("input_ids", (1, 4), (2, 8), (4, 16))
p.set_shape("attention_mask", (1, 4), (2, 8), (4, 16))
config.add_optimization_profile(p)
"""
        + END,
    )
    log = "Runtime dimension does not satisfy any optimization profile.\nshape (9, 40) of input_ids was refused"
    site = cure(widen_profile, a_site(tmp_path, log=log, causes=("profile-shape-out-of-range",)))
    ((profile,),) = the_profiles(site)
    assert profile == dict.fromkeys(("input_ids", "attention_mask"), Range((1, 4), (2, 8), (9, 40)))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("RuntimeError: shape (12, 3, 24, 24) of images was refused", (12, 3, 24, 24)),
        ("ERROR: could not set shape of images to 1x3x16x16", (1, 3, 16, 16)),
        ("[E] 3: Supplied binding dimension [12,3,64,64] for bindings[0] exceed min ~ max range", (12, 3, 64, 64)),
        ("Requested batch: shape [16, 3, 8, 8] for input 'images'", (16, 3, 8, 8)),
        ("[I] images: optimization profile 0 dimensions [1,3,224,224] [4,3,224,224]", None),
        ("shape (12, 4, 24, 24) of images was refused", None),
    ],
)
def test_what_a_log_says_was_asked_for(tmp_path, line, wanted):
    a_model(tmp_path)
    told = carriers.inputs(a_site(tmp_path), "net.onnx")
    found = [each.dims for each in requests.asked(a_site(tmp_path / "empty", log=line), told)]
    assert found == ([wanted] if wanted else [])


def test_shapes_in_scripts_are_hints_with_loop_variables_put_in(tmp_path):
    a_model(tmp_path)
    write(
        tmp_path,
        run__py="for n in (1, 12):\n    run(np.zeros((n, 3, 24, 24)))\np.set_shape('images', (7, 3, 9, 9), 1, 1)\n",
    )
    site = a_site(tmp_path)
    found = requests.asked(site, carriers.inputs(site, "net.onnx"))
    assert {each.dims for each in found} == {(1, 3, 24, 24), (12, 3, 24, 24)}
    assert not any(each.sure for each in found)


def test_a_shape_tensor_needs_values():
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["target"], ["t"], to=TensorProto.INT64),
            helper.make_node("Reshape", ["x", "t"], ["y"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("target", TensorProto.INT32, [2]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    told = inputs.inputs_of(helper.make_model(graph))
    assert [(each.name, each.values, each.length) for each in told] == [("x", False, 2), ("target", True, 2)]
    made = ranges.fresh(told, {"x": [(3, 4)], "target": [(2, 6)]}, {}, lambda _: True)
    assert made["target"] == Range((2, 6), (2, 6), (2, 6), values=True)


TRTEXEC = [
    ["--minShapes=images:8x3x32x32", "--optShapes=images:2x3x24x24", "--maxShapes=images:1x3x16x16"],
    ["--minShapes='i:0':1x3x16x16", "--optShapes='i:0':2x3x24x24", "--maxShapes='i:0':8x3x32x32"],
    ["--minShapes=images:3x16x16", "--optShapes=images:3x24x24", "--maxShapes=images:3x32x32"],
]


@pytest.mark.parametrize("shapes", TRTEXEC)
def test_a_trtexec_command_is_put_right(tmp_path, shapes):
    a_model(tmp_path)
    site = cure(correct_profile, a_site(tmp_path, ("/opt/trtexec", "--onnx=net.onnx", *shapes, "--fp16")))
    assert {"--minShapes=images:1x3x16x16", "--maxShapes=images:8x3x32x32", "--fp16"} <= set(site.command)
    assert site.command[0] == "/opt/trtexec"
    assert len(site.command) == 6


def test_trtexec_settings_are_read():
    command = Command(
        (
            "trtexec",
            "--onnx=a.onnx",
            "--profile=0",
            "--minShapes=x:1x8",
            "--optShapes=x:2x8",
            "--maxShapes=x:4x8",
            "--profile=1",
            "--shapes=x:64x8",
            "--memPoolSize=workspace:512,dlaSRAM:1M",
            "--precisionConstraints=obey",
            "--int8",
            "--stronglyTyped",
            "--layerPrecisions=fc:fp32,a/b:fp16",
            "--builderOptimizationLevel=4",
            "--plugins=p.so",
            "--tacticSources=-CUDNN",
        )
    )
    said = words.Words(command, "trtexec").settings
    assert said.profiles == ({"x": Range((1, 8), (2, 8), (4, 8))}, {"x": Range((64, 8), (64, 8), (64, 8))})
    assert said.pools == {"workspace": 512 << 20, "dlasram": 1 << 20}
    assert said.flags == {"int8", "obey_precision_constraints"}
    assert (said.level, said.layers, said.plugins, said.typed) == (4, {"fc": "fp32", "a/b": "fp16"}, ("p.so",), True)


def test_several_profiles_of_trtexec_are_written(tmp_path):
    site = a_site(tmp_path, ("trtexec", "--onnx=a.onnx", "--shapes=x:1x8"))
    carrier = carriers.by_name(site, "the command", "trtexec")
    small, large = Range((1, 8), (1, 8), (4, 8)), Range((8, 8), (16, 8), (64, 8))
    carrier.write(site, carrier.settings._replace(profiles=({"x": small}, {"x": large})))
    assert words.Words(Command(site.command), "trtexec").settings.profiles == ({"x": small}, {"x": large})


def test_a_static_model_takes_no_shapes(tmp_path):
    a_model(tmp_path, dims=(1, 3, 8, 8))
    site = cure(correct_profile, a_site(tmp_path, ("trtexec", "--onnx=net.onnx", "--shapes=images:1x3x8x8")))
    assert site.command == ("trtexec", "--onnx=net.onnx")


def test_a_polygraphy_command_is_put_right(tmp_path):
    two_inputs(tmp_path)
    command = (
        "polygraphy",
        "convert",
        "--trt-min-shapes",
        "input_ids:[4,16]",
        "--trt-opt-shapes",
        "input_ids:[2,8]",
        "--trt-max-shapes",
        "input_ids:[1,4]",
        "--fp16",
        "net.onnx",
        "-o",
        "net.plan",
    )
    site = cure(correct_profile, a_site(tmp_path, command))
    said = words.Words(Command(site.command), "polygraphy").settings
    assert said.profiles == (dict.fromkeys(("input_ids", "attention_mask"), Range((1, 4), (2, 8), (4, 16))),)
    assert said.model == "net.onnx"
    assert said.flags == {"fp16"}


def test_a_command_in_a_shell_script_is_put_right(tmp_path):
    a_model(tmp_path)
    write(
        tmp_path,
        ci__sh="#!/bin/sh\nset -e\ntrtexec --onnx=net.onnx \\\n    --saveEngine=net.plan\n# the engine\necho done\n",
    )
    site = cure(rebuild_profiles, a_site(tmp_path, ("sh", "ci.sh"), causes=("profile-missing",)))
    text = site.text("ci.sh")
    assert "--maxShapes=images:8x3x128x128" in text
    assert "# the engine\necho done\n" in text


def test_polygraphy_s_python_api(tmp_path):
    a_model(tmp_path)
    write(
        tmp_path,
        build__py="""
from polygraphy.backend.trt import CreateConfig, EngineFromNetwork, NetworkFromOnnxPath

engine = EngineFromNetwork(NetworkFromOnnxPath("net.onnx"), CreateConfig(fp16=True))()
""",
    )
    site = cure(rebuild_profiles, a_site(tmp_path, causes=("profile-missing",)))
    text = site.text("build.py")
    assert 'CreateConfig(fp16=True, profiles=[Profile().add("images", min=(1, 3,' in text
    assert "from polygraphy.backend.trt import Profile\n" in text


def test_ranges_in_a_yaml_file_keep_its_comments(tmp_path):
    a_model(tmp_path)
    write(
        tmp_path,
        build__py=HEAD + PARSE + "cfg = load('ranges.yaml')\np = builder.create_optimization_profile()\n"
        "for n, r in cfg.items():\n    p.set_shape(n, r['min'], r['opt'], r['max'])\n" + ADD + END,
        ranges__yaml="# sizes\ninput:   # the camera\n  min: [8, 3, 32, 32]  # large\n"
        "  opt: [2, 3, 24, 24]\n  max: [1, 3, 16, 16]\n",
    )
    site = cure(correct_profile, a_site(tmp_path))
    text = site.text("ranges.yaml")
    assert text.startswith("# sizes\nimages:   # the camera\n  min: [1, 3, 16, 16]  # large\n")
    assert yaml.safe_load(text) == {"images": {"min": [1, 3, 16, 16], "opt": [2, 3, 24, 24], "max": [8, 3, 32, 32]}}


def test_our_settings_file_goes_round():
    told = Settings(
        profiles=(RIGHT,),
        flags=frozenset({"fp16"}),
        pools={"workspace": 1 << 30},
        tactics=("cudnn",),
        level=2,
        layers={"fc": "fp32"},
        plugins=("a.so",),
        typed=True,
        model="a.onnx",
        plan="a.plan",
        shapes={"x": (1, 2)},
    )
    assert own_json.from_body(json.loads(standalone.settings_text(told))) == told
    assert settings.from_plain(settings.as_plain((RIGHT,))) == (RIGHT,)


@pytest.mark.parametrize(
    ("profile", "shape"),
    [
        ([{"pixels": {"min": [8, 3, 32, 32], "opt": [2, 3, 24, 24], "max": [1, 3, 16, 16]}}], (8, 3, 32, 32)),
        ([], (1, 3, 64, 64)),
    ],
)
def test_our_settings_file_is_put_right(tmp_path, profile, shape):
    a_model(tmp_path)
    body = {"schema": own_json.SCHEMA, "model": "net.onnx", "plan": "net.plan", "profiles": profile}
    (tmp_path / own_json.NAME).write_text(json.dumps(body), encoding="utf-8")
    fix, cause = (correct_profile, "profile-invalid") if profile else (rebuild_profiles, "profile-missing")
    site = cure(fix, a_site(tmp_path, ("python", "build_tensorrt.py"), causes=(cause,)))
    assert own_json.read(site).settings.profiles[0]["images"].covers(shape)


def test_layers_that_overflow_are_found_by_running_the_model(tmp_path):
    nodes = [
        helper.make_node("Mul", ["x", "big"], ["blown"], "blow"),
        helper.make_node("Sqrt", ["blown"], ["root"], "root"),
        helper.make_node("Tanh", ["root"], ["y"], "end"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.array(50000, np.float32), "big")],
    )
    path = str(tmp_path / "net.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    found = overflow.overflowing(path, [{"x": np.array([1.0, 4.0], np.float32)}])
    assert [(tensor, node) for tensor, node, _ in found] == [("blown", "blow"), ("root", "root")]
    np.savez(tmp_path / "feeds.npz", x=np.array([1.0, 4.0], np.float32))
    site = cure(keep_layers_fp32, a_site(tmp_path, ("trtexec", "--onnx=net.onnx", "--fp16"), causes=("fp16-overflow",)))
    assert "--precisionConstraints=obey" in site.command
    assert "--layerPrecisions=blow:fp32,root:fp32" in site.command


def test_fp32_builds_have_no_layers_to_keep(tmp_path):
    a_model(tmp_path)
    assert not list(
        keep_layers_fp32.propose(a_site(tmp_path, ("trtexec", "--onnx=net.onnx"), causes=("output-mismatch",)))
    )


def test_int8_without_data_is_refused(tmp_path):
    a_model(tmp_path)
    (refusal,) = add_calibration.propose(a_site(tmp_path, ("trtexec", "--onnx=net.onnx", "--int8")))
    assert isinstance(refusal, Refusal)
    assert "images" in refusal.todo


def test_the_reference_of_the_check_is_no_calibration_data(tmp_path):
    a_model(tmp_path)
    write(tmp_path, build__py=HEAD + PARSE + "config.set_flag(trt.BuilderFlag.INT8)\n" + END)
    np.savez(tmp_path / "reference.npz", images=np.zeros((1, 3, 8, 8), np.float32))
    assert isinstance(next(iter(add_calibration.propose(a_site(tmp_path)))), Refusal)
    np.savez(tmp_path / "calib.npz", images=np.zeros((1, 3, 8, 8), np.float32))
    made = list(add_calibration.propose(a_site(tmp_path)))
    assert [each.parameters["settings"]["calibration"]["method"] for each in made] == ["entropy", "minmax"]


def test_the_int8_flag_needs_the_log_and_the_model(tmp_path):
    a_model(tmp_path)
    write(tmp_path, build__py=HEAD + PARSE + END)
    assert not list(set_int8_flag.propose(a_site(tmp_path, log="int8 is not configured in the builder")))


def test_a_plan_without_its_onnx_file_is_refused(tmp_path):
    (tmp_path / "a.plan").write_bytes(b"\0" * 64)
    (refusal,) = rebuild_engine.propose(
        a_site(tmp_path, ("trtexec", "--loadEngine=a.plan"), causes=("engine-corrupt",))
    )
    assert "cannot be converted" in refusal.why


def test_a_plan_of_other_inputs_is_not_built_from_the_file_beside_it(tmp_path):
    a_model(tmp_path, path="a.onnx")
    command = ("trtexec", "--loadEngine=a.plan")
    (tmp_path / "a.plan").write_bytes(b"ftrt" + b"tokens\0logits\0" * 9)
    assert isinstance(next(iter(rebuild_engine.propose(a_site(tmp_path, command)))), Refusal)
    (tmp_path / "a.plan").write_bytes(b"ftrt" + b"images\0y\0" * 9)
    site = cure(rebuild_engine, a_site(tmp_path, command))
    assert site.command == ("trtexec", "--onnx=a.onnx", "--saveEngine=a.plan")


def test_a_polygraphy_run_builds_in_place_of_loading(tmp_path):
    a_model(tmp_path, path="a.onnx")
    (tmp_path / "a.engine").write_bytes(b"stale")
    command = ("polygraphy", "run", "a.engine", "--trt", "--model-type", "engine", "--onnxrt")
    site = cure(rebuild_engine, a_site(tmp_path, command))
    assert site.command == ("polygraphy", "run", "a.onnx", "--trt", "--onnxrt")


def test_the_script_that_builds_the_plan_runs_first(tmp_path):
    a_model(tmp_path)
    write(tmp_path, build__py=HEAD + PARSE + END, serve__py="import tensorrt as trt\nload('net.plan')\n")
    (tmp_path / "net.plan").write_bytes(b"stale")
    site = cure(
        rebuild_engine, a_site(tmp_path, ("python", "serve.py", "--port", "1"), causes=("engine-version-mismatch",))
    )
    assert site.command == ("sh", "-c", "python build.py && python serve.py --port 1")
    assert not site.has("net.plan")


def test_a_library_that_names_the_plugin_is_loaded_only_when_allowed(tmp_path):
    a_model(tmp_path)
    (tmp_path / "libswirl.so").write_bytes(b"\x7fELF" + b"SwirlPlugin\0")
    log = "[TRT] [E] 3: getPluginCreator could not find plugin: SwirlPlugin version: 1"
    site = a_site(tmp_path, ("trtexec", "--onnx=net.onnx"), log, ("plugin-missing",))
    (made,) = load_plugin_library.propose(site)
    assert load_plugin_library.SAFETY == "unsafe"
    load_plugin_library.apply(site, made.parameters)
    assert site.command[-1] == "--plugins=libswirl.so"


def test_a_static_model_that_is_asked_for_another_batch(tmp_path):
    a_model(tmp_path, dims=(1, 3, 8, 8))
    log = "[TRT] [E] Static dimension mismatch\nRuntimeError: shape (6, 3, 8, 8) of images was refused"
    site = a_site(tmp_path, log=log, causes=("input-shape-mismatch",))
    site = cure(free_refused_dimension, site)
    (free,) = carriers.inputs(site, "net.onnx")
    assert isinstance(free.dims[0], str)
    assert free.dims[1:] == (3, 8, 8)
