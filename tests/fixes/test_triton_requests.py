"""What clients and models ask Triton for, steps that disagree, reshapes, and runs that met another server."""

import pytest

from triage import discovery
from triage.pysource import literals
from triage.remediate import clash
from triage.remedy import BuildResult, Proposal, Refusal
from triage.site import Found, Site
from triage.tritonrepo import samples
from triage.tritonrepo.config import Config
from triage.workspace import Workspace

STEP = samples.CONFIG.replace("scorer", "ranker").replace('"score"', '"rank"').replace('"features"', '"scores"')
CALLER = """\
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            rows = pb_utils.get_input_tensor_by_name(request, "rows").as_numpy()
            asked = pb_utils.InferenceRequest(
                model_name="scorer", inputs=[pb_utils.Tensor("rows", rows)], requested_output_names=["score"]
            )
            score = pb_utils.get_output_tensor_by_name(asked.exec(), "score")
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("answer", score.as_numpy())]))
        return answers
"""


def site_of(folder, log="", verify=True, files=(".",)):
    return Site(
        Workspace(str(folder), str(folder)), ("python", "client.py"), files, log=log, found=Found(tool="triton"),
        verify={"command": ["python", "verify.py"]} if verify else {},
    )  # fmt: skip


def said(name, site, kind=Proposal):
    return [each for each in discovery.load("triage.fixes", name).propose(site) if isinstance(each, kind)]


def cured(name, folder, log, **more):
    proposal = said(name, site_of(folder, log, **more))[0]
    discovery.load("triage.fixes", name).apply(site_of(folder, log, **more), proposal.parameters)
    return site_of(folder, log, **more)


def caller(folder, text=CALLER):
    samples.repository(str(folder))
    config = samples.CONFIG.replace("scorer", "front").replace('"features"', '"rows"').replace('"score"', '"answer"')
    samples.put(str(folder), "models/front/config.pbtxt", config)
    samples.put(str(folder), "models/front/1/model.py", text)


def test_a_model_that_calls_another_asks_for_its_input_and_keeps_its_own(tmp_path):
    caller(tmp_path)
    site = cured("correct_triton_request", tmp_path, "unexpected inference input 'rows' for model 'scorer'")
    text = site.text("models/front/1/model.py")
    assert 'get_input_tensor_by_name(request, "rows")' in text
    assert 'pb_utils.Tensor("features", rows)' in text


def test_a_model_that_calls_another_by_a_wrong_name(tmp_path):
    caller(tmp_path, CALLER.replace('"scorer"', '"scorers"'))
    log = "Failed for execute the inference request. Model 'scorers' is not ready."
    site = cured("correct_triton_request", tmp_path, log)
    assert site.text("models/front/1/model.py") == CALLER
    assert not said("correct_triton_request", site)
    caller(tmp_path, CALLER.replace('"scorer"', '"scorers"'))
    assert said("correct_triton_request", site_of(tmp_path, log, verify=False))[0].safety == "unsafe"


def test_a_request_that_can_mean_two_inputs_is_left_alone(tmp_path):
    second = '  },\n  {\n    name: "mask"\n    data_type: TYPE_FP32\n    dims: [ 6 ]\n  }\n]\noutput'
    samples.repository(str(tmp_path), samples.CONFIG.replace("  }\n]\noutput", second))
    samples.put(str(tmp_path), "client.py", 'import tritonclient.http as h\nh.InferInput("x", [1, 6], "FP32")\n')
    site = site_of(tmp_path, "unexpected inference input 'x' for model 'scorer'")
    assert not said("correct_triton_request", site)
    assert "not certain" in said("correct_triton_request", site, Refusal)[0].why


@pytest.mark.parametrize(
    ("text", "kind", "changed"),
    [
        ('f(data["x"], {"x": data["x"]})', "input", 'f(data["x"], {"new": data["x"]})'),
        ("feeds['x'] = rows['x']", "input", "feeds['new'] = rows['x']"),
        ('{"name": "x", "datatype": "FP32"}', "input", '{"name": "new", "datatype": "FP32"}'),
        ('{"outputs": [{"name": "x"}]}', "output", '{"outputs": [{"name": "new"}]}'),
        ('NAME = "x"', "output", 'NAME = "new"'),
        ('print("x")', "input", None),
        ('"""x"""', "model", None),
        ("f(", "input", None),
    ],
)
def test_a_name_is_changed_only_where_it_is_asked_for(text, kind, changed):
    assert literals.renamed(text, kind, "x", "new") == changed


