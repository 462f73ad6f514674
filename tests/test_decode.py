"""Encodings, line numbers, progress bars, colours and long lines."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import MESSAGES, PROFILE_MISSING, cause_of, evidence_lines

from triage.ingest.decode import LONGEST_LINE, detect_encoding, pieces, to_utf8
from triage.ingest.scan import clean
from triage.ingest.text import shown
from triage.ingest.wrappers import peel
from triage.service import diagnose

NOISE = "[11/20/2026-10:26:19] [I] === Model Options ===\n"
LOG = NOISE * 3 + PROFILE_MISSING + "\n" + NOISE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
@pytest.mark.parametrize(("cause", "message"), MESSAGES)
def test_every_encoding_gives_the_same_cause(encoding, cause, message):
    data = f"first line\n{message}\nlast line\n".encode(encoding)
    if encoding == "utf-32-le":
        data = b"\xff\xfe\x00\x00" + data
    report = diagnose(data)
    assert cause_of(data) == cause
    assert evidence_lines(report) == [2]


@pytest.mark.parametrize(("encoding", "mark"), [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff"), ("utf-8", b"")])
def test_byte_order_marks_do_not_reach_the_report(encoding, mark):
    report = diagnose(mark + PROFILE_MISSING.encode(encoding))
    assert report.diagnosis.incidents[0].causes[0].evidence[0].text == PROFILE_MISSING


def test_a_log_in_gbk_is_read():
    message = f"正在转换模型,请稍候。\n{PROFILE_MISSING}(网络输入是动态的)\n转换失败。\n"
    report = diagnose(message.encode("gbk"))
    assert report.diagnosis.environment["encoding"] == "gb18030"
    assert "网络输入是动态的" in report.diagnosis.incidents[0].causes[0].evidence[0].text


def test_latin_text_is_not_taken_for_chinese():
    data = "Größe für Schlüssel\n".encode("latin-1") * 20
    assert detect_encoding(data).name == "utf-8"
    assert cause_of(data + PROFILE_MISSING.encode()) == "profile-missing"


def test_broken_bytes_around_a_message_do_not_hide_it():
    data = b"\xff\xc3\x28 \xe2\x82\n" + PROFILE_MISSING.encode() + b" \xf0\x9f\x98\n\xfe\n"
    report = diagnose(data)
    assert evidence_lines(report) == [2]
    assert "�" in report.diagnosis.incidents[0].causes[0].evidence[0].text


def test_zero_bytes_inside_a_line_do_not_hide_it():
    data = (
        b"text before\0\0\nmore\n"
        + PROFILE_MISSING.replace("profile has", "profile\0 has").encode()
        + b"\n"
        + b"x\n" * 99
    )
    assert evidence_lines(diagnose(data)) == [3]


def test_a_message_that_is_cut_in_two_encodings_is_still_found():
    """Tools of two worlds write into one file: half of it is UTF-16."""
    data = ("quiet\n" * 50).encode() + PROFILE_MISSING.encode() + b"\n"
    assert cause_of(data) == "profile-missing"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", " \n", "\t\r\n"])
def test_line_ends_and_numbers(end):
    step = end.count("\n")
    log = end.join(["one", "two", PROFILE_MISSING, "four", ""])
    assert evidence_lines(diagnose(log)) == [2 * step + 1]


def test_progress_bars_share_one_line():
    bar = "".join(f"\rConverting: {n:3}%|{'#' * (n // 10)}" for n in range(101))
    log = f"start\n{bar}\r{PROFILE_MISSING}\nend\n"
    assert evidence_lines(diagnose(log)) == [2]


def test_a_log_of_carriage_returns_alone():
    assert cause_of(f"start\rloading\r{PROFILE_MISSING}\rend") == "profile-missing"


def test_a_long_progress_bar_before_the_message_on_one_line():
    bar = "".join(f"\rEpoch {n}: loss=0.1" for n in range(5000))
    assert cause_of(f"start\n{bar}\r{PROFILE_MISSING}\nend\n") == "profile-missing"


def test_a_line_of_ten_megabytes():
    filler = "x" * (10 << 20)
    report = diagnose(f"one\n{filler} {PROFILE_MISSING} {filler[:99]}\n{PROFILE_MISSING}\n")
    assert evidence_lines(report)[0] == 2
    assert max(len(line.text) for line in report.diagnosis.incidents[0].causes[0].evidence) < 3000


def test_lines_after_one_longer_than_the_limit_keep_their_number():
    log = "x" * (LONGEST_LINE * 2 + 17) + "\n" + PROFILE_MISSING + "\n"
    chunks = [log.encode()[start : start + (1 << 20)] for start in range(0, len(log), 1 << 20)]
    assert b"".join(pieces(chunks)) == log.encode()
    assert evidence_lines(diagnose(log)) == [2]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
def test_the_number_of_lines(size):
    text = "line\n" * size
    assert diagnose(text).diagnosis.lines == size
    assert diagnose(text + "rest").diagnosis.lines == size + 1


def test_the_number_of_lines_of_a_large_log():
    assert diagnose("quiet line\n" * 60_000 + "rest").diagnosis.lines == 60_001


def test_an_empty_log_has_no_failure():
    assert diagnose(b"").diagnosis.verdict == "no-failure"
    assert diagnose("\n\n").diagnosis.verdict == "no-failure"


@pytest.mark.parametrize(
    "colour",
    [
        "\x1b[31m",
        "\x1b[1;38;5;196m",
        "\x1b[38;2;255;0;0m",
        "\x1b[0K",
        "\x1b]8;;http://x\x07",
        "\x1b]0;t\x1b\\",
        "\x1b(B",
    ],
)
def test_colours_inside_a_message(colour):
    words = PROFILE_MISSING.split(" ")
    report = diagnose("first\n" + f" {colour}".join(words) + "\x1b[0m\n")
    assert evidence_lines(report) == [2]


@pytest.mark.parametrize("opening", [b"\x1b]0;title", b"\x1b_data"])
def test_an_unfinished_sequence_hides_nothing(opening):
    data = opening + b"\nsecond\n" + PROFILE_MISSING.encode() + b"\nfourth\x07\n" + PROFILE_MISSING.encode() + b"\n"
    assert clean(data).count(b"\n") == data.count(b"\n")
    assert evidence_lines(diagnose(data))[0] == 3


# --- properties

LINES = st.lists(st.binary(max_size=40), max_size=30).map(b"\n".join)


def cut(data, places):
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(LINES, st.lists(st.integers(min_value=0), max_size=10))
def test_pieces_keep_every_byte_and_end_at_line_ends(data, places):
    found = list(pieces(cut(data, places)))
    assert b"".join(found) == data
    assert all(piece.endswith(b"\n") for piece in found[:-1])


@given(st.text(), st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "gb18030"]), st.lists(st.integers(min_value=0)))
def test_conversion_does_not_depend_on_the_chunks(text, name, places):
    data = text.encode(name, "ignore")
    encoding = detect_encoding(b"")._replace(name=name)
    whole = b"".join(to_utf8([data], encoding))
    assert b"".join(to_utf8(cut(data, places), encoding)) == whole
    if name != "gb18030":
        assert whole.decode() == data.decode(name)


@given(st.binary(max_size=400))
def test_detecting_never_fails_and_decodes(data):
    encoding = detect_encoding(data)
    b"".join(to_utf8([data], encoding)).decode("utf-8")


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=8), st.sampled_from(["le", "be"]))
def test_utf16_of_plain_text_is_detected(text, order):
    assert detect_encoding(text.encode(f"utf-16-{order}")) == (f"utf-16-{order}", 0)


@given(st.binary(max_size=300))
def test_peeling_twice_is_peeling_once_or_less(data):
    line = data.replace(b"\n", b"")
    once = peel(line)
    assert len(once) <= len(line) or line.startswith(b'{"')
    assert len(peel(once)) <= len(once)


@given(st.binary(max_size=300))
def test_shown_text_can_be_printed(data):
    text = shown(data)
    assert all(char.isprintable() or char in "\t\u3000" or char.isspace() or ord(char) > 255 for char in text)
    assert not set(text) & set(map(chr, [*range(9), *range(10, 32), *range(127, 160)]))


@given(st.binary(max_size=300).map(lambda d: d.replace(b"\x1b]", b"").replace(b"\x1b_", b"")))
def test_cleaning_keeps_line_ends(data):
    assert clean(data).count(b"\n") == data.count(b"\n")
