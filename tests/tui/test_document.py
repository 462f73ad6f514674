"""The log document: any bytes as lines by number, search, filters, errors along the file."""

import os
import re
import threading
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import FIXTURES

from triage.errors import InputError
from triage.ingest.scan import clean
from triage.tui.document import BadPattern, Document, open_file, parse_pattern
from triage.tui.document import errormap as errormap_module
from triage.tui.document import index as index_module
from triage.tui.document import searching as searching_module
from triage.tui.document.line import LONGEST, RETURN, shown_text


def grown(*parts):
    document = Document.growing("log")
    for part in parts:
        document.append(part)
    document.finish()
    return document


def split(data):
    """The lines as the diagnosis counts them."""
    lines = data.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


BYTES = st.lists(
    st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"a", b"Error: x", b"fail", b"\xff", "漢🙂".encode(), b"\x1b[31m",
                     b"  ", b"b" * 9, b"\0", b"\t", b"[E] "]),
    max_size=60,
).map(b"".join)  # fmt: skip
CUTS = st.lists(st.integers(0, 400), max_size=6)


def in_pieces(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[low:high] for low, high in pairwise(edges)]


class Sizes:
    """Small borders for the time of a test case; hypothesis wants no function fixtures."""

    def __init__(self, block, piece):
        self.wanted = [(index_module, "BLOCK", block), (errormap_module, "BLOCK", block),
                       (searching_module, "PIECE", piece)]  # fmt: skip

    def __enter__(self):
        self.old = [(module, name, getattr(module, name)) for module, name, _ in self.wanted]
        for module, name, value in self.wanted:
            setattr(module, name, value)

    def __exit__(self, *_):
        for module, name, value in self.old:
            setattr(module, name, value)


SIZES = st.tuples(st.integers(1, 40), st.integers(1, 50))


@given(BYTES, CUTS, SIZES, st.integers(1, 70), st.integers(1, 70))
def test_a_window_is_what_splitting_gives(data, cuts, sizes, first, count):
    with Sizes(*sizes):
        document = grown(*in_pieces(data, cuts))
        lines = split(data)
        assert (document.lines, document.complete, document.indexed) == (len(lines), True, 1.0)
        found = [(line.number, line.text) for line in document.window(first, count)]
        wanted = lines[first - 1 : first - 1 + count]
        assert found == [(first + i, shown_text(raw, len(raw))[0]) for i, raw in enumerate(wanted)]
        starts = [document.start_of(number) for number in range(1, len(lines) + 1)]
        assert [data[start : start + len(raw)] for start, raw in zip(starts, lines, strict=True)] == lines
        assert [document.line_at(place) for place in range(len(data))] == [
            1 + data.count(b"\n", 0, place) for place in range(len(data))
        ]


def plain_line(raw):
    return clean(raw).removesuffix(b"\r")


def naive(lines, pattern):
    compiled = re.compile(pattern)
    return [(i + 1, *found.span()) for i, raw in enumerate(lines) if (found := compiled.search(plain_line(raw)))]


SEARCHES = st.sampled_from(
    [("fail", rb"(?i)fail"), ("Error", rb"Error"), ("/^ *$/", rb"^ *$"), ("/a.*b/", rb"(?i)a.*b"), ("b\r", rb"(?i)b\r"),
     ("/[^a]$/", rb"(?i)[^a\xff]$"), ("/\\bx/", rb"(?i)\bx")]
)  # fmt: skip


@given(BYTES.filter(lambda data: b"\xff" not in data and data.isascii()), CUTS, SIZES, SEARCHES, st.integers(1, 60))
def test_a_search_is_what_a_scan_of_each_line_gives(data, cuts, sizes, search, line):
    text, pattern = search
    with Sizes(*sizes):
        document = grown(*in_pieces(data, cuts))
        every = naive(split(data), pattern)
        assert document.find(text, line) == next((hit for hit in every if hit[0] >= line), None)
        assert document.find(text, line, forward=False) == next((hit for hit in every[::-1] if hit[0] <= line), None)
        kept = [number for batch in document.matching([text], []) for number in batch.lines]
        assert kept == [hit[0] for hit in every]
        dropped = [number for batch in document.matching([], [text, "zz"]) for number in batch.lines]
        assert dropped == [number for number in range(1, document.lines + 1) if number not in kept]
        both = [number for batch in document.matching([text, "error"], ["b"]) for number in batch.lines]
        more = {hit[0] for hit in naive(split(data), b"(?i)error")} | set(kept)
        assert both == sorted(more - {hit[0] for hit in naive(split(data), b"(?i)b")})