@pytest.mark.parametrize(
    ("got", "want", "fits"),
    [
        ("FP64", "FP32", True), ("INT32", "INT64", True), ("UINT8", "INT32", True), ("FP32", "UINT8", False),
        ("INT64", "FP32", False), ("INT32", "INT8", False), ("INT8", "UINT16", False), ("BOOL", "INT32", False),
    ],
)  # fmt: skip
def test_only_types_of_the_same_meaning_are_converted(tmp_path, got, want, fits):
    text = f't = h.InferInput("x", [1], "{got}")\nt.set_data_from_numpy(rows * 2)\n'
    samples.put(str(tmp_path), "client.py", text)
    log = f"inference input 'x' data-type is '{got}', but model 'm' expects '{want}'"
    assert bool(said("send_expected_type", site_of(tmp_path, log))) == fits
    assert bool(said("send_expected_type", site_of(tmp_path, log), Refusal)) != fits
    if fits:
        new = cured("send_expected_type", tmp_path, log).text("client.py")
        assert f'(rows * 2).astype("{discovery.load("triage.fixes", "send_expected_type")._NUMPY[want]}")' in new  # noqa: SLF001


def steps(folder, code, given="TYPE_FP64"):
    samples.ensemble(str(folder))
    ensemble = samples.ENSEMBLE.replace(
        'value: "Y" } }',
        'value: "mid" } },\n    { model_name: "ranker" model_version: -1\n'
        '      input_map { key: "scores" value: "mid" } output_map { key: "rank" value: "Y" } }',
    )
    samples.put(str(folder), "models/flow/config.pbtxt", ensemble)
    config = STEP.replace("TYPE_FP32", given, 1).replace("[ 6 ]", "[ 2 ]")
    samples.put(str(folder), "models/ranker/config.pbtxt", config)
    samples.put(str(folder), "models/ranker/1/model.py", code)


DISAGREE = (
    "in ensemble flow, ensemble tensor mid: inconsistent data type: TYPE_FP32 is inferred from model scorer "
    "while TYPE_FP64 is inferred from model ranker"
)
OPEN = CALLER[: CALLER.index("            asked")].replace('"rows"', '"scores"') + (
    '            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("rank", rows)]))\n        return answers\n'
)


def test_of_two_steps_the_one_that_leaves_its_type_open_follows(tmp_path):
    steps(tmp_path, OPEN)
    assert said("mend_triton_config", site_of(tmp_path, DISAGREE, verify=False))[0].safety == "unsafe"
    site = cured("mend_triton_config", tmp_path, DISAGREE)
    assert Config(site.text("models/ranker/config.pbtxt")).tensors("input")[0].data_type == "TYPE_FP32"
    assert site.text("models/scorer/config.pbtxt") == samples.CONFIG


def test_two_steps_that_both_mean_what_they_say_are_refused(tmp_path):
    declared = samples.MODEL.replace('"features"', '"scores"').replace('"score"', '"rank"').replace("[6]", "[2]")
    steps(tmp_path, declared.replace("TYPE_FP32", "TYPE_FP64", 1))
    site = site_of(tmp_path, DISAGREE)
    assert not said("mend_triton_config", site)
    assert "does not convert" in said("mend_triton_config", site, Refusal)[0].why


def test_an_input_that_the_code_does_without_becomes_optional(tmp_path):
    code = OPEN.replace(
        "            answers",
        "            if mask is not None:\n                rows = rows * 2\n" + " " * 12 + "answers",
    )
    code = code.replace(
        "            rows =",
        '            mask = pb_utils.get_input_tensor_by_name(request, "mask")\n            rows =',
        1,
    )
    mask = '  },\n  { name: "mask" data_type: TYPE_FP32 dims: [ 6 ] }\n]\noutput'
    samples.repository(str(tmp_path), STEP.replace("ranker", "scorer").replace("  }\n]\noutput", mask), code)
    log = "expected 2 inputs but got 1 inputs for model 'scorer'. Got input(s) ['scores'], but missing required input(s) ['mask']. "
    site = cured("mend_triton_config", tmp_path, log)
    entry = Config(site.text("models/scorer/config.pbtxt")).entry("input", "mask")
    assert entry.node.plain("optional") is True
    samples.put(
        str(tmp_path),
        "models/scorer/1/model.py",
        code.replace(
            "if mask is not None:\n                rows = rows * 2",
            "if mask is None:\n                raise ValueError",
        ),
    )
    samples.put(
        str(tmp_path), "models/scorer/config.pbtxt", STEP.replace("ranker", "scorer").replace("  }\n]\noutput", mask)
    )
    assert not said("mend_triton_config", site_of(tmp_path, log))


