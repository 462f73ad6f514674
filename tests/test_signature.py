"""The same failure elsewhere has the same signature; another failure has another one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import MESSAGES

from triage.service import diagnose
from triage.signature import VERSION, sign

# the same failure, told twice
SAME = {
    "path": (
        "[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from /models/a/1/model.onnx failed: file doesn't exist",
        "[ONNXRuntimeError] : 3 : NO_SUCHFILE : Load model from C:\\work\\b.onnx failed: file doesn't exist",
    ),
    "bare file": ("Could not open file vit.onnx", "Could not open file bert_large.onnx"),
    "shape": (
        "Got invalid dimensions for input: images (1, 3, 224, 224) expected (8, 3, 640, 640)",
        "Got invalid dimensions for input: images (4, 3, 256, 256) expected (1, 3, 512, 512)",
    ),
    "shape of another rank": ("expected [1,3,224,224]", "expected [1,77]"),
    "quoted name": ("Required inputs ('images') are missing", "Required inputs ('input_ids') are missing"),
    "version": ("built with TensorRT 8.6.1, running 10.3.0", "built with TensorRT 8.5.3, running 10.16.1"),
    "size": ("Tried to allocate 2.00 GiB", "Tried to allocate 512.00 MiB"),
    "time": ("at 2026-11-20T10:26:19.123Z failed", "at 2025-01-02T23:59:59Z failed"),
    "address": ("object at 0x7f12 is dead", "object at 0xffee12 is dead"),
    "number": ("Error Code 4 on line 3047", "Error Code 4 on line 3062"),
    "source": ("[network.cpp::validate::3047] text", "[network.cpp::validate::3062] text"),
    "letters of the message": ("Engine Is Null", "engine is null"),
    "how many names": ("Missing keys: 'a.w', 'b.w'", "Missing keys: 'a.w', 'b.w', 'c.w', 'd.w'"),
    "blanks": ("engine  is   null", "engine is null"),
    "scoped node": ("node /encoder/layer.0/MatMul failed", "node /decoder/layer.11/MatMul_1 failed"),
}
SAME_BUT_NOT_YET = {
    "dynamic shape": ("input 1x3x224x224 is out of range", "input -1x3x224x224 is out of range"),
    "numbered node": ("no kernel for node Conv_45 here", "no kernel for node Conv_7 here"),
    "negative number": ("axis 1 is out of bounds", "axis -1 is out of bounds"),
}
OTHER = {
    "missing module": (
        "ModuleNotFoundError: No module named 'onnx'",
        "ModuleNotFoundError: No module named 'tensorrt'",
    ),
    "quoted messages": (
        "\"failed to load 'a' version 1: Invalid argument: no backend\"",
        "\"failed to load 'a' version 1: Internal: no memory is left\"",
    ),
    "operator": ("No importer registered for op NonZero", "No importer registered for op GridSample"),
    "precision": ("fp16 is not supported", "int8 is not supported"),
    "words": ("file does not exist", "file is not readable"),
    "status": ("CUDNN_STATUS_NOT_SUPPORTED", "CUDNN_STATUS_EXECUTION_FAILED"),
}


def hashes(pair, tool="tensorrt"):
    return [sign(tool, "build", text).hash for text in pair]


@pytest.mark.parametrize("kind", SAME)
def test_the_same_failure_has_the_same_signature(kind):
    first, second = hashes(SAME[kind])
    assert first == second


@pytest.mark.parametrize("kind", SAME_BUT_NOT_YET)
def test_the_same_failure_that_is_still_told_apart(kind):
    first, second = hashes(SAME_BUT_NOT_YET[kind])
    assert first == second


@pytest.mark.parametrize("kind", OTHER)
def test_another_failure_has_another_signature(kind):
    first, second = hashes(OTHER[kind])
    assert first != second


def test_the_tool_is_part_of_the_signature_and_the_stage_is_not():
    text = "engine is null"
    assert sign("tensorrt", "build", text).hash != sign("triton", "build", text).hash
    assert sign("tensorrt", "build", text).hash == sign("tensorrt", None, text).hash


def test_a_signature_has_a_dated_version():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", VERSION)
    assert sign("tensorrt", None, "text").version == VERSION


def test_what_was_masked_is_kept():
    signature = sign("onnxruntime", "run", "got (1, 3) for 'images' with 1.17.0")
    assert signature.template == "got <shape> for <name> with <version>"
    assert signature.kept == {"shape": ["(1, 3)"], "name": ["'images'"], "version": ["1.17.0"]}


@pytest.mark.parametrize(("cause", "message"), MESSAGES)
@pytest.mark.parametrize(
    "wrapper", ["{}", "2026-11-20T10:26:19.1Z {}", "    {}", "service-1  | {}", "\x1b[31m{}\x1b[0m"]
)
def test_the_signature_of_a_log_does_not_depend_on_its_wrapping(cause, message, wrapper):
    def signature(log):
        return diagnose(log).diagnosis.incidents[0].signature

    assert signature(f"noise\n{wrapper.format(message)}\nnoise\n").hash == signature(message).hash


@given(st.text(max_size=300), st.sampled_from(["tensorrt", "other"]))
def test_signing_never_fails_and_is_stable(text, tool):
    signature = sign(tool, None, text)
    assert signature == sign(tool, None, text)
    assert re.fullmatch(r"[0-9a-f]{16}", signature.hash)
    assert len(signature.template) <= 500
    assert sign(tool, None, f"  {text}\t ").hash == signature.hash or "'" in text or '"' in text or "/" in text


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_never_tell_failures_apart(first, second):
    assert len(set(hashes((f"layer {first} of {second}", f"layer {second} of {first}")))) == 1


@pytest.mark.parametrize(
    "prefix",
    ["[11/20/2026-10:26:19] [E] [TRT] ", "[TRT] [E] ", "[11/21/2026-09:00:00] [TRT] [E] ", "[TensorRT] ERROR: "],
)
def test_the_signature_does_not_depend_on_the_prefix_of_the_tool(prefix):
    message = "4: [network.cpp::validate::3062] Error Code 4: Internal Error (Network has dynamic or shape inputs, but no optimization profile has been defined.)"  # noqa: E501 -- one line of a log
    first, second = (diagnose(lead + message).diagnosis.incidents[0].signature for lead in (prefix, "[E] [TRT] "))
    assert first.template == second.template
