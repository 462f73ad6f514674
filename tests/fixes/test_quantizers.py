"""Scripts that quantize with calibration data, broken in many ways, run for real, changed and run again."""

import pytest
from test_export_scripts import Build

from triage import discovery
from triage.remedy import Proposal, Refusal

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

HEAD = """import numpy as np
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
"""
CLASS = """
class Reader(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)
    def get_next(self):
        return next(self.feeds, None)
"""
GO = '\nquantize_static("net.onnx", "small.onnx", Reader({}){})\n'


def save_net(folder, shape=("n", 6), inputs=("x",)):
    """A small network; with a picture's shape it begins with a convolution."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.normal(size=(6, 3)), "c": rng.normal(size=(6, 3, 3, 3)) / 5}
    text = ", ".join(f"float[{','.join(map(str, shape))}] {name}" for name in inputs)
    body = "h = MatMul (x, w)\n y = Tanh (h)"
    if len(inputs) == 2:
        body = f"s = Sub ({', '.join(inputs)})\n h = MatMul (s, w)\n y = Tanh (h)"
    if len(shape) == 4:
        body = "k = Conv <pads = [1,1,1,1]> (x, c)\n r = Relu (k)\n p = GlobalAveragePool (r)\n f = Flatten (p)\n y = MatMul (f, w)"
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : 17]>\nnet ({text}) => (float[n,3] y) {{\n {body}\n}}'
    )
    for name in ("w", "c") if len(shape) == 4 else ("w",):
        model.graph.initializer.append(onnx.numpy_helper.from_array(arrays[name].astype(np.float32), name))
    onnx.save(model, folder / "net.onnx")


def check(folder):
    """The quantized model answers like the one that it was made of."""
    small, net = (
        ort.InferenceSession(folder / name, providers=["CPUExecutionProvider"]) for name in ("small.onnx", "net.onnx")
    )
    rng = np.random.default_rng(5)
    feeds = {
        one.name: rng.normal(size=[each if isinstance(each, int) else 4 for each in one.shape]).astype(np.float32)
        for one in net.get_inputs()
    }
    assert {one.op_type for one in onnx.load(folder / "small.onnx").graph.node} & {"QuantizeLinear", "QLinearMatMul"}
    np.testing.assert_allclose(small.run(None, feeds)[0], net.run(None, feeds)[0], atol=0.25)


def told(build, fix, causes=("calibration-failed",)):
    """(proposals, refusals) for the log of the build as it is."""
    good, log = build.run()
    assert not good, "it was meant to fail"
    said = list(discovery.load("triage.fixes", fix).propose(build.site(log, causes)))
    return [one for one in said if isinstance(one, Proposal)], [one for one in said if isinstance(one, Refusal)]


# --- names

ROWS = "rows = np.random.default_rng(1).normal(size=(8, 1, 6)).astype(np.float32)\n"
NAMED = {
    "literal": CLASS + ROWS + GO.format('[{"features": row} for row in rows]', ""),
    "keywords": CLASS + ROWS + GO.format("[dict(features=row) for row in rows]", ", quant_format=QuantFormat.QOperator"),
    "constant": CLASS + ROWS + 'NAME = "features"\n' + GO.format("[{NAME: row} for row in rows]", ", per_channel=True"),
    "generator": CLASS + ROWS + 'def feeds():\n    for row in rows:\n        yield {"features": row}\n' + GO.format("feeds()", ""),
    "assigned": ROWS + """
class Reader(CalibrationDataReader):
    def __init__(self, rows):
        self.rows, self.at = rows, -1
    def get_next(self):
        self.at += 1
        if self.at == len(self.rows):
            return None
        feed = {}
        feed["features"] = self.rows[self.at]
        return feed
""" + GO.format("rows", ", calibrate_method=CalibrationMethod.Entropy"),
    "argument": ROWS + """
class Reader(CalibrationDataReader):
    def __init__(self, rows, name="features"):
        self.name, self.rows = name, iter(rows)
    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {self.name: row}
