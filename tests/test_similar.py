"""Near twins: order, floor, own words, and reasons in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz

from triage.diagnose.similar import FLOOR, SHARED, Known, nearest, reason, shared_words
from triage.signature import sign

CONV = "No importer registered for op: Conv in the network"


def known(*texts, tool="tensorrt"):
    return [Known(place, tool, text) for place, text in enumerate(texts, 1)]


def test_the_nearest_stands_first_and_its_score_is_the_ratio_of_the_texts():
    rows = known("another thing altogether", CONV.replace("Conv", "ConvTranspose"), CONV.replace("Conv", "Gemm"))
    found = nearest(CONV, "tensorrt", rows)
    assert [near.key for near in found] == [3, 2] or [near.key for near in found] == [2, 3]
    assert [near.score for near in found] == sorted((near.score for near in found), reverse=True)
    for near in found:
        assert near.score == pytest.approx(fuzz.ratio(CONV, near.text) / 100, abs=1e-4)


def test_of_equal_texts_the_same_tool_comes_first_and_then_the_older():
    rows = [Known(1, "triton", CONV), Known(9, "tensorrt", CONV), Known(4, "tensorrt", CONV)]
    assert [near.key for near in nearest(CONV, "tensorrt", rows)] == [4, 9, 1]


def test_no_more_than_asked_for():
    rows = known(*(CONV + " " + "x" * n for n in range(9)))
    assert len(nearest(CONV, "tensorrt", rows)) == 5
    assert [near.key for near in nearest(CONV, "tensorrt", rows, limit=2)] == [1, 2]
    assert nearest(CONV, "tensorrt", rows, limit=0) == ()


def test_nothing_is_similar_in_an_empty_archive():
    assert nearest(CONV, "tensorrt", []) == ()


def test_below_the_floor_nothing_is_called_similar():
    other = "CUDA out of memory. Tried to allocate <size>"
    assert nearest(CONV, "tensorrt", known(other)) == ()
    assert [near.key for near in nearest(CONV, "tensorrt", known(other), floor=0, shared=0)] == [1]


def test_the_frame_that_a_tool_puts_around_every_message_makes_no_twin():
    frame = "[TRT] [E] <number>: [<source>] Error Code <number>: Internal Error (<path>: {})"
    text, other = frame.format("operation AND requires boolean inputs."), frame.format("setRecurrence not called")
    assert fuzz.ratio(text, other) / 100 > FLOOR
    same = frame.format("operation OR requires boolean inputs.")
    assert [near.key for near in nearest(text, "tensorrt", known(other, same))] == [2]


@pytest.mark.parametrize(
    ("text", "other", "share"),
    [
        ("engine is null", "Engine Is Null", 1.0),
        ("<path>: <number>", "<file>", 1.0),  # no words of their own: the score alone decides
        ("engine is null", "<path>", 0.0),
        ("cannot open <file> 12", "cannot read <file> 13", 0.5),
    ],
)
def test_share_of_own_words(text, other, share):
    assert shared_words(text, other) == pytest.approx(share)
    assert shared_words(other, text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("new", "old", "why"),
    [
        (CONV, CONV, "same tool, same message"),
        (CONV.replace("Conv", "Gemm"), CONV, "same tool, same message; differs in: 'Conv' → 'Gemm'"),
        ("error: " + CONV, CONV, "same tool, 93 % of the text; new here: 'error'"),
        (CONV, CONV + " for <path>", "same tool, 90 % of the text; missing here: 'for <path>'"),
        ("file (a) is bad", "file [a] is bad", "same tool, same message"),
    ],
)
def test_the_reason_says_what_differs(new, old, why):
    assert reason(new, "tensorrt", Known(1, "tensorrt", old), fuzz.ratio(new, old) / 100) == why


def test_a_reason_names_another_tool():
    assert reason(CONV, "triton", Known(1, "tensorrt", CONV), 1.0) == "another tool (tensorrt), same message"


def test_a_reason_names_other_masked_values_where_both_are_known():
    old = sign("onnxruntime", None, "got (1, 3) for 'images' with 1.17.0")
    new = sign("onnxruntime", None, "got (1, 3) for 'input_ids' with 1.20.1")
    assert old.hash == new.hash
    row = Known(1, "onnxruntime", old.template, old.kept)
    (near,) = nearest(new.template, "onnxruntime", [row], kept=new.kept)
    assert near.why == (
        "same tool, same message; other name: 'images' → 'input_ids'; other version: '1.17.0' → '1.20.1'"
    )


def test_a_long_reason_is_cut():
    old = " same ".join(f"word{chr(97 + n)}" for n in range(8))
    new = " same ".join(f"term{chr(97 + n)}" for n in range(8))
    assert reason(new, "x", Known(1, "x", old), 0.8).endswith("'wordd' → 'termd' and 4 more")


TEXTS = st.text(alphabet=st.sampled_from("ab <>path()'\x1b\u0130é"), max_size=40)


@given(TEXTS, st.lists(TEXTS, max_size=8))
def test_any_text_has_its_own_best_twin(text, others):
    rows = known(*others, text)
    found = nearest(text, "tensorrt", rows, limit=3)
    if text:  # nothing is no text to be near to
        assert found[0].score == 1.0
        assert found[0].text == text or fuzz.ratio(text, found[0].text) == 100
    assert all(near.score >= FLOOR and shared_words(text, near.text) >= SHARED and near.why for near in found)