@given(BYTES, CUTS, SIZES, st.integers(1, 8))
def test_errors_along_the_log_are_what_each_line_says(data, cuts, sizes, buckets):
    with Sizes(*sizes):
        document = Document.growing("log")
        for part in in_pieces(data, cuts):
            document.append(part)
            document.scan_errors(7)
        document.finish()
        loud = [line.number for line in document.window(1, document.lines) if line.loud]
        for line in range(1, document.lines + 1):
            assert document.next_error(line) == next((number for number in loud if number > line), None)
            assert document.next_error(line, forward=False) == next((n for n in loud[::-1] if n < line), None)
        fresh = grown(data)
        while fresh.scan_errors(9) < 1:
            pass
        assert sum(fresh.errors(buckets)) == len(loud) == fresh.error_count
        assert [fresh.next_error(line) for line in range(1, fresh.lines + 1)] == [
            document.next_error(line) for line in range(1, fresh.lines + 1)
        ]


def test_numbers_are_those_of_the_diagnosis(library):
    from triage import diagnose

    cases = [path for path in sorted(FIXTURES.glob("*/log.txt")) if path.stat().st_size < 1 << 20]
    seen = 0
    for path in cases[::3] + [path for path in cases if b"\r" in path.read_bytes()]:
        data = path.read_bytes()
        if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:64]:
            continue
        report = diagnose(data)
        document = open_file(str(path))
        assert document.lines == report.diagnosis.lines
        for incident in report.diagnosis.incidents:
            for line in incident.causes[0].evidence:
                (found,) = document.window(line.line, 1)
                words = re.findall(r"[A-Za-z]{4,}", line.text[line.start : line.end].split("\n")[0])[:3]
                assert all(word in found.text for word in words), (path, line)
                seen += 1
        document.close()
    assert seen > 40


def test_an_empty_document_has_no_lines():
    document = grown()
    assert (document.lines, document.size, document.window(1, 5), document.errors(4)) == (0, 0, [], [0, 0, 0, 0])
    assert (document.line_at(0), document.next_error(1), document.find("a"), document.scan_errors()) == (
        0,
        None,
        None,
        1,
    )
    assert list(document.matching(["a"], [])) == []


def test_text_after_the_last_line_end_is_a_line_and_an_end_is_not():
    assert [line.text for line in grown(b"a\nb").window(1, 9)] == ["a", "b"]
    assert [line.text for line in grown(b"a\nb\n").window(1, 9)] == ["a", "b"]
    assert [line.text for line in grown(b"\n\n").window(1, 9)] == ["", ""]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[31;1mred\x1b[0m \x1b]0;title\x07end", "red end"),
        (b"bell\x07 null\0 back\x08", "bell null back"),
        ("gnp\u202egpj \u200fx\u2066y".encode(), "gnpgpj xy"),
        (b"a\tb\t\tc", "a       b               c"),
        (b"10%\r20%\rdone\r", f"10%{RETURN}20%{RETURN}done"),
        (b"broken \xff\xc3", "broken \ufffd\ufffd"),
        ("漢字 🙂 é".encode(), "漢字 🙂 é"),
        (b"[red]markup[/]", "[red]markup[/]"),
        (b"token=ghp_abcdefghijklmnopqrstuvwxyz0123456789", "token=[github token masked]"),
        (b"\x9b31m c1", "\ufffd31m c1"),
        ("a\u2028b".encode(), "a b"),
    ],
)
def test_text_is_safe_to_show(raw, text):
    (line,) = grown(raw).window(1, 1)
    assert line.text == text


