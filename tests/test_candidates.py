"""The index of candidates: it finds, follows, is shared by processes, and is never trusted blindly."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench._synthetic import distinct, twins
from triage.archive.candidates import CandidateIndex, Found
from triage.diagnose.similar import Known, nearest

FAILURES = list(distinct(3000))
ROWS = [(failure.number + 1, failure.tool, failure.text) for failure in FAILURES]
TEXT = {row[0]: row for row in ROWS}
NOTHING = Found((), 0)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    assert CandidateIndex(str(folder), "db").follow(ROWS) == len(ROWS)
    return folder


@pytest.fixture
def folder(built, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(built, tmp_path / "cache")
    return tmp_path / "cache"


def of(folder, database="db"):
    return CandidateIndex(str(folder), database)


def files_of(index):
    return sorted(name for name in os.listdir(index.path) if not name.endswith(".lock"))


def keys(near):
    return [one.key for one in near]


def test_a_text_finds_its_own_group_first(built):
    index = of(built)
    for key, _, text in ROWS[::50]:
        assert key in index.search(text, 10).ids


def test_candidates_give_the_same_twins_as_comparing_with_all(built):
    index, known = of(built), [Known(*row) for row in ROWS]
    wanted, reached = 0, 0
    for twin in twins([failure.number for failure in FAILURES], 60, seed=0):
        exact = nearest(twin.text, twin.tool, known)
        found = nearest(twin.text, twin.tool, [Known(*TEXT[key]) for key in index.search(twin.text).ids])
        wanted += len(exact)
        reached += len(set(keys(exact)) & set(keys(found)))
    assert wanted > 60
    assert reached >= 0.95 * wanted


def test_the_watermark_says_up_to_where_a_search_is_complete(tmp_path):
    index = of(tmp_path)
    assert index.watermark == 0
    assert index.search("anything") == NOTHING
    assert index.follow(ROWS[:10]) == 10
    assert index.watermark == ROWS[9][0] == index.search("anything").watermark
    assert index.follow(ROWS[:20]) == 10
    assert index.follow(ROWS[:20]) == 0
    assert index.watermark == ROWS[19][0]
    assert ROWS[19][0] in index.search(ROWS[19][2]).ids


def test_following_nothing_makes_an_index_of_nothing(tmp_path):
    assert of(tmp_path).follow([]) == 0
    assert of(tmp_path).search("text") == NOTHING


def test_another_process_sees_the_same_and_later_commits(tmp_path):
    reader, writer = of(tmp_path), of(tmp_path)
    writer.follow(ROWS[:5])
    assert reader.watermark == ROWS[4][0]
    writer.follow(ROWS[:9])
    assert reader.watermark == ROWS[8][0]
    assert ROWS[8][0] in reader.search(ROWS[8][2]).ids


def test_another_database_has_another_index(built):
    assert of(built).watermark == ROWS[-1][0]
    assert of(built, "other").watermark == 0
    assert of(built, "db").path != of(built, "other").path


@pytest.mark.parametrize("text", ["", "a", "é", "🦙", "null", "\x00\x1b[31m", "\ud800", "İ" * 500, "<path>"])
def test_any_text_can_be_kept_and_searched(tmp_path, text):
    index = of(tmp_path)
    assert index.follow([(7, "other", text)]) == 1
    assert index.search(text) == Found((7,), 7)


@given(st.text(max_size=600))
def test_any_text_can_be_searched(built, text):
    index = of(built)
    found = index.search(text, 7)
    assert found.watermark == ROWS[-1][0]
    assert len(found.ids) == len(set(found.ids)) <= 7
    assert set(found.ids) <= set(TEXT)


def test_a_search_gives_no_more_than_asked_for(built):
    assert len(of(built).search(ROWS[0][2], 3).ids) == 3


DAMAGES = {
    "removed": lambda _: None,
    "cut": lambda data: data[: len(data) // 2],
    "emptied": lambda _: b"",
    "overwritten": lambda data: random.Random(1).randbytes(len(data)),  # noqa: S311 -- any bytes will do
    "flipped": lambda data: (
        bytes(byte ^ 0x5A if place % 7 == 0 else byte for place, byte in enumerate(data[:-120])) + data[-120:]
    ),
}


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("suffix", ["meta.json", ".idx", ".term", ".fast", ".store", ".fieldnorm"])
def test_a_damaged_index_is_bypassed_and_built_again(folder, kind, suffix, capfd):
    index = of(folder)
    for name in files_of(index):
        if name.endswith(suffix) and not name.startswith(".managed"):
            path = os.path.join(index.path, name)
            with open(path, "rb") as stream:
                changed = DAMAGES[kind](stream.read())
            if changed is None:
                os.unlink(path)
            else:
                with open(path, "wb") as stream:
                    stream.write(changed)
    found = index.search(ROWS[7][2])
    if found.watermark:  # the damage is where this search does not look, or does not tell
        assert found.watermark == ROWS[-1][0]
        index.rebuild()
    assert index.follow(ROWS) == len(ROWS)
    assert ROWS[7][0] in index.search(ROWS[7][2]).ids
    assert of(folder).watermark == ROWS[-1][0]


def test_an_index_that_vanishes_under_its_reader_is_built_again(folder):
    index = of(folder)
    assert index.watermark
    shutil.rmtree(index.path)
    assert index.search(ROWS[0][2]) == NOTHING
    assert index.follow(ROWS[:3]) == 3
    assert ROWS[2][0] in index.search(ROWS[2][2]).ids


@pytest.mark.skipif(os.name != "posix", reason="a file as folder")
def test_a_folder_that_cannot_be_made_only_costs_the_index(tmp_path):
    (tmp_path / "file").write_text("no folder")
    index = of(tmp_path / "file" / "cache")
    assert index.follow(ROWS[:3]) == 0
    assert index.search(ROWS[0][2]) == NOTHING
    index.rebuild()


def test_an_error_of_the_database_is_the_callers(folder):
    def broken():
        yield (10**6, "other", "text")
        raise ValueError("the database is gone")

    with pytest.raises(ValueError, match="the database is gone"):
        of(folder).follow(broken())
    assert of(folder).watermark == ROWS[-1][0]


HOLD = """
import sys, tantivy
writer = tantivy.Index.open(sys.argv[1]).writer(15_000_000, 1)
writer.add_document(tantivy.Document(id=5_000_000, grams="never committed"))
print("held", flush=True)
sys.stdin.read()
"""


def test_while_another_process_writes_readers_read_and_following_waits_for_the_next_time(folder):
    index = of(folder)
    more = [*ROWS, (10**6, "other", "a new text")]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, index.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert index.follow(more) == 0
        assert ROWS[0][0] in index.search(ROWS[0][2]).ids
        assert index.watermark == ROWS[-1][0]
        holder.kill()
    assert index.follow(more) == 1
    assert index.watermark == 10**6


FOLLOW = """
import sys
from bench._synthetic import distinct
from triage.archive.candidates import CandidateIndex
import triage.archive.candidates as module
module._BATCH = 200
rows = [(f.number + 1, f.tool, f.text) for f in distinct(3000)]
print("ready", flush=True)
sys.stdin.readline()
index = CandidateIndex(sys.argv[1], "db")
for end in range(0, len(rows) + 1, 100):
    index.follow(rows[:end])
