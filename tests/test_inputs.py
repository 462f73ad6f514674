"""What a person names: files, pipes, archives; and what is no log, said with where and what to do."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from functools import partial

import pytest
import zstandard
from support import PROFILE_MISSING, first_cause, run_cli

from triage.errors import InputError
from triage.inputs import job_logs, open_logs
from triage.service import diagnose_inputs


def noise(seed, size):
    """Bytes without order, the same in every run."""
    return b"".join(hashlib.sha256(b"%d %d" % (seed, n)).digest() for n in range(size // 32))


LOG = ("[11/20/2026-10:26:19] [I] building\n" * 20 + PROFILE_MISSING + "\n").encode()
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(range(256)) * 8
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(range(256)) * 8
ONNX = b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:\xa1\x03\n" + noise(1, 4000)
RANDOM = noise(2, 5000)

COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": partial(lzma.compress, preset=0),
    "zst": zstandard.ZstdCompressor().compress,
}


def answers(library, *paths):
    """(source, cause) of every report; an error stands as itself."""
    results = diagnose_inputs([str(path) for path in paths], library)
    return [r if isinstance(r, InputError) else (r.report.source, first_cause(r.report)) for r in results]


def zip_of(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tar_of(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("size", [1, 4000], ids=["small", "above one chunk"])
def test_compressed_logs(tmp_path, library, kind, size):
    path = tmp_path / f"build.log.{kind}"
    path.write_bytes(COMPRESS[kind](b"quiet line that says nothing at all\n" * 50 * size + LOG))
    assert answers(library, path) == [(str(path), "profile-missing")]


@pytest.mark.parametrize("kind", COMPRESS)
def test_concatenated_members(tmp_path, library, kind):
    """What `cat a.gz b.gz` gives is one log."""
    path = tmp_path / f"build.log.{kind}"
    path.write_bytes(COMPRESS[kind](b"first part\n") + COMPRESS[kind](LOG))
    assert answers(library, path) == [(str(path), "profile-missing")]


@pytest.mark.parametrize("kind", COMPRESS)
def test_compression_is_told_by_content_not_by_name(tmp_path, library, kind):
    path = tmp_path / "build.log"
    path.write_bytes(COMPRESS[kind](LOG))
    assert answers(library, path) == [(str(path), "profile-missing")]


def test_zip_with_several_members(tmp_path, library):
    path = zip_of(tmp_path / "logs.zip", {"a.log": LOG, "sub/b.log": b"ModuleNotFoundError: No module named 'onnx'\n"})
    assert answers(library, path) == [
        (f"{path}!a.log", "profile-missing"),
        (f"{path}!sub/b.log", "python-dependency-missing"),
    ]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_with_several_members(tmp_path, library, mode):
    path = tar_of(tmp_path / "logs.tar", {"logs/a.log": LOG, "logs/b.log": b"all is well\n"}, mode)
    assert answers(library, path) == [(f"{path}!logs/a.log", "profile-missing"), (f"{path}!logs/b.log", "no-failure")]


def test_archive_inside_an_archive(tmp_path, library):
    path = zip_of(tmp_path / "logs.zip", {"a.log.gz": gzip.compress(LOG)})
    assert answers(library, path) == [(f"{path}!a.log.gz", "profile-missing")]


def test_github_actions_archive_is_read_job_by_job(tmp_path, library):
    """Its step folders repeat the job files: one failure must not be told twice."""
    members = {
        "0_build (3.11).txt": LOG,
        "1_lint.txt": b"all is well\n",
        "build (3.11)/1_Set up job.txt": b"set up\n",
        "build (3.11)/2_Build.txt": LOG,
        "lint/1_Set up job.txt": b"set up\n",
    }
    path = zip_of(tmp_path / "logs.zip", members)
    assert answers(library, path) == [
        (f"{path}!0_build (3.11).txt", "profile-missing"),
        (f"{path}!1_lint.txt", "no-failure"),
    ]


@pytest.mark.parametrize(
    "members",
    [
        ["a.log", "other/b.log"],
        ["x/1_a.txt", "y/1_a.txt"],
        ["a.txt"],
        [],
    ],
)
def test_other_archives_are_read_whole(members):
    assert job_logs(members) == members


def test_a_binary_member_is_skipped_and_the_rest_answered(tmp_path):
    path = zip_of(tmp_path / "logs.zip", {"model.onnx": ONNX, "a.log": LOG})
    done = run_cli("diagnose", "--format", "jsonl", path)
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert b"model.onnx" in done.stderr
    assert b"skipped" in done.stderr


def test_an_archive_without_a_log_says_so(tmp_path, library):
    path = zip_of(tmp_path / "logs.zip", {"model.onnx": ONNX})
    (fault,) = answers(library, path)
    assert "holds no readable log" in str(fault)


# --- what cannot be read


def bad_inputs(folder):
    """Every way to name something that is no log: name -> (path, words of the message)."""
    (folder / "folder").mkdir()
    files = {
        "empty.log": (b"", "is empty"),
        "picture.png": (PNG, "picture"),
        "program": (ELF, "compiled program"),
        "model.onnx": (ONNX, "not text"),
        "random.bin": (RANDOM, "not text"),
        "empty.gz": (gzip.compress(b""), "empty once decompressed"),
        "random.gz": (gzip.compress(RANDOM), "not text"),
        "damaged.gz": (gzip.compress(LOG * 9)[:10] + b"\xff" * 60, "damaged"),
        "damaged.bz2": (bz2.compress(LOG * 9)[:60] + b"\xff" * 60, "damaged"),
        "damaged.xz": (lzma.compress(LOG * 9)[:60] + b"\xff" * 60, "damaged"),
        "damaged.zst": (COMPRESS["zst"](LOG * 9)[:20] + b"\xff" * 60, "damaged"),
        "damaged.zip": (b"PK\x03\x04" + RANDOM, "damaged"),
        "empty.zip": (b"PK\x05\x06" + bytes(18), "no readable log"),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    named = {name: (folder / name, words) for name, (_, words) in files.items()}
    named["folder"] = (folder / "folder", "is a folder")
    named["missing"] = (folder / "picture.pgn", "picture.png")
    named["missing folder"] = (folder / "nowhere" / "a.log", "no folder")
    return named


BAD = ["empty.log", "picture.png", "program", "model.onnx", "random.bin", "empty.gz", "random.gz", "damaged.gz",
       "damaged.bz2", "damaged.xz", "damaged.zst", "damaged.zip", "empty.zip", "folder", "missing",
       "missing folder"]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_is_named_with_the_reason(tmp_path, library, name):
    path, words = bad_inputs(tmp_path)[name]
    (fault,) = answers(library, path)
    assert str(path) in str(fault)
    assert words in str(fault)
    assert len(str(fault)) > len(str(path)) + len(words) + 3  # and what to do


def test_bad_inputs_do_not_keep_the_others_from_being_answered(tmp_path):
    paths = [path for path, _ in bad_inputs(tmp_path).values()]
    good = tmp_path / "good.log"
    good.write_bytes(LOG)
    done = run_cli("diagnose", "--format", "jsonl", *paths[:4], good, *paths[4:], good)
    assert done.returncode == 2
    assert done.stdout.count(b'"profile-missing"') >= 2
    assert done.stdout.count(b"\n") == 2
    assert b"Traceback" not in done.stderr
    assert b"broke" not in done.stderr
    for path in paths:
        assert str(path).encode() in done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_says_so(tmp_path, library):
    path = tmp_path / "secret.log"
    path.write_bytes(LOG)
    path.chmod(0)
    (fault,) = answers(library, path)
    assert "cannot be read" in str(fault)
    assert "permissions" in str(fault)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file whose reading fails")
def test_a_failing_read_names_the_input(library):
    (fault,) = answers(library, "/proc/self/mem")
    assert "/proc/self/mem" in str(fault)


@pytest.mark.parametrize("kind", COMPRESS)
def test_an_archive_that_ends_early_is_said(tmp_path, kind):
    path = tmp_path / f"a.log.{kind}"
    text = b"".join(b"%d quiet %d\n" % (n, n * 7919 % 10007) for n in range(100_000))
    data = COMPRESS[kind](text)
    path.write_bytes(data[: len(data) * 3 // 4])
    done = run_cli("diagnose", path)
    assert path.name.encode() in done.stderr
    assert b"Traceback" not in done.stderr


def encrypted_zip(path):
    """A zip whose member is marked as encrypted, which no password was given for."""
    zip_of(path, {"a.log": LOG})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    return path


def zip_with_wrong_sum(path):
    """A zip whose member does not have the checksum that it claims."""
    zip_of(path, {"a.log": LOG})
    data = bytearray(path.read_bytes())
    wrong = struct.pack("<I", zlib.crc32(LOG) ^ 1)
    data[14:18] = wrong
    where = data.index(b"PK\x01\x02") + 16
    data[where : where + 4] = wrong
    path.write_bytes(bytes(data))
    return path


def zip_of_unknown_method(path):
    """A zip whose member is compressed in a way that Python does not know."""
    zip_of(path, {"a.log": LOG})
    data = bytearray(path.read_bytes())
    data[8:10] = b"\x63\x00"
    where = data.index(b"PK\x01\x02") + 10
    data[where : where + 2] = b"\x63\x00"
    path.write_bytes(bytes(data))
    return path


def truncated_tar(path):
    """A tar that ends inside its first member."""
    tar_of(path, {"a.log": LOG, "b.log": LOG}, "w")
    data = path.read_bytes()
    path.write_bytes(data[:700])
    return path


@pytest.mark.parametrize("damage", [encrypted_zip, zip_with_wrong_sum, zip_of_unknown_method, truncated_tar])
def test_a_damaged_archive_is_an_input_error(tmp_path, damage):
    path = damage(tmp_path / "logs.archive")
    done = run_cli("diagnose", path)
    assert str(path).encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"broke on its own" not in done.stderr
    assert done.returncode == 2


def test_the_file_name_may_hold_any_character(tmp_path):
    name = "späße 'x' [1] ;&.log"
    (tmp_path / name).write_bytes(LOG)
    done = run_cli("diagnose", "--format", "json", tmp_path / name)
    assert done.returncode == 0
    assert name in done.stdout.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes only there")
@pytest.mark.parametrize("form", ["text", "json", "jsonl", "markdown"])
def test_a_file_name_that_is_no_text(tmp_path, form):
    path = os.fsencode(tmp_path) + b"/bad\xff.log"
    with open(path, "wb") as stream:
        stream.write(LOG)
    command = [sys.executable, "-m", "triage", "diagnose", "--format", form, path]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, check=False, env=strict)
    assert done.returncode == 0, done.stderr
    assert b"profile-missing" in done.stdout


# --- standard input


def test_standard_input_by_dash_and_by_default():
    for arguments in (["-"], []):
        done = run_cli("diagnose", "--format", "json", *arguments, stdin=LOG)
        assert done.returncode == 0
        assert b'"source": "<stdin>"' in done.stdout
        assert b"profile-missing" in done.stdout


def test_compressed_standard_input():
    assert b"profile-missing" in run_cli("diagnose", stdin=gzip.compress(LOG)).stdout


def test_empty_standard_input_is_an_error():
    done = run_cli("diagnose", "-")
    assert done.returncode == 2
    assert b"<stdin> is empty" in done.stderr


def test_slow_pipes_are_read_to_the_end():
    code = f"import sys, time\nfor part in {[LOG[i : i + 300] for i in range(0, len(LOG), 300)]!r}:\n"
    code += " sys.stdout.buffer.write(part); sys.stdout.flush()"
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    reader = subprocess.run(
        [sys.executable, "-m", "triage", "diagnose"], stdin=writer.stdout, capture_output=True, check=False
    )
    writer.stdout.close()
    writer.wait()
    assert b"profile-missing" in reader.stdout


def test_logs_are_opened_one_after_the_other(tmp_path):
    """An archive of many logs is not unpacked into memory at once."""
    path = zip_of(tmp_path / "logs.zip", {f"{n}.log": LOG for n in range(5)})
    names = [(log.name, len(b"".join(log.chunks))) for log in open_logs(str(path))]
    assert names == [(f"{path}!{n}.log", len(LOG)) for n in range(5)]
