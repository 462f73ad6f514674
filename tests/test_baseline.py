"""What a failed log says that the good one did not: noise gives nothing, the unusual line is found."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import FIXTURES, PROFILE_MISSING

from triage.diagnose import baseline
from triage.diagnose.baseline import line_prints, new_lines, normal_forms

VERBOSE = FIXTURES / "trt86-ok-resnet-verbose" / "log.txt"
GOOD = sorted(path for path in FIXTURES.glob("*ok*/log.txt"))
UNUSUAL = b"[W] [TRT] Weights of layer encoder are out of range for half precision"

HEX = "0123456789abcdef"
digits = st.integers(0, 10**6)
clock = st.builds("{:02}:{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
day = st.builds("20{:02}-{:02}-{:02}".format, st.integers(20, 29), st.integers(1, 12), st.integers(1, 28))
seconds = st.floats(1e-6, 1e6, allow_nan=False)
name = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=8, max_size=8)
identity = st.uuids().map(str)


class Noise:
    """One run's times, addresses, process numbers and temporary names."""

    def __init__(self, draw):
        self.parts = {
            "clock": draw(clock), "day": draw(day), "address": f"0x{draw(st.integers(0, 2**64 - 1)):x}",
            "pid": draw(digits), "took": draw(seconds), "part": draw(st.integers(0, 100)), "tmp": draw(name),
            "id": draw(identity), "sha": draw(st.text(HEX, min_size=40, max_size=40)), "size": draw(seconds),
            "unit": draw(st.sampled_from(["ms", "s", "us"])), "bytes": draw(st.sampled_from(["KiB", "MiB", "GB"])),
            "month": draw(st.sampled_from(["Mon Nov 16", "Tue Dec  1", "Sun Jan 31"])),
            "delta": draw(st.sampled_from(["+12", "-3", "+0"])), "workspace": draw(name),
        }  # fmt: skip

    def log(self):
        return (TEMPLATE.format(**self.parts)).encode()


TEMPLATE = """\
{day}T{clock}.123Z Starting build, pid {pid}
[{day} {clock},321] INFO optimizer {address} took {took:.3f} {unit}
[TRT] [V] Tactic: {address} Time: {took}
[TRT] [I] [MemUsageChange] Init CUDA: CPU {delta}, GPU +0, now: CPU {pid}, GPU 526 (MiB)
I{pid:04} {clock}.564945 {pid} server.cc:241] CUDA memory pool of {size:.1f} {bytes}
Loading /tmp/tmp{tmp}/model.onnx
Loading /home/{workspace}/project/weights.bin
wrote /tmp/pytest-of-me/pytest-{pid}/out/engine.plan in {took:.2f}s
object <Session object at {address}> of run {id}
image sha256:{sha}
{month} {clock} 2026 building
loss {took:e} after {part} steps
  {part}%|####      | {part}/100 [{clock}<{clock}, {took:.2f}it/s]
"""


@st.composite
def two_runs(draw):
    return Noise(draw).log(), Noise(draw).log()


@given(two_runs())
def test_two_good_runs_say_the_same(runs):
    before, after = runs
    assert new_lines([after], line_prints([before])) == ()


@given(two_runs(), st.integers(0, TEMPLATE.count("\n") - 1))
def test_an_unusual_line_is_found_where_it_stands(runs, place):
    before, after = runs
    lines = after.splitlines(keepends=True)
    lines.insert(place, UNUSUAL + b"\n")
    assert [
        (new.line, new.text, new.times, new.level) for new in new_lines([b"".join(lines)], line_prints([before]))
    ] == [(place + 1, UNUSUAL.decode(), 1, "warning")]