print("done", flush=True)
"""


def start_follower(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


@pytest.mark.slow
def test_several_processes_follow_at_once_and_each_group_is_there_once(tmp_path):
    processes = [start_follower(tmp_path) for _ in range(3)]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["done\n"] * 3
    index = of(tmp_path)
    index.follow(ROWS)
    assert index.watermark == ROWS[-1][0]
    for key, _, text in ROWS[::100]:
        assert index.search(text, 20).ids.count(key) == 1
    found = index.search("error <number> failed", 10_000).ids
    assert len(found) == len(set(found)) > 1000


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_writer_leaves_an_index_that_goes_on(tmp_path):
    index = of(tmp_path)
    for pause in (0.05, 0.2, 0.4):
        process = start_follower(tmp_path)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert 0 <= index.watermark <= ROWS[-1][0]
    index.follow(ROWS)
    assert index.watermark == ROWS[-1][0]
    for key, _, text in ROWS[::100]:
        assert index.search(text, 20).ids.count(key) == 1


def test_indexes_of_forgotten_databases_do_not_pile_up(tmp_path):
    for number in range(12):
        of(tmp_path, f"db {number}").follow(ROWS[:2])
    assert len(os.listdir(tmp_path)) <= 9
    assert of(tmp_path, "db 11").watermark == ROWS[1][0]