""" + GO.format("rows", ", calibrate_method=CalibrationMethod.Percentile"),
    "file": CLASS + "import json\n" + ROWS + 'name = json.load(open("quant.json"))["calibration"]["input"]\n'
    + GO.format("[{name: row} for row in rows]", ""),
}  # fmt: skip


@pytest.mark.parametrize("text", NAMED.values(), ids=NAMED)
def test_the_data_get_the_name_of_the_input(tmp_path, text):
    save_net(tmp_path)
    build = Build(tmp_path, {"quantize.py": HEAD + text, "quant.json": '{"calibration": {"input": "features"}}'},
                  command=("python", "quantize.py"))  # fmt: skip
    build.repair("rename_calibration_inputs", "input-name-mismatch")
    check(tmp_path)


def test_what_the_model_does_not_take_is_left_out(tmp_path):
    save_net(tmp_path)
    (tmp_path / "calib").mkdir()
    for number in range(4):
        rows = np.random.default_rng(number).normal(size=(1, 6)).astype(np.float32)
        np.savez(tmp_path / f"calib/{number}.npz", x=rows, label=number, weight=0.5)
    text = (
        HEAD + "import glob\n" + CLASS.replace("return next(self.feeds, None)", "path = next(self.feeds, None)\n        "
        "return path and dict(np.load(path))") + GO.format('sorted(glob.glob("calib/*.npz"))', "")
    )  # fmt: skip
    build = Build(tmp_path, {"quantize.py": text}, command=("python", "quantize.py"))
    (done,) = build.repair("rename_calibration_inputs", "input-name-mismatch")
    assert done.endswith("out of the calibration feeds: no input of the model")
    check(tmp_path)


def test_names_that_could_be_paired_in_two_ways_are_not(tmp_path):
    save_net(tmp_path, inputs=("x", "z"))
    text = HEAD + CLASS + ROWS + GO.format('[{"first": row, "second": row} for row in rows]', "")
    build = Build(tmp_path, {"quantize.py": text}, command=("python", "quantize.py"))
    proposals, refusals = told(build, "rename_calibration_inputs", ("input-name-mismatch",))
    assert not proposals
    assert "not certain" in refusals[0].why


# --- types, sizes and layouts

PICTURES = CLASS + "data = np.random.default_rng(1).MAKE\n" + GO.format('[{"x": row} for row in data]', "")


@pytest.mark.parametrize(
    ("make", "cause", "words"),
    [
        ("normal(size=(5, 1, 3, 8, 10))", "input-dtype-mismatch", "cast the calibration samples from double"),
        ("normal(size=(5, 3, 8, 10)).astype(np.float32)", "input-shape-mismatch", "give a batch dimension"),
        ("normal(size=(5, 1, 8, 10, 3)).astype(np.float32)", "input-shape-mismatch", "into the order (0, 3, 1, 2)"),
    ],
)
def test_samples_are_brought_into_type_and_layout(tmp_path, make, cause, words):
    save_net(tmp_path, ("n", 3, 8, 10))
    build = Build(tmp_path, {"quantize.py": HEAD + PICTURES.replace("MAKE", make)}, command=("python", "quantize.py"))
    (done,) = build.repair("convert_calibration_samples", cause)
    assert words in done
    check(tmp_path)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("integers(0, 256, (5, 1, 3, 8, 10)).astype(np.uint8)", "which scale belongs to it is not known"),
        ("normal(size=(5, 1, 3, 16, 16)).astype(np.float32)", "another size than the model's input"),
    ],
)
def test_no_scale_and_no_size_is_made_up(tmp_path, make, why):
    save_net(tmp_path, ("n", 3, 8, 10))
    build = Build(tmp_path, {"quantize.py": HEAD + PICTURES.replace("MAKE", make)}, command=("python", "quantize.py"))
    proposals, refusals = told(build, "convert_calibration_samples", ("input-dtype-mismatch",))
    assert not proposals
    assert why in refusals[0].why


# --- where the data are

LOADING = """
class Reader(CalibrationDataReader):
    def __init__(self, paths):
        self.paths = iter(paths)
    def get_next(self):
        path = next(self.paths, None)
        if path is None:
            return None
        data = np.load(path)
        return {"x": data["x"] if hasattr(data, "files") else data}
