"""Filing real diagnoses in tests."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from triage.archive.filing import file_builds
from triage.archive.tables import Base
from triage.records import KeptLog, Origin
from triage.service import diagnose
from triage.service.filing import Run, new_build

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
UNHEARD = "[E] [TRT] ModelImporter.cpp:99: While flurbing node {n}: the gleep of {n} is not twizzled\nERROR: failed\n"
MISSING = "ModuleNotFoundError: No module named '{n}'\n"


def kept(text):
    data = text if isinstance(text, bytes) else text.encode()
    return KeptLog(data, b"", len(data), data.count(b"\n") + (not data.endswith(b"\n")))


def build_of(text, *, minutes=0, origin=None, library=None, edition="today", report=None, **run):
    """A log as a build that can be filed."""
    report = report or diagnose(text, name=run.pop("name", "build.log"), library=library)
    return new_build(
        report,
        kept(text),
        edition,
        origin or Origin(host="box"),
        Run(started=START + timedelta(minutes=minutes), **run),
    )


def file_logs(archive, *texts, **options):
    """Files logs, one minute apart; gives what was filed."""
    builds = [build_of(text, minutes=number, **options) for number, text in enumerate(texts)]
    with archive.write() as connection:
        return file_builds(connection, builds)


def rows(archive, table, *columns):
    """All rows of a table, as tuples."""
    with archive.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns) if columns else select(table))]


def dump(archive):
    """Every row of every table, for before and after."""
    with archive.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in Base.metadata.sorted_tables
        }
