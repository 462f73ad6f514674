"""What a build ran on and with, and what differs: fingerprint, origin, parameters, sentence."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.diagnose.baseline import NewLine
from triage.environment import (
    Change,
    Changes,
    Container,
    Environment,
    Gpu,
    ModelFile,
    Revision,
    attempt,
    difference,
    digest,
    environment_from,
    fingerprint,
    origin,
    parameter_difference,
    parameters,
    parameters_from,
    plain,
    sentence,
    to_json,
)
from triage.environment.devices import libraries, told
from triage.environment.packages import installed, normalised
from triage.environment.place import container, without_password
from triage.environment.variables import relevant
from triage.environment.versions import direction, short
from triage.environment.words import inner, interpreter

BASE = Environment(
    platform={"system": "Linux", "memory": "24 GiB"},
    python="3.11.7",
    whose="command",
    packages={"tensorrt": "10.3.0", "tensorrt-cu12": "10.3.0", "onnx": "1.16.1", "zipp": "3.19.0"},
    gpus=(Gpu("NVIDIA A10", "8.6", 23028),),
    driver="550.54.14",
    cuda="12.4.1",
    cudnn="9.1.0",
    tools={"tensorrt": "10.3.0"},
    container=Container("docker", "team/build:1"),
    variables={"CUDA_VISIBLE_DEVICES": "0"},
    revision=Revision("a" * 40, "main", False, "https://example.com/team/model.git"),
)
names = st.text("abcdefghij-", min_size=1, max_size=8)
versions = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


def kinds(changes):
    return [(change.kind, change.name, change.before, change.after, change.direction) for change in changes]


@pytest.fixture
def repository(tmp_path):
    """A git repository with one commit, a remote with a password, and a hook that must not run."""

    def git(*words):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-q", "-b", "trunk")
    (tmp_path / "export.py").write_text("print(1)\n")
    git("add", ".")
    git("-c", "user.name=me", "-c", "user.email=me@example.com", "commit", "-q", "-m", "first")
    git("remote", "add", "origin", "https://me:ghp_0123456789abcdefghij0123456789@example.com/team/model.git")
    monitor = tmp_path / ".git" / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    monitor.chmod(0o755)
    git("config", "core.fsmonitor", str(monitor))
    (tmp_path / "ran").unlink(missing_ok=True)
    return tmp_path


def test_a_fingerprint_says_where_we_are(repository):
    found = fingerprint(
        [sys.executable, "export.py"], cwd=str(repository), environ={**os.environ, "OMP_NUM_THREADS": "3"}
    )
    assert (found.whose, found.python) == ("command", sys.version.split()[0])
    assert found.packages["pytest"] == pytest.__version__
    assert found.variables["OMP_NUM_THREADS"] == "3"
    assert found.platform["system"] == os.uname().sysname
    revision = found.revision
    assert (revision.branch, revision.dirty, revision.remote) == ("trunk", False, "https://example.com/team/model.git")
    assert len(revision.commit) == 40
    assert not (repository / "ran").exists()
    (repository / "export.py").write_text("print(2)\n")
    assert fingerprint(cwd=str(repository)).revision.dirty


def test_equal_environments_have_one_form_and_digest():
    again = BASE._replace(packages=dict(reversed(BASE.packages.items())))
    assert to_json(again) == to_json(BASE)
    assert environment_from(to_json(BASE)) == environment_from(plain(BASE)) == BASE
    assert digest(BASE) == digest(again._replace(revision=None))
    assert digest(BASE) != digest(BASE._replace(driver="560.28.03"))
    newer = json.dumps({**json.loads(to_json(BASE)), "something": "a later version wrote"})
    assert environment_from(newer) == BASE


def test_another_python_is_asked_for_its_packages(tmp_path):
    site = tmp_path / "site"
    (site / "TensorRT_cu12-10.7.0.dist-info").mkdir(parents=True)
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho 3.9.1\necho {site}\necho /no/such\n")
    python.chmod(0o755)
    found = fingerprint([str(python), "export.py"], cwd=str(tmp_path))
    assert (found.whose, found.python, found.packages) == ("command", "3.9.1", {"tensorrt-cu12": "10.7.0"})
    tool = tmp_path / "polygraphy"
    tool.write_text(f"#!{python}\n")
    tool.chmod(0o755)
    assert fingerprint(["env", "A=1", str(tool), "run"], cwd=str(tmp_path)).packages == found.packages


def test_a_python_that_does_not_answer_is_done_without(tmp_path):
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    found = fingerprint([str(python), "export.py"], cwd=str(tmp_path))
    assert (found.whose, found.python) == ("triage", sys.version.split()[0])


def test_packages_are_read_off_their_folders(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "torch-2.4.0+cu121.dist-info").mkdir(parents=True)
    (first / "onnx.egg-info").mkdir()
    (first / "onnx.egg-info" / "PKG-INFO").write_text("Name: onnx\nVersion: 1.16.1\n")
    (first / "nothing.dist-info").mkdir()
    (second / "torch-1.0.dist-info").mkdir(parents=True)
    (second / "ruamel.yaml-0.18-py3.11.egg-info").mkdir()
    found = installed([str(first), str(second), "/no/such"])
    assert found == {"onnx": "1.16.1", "ruamel-yaml": "0.18", "torch": "2.4.0+cu121"}
    assert normalised("A__b.-C") == "a-b-c"


class Answer:
    """What nvidia-smi printed."""

    def __init__(self, text):
        self.answer = lambda: text


@pytest.mark.parametrize(
    ("text", "gpus", "driver"),
    [
        (
            "NVIDIA A10, 550.54.14, 23028, 8.6\nTesla T4, 550.54.14, 15360, 7.5\n",
            (Gpu("NVIDIA A10", "8.6", 23028), Gpu("Tesla T4", "7.5", 15360)),
            "550.54.14",
        ),
        ("Tesla K80, 470.57.02, 11441\n", (Gpu("Tesla K80", None, 11441),), "470.57.02"),
        ("NVIDIA Thor, 580.0, [N/A], [N/A]\n", (Gpu("NVIDIA Thor"),), "580.0"),
        ("No devices were found\n", (), None),
        (None, (), None),
    ],
)
def test_what_nvidia_smi_says(text, gpus, driver):
    if os.path.exists("/proc/driver/nvidia/version") and not gpus:
        pytest.skip("this machine has a driver of its own")
    assert told(Answer(text)) == (gpus, driver)


def test_libraries_are_told_by_their_file_names(tmp_path):
    for name in ("libnvinfer.so.10", "libnvinfer.so.10.3.0", "libcudnn.so.9", "libcudnn.so.9.1.0", "libnvinfer.so"):
        (tmp_path / name).touch()
    found = libraries({"LD_LIBRARY_PATH": f"relative:{tmp_path}:/no/such"}, {"nvidia-cudnn-cu12": "8.9"})
    assert (found["tensorrt"], found["cudnn"]) == ("10.3.0", "9.1.0")


def test_only_listed_variables_are_read_and_none_that_sounds_secret():
    environ = {
        "CUDA_VISIBLE_DEVICES": "0,1", "TRT_LOG": "verbose", "HF_HOME": "/cache", "PATH": "/bin", "AWS_SECRET": "x",
        "HF_TOKEN": "hf_abcdefghijklmnopqrstuvwxyz", "NVIDIA_API_KEY": "nvapi-abcdefghijklmnopqrstuvwxyz",
        "TRITON_AUTH": "x", "LD_LIBRARY_PATH": "/a:/b\n", "ORT_URL": "https://me:secret-word@example.com/x",
        "TORCH_LOGS": "a" * 900,
    }  # fmt: skip
    found = relevant(environ)
    assert sorted(found) == ["CUDA_VISIBLE_DEVICES", "HF_HOME", "LD_LIBRARY_PATH", "ORT_URL", "TORCH_LOGS", "TRT_LOG"]
    assert "secret-word" not in found["ORT_URL"]
    assert len(found["TORCH_LOGS"]) == 500
    assert relevant({"TRT_X": "token=abcdefghijklmnopqrstuvwxyz0123"})["TRT_X"].endswith("masked]")


CI = {
    "github": (
        {
            "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "team/model", "GITHUB_REF_NAME": "12/merge",
            "GITHUB_HEAD_REF": "feature", "GITHUB_SHA": "abc1234", "GITHUB_RUN_ID": "77", "GITHUB_JOB": "build",
            "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ATTEMPT": "2",
        },
        ("team/model", "feature", "abc1234", "https://github.com/team/model/actions/runs/77/attempts/2", "build"), 2,
    ),
    "forgejo": (
        {
            "GITHUB_ACTIONS": "true", "FORGEJO_ACTIONS": "true", "GITEA_ACTIONS": "true",
            "GITHUB_REPOSITORY": "team/model", "GITHUB_REF_NAME": "main", "GITHUB_SHA": "abc1234",
            "GITHUB_RUN_ID": "990", "GITHUB_RUN_NUMBER": "7", "GITHUB_SERVER_URL": "https://code.example.org",
            "GITHUB_JOB": "build",
        },
        ("team/model", "main", "abc1234", "https://code.example.org/team/model/actions/runs/7", "build"), None,
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true", "CI_PROJECT_PATH": "team/model", "CI_COMMIT_REF_NAME": "main",
            "CI_COMMIT_SHA": "abc1234", "CI_JOB_URL": "https://gitlab.example.com/j/1", "CI_JOB_NAME": "engine",
        },
        ("team/model", "main", "abc1234", "https://gitlab.example.com/j/1", "engine"), None,
    ),
    "buildkite": (
        {
            "BUILDKITE": "true", "BUILDKITE_REPO": "https://u:p@example.com/m.git", "BUILDKITE_BRANCH": "main",
            "BUILDKITE_COMMIT": "abc1234", "BUILDKITE_BUILD_URL": "https://buildkite.com/t/p/builds/3",
            "BUILDKITE_JOB_ID": "0190", "BUILDKITE_LABEL": "engine", "BUILDKITE_RETRY_COUNT": "1",
        },
        ("https://example.com/m.git", "main", "abc1234", "https://buildkite.com/t/p/builds/3#0190", "engine"), 2,
    ),
    "jenkins": (
        {
            "JENKINS_URL": "https://ci.example.com/", "GIT_URL": "git@example.com:team/model.git",
            "GIT_BRANCH": "origin/main", "GIT_COMMIT": "abc1234", "BUILD_URL": "https://ci.example.com/job/m/4/",
            "JOB_NAME": "m",
        },
        ("git@example.com:team/model.git", "origin/main", "abc1234", "https://ci.example.com/job/m/4/", "m"), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("system", CI)
def test_the_origin_is_what_the_ci_system_says(system):
    environ, said, times = CI[system]
    found = origin(environ)
    assert found.ci == system
    assert (found.repository, found.branch, found.commit, found.run_url, found.job) == said
    assert attempt(environ) == times


def test_outside_ci_the_origin_is_the_working_folder(repository, tmp_path_factory):
    found = origin({"CI": "true"}, cwd=str(repository))
    assert (found.ci, found.branch, found.run_url) == (None, "trunk", None)
    assert found.repository == "https://example.com/team/model.git"
    nowhere = origin({}, cwd=str(tmp_path_factory.mktemp("plain")))
    assert (nowhere.repository, nowhere.commit, attempt({})) == (None, None, None)
    assert nowhere.host


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:word@example.com/a.git", "https://example.com/a.git"),
        ("https://ghp_token@example.com:8443/a@b.git?x=1", "https://example.com:8443/a@b.git"),
        ("git@example.com:team/a.git", "git@example.com:team/a.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
    ],
)
def test_addresses_lose_their_passwords(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["env", "-u", "X", "A=1", "timeout", "-k", "5", "60", "python", "a.py"], ["python", "a.py"]),
        (["bash", "-lc", "cd x && A=1 python3 a.py --opset 17 | tee log"], ["python3", "a.py", "--opset", "17"]),
        (["sh", "-c", "trtexec --onnx=m.onnx"], ["trtexec", "--onnx=m.onnx"]),
        (["sh", "-c", "broken 'quote"], []),
        (["bash", "build.sh", "x"], ["bash", "build.sh", "x"]),
        ([], []),
    ],
)
def test_the_command_inside_a_command(command, words):
    assert inner(command) == words


def test_the_python_of_a_command_that_has_none_is_that_of_the_path(tmp_path):
    assert interpreter(["no-such-tool"], str(tmp_path), {"PATH": str(tmp_path)}) == (None, "triage")
    (tmp_path / "python3").touch(mode=0o755)
    assert interpreter(["no-such-tool"], str(tmp_path), {"PATH": str(tmp_path)}) == (f"{tmp_path}/python3", "path")


def test_parameters_of_trtexec(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"model")
    (tmp_path / "m.onnx.data").write_bytes(b"weights")
    (tmp_path / "old.plan").write_bytes(b"written by an earlier run")
    found = parameters(
        [
            "trtexec",
            "--onnx=m.onnx",
            "--fp16",
            "--minShapes=x:1x3x8x8,mask:1x8",
            "--saveEngine=old.plan",
            "--opt",
            "-1",
        ],
        cwd=str(tmp_path),
    )
    assert found.flags == {"onnx": "m.onnx", "fp16": "", "saveEngine": "old.plan", "opt": "-1"}
    assert found.shapes == {"minShapes x": "1x3x8x8", "minShapes mask": "1x8"}
    assert [(model.path, model.size, model.sampled) for model in found.models] == [
        ("m.onnx", 5, False), ("m.onnx.data", 7, False),
    ]  # fmt: skip
    assert parameters_from(to_json(found)) == found


def test_parameters_of_a_script(tmp_path):
    (tmp_path / "export.py").write_text("print(1)")
    command = ["python", "-u", "-W", "ignore", "export.py", "--input-shape", "1", "3", "8", "8", "--hf-token", "word",
               "--opset", "17", "--header", "Bearer abcdefghijklmnopqrstuv", "--x=1", "--x=2"]  # fmt: skip
    found = parameters(command, cwd=str(tmp_path))
    assert found.flags == {"hf-token": "[masked]", "opset": "17", "header": "[bearer masked]", "x": "1, 2"}
    assert found.shapes == {"input-shape": "1 3 8 8"}
    assert list(found.scripts) == ["export.py"]
    (tmp_path / "export.py").write_text("print(2)")
    (change,) = parameter_difference(found, parameters(command, cwd=str(tmp_path)))
    assert (change.kind, change.name) == ("script", "export.py")


def test_large_models_are_sampled_and_still_told_apart(tmp_path, monkeypatch):
    monkeypatch.setattr("triage.environment.commands.WHOLE", 1000)
    path = tmp_path / "m.safetensors"
    hashes = []
    for last in (b"a", b"b", b"a"):
        path.write_bytes(bytes(3 << 20) + last)
        (model,) = parameters(["tool", "m.safetensors"], cwd=str(tmp_path)).models
        assert model.sampled
        hashes.append(model.sha256)
    assert hashes[0] == hashes[2] != hashes[1]


def test_parameters_differ_by_kind_and_not_by_temporary_folders():
    before = parameters(["trtexec", "--onnx=/tmp/a1/m.onnx", "--shapes=x:1x3", "--fp16"])
    after = parameters(["trtexec", "--onnx=/tmp/b2/m.onnx", "--shapes=x:4x3", "--int8"])
    assert kinds(parameter_difference(before, after)) == [
        ("shape", "shapes x", "1x3", "4x3", ""),
        ("flag", "fp16", "", None, ""),
        ("flag", "int8", None, "", ""),
    ]
    model = ModelFile("m.onnx", 5, "ab" * 32)
    changed = parameter_difference(
        before._replace(models=(model,)), before._replace(models=(model._replace(sha256="cd" * 32),))
    )
    assert kinds(changed) == [("model", "m.onnx", "5 bytes, abababababab", "5 bytes, cdcdcdcdcdcd", "")]


def test_differences_come_in_the_order_of_what_they_tell():
    after = BASE._replace(
        platform={"system": "Linux", "memory": "12 GiB"},
        packages={"tensorrt": "10.13.0", "tensorrt-cu12": "10.13.0", "onnx": "1.15.0", "zipp": "3.19", "extra": "1"},
        gpus=(Gpu("Tesla T4", "7.5", 15360),) * 2,
        driver="560.28.03",
        container=None,
        variables={"CUDA_VISIBLE_DEVICES": "1"},
        revision=BASE.revision._replace(commit="b" * 40, dirty=True),
    )
    assert kinds(difference(BASE, after)) == [
        ("package", "tensorrt", "10.3.0", "10.13.0", "up"),
        ("package", "tensorrt-cu12", "10.3.0", "10.13.0", "up"),
        ("package", "onnx", "1.16.1", "1.15.0", "down"),
        ("driver", "driver", "550.54.14", "560.28.03", "up"),
        ("gpu", "gpu", "NVIDIA A10 (sm_86)", "2 x Tesla T4 (sm_75)", ""),
        ("container", "container", "docker team/build:1", None, ""),
        ("environment variable", "CUDA_VISIBLE_DEVICES", "0", "1", ""),
        ("revision", "commit", "a" * 12, "b" * 12, ""),
        ("revision", "working folder", "clean", "changed files", ""),
        ("package", "extra", None, "1", ""),
        ("platform", "memory", "24 GiB", "12 GiB", ""),
    ]


def test_packages_of_triage_are_not_compared_with_those_of_a_build():
    assert difference(BASE, BASE._replace(whose="triage", packages={}, python="3.12.0")) == ()
    assert difference(BASE, BASE._replace(whose="path")) == ()


environments = st.builds(
    lambda packages, driver, variables: BASE._replace(packages=packages, driver=driver, variables=variables),
    st.dictionaries(names, versions, max_size=5), st.none() | versions, st.dictionaries(names, names, max_size=3),
)  # fmt: skip


@given(environments, environments)
def test_a_difference_read_backwards_is_the_same_difference(one, other):
    there, back = difference(one, other), difference(other, one)
    turned = {"up": "down", "down": "up", "": ""}
    assert sorted((c.kind, c.name, str(c.before), str(c.after), c.direction) for c in there) == sorted(
        (c.kind, c.name, str(c.after), str(c.before), turned[c.direction]) for c in back
    )
    assert difference(one, one) == ()
    assert environment_from(to_json(one)) == one


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ("10.3.0", "10.13.0", "up"),
        ("10.3", "10.3.0", "same"),
        ("2.0rc1", "2.0", "up"),
        ("2.0", "2.0.post1", "up"),
        ("2.4.0+cu121", "2.4.0+cu124", "up"),
        ("2.4.0+cu124", "2.3.9", "down"),
        ("v1.2", "1.2", "same"),
        ("master", "1.2", ""),
        (None, "1.2", ""),
    ],
)
def test_versions_are_compared_as_versions(before, after, way):
    assert direction(before, after) == way


def test_versions_are_shown_as_far_as_they_differ():
    assert short("10.3.0.26", "10.7.0.23") == ("10.3", "10.7")
    assert short("1.16.1", "1.16.2") == ("1.16.1", "1.16.2")
    assert short("2.4.0+cu121", "2.4.0+cu124") == ("2.4.0+cu121", "2.4.0+cu124")


MONDAY = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
TENSORRT = Change("package", "tensorrt", "10.3.0", "10.7.0", "up")
DRIVER = Change("driver", "driver", "550.54.14", "560.28.03", "up")


def said(*environment, parameters=(), worked=MONDAY, failed=SATURDAY, today=None, new_lines=()):
    return sentence(Changes("b1", "build of m.onnx", worked, failed, new_lines, environment, parameters), today)


def test_the_sentence_names_the_most_telling_differences():
    assert said(TENSORRT) == "Worked with TensorRT 10.3 on Monday 16 Nov, fails with 10.7 today."
    libs = Change("package", "tensorrt-cu12-libs", "10.3.0", "10.7.0", "up")
    assert said(TENSORRT, libs) == said(TENSORRT)
    assert said(DRIVER, TENSORRT) == (
        "Worked with TensorRT 10.3 and driver 550.54 on Monday 16 Nov, "
        "fails with TensorRT 10.7 and driver 560.28 today."
    )


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (Change("gpu", "gpu", "NVIDIA A10", "Tesla T4"), "on NVIDIA A10", "on Tesla T4"),
        (Change("gpu", "gpu", "NVIDIA A10", None), "on NVIDIA A10", "without a GPU"),
        (Change("package", "onnx", "1.16.1", None), "with ONNX 1.16.1", "without it"),
        (Change("package", "onnx", None, "1.16.1"), "without ONNX", "with ONNX 1.16.1"),
        (Change("revision", "commit", "aaa", "bbb"), "at commit aaa", "at commit bbb"),
        (
            Change("environment variable", "OMP_NUM_THREADS", "1", "2"),
            "with OMP_NUM_THREADS=1",
            "with OMP_NUM_THREADS=2",
        ),
        (Change("flag", "int8", None, ""), "without --int8", "with --int8"),
        (Change("shape", "minShapes x", "1x3", "2x3"), "with --minShapes=x:1x3", "with --minShapes=x:2x3"),
        (Change("model", "m.onnx", "5 bytes, ab", "6 bytes, cd"), "with the former m.onnx", "with another m.onnx"),
        (Change("container", "container", None, "docker x:1"), "without a container", "in docker x:1"),
        (Change("platform", "memory", "24 GiB", "12 GiB"), "with memory 24 GiB", "with 12 GiB"),
    ],
)
def test_every_kind_of_change_can_be_said(change, before, after):
    assert said(change) == f"Worked {before} on Monday 16 Nov, fails {after} today."


def test_days_are_said_as_people_say_them():
    friday = SATURDAY - timedelta(days=1)
    assert "on Monday 16 Nov, fails" in said(TENSORRT)
    assert "10.3 yesterday, fails with 10.7 today" in said(TENSORRT, worked=friday)
    assert "10.3 at 09:05, fails with 10.7 at 14:05" in said(TENSORRT, worked=SATURDAY - timedelta(hours=5))
    assert "on Sunday 16 Nov 2025," in said(TENSORRT, worked=MONDAY.replace(year=2025))
    assert said(TENSORRT, today=date(2026, 11, 25)).endswith("on Monday 16 Nov, fails with 10.7 on Saturday 21 Nov.")
    tokyo = SATURDAY.astimezone(timezone(timedelta(hours=9)))
    assert "10.3 at 00:30, fails" in said(TENSORRT, worked=SATURDAY.replace(day=20, hour=15, minute=30), failed=tokyo)


def test_where_nothing_differs_that_is_said():
    text = said(new_lines=(NewLine(3, "error: x", 1, "error"),))
    assert text.startswith("Worked on Monday 16 Nov, fails today; no difference")


@pytest.mark.parametrize(
    ("environ", "image"),
    [
        ({"CI_JOB_IMAGE": "team/build:1"}, "team/build:1"),
        ({"NVIDIA_PRODUCT_NAME": "Triton Server", "NVIDIA_TRITON_VERSION": "24.08"},
         "Triton Server 24.08"),
        ({"NVIDIA_PRODUCT_NAME": "CUDA", "CUDA_VERSION": "13.0.2"}, "CUDA 13.0.2"),
    ],
)  # fmt: skip
def test_the_image_of_a_container_where_something_says_it(environ, image):
    assert container(environ).image == image