def test_a_reshape_that_nothing_tells_is_tried_only_against_a_check(tmp_path):
    config = STEP.replace("ranker", "scorer").replace("dims: [ 6 ]", "dims: [ 6 ] reshape { shape: [ 3, 1 ] }")
    samples.repository(str(tmp_path), config, OPEN)
    assert not said("correct_triton_reshape", site_of(tmp_path, verify=False))
    assert said("correct_triton_reshape", site_of(tmp_path, verify=False), Refusal)
    found = said("correct_triton_reshape", site_of(tmp_path))
    assert len(found) > 1
    assert all(each.guess for each in found)


def test_a_weights_file_from_elsewhere_is_taken_only_against_a_check(tmp_path):
    samples.repository(str(tmp_path))
    samples.put(str(tmp_path), "archive/weights.npz", "")
    log = "FileNotFoundError: No such file or directory: 'models/scorer/1/weights.npz'"
    assert said("repair_repository_layout", site_of(tmp_path, log))[0].safety is None
    assert said("repair_repository_layout", site_of(tmp_path, log, verify=False))[0].safety == "unsafe"
    (tmp_path / "archive/weights.npz").unlink()
    assert not said("repair_repository_layout", site_of(tmp_path, log))
    why = said("repair_repository_layout", site_of(tmp_path, log), Refusal)[0].why
    assert why.startswith("models/scorer/1/weights.npz is missing")


def test_two_files_that_could_be_the_model_are_told(tmp_path):
    samples.repository(str(tmp_path), file="1/one.py")
    samples.put(str(tmp_path), "models/scorer/1/two.py", samples.MODEL)
    assert not said("repair_repository_layout", site_of(tmp_path))
    assert "one.py and two.py" in said("repair_repository_layout", site_of(tmp_path), Refusal)[0].why


def test_names_that_only_requests_and_config_share_are_not_paired_by_place(tmp_path):
    import numpy as np

    code = OPEN.replace('"scores"', '"left"').replace(
        "            answers", '            rows = rows - pb_utils.get_input_tensor_by_name(request, "right").as_numpy()\n' + " " * 12 + "answers"
    )  # fmt: skip
    pair = '    name: "b"\n    data_type: TYPE_FP32\n    dims: [ 6 ]\n  },\n  {\n    name: "a"\n'
    samples.repository(
        str(tmp_path), samples.CONFIG.replace('    name: "features"\n', pair).replace('score"', 'rank"'), code
    )
    samples.put(str(tmp_path), "client.py", 'MODEL = "scorer"\nFEEDS = "feeds.npz"\n')
    rows = np.ones((1, 6), np.float32)
    np.savez(tmp_path / "feeds.npz", a=rows, b=rows)
    assert not said("mend_triton_config", site_of(tmp_path))
    np.savez(tmp_path / "feeds.npz", left=rows, right=rows)
    assert said("mend_triton_config", site_of(tmp_path))


LOADING = 'I0101 1 model_lifecycle.cc:472] "loading: scorer:1"\n'


@pytest.mark.parametrize(
    ("text", "code", "again"),
    [
        ("failed to start HTTP service: Unavailable - Socket '0.0.0.0:8000' already in use ", 1, True),
        ("OSError: [Errno 98] Address already in use", 1, True),
        ("the port 8000 was in use before: Address already in use, took 8001", 0, False),
        (LOADING + "answer: ok", 0, True),
        (LOADING + '"Started HTTPService at 0.0.0.0:8000"', 0, False),
        ("ValueError", 1, False),
    ],
)
def test_a_run_that_met_another_process_is_done_again(tmp_path, monkeypatch, text, code, again):
    monkeypatch.setattr(clash, "_PAUSES", (0.0, 0.0))
    (tmp_path / "log").write_text(text, encoding="utf-8")
    runs = []
    clash.settled(lambda: runs.append(1) or BuildResult(code, "exit", 0.1, str(tmp_path / "log")))
    assert len(runs) == (3 if again else 1)
