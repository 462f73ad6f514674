"""The way into the archive: engine, transactions, and faults in words.

Callers read inside ``archive.read()`` and write inside ``archive.write()``; the transaction is
committed at the end of the block and never in between. SQLite is the default (WAL, every commit
on disk before it is acknowledged); PostgreSQL comes by address.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import URL, make_url

from triage.errors import ArchiveFault, MissingExtra, UsageError
from triage.folders import data_home

WAIT_SECONDS = 15.0
LOOK_AGAIN = 0.003
VARIABLE = "TRIAGE_DATABASE_URL"
# marks in a driver's text -> what is the matter, and what to do
_FAULTS = (
    (
        ("disk is full", "disk full", "no space left", "disk i/o error"),
        "cannot be written: the disk is full. Nothing of this was filed; free some space and repeat it.",
    ),
    (
        ("locked", "busy", "lock timeout"),
        "is locked by another process for more than {wait:g} s. Nothing of this was filed; repeat it.",
    ),
    (("malformed", "not a database", "encrypted"), "is damaged ({said}). Type: triage db check, and restore a backup."),
    (
        ("readonly", "read-only", "permission denied"),
        "cannot be written by you. Set TRIAGE_DATABASE_URL or TRIAGE_DATA_DIR to a place that can.",
    ),
    (("unable to open",), "cannot be opened. Is its folder there, and yours to write?"),
)


def default_url() -> str:
    """TRIAGE_DATABASE_URL, or one SQLite file in the platform's data folder."""
    chosen = os.environ.get(VARIABLE)
    return chosen or f"sqlite:///{os.path.join(data_home(), 'archive.db')}"


def _wait() -> float:
    """Seconds to wait for a lock: TRIAGE_DATABASE_WAIT, by default 15."""
    chosen = os.environ.get("TRIAGE_DATABASE_WAIT", "")
    try:
        return float(chosen) if chosen else WAIT_SECONDS
    except ValueError:
        raise UsageError(
            f"TRIAGE_DATABASE_WAIT is {chosen!r}; it must be a number of seconds, for example 15."
        ) from None


def parse_url(text: str) -> URL:
    """An address of SQLAlchemy; plain ``postgres://`` means psycopg 3. Raises UsageError."""
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise UsageError(
            f"{VARIABLE} holds no database address. Write sqlite:////path/archive.db or postgresql://user@host/name"
        ) from None
    kind = url.drivername.partition("+")[0]
    if kind in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return url.set(drivername="sqlite+pysqlite")
    raise UsageError(f"triage keeps its archive in SQLite or PostgreSQL, not in {kind!r}. Change {VARIABLE}.")


class Archive:
    """One database. Cheap to make; connects when first used."""

    def __init__(self, url: str | None = None, *, wait: float | None = None) -> None:
        self.url = parse_url(url or default_url())
        self.wait = _wait() if wait is None else wait
        self.is_sqlite = self.url.drivername.startswith("sqlite")
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return self.url.database or "memory" if self.is_sqlite else self.url.render_as_string(hide_password=True)

    @property
    def path(self) -> str | None:
        """The file of a SQLite archive."""
        return self.url.database if self.is_sqlite else None

    @property
    def engine(self) -> Engine:
        """The engine, made when first asked for."""
        if self._engine is None:
            self._engine = _sqlite_engine(self.url, self.wait) if self.is_sqlite else _postgres_engine(self.url)
        return self._engine

    def close(self) -> None:
        """Gives the connections back."""
        if self._engine is not None:
            self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries; sees one state of the database."""
        with self.faults(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: all of the block or nothing. It holds the right to write from its start."""
        writing = self.engine.execution_options(triage_write=True)
        with _turn(self.path, self.wait) if self.path else nullcontext(), self.faults(), writing.begin() as connection:
            yield connection

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turns what the database raises into ArchiveFault, which says what to do."""
        try:
            yield
        except exc.DBAPIError as fault:
            raise ArchiveFault(self._words(fault)) from fault

    def _words(self, fault: exc.DBAPIError) -> str:
        said = " ".join(str(fault.orig).split())[:300]
        lowered = said.lower()
        for marks, words in _FAULTS:
            if any(mark in lowered for mark in marks):
                return f"the archive {self} {words.format(said=said, wait=self.wait)}"
        if fault.connection_invalidated or isinstance(fault, exc.OperationalError | exc.InterfaceError):
            return f"the archive {self} cannot be reached ({said}). Is the server up, and {VARIABLE} right?"
        return f"the archive {self} refused: {said}"


def _sqlite_engine(url: URL, wait: float) -> Engine:
    if url.database and url.database != ":memory:":
        try:
            os.makedirs(os.path.dirname(os.path.abspath(url.database)), mode=0o700, exist_ok=True)
        except OSError as fault:
            raise ArchiveFault(f"no archive can be made at {url.database}: {fault.strerror}.") from fault
    engine = create_engine(url, connect_args={"timeout": wait, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        _use_wal(connection)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "temp_store = MEMORY",
            "cache_size = -65536",
            "wal_autocheckpoint = 4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("triage_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


@contextmanager
def _turn(path: str, wait: float) -> Iterator[None]:
    """Our turn to write a SQLite file, taken by a lock on a file beside it.

    SQLite's own waiting sleeps up to a tenth of a second between looks while a writer needs a
    millisecond or two, and each look costs as much as a statement. A lock of the system is looked
    at for almost nothing and ends with its process. Where there is none, SQLite's waiting remains.
    """
    import time

    try:
        import fcntl

        stream = open(f"{path}.turn", "ab", buffering=0)
    except (ImportError, OSError):
        yield
        return
    until = time.monotonic() + wait
    with stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    break  # SQLite says what is the matter
                time.sleep(LOOK_AGAIN)
            else:
                break
        yield


def _use_wal(connection: Any) -> None:
    """Writers and readers side by side; the file remembers, so only the first one sets it."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    import sqlite3
    import time

    for attempt in range(50):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as fault:  # another process is doing the same just now
            if "locked" not in str(fault) or attempt == 49:
                raise
            time.sleep(0.05)
        else:
            return


def _postgres_engine(url: URL) -> Engine:
    try:
        import psycopg  # noqa: F401 -- asked for here, so that its absence is said in words
    except ImportError:
        raise MissingExtra("PostgreSQL", "postgres") from None
    return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})


def actor() -> str:
    """Who is acting: TRIAGE_USER, else the login name."""
    import getpass

    chosen = os.environ.get("TRIAGE_USER")
    if chosen:
        return chosen[:200]
    try:
        return getpass.getuser()[:200]
    except (KeyError, OSError):  # a container user without a name
        return f"uid-{os.getuid()}" if sys.platform != "win32" else "somebody"