def test_the_lines_of_a_private_key_are_masked_also_from_its_middle():
    key = [
        b"-----BEGIN RSA PRIVATE KEY-----",
        *[b"MIIEpAIBAAKCAQEA" * 4] * 20,
        b"AbCd==",
        b"-----END RSA PRIVATE KEY-----",
    ]
    document = grown(b"\n".join([b"before", *key, b"after  all  is  well"]))
    for first in (1, 8, 20):
        text = "\n".join(line.text for line in document.window(first, 40))
        assert "MIIEpAIB" not in text
        assert "AbCd" not in text
        assert "after  all  is  well" in text


def test_a_secret_that_lies_across_the_cut_does_not_show():
    secret = b"ghp_" + b"a1B2" * 9
    (line,) = grown(b"x" * (LONGEST - 11) + b" " + secret + b" " + b"y" * 5000).window(1, 1)
    assert "ghp_" not in line.text
    assert line.cut


def test_ten_megabytes_in_one_line_cost_what_is_shown():
    document = grown(b"first\n" + b"word " * 2_000_000 + b"\nlast")
    assert document.lines == 3
    before = document.bytes_read
    line = document.window(2, 1)[0]
    assert len(line.text) == LONGEST
    assert line.cut == 10_000_000 - LONGEST
    assert document.bytes_read - before < 400_000
    before = document.bytes_read
    document.window(1, 3)
    assert document.bytes_read - before < 64_000
    assert document.find("last") == (3, 0, 4)


def test_a_wide_character_at_the_cut_is_whole():
    (line,) = grown("漢".encode() * 10_000).window(1, 1)
    assert set(line.text) <= {"漢", "\ufffd"}
    assert line.text.count("\ufffd") <= 1


def test_a_file_is_read_in_place_and_shown_before_all_is_known(tmp_path):
    path = tmp_path / "big.log"
    with open(path, "wb") as stream:
        stream.writelines(b"line of some length %06d\n" % block * 40_000 for block in range(300))
    document = open_file(str(path))
    assert document.bytes_read <= 1 << 20
    assert not document.complete
    assert 0 < document.indexed < 0.01
    assert [line.number for line in document.window(1, 3)] == [1, 2, 3]
    tracemalloc.start()
    while document.index() < 1:
        pass
    document.window(document.lines - 40, 40)
    assert document.find("000299").line == 299 * 40_000 + 1
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert document.lines == 12_000_000
    assert held < 2 << 20
    assert peak < 12 << 20
    document.close()


def test_what_is_missing_or_no_file_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_file(str(tmp_path / "no.log"))
    with pytest.raises(InputError, match="folder"):
        open_file(str(tmp_path))


def test_a_growing_document_goes_to_disk_and_leaves_nothing(monkeypatch):
    from triage.tui.document import store

    monkeypatch.setattr(store, "IN_MEMORY", 1000)
    document = Document.growing("paste")
    for number in range(500):
        document.append(b"line %d\n" % number)
        assert document.window(number + 1, 1)[0].text == f"line {number}"
    assert document._store.spooled  # noqa: SLF001
    assert [line.text for line in document.window(1, 2)] == ["line 0", "line 1"]
    document.close()
    assert document.window(1, 2) in ([], [(1, "", 0, False), (2, "", 0, False)])


def test_only_a_growing_document_takes_bytes(tmp_path):
    (tmp_path / "a.log").write_bytes(b"a\n")
    with pytest.raises(TypeError):
        open_file(str(tmp_path / "a.log")).append(b"x")