def again(data, seed):
    """The same build once more: other clocks, tactics and durations."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    data = re.sub(rb"\d\d:\d\d:\d\d", lambda _: b"%02d:%02d:%02d" % tuple(chance.choices(range(24), k=3)), data)
    data = re.sub(rb"0x[0-9a-f]{6,}", lambda _: b"0x%016x" % chance.getrandbits(64), data)
    data = re.sub(
        rb"(Time: |in )\d+\.\d+", lambda m: m[1] + b"%g" % (chance.random() * 10 ** chance.randint(-4, 3)), data
    )
    return re.sub(rb"([+] ?|now: CPU |GPU )\d+", lambda m: m[1] + b"%d" % chance.randint(0, 9999), data)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.parent.name)
def test_real_good_logs_say_nothing_new_of_themselves(path):
    data = path.read_bytes()
    assert new_lines([again(data, 1)], line_prints([again(data, 2)])) == ()


def test_a_failure_after_a_good_log_is_found_first():
    good = VERBOSE.read_bytes()
    failed = again(good, 3)[: len(good) // 2].rpartition(b"\n")[0] + b"\n" + PROFILE_MISSING.encode() + b"\n"
    (first,) = new_lines([failed], line_prints([good]))
    assert (first.line, first.level) == (failed.count(b"\n"), "error")
    assert "no optimization profile" in first.text


@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_how_the_log_is_cut_into_chunks_does_not_matter(size):
    good = VERBOSE.read_bytes()
    failed = good + UNUSUAL + b"\r\n" + UNUSUAL
    pieces = [failed[place : place + size] for place in range(0, len(failed), size)]
    whole = new_lines([failed], line_prints([good]))
    assert new_lines(pieces, line_prints([good])) == whole
    assert [(new.line, new.times) for new in whole] == [(good.count(b"\n") + 1, 2)]


def test_the_same_in_other_wrappers_is_not_new():
    lines = [b"loading the model", b"building the engine", b"saving the plan"]
    prints = line_prints([b"\n".join(lines)])
    wrapped = b"\n".join(b"2026-11-20T10:26:19.1234567Z #12 5.638 " + line for line in lines)
    assert new_lines([wrapped], prints) == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_encodings_are_read(encoding):
    good, bad = "loading\nbuilding\n", "loading\nerror: no such layer\n"
    found = new_lines([bad.encode(encoding)], line_prints([good.encode(encoding)]))
    assert [(new.line, new.text) for new in found] == [(2, "error: no such layer")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"TensorRT version: 10.3.0", b"TensorRT version: 10.7.0"),
        (b"input shape 1x3x224x224", b"input shape 1x3x256x256"),
        (b"exporting with opset 17", b"exporting with opset 22"),
        (b"building for sm_80", b"building for sm_89"),
    ],
)
def test_versions_shapes_and_opsets_are_told_apart(before, after):
    assert [new.text for new in new_lines([after], line_prints([before]))] == [after.decode()]
    assert new_lines([before], line_prints([before])) == ()


@pytest.mark.parametrize(
    "line",
    [
        b" 45%|####      | 45/100 [00:01<00:01, 40.2it/s]",
        b"Downloading model.safetensors: 12.3 MB/s",
        b"a1b2c3d4e5f6: Pull complete",
        b'  File "/usr/lib/python3/site.py", line 12, in main',
        b"    ~~~~~~~^^^^^^",
        b"1.23  4.56  7.89  10.11  12.13",
        b"----------------------------",
        b"",
    ],
)
def test_noise_is_left_out(line):
    assert new_lines([b"start\n" + line + b"\n"], line_prints([b"start\n"])) == ()


def test_a_line_behind_a_progress_bar_is_seen():
    (found,) = new_lines([b" 10%|#    |\r 99%|#### |\rerror: device lost\n"], line_prints([b" 50%|##   |\n"]))
    assert (found.line, found.text) == (1, "error: device lost")


def test_loud_lines_and_lines_near_the_failure_come_first():
    quiet = [b"quiet line of kind %s" % bytes([letter]) * 3 for letter in range(ord("g"), ord("z"))]
    log = b"\n".join(
        [b"error: early and loud", *[b"known"] * 5000, *quiet, b"warning: shortly before", b"known", b"known"]
    )
    found = new_lines([log], line_prints([b"known"]), limit=5)
    assert [new.text for new in found[:1]] == ["warning: shortly before"]
    assert found[1].line > 5000 or found[1].level == "error"
    assert len(found) == 5
    place = log.split(b"\n").index(quiet[3]) + 1
    near = new_lines([log], line_prints([b"known"]), limit=2, failure=place)
    assert near[0].line == place


def test_what_is_shown_is_safe():
    log = b"\x1b[31merror: token ghp_0123456789abcdefghij0123456789 refused\x07\x1b[0m"
    (found,) = new_lines([log], b"")
    assert "ghp_" not in found.text
    assert found.text.isprintable()


def test_prints_are_bounded_and_loud_lines_have_room(monkeypatch):
    monkeypatch.setattr(baseline, "ORDINARY", 100)
    monkeypatch.setattr(baseline, "ALARMING", 10)
    words = ["".join(chr(97 + ord(digit) - 48) for digit in f"{number:06}") + "q" for number in range(400)]
    good = "\n".join([*(f"doing {word}" for word in words), "warning: known trouble"]).encode()
    prints = line_prints([good])
    assert len(prints) == 8 * 101
    failed = good + b"\nwarning: new trouble\nsomething quiet\n"
    assert [new.text for new in new_lines([failed], prints)] == ["warning: new trouble"]


def test_prints_are_sorted_and_distinct():
    prints = line_prints([VERBOSE.read_bytes() * 3])
    hashes = [prints[place : place + 8] for place in range(0, len(prints), 8)]
    assert hashes == sorted(set(hashes))
    assert line_prints([VERBOSE.read_bytes()]) == prints


def test_a_flood_of_new_lines_is_survived(monkeypatch):
    monkeypatch.setattr(baseline, "_CANDIDATES", 50)
    words = ["".join(chr(103 + ord(digit) - 48) for digit in f"{number:06}") for number in range(3000)]
    log = "\n".join([*(f"talking of {word}" for word in words), "error: the end"]).encode()
    assert new_lines([log], b"", limit=1)[0].text == "error: the end"


@given(st.binary(max_size=400))
def test_any_bytes_are_taken_and_never_new_to_themselves(data):
    assert new_lines([data], line_prints([data])) == ()


@given(st.lists(st.binary(max_size=60).map(lambda part: part.replace(b"\n", b"")), max_size=8))
def test_lines_are_brought_into_form_one_by_one(lines):
    assert normal_forms(lines) == [normal_forms([line])[0] for line in lines]
