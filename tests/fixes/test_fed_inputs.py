"""Inputs as a caller sends them: other types, other names; the model takes them, or it is said why not."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from graph_site import checked, close, graph, mended, outputs, proposals, refusals, site_of  # noqa: E402

from triage.fixes import accept_fed_type, rename_inputs  # noqa: E402
from triage.onnxgraph import match  # noqa: E402

SENT = "Unexpected input data type. Actual: (tensor({})) , expected: (tensor({}))"

LOOKUP = (
    "g (int64[b,t] ids, float[b,t] weight) => (float[b,t] y) <float[5] table = {5,6,7,8,9}> "
    "{ r = Gather(table, ids) y = Mul(r, weight) }"
)
IDS, WEIGHT = np.array([[0, 4], [2, 1]]), np.array([[1, 2], [3, 4]], dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "array", "told"),
    [
        ("ids", IDS.astype(np.int32), ("int32", "int64")),
        ("ids", IDS.astype(np.uint8), ("uint8", "int64")),
        ("ids", IDS.astype(np.float32), ("float", "int64")),
        ("weight", WEIGHT.astype(np.float64), ("double", "float")),
        ("weight", WEIGHT.astype(np.float16), ("float16", "float")),
        ("weight", WEIGHT.astype(np.int64), ("int64", "float")),
    ],
)
@pytest.mark.parametrize("stored", [True, False])
def test_an_input_takes_what_is_sent(name, array, told, stored, tmp_path):
    feeds = {"ids": IDS, "weight": WEIGHT} | {name: array}
    site = site_of(
        tmp_path, graph(LOOKUP), SENT.format(*told), ["input-dtype-mismatch"], feeds=feeds if stored else None
    )
    new = checked(mended(accept_fed_type, site))
    close(outputs(new, feeds)[0], outputs(graph(LOOKUP), {"ids": IDS, "weight": WEIGHT})[0])


def test_only_what_differs_is_changed_and_several_at_once(tmp_path):
    feeds = {"ids": IDS.astype(np.int32), "weight": WEIGHT.astype(np.float64)}
    site = site_of(tmp_path, graph(LOOKUP), SENT.format("int32", "int64"), ["input-dtype-mismatch"], feeds=feeds)
    assert proposals(accept_fed_type, site)[0].parameters["inputs"] == {"ids": 6, "weight": 11}
    feeds["weight"] = WEIGHT
    site = site_of(tmp_path, graph(LOOKUP), SENT.format("int32", "int64"), ["input-dtype-mismatch"], feeds=feeds)
    assert proposals(accept_fed_type, site)[0].parameters["inputs"] == {"ids": 6}


def test_old_runtimes_tell_types_as_codes(tmp_path):
    code = "N11onnxruntime17PrimitiveDataTypeI{}EE"
    log = f"Unexpected input data type. Actual: ({code.format('i')}) , expected: ({code.format('l')})"
    site = site_of(tmp_path, graph(LOOKUP), log, ["input-dtype-mismatch"])
    assert proposals(accept_fed_type, site)[0].parameters["inputs"] == {"ids": 6}


def test_fractions_are_never_cut_and_scaling_is_never_guessed(tmp_path):
    feeds = {"ids": IDS + 0.5, "weight": WEIGHT}
    site = site_of(tmp_path, graph(LOOKUP), SENT.format("double", "int64"), ["input-dtype-mismatch"], feeds=feeds)
    assert not proposals(accept_fed_type, site)
    feeds = {"ids": IDS, "weight": WEIGHT.astype(np.uint8)}
    log = SENT.format("uint8", "float")
    assert refusals(accept_fed_type, site_of(tmp_path, graph(LOOKUP), log, ["input-dtype-mismatch"], feeds=feeds))
    alone = site_of(tmp_path, graph(LOOKUP), log, ["input-dtype-mismatch"], verify=False, feeds=feeds)
    assert [each.safety for each in proposals(accept_fed_type, alone)] == ["unsafe"]


MISSING = "ValueError: Required inputs ({}) are missing from input feed ({})."
FEEDS = {"ids": IDS, "weight": WEIGHT}


def fed_as(tmp_path, names, *, verify=True, stored=True, text=LOOKUP):
    """The build whose caller uses other names: {its name: ours}."""
    sent = {name: FEEDS[own] for name, own in names.items()}
    missing = [name for name in FEEDS if name not in sent]
    log = MISSING.format(missing, list(sent))
    feeds = sent if stored else None
    return site_of(tmp_path, graph(text), log, ["input-name-mismatch"], verify=verify, feeds=feeds), sent


@pytest.mark.parametrize(
    ("names", "verify", "safety"),
    [
        ({"IDs": "ids", "Weight:0": "weight"}, False, None),
        ({"serving_default_ids": "ids", "weight": "weight"}, False, None),
        ({"encoder/ids": "ids", "weight": "weight"}, False, None),
        ({"x": "ids", "weight": "weight"}, True, None),
        ({"x": "ids", "weight": "weight"}, False, "unsafe"),
        ({"a": "weight", "b": "ids"}, True, None),
        ({"weight.1": "weight", "tokens": "ids"}, True, None),
    ],
)
def test_inputs_are_named_as_they_are_fed(names, verify, safety, tmp_path):
    site, sent = fed_as(tmp_path, names, verify=verify)
    assert [each.safety for each in proposals(rename_inputs, site)] == [safety]
    new = checked(mended(rename_inputs, site))
    close(outputs(new, sent)[0], outputs(graph(LOOKUP), FEEDS)[0])
    assert not proposals(rename_inputs, site)


def test_names_may_change_places_with_tensors_inside(tmp_path):
    text = LOOKUP.replace("r =", "x =").replace("(r,", "(x,")
    site, sent = fed_as(tmp_path, {"x": "ids", "weight": "weight"}, text=text)
    close(outputs(checked(mended(rename_inputs, site)), sent)[0], outputs(graph(LOOKUP), FEEDS)[0])


def test_what_cannot_be_paired_for_certain_is_refused(tmp_path):
    site, _ = fed_as(tmp_path, {"a": "weight", "b": "ids"}, stored=False)
    assert not proposals(rename_inputs, site), "two names and nothing to tell them apart"
    assert refusals(rename_inputs, site)
    both = LOOKUP.replace("float[b,t] weight", "int64[b,t] weight").replace("Mul(r, weight)", "Gather(r, weight)")
    same = {"p": IDS, "q": IDS}
    log = MISSING.format(["ids", "weight"], ["p", "q"])
    site = site_of(tmp_path, graph(both), log, ["input-name-mismatch"], feeds=same)
    assert not proposals(rename_inputs, site), "two names of one type and shape"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("attention_mask", "token_type_ids"), ("attention_mask", "input_ids"), ("position_ids", "input_ids"),
        ("past_key", "past_value"), ("start_logits", "end_logits"), ("lengths", "tokens"),
        ("pixel_mask", "pixel_values"),
    ],
)  # fmt: skip
def test_names_of_different_things_are_never_paired(ours, theirs):
    assert match.pair([ours], [theirs], lambda *_: True) is None


def test_an_extra_name_is_not_taken_for_a_missing_one(tmp_path):
    feeds = FEEDS | {"token_type_ids": IDS}
    log = "INVALID_ARGUMENT : Invalid input name: token_type_ids"
    site = site_of(tmp_path, graph(LOOKUP), log, ["input-name-mismatch"], feeds=feeds)
    assert not proposals(rename_inputs, site)


def test_an_output_gets_the_name_that_is_asked_for(tmp_path):
    (tmp_path / "run.py").write_text("print(session.run(['score'], feeds))")
    site = site_of(tmp_path, graph(LOOKUP), "INVALID_ARGUMENT : Invalid output name:score", ["input-name-mismatch"])
    new = checked(mended(rename_inputs, site))
    assert [value.name for value in new.graph.output] == ["score"]
    close(outputs(new, FEEDS)[0], outputs(graph(LOOKUP), FEEDS)[0])
    two = LOOKUP.replace("(float[b,t] y)", "(float[b,t] y, float[b,t] r)")
    site = site_of(tmp_path, graph(two), "INVALID_ARGUMENT : Invalid output name:score", ["input-name-mismatch"])
    assert not proposals(rename_inputs, site)
    (tmp_path / "run.py").write_text("print(session.run(['r', 'score'], feeds))")
    fresh = site_of(tmp_path, graph(two), "INVALID_ARGUMENT : Invalid output name:score", ["input-name-mismatch"])
    assert proposals(rename_inputs, fresh)[0].parameters["outputs"] == {"y": "score"}


def test_an_input_that_is_an_output_too_keeps_its_other_name(tmp_path):
    text = "g (float[b,t] weight, int64[b,t] ids) => (float[b,t] y, float[b,t] weight) { y = Neg(weight) }"
    site, sent = fed_as(tmp_path, {"w": "weight", "ids": "ids"}, text=text)
    new = checked(mended(rename_inputs, site))
    close(outputs(new, sent)[1], WEIGHT)


def test_a_log_that_names_the_input_is_believed(tmp_path):
    log = "[!] Input tensor: ids | Received unexpected dtype: int32.\n    Note: Expected type: int64\n"
    site = site_of(tmp_path, graph(LOOKUP), log, ["input-dtype-mismatch"])
    assert proposals(accept_fed_type, site)[0].parameters["inputs"] == {"ids": 6}


def test_what_is_too_large_for_half_precision_is_refused(tmp_path):
    half = "g (float16[n] x) => (float16[n] y) { y = Neg(x) }"
    for value, told in ((90000.0, True), (9.0, False)):
        site = site_of(tmp_path, graph(half), SENT.format("float", "float16"), ["input-dtype-mismatch"],
                       feeds={"x": np.array([value, 1], np.float32)})  # fmt: skip
        assert bool([each for each in refusals(accept_fed_type, site) if "90000" in each.why]) is told