def test_a_file_that_grows_is_followed(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntw")
    document = open_file(str(path))
    assert (document.lines, document.grown()) == (2, False)
    with open(path, "ab") as stream:
        stream.write(b"o\nthree\n")
    assert document.grown()
    assert not document.complete
    document.index()
    assert [line.text for line in document.window(1, 9)] == ["one", "two", "three"]
    assert (document.version, document.remark) == (0, "")


def rewritten(path):
    path.write_bytes(b"quite another log\n" * 40)


def replaced(path):
    other = path.with_suffix(".new")
    other.write_bytes(b"new\n" * 100)
    os.replace(other, path)


@pytest.mark.parametrize(
    ("change", "word"),
    [(lambda path: path.write_bytes(b"x\n"), "cut short"), (rewritten, "written anew"), (replaced, "replaced")],
)
def test_a_file_that_was_rewritten_begins_again(tmp_path, change, word):
    path = tmp_path / "a.log"
    path.write_bytes(b"one line of it\n" * 30)
    document = open_file(str(path))
    document.scan_errors()
    change(path)
    assert document.grown()
    assert (document.version, word in document.remark) == (1, True)
    assert document.lines == len(split(path.read_bytes()))
    assert document.window(1, 1)[0].text == split(path.read_bytes())[0].decode()
    assert not document.grown()


def test_a_file_cut_short_under_the_index_does_not_hang(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one line of it\n" * 300_000)
    document = open_file(str(path))
    os.truncate(path, 3 << 19)
    assert document.find("zork") is None
    while document.index() < 1:
        pass
    assert document.size == 3 << 19


def test_a_closed_document_ends_what_runs(tmp_path):
    path = tmp_path / "a.log"
    path.write_bytes(b"one line of it\n" * 300_000)
    document = open_file(str(path))
    document.close()
    document.close()
    assert document.find("zork") is None
    assert not document.grown()


def test_one_writer_and_readers_at_once():
    document = Document.growing("log")
    faults = []

    def read():
        while not document.finished:
            lines = document.lines
            for line in document.window(max(1, lines - 30), 20):
                if line.text != f"line {line.number}":
                    faults.append(line)
            document.find("/line .*99$/", max(1, lines - 300))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 40_001, 40):
        document.append(b"".join(b"line %d\n" % each for each in range(number, number + 40)))
    document.finish()
    for reader in readers:
        reader.join()
    assert faults == []
    assert document.lines == 40_000


def test_a_filter_stops_at_its_room_and_says_so():
    batches = list(grown(b"a\n" * 5000).matching(["a"], [], room=700))
    assert sum(len(batch.lines) for batch in batches) == 700
    assert batches[-1].capped


def test_a_search_gives_control_back_after_each_piece():
    document = grown(b"some text\n" * 400_000)
    steps = document.search("zork")
    assert next(steps).hit is None
    assert len(list(steps)) > 2
    calls = []
    assert document.find("zork", stop=lambda: bool(calls.append(1)) or len(calls) > 1) is None
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("text", "line", "hit"),
    [
        ("größe", "Die GRÖSSE, die Größe", True),
        ("Größe", "die größe", False),
        ("a.b", "axb", False),
        ("/a.b/", "AXB", True),
        ("/A.b/", "axb", False),
        (r"/\Sx/", "AX", True),
        ("/漢.x/", "漢字x", True),
        ("[", "a [b]", True),
        ("/", "a/b", True),
    ],
)
def test_case_and_expressions(text, line, hit):
    assert (grown(line.encode()).find(text) is not None) is hit


@pytest.mark.parametrize(
    ("text", "words"),
    [("/a(b/", "missing )"), ("/x[z-a]/", "at character 3: z-a"), ("/a)b/", "unexpected )"), ("//", "nothing"),
     ("", "empty"), ("/(?=a)/", "at character 1: (?=")],
)  # fmt: skip
def test_a_bad_pattern_says_what_and_where(text, words):
    with pytest.raises(BadPattern, match=re.escape(words)):
        parse_pattern(text)


def test_hits_in_a_shown_line_are_places_in_its_text():
    assert parse_pattern("x").spans("漢x🙂xé") == [(1, 2), (3, 4)]
    assert parse_pattern("/漢|é/").spans("漢x🙂xé") == [(0, 1), (4, 5)]
    assert parse_pattern("/q*/").spans("aqqa") == [(1, 3)]


def test_a_hit_across_colour_codes_is_found():
    assert grown(b"a\n\x1b[31mER\x1b[0mROR\n").find("ERROR") == (2, 0, 5)
