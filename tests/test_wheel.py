"""The wheel holds rules and knowledge, and works outside the checkout."""

import importlib.util
import os
import subprocess
import sys
import venv
import zipfile

import pytest
from support import PROFILE_MISSING, REPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"),
]


def build_command(target):
    if importlib.util.find_spec("build"):
        return [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(REPO)]
    return [
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index",
        "--wheel-dir", str(target), str(REPO),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(build_command(target), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = target.glob("triage-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Python of a fresh environment that has the wheel; other packages come from the running one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    with open(os.path.join(site, "running.pth"), "w", encoding="utf-8") as stream:
        stream.writelines(f"{path}\n" for path in sys.path if path.endswith("-packages"))
    install = [str(python), "-m", "pip", "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


def test_the_wheel_holds_rules_and_knowledge(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name.removeprefix("triage/_data/") for name in names if name.startswith("triage/_data/")}
    here = {
        path.relative_to(REPO).as_posix()
        for folder in ("rules", "kb")
        for path in (REPO / folder).rglob("*")
        if path.suffix in (".yaml", ".md")
    }
    assert here <= inside
    assert not [name for name in names if name.startswith(("tests/", "fixtures/", "bench/"))]


def test_the_installed_program_diagnoses_in_another_folder(installed, tmp_path):
    (tmp_path / "build.log").write_text(PROFILE_MISSING, encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["TRIAGE_CACHE_DIR"] = str(tmp_path / "cache")
    where = [str(installed), "-c", "import triage; print(triage.__file__)"]
    found = subprocess.run(where, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment).stdout
    assert str(REPO) not in found
    for command in (["-m", "triage", "diagnose", "build.log"], ["-m", "triage", "doctor"]):
        done = subprocess.run(
            [str(installed), *command], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert "profile-missing" in done.stdout or "_data" in done.stdout


def test_the_console_script_is_installed(installed, tmp_path):
    script = installed.with_name("triage.exe" if os.name == "nt" else "triage")
    done = subprocess.run([str(script), "--version"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("triage ")