"""
LOOKS = {
    "folder": ("import glob, os\nFOLDER = 'data/calibration'\n", "sorted(glob.glob(os.path.join(FOLDER, '*.npy')))"),
    "path": ("from pathlib import Path\nROOT = Path('data')\n", "sorted((ROOT / 'calibration').glob('*.npy'))"),
    "ending": ("import glob\n", "sorted(glob.glob('data/calib_set/*.raw'))"),
    "f-string": ("import glob\nroot = 'data/samples'\n", "sorted(glob.glob(f'{root}/*.npy'))"),
    "yaml": ("import glob, yaml\nconf = yaml.safe_load(open('conf.yaml'))\n", "glob.glob(conf['calib'] + '/*.npy')"),
}  # fmt: skip


@pytest.mark.parametrize(("head", "paths"), LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_the_calibration_finds_its_data(tmp_path, head, paths, kind):
    save_net(tmp_path)
    put(tmp_path / "data/calib_set", kind, (1, 6))
    put(tmp_path / "data/labels", "npy", (1, 6))
    put(tmp_path / "expected", "npy", (1, 6))
    text = HEAD + head.replace(".npy", f".{kind}") + LOADING + GO.format(paths.replace(".npy", f".{kind}"), "")
    build = Build(tmp_path, {"quantize.py": text, "conf.yaml": "# where\ncalib: data/calibration  # frames\n"},
                  command=("python", "quantize.py"))  # fmt: skip
    (done,) = build.repair("find_calibration_data", "calibration-failed")
    assert f"the 4 files of data/calib_set/*.{kind}" in done
    check(tmp_path)


def put(folder, kind, shape):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(4):
        rows = np.random.default_rng(number).normal(size=shape).astype(np.float32)
        np.save(folder / f"{number}.npy", rows) if kind == "npy" else np.savez(folder / f"{number}.npz", x=rows)


@pytest.mark.parametrize("folder", ["labels", "expected_outputs", "masks", "reference"])
def test_labels_and_references_are_no_calibration_data(tmp_path, folder):
    save_net(tmp_path)
    put(tmp_path / folder, "npy", (1, 6))
    text = HEAD + "import glob\n" + LOADING + GO.format("glob.glob('calib/*.npy')", "")
    build = Build(tmp_path, {"quantize.py": text}, command=("python", "quantize.py"))
    proposals, refusals = told(build, "find_calibration_data")
    assert not proposals
    assert "holds no data" in refusals[0].why


def test_data_that_the_build_makes_itself_are_not_missed(tmp_path):
    save_net(tmp_path)
    text = HEAD + "import os\nos.makedirs('made', exist_ok=True)\nnp.save('made/a.npy', np.ones((1, 6)))\n"
    text += "import glob\n" + LOADING + GO.format("glob.glob('made/*.npy')", "")
    build = Build(tmp_path, {"quantize.py": text}, command=("python", "quantize.py"))
    assert told(build, "find_calibration_data") == ([], [])


# --- readers that were read before

USED = {
    "counted": "reader = Reader([{'x': row} for row in rows])\nprint(sum(1 for _ in iter(reader.get_next, None)))\n{go}",
    "twice": "reader = Reader([{'x': row} for row in rows])\nfor name in ('first.onnx', 'small.onnx'):\n"
    "    quantize_static('net.onnx', name, reader)\n",
    "generator": "feeds = ({'x': row} for row in rows)\nprint(len(list(feeds)))\nreader = Reader(feeds)\n{go}",
    "inline": "feeds = ({'x': row} for row in rows)\nprint(len(list(feeds)))\nquantize_static('net.onnx', 'small.onnx', Reader(feeds))\n",
    "function": "def make(reader, name):\n    quantize_static('net.onnx', name, reader)\n"
    "def main():\n    reader = Reader([{'x': row} for row in rows])\n"
    "    for name in ('first.onnx', 'small.onnx'):\n        make(reader, name)\nmain()\n",
}  # fmt: skip


@pytest.mark.parametrize("text", USED.values(), ids=USED)
@pytest.mark.parametrize("rewinds", [False, True])
def test_a_reader_that_was_read_before_begins_again(tmp_path, text, rewinds):
    save_net(tmp_path)
    kind = CLASS
    if rewinds:
        kind = CLASS.replace("self.feeds = iter(feeds)", "self.all = list(feeds)\n        self.rewind()")
        kind += "    def rewind(self):\n        self.feeds = iter(self.all)\n"
    body = HEAD + kind + ROWS + text.replace("{go}", "quantize_static('net.onnx', 'small.onnx', reader)\n")
    build = Build(tmp_path, {"quantize.py": body}, command=("python", "quantize.py"))
    build.repair("renew_calibration_reader", "calibration-failed")
    check(tmp_path)


def test_a_reader_that_counts_its_own_data_away(tmp_path):
    save_net(tmp_path)
    kind = CLASS.replace("iter(feeds)", "map(dict, feeds)\n        print(len(list(self.feeds)), 'samples')")
    build = Build(tmp_path, {"quantize.py": HEAD + kind + ROWS + GO.format("[{'x': row} for row in rows]", "")},
                  command=("python", "quantize.py"))  # fmt: skip
    build.repair("renew_calibration_reader", "calibration-failed")
    check(tmp_path)


def test_a_name_that_means_something_else_by_then_is_not_repeated(tmp_path):
    save_net(tmp_path)
    text = "reader = Reader([{'x': row} for row in rows])\nrows = rows * 100\nlist(iter(reader.get_next, None))\n"
    build = Build(tmp_path, {"quantize.py": HEAD + CLASS + ROWS + text + GO.replace("Reader({}){}", "reader")},
                  command=("python", "quantize.py"))  # fmt: skip
    assert told(build, "renew_calibration_reader") == ([], [])


# --- arguments


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("activation_qType=QuantType.QUInt8", "activation_type=QuantType.QUInt8"),
        ("symmetric_activation=True", 'extra_options={"ActivationSymmetric": True}'),
        ("weight_symmetric=True, extra_options={'AddQDQPairToWeight': False}", '"WeightSymmetric": True'),
        ("calibration_method=CalibrationMethod.MinMax", "calibrate_method=CalibrationMethod.MinMax"),
        ("nodes_to_exlude=['h0']", "nodes_to_exclude=['h0']"),
    ],
)
def test_arguments_get_their_present_names(tmp_path, given, wanted):
    save_net(tmp_path)
    text = HEAD + CLASS + ROWS + GO.format("[{'x': row} for row in rows]", f", {given}")
    build = Build(tmp_path, {"quantize.py": text}, command=("python", "quantize.py"))
    build.repair("correct_quantizer_arguments", "api-removed")
    assert wanted in build.text("quantize.py")
    check(tmp_path)
