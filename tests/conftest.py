"""One cache of compiled rules for the whole run, shared by all test processes."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

for name in ("NO_COLOR", "CLICOLOR_FORCE", "TRIAGE_DEBUG", "PYTHONIOENCODING"):
    os.environ.pop(name, None)


def pytest_configure(config):
    folder = Path(str(config.rootpath)) / ".pytest_cache"
    folder.mkdir(exist_ok=True)
    os.environ["TRIAGE_CACHE_DIR"] = str(folder / "triage")
    config.addinivalue_line("markers", "slow: takes more than some seconds; run by default")


@contextmanager
def _alone(path):
    """Only one test process at a time; without fcntl each process compiles for itself."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, "a", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(stream, fcntl.LOCK_UN)


@pytest.fixture(scope="session")
def library():
    """The shipped rules and knowledge, compiled at most once in a run."""
    from triage.library import load_library

    with _alone(os.environ["TRIAGE_CACHE_DIR"] + ".lock"):
        return load_library()


@pytest.fixture(scope="session", autouse=True)
def _compiled(library):
    """Every test, and every process that it starts, finds the rules compiled."""


@pytest.fixture
def small_library(tmp_path, monkeypatch):
    """Gives a function: {id: text of a rule file} -> a library of just these rules."""
    from triage.library import load_library

    def build(rules):
        monkeypatch.setenv("TRIAGE_CACHE_DIR", str(tmp_path / "cache"))
        folder = write_rules(tmp_path / "rules", rules)
        return load_library(rules=str(folder))

    return build


def write_rules(folder, rules):
    """Writes rule files below a folder."""
    for rule_id, text in rules.items():
        path = folder / f"{rule_id}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
