"""Log format modules: found by their folder, proved by their samples."""

import re

import pytest
from support import PACKAGE

from triage import discovery
from triage.ingest.facts import tensorrt_version
from triage.ingest.formats import compile_formats
from triage.ingest.levels import Levels
from triage.rulebook.patterns import SHORTEST_SIDE_LITERAL, compile_line, literals_of
from triage.rulebook.read import TOOLS
from triage.service import diagnose

FOLDER = "triage.ingest.formats"
NAMES = discovery.names(FOLDER)
LEVEL_WORDS = {"verbose", "info", "warning", "error", "fatal"}


def test_names_are_the_files_of_the_folder():
    files = {path.stem for path in (PACKAGE / "ingest" / "formats").glob("[a-z]*.py")}
    assert {name.replace("-", "_") for name in NAMES} == files
    assert len(NAMES) > 15


def test_the_shipped_formats_are_without_fault():
    formats = compile_formats()
    assert {row[0] for row in formats.lines} | {owner for owner, _ in formats.facts} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_module_has_what_a_format_must_have(name):
    module = discovery.load(FOLDER, name)
    assert module.TOOL is None or module.TOOL in TOOLS
    assert set(module.LEVELS.values()) <= LEVEL_WORDS
    assert module.LINE or module.FACTS
    if module.LINE:
        assert module.SAMPLES
        assert module.OTHERS


@pytest.mark.parametrize("name", NAMES)
def test_samples_match_and_near_ones_do_not(name):
    module = discovery.load(FOLDER, name)
    if not module.LINE:
        pytest.skip("a format of facts only")
    program = compile_line(module.LINE)
    assert [line for line in module.SAMPLES if not program.match(line.encode())] == []
    assert [line for line in module.OTHERS if program.match(line.encode())] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_level_of_each_sample_is_known(name):
    """A severity that LEVELS does not know would read as no severity at all."""
    module = discovery.load(FOLDER, name)
    if not module.LINE or not module.LEVELS:
        pytest.skip("a format without levels")
    levels = Levels([[name, module.TOOL, module.LINE, module.LEVELS]])
    assert {line: levels.of(line.encode()) for line in module.SAMPLES if levels.of(line.encode()) is None} == {}


@pytest.mark.parametrize("name", NAMES)
def test_fact_patterns_compile_and_can_be_scanned_for(name):
    for pattern in discovery.load(FOLDER, name).FACTS:
        assert compile_line(pattern).groupindex, pattern
        assert literals_of(pattern, SHORTEST_SIDE_LITERAL).words
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*", group) for group in re.findall(r"\(\?P<(\w+)>", pattern))


@pytest.mark.parametrize(
    ("token", "version"),
    [("8205", "8.2.5"), ("8601", "8.6.1"), ("100300", "10.3.0"), ("101601", "10.16.1"), ("110201", "11.2.1"),
     ("7103", "7.1.3")],
)  # fmt: skip
def test_version_tokens(token, version):
    assert tensorrt_version(token) == version


def test_facts_reach_the_incident():
    log = (
        "&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=/models/vit_dyn.onnx --fp16\n"
        "[11/20/2026-10:26:19] [I] TensorRT version: 8.6.1\n"
        "[11/20/2026-10:26:19] [I] Selected Device: NVIDIA H200\n"
        "[11/20/2026-10:26:19] [I] Compute Capability: 9.0\n"
        "[11/20/2026-10:26:19] [I] [TRT] Opset version:    17\n"
        "[11/20/2026-10:26:19] [E] [TRT] 4: [network.cpp::validate::3062] Error Code 4: Internal Error "
        "(Network has dynamic or shape inputs, but no optimization profile has been defined.)\n"
    )
    incident = diagnose(log).diagnosis.incidents[0]
    assert (incident.tool, incident.tool_version, incident.stage) == ("tensorrt", "8.6.1", "build")
    assert (incident.model, incident.precision) == ("/models/vit_dyn.onnx", "fp16")
    assert incident.facts["gpu"] == "NVIDIA H200"
    assert incident.facts["cc"] == "9.0"
    assert incident.facts["opset"] == "17"


def test_a_warning_of_a_tool_is_a_softer_word():
    """The same text counts as a cause when it is printed as an error and as a hint when as a warning."""
    text = "[TRT] {} 4: [network.cpp::validate::3062] Error Code 4: Internal Error (Network has dynamic or shape "
    text += "inputs, but no optimization profile has been defined.)"
    assert diagnose("[11/20/2026-10:26:19] " + text.format("[E]")).diagnosis.verdict == "named"
    assert diagnose("[11/20/2026-10:26:19] " + text.format("[W]")).diagnosis.verdict != "named"
