"""Statistics of the archive and of its rules: right counts on both databases, readable everywhere."""

import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from filing import START, UNHEARD, build_of
from sqlalchemy import select, true, update
from support import MESSAGES

from triage import bars as _bars
from triage.archive import decisions
from triage.archive.filing import file_builds
from triage.archive.rule_use import GONE, rule_table
from triage.archive.statistics import DIMENSIONS, Share, Table, Week, filled, most_frequent, statistics_of
from triage.archive.subjects import find
from triage.archive.tables import Group, Incident
from triage.cli import main
from triage.errors import UnknownName

DAY = 24 * 60
LOGS = [text for _, text in MESSAGES]


def file_runs(archive, *runs):
    """(log, minutes after START) -> runs of their own, even where the logs are the same."""
    builds = [build_of(text, minutes=at, key=f"run {number}") for number, (text, at) in enumerate(runs)]
    with archive.write() as connection:
        return [uid for filed in file_builds(connection, builds) for uid in filed.incidents]


def figures(archive, **options):
    with archive.read() as connection:
        return statistics_of(connection, **options)


def rows_of(found, name):
    (table,) = [table for table in found.tables if table.by == name]
    return {row.value: row.incidents for row in table.rows}


@pytest.fixture
def filled_archive(archive):
    """Three failures in one week, one a week later, one that nobody can name, two good builds."""
    good = [(f"&&&& PASSED TensorRT.trtexec {n}\n", 10 + n) for n in range(2)]
    file_runs(
        archive, (LOGS[0], 0), (LOGS[0], 1), (LOGS[1], 2), (LOGS[0], 7 * DAY), (UNHEARD.format(n=1), 21 * DAY), *good
    )
    return archive


def test_what_was_filed_is_counted(filled_archive):
    found = figures(filled_archive)
    assert (found.incidents, found.unknown, found.groups, found.failed, found.passed) == (5, 1, 3, 5, 2)
    assert (found.first, found.last) == (START, START + timedelta(days=21))
    assert rows_of(found, "cause") == {"profile-missing": 3, "python-dependency-missing": 1, "unknown": 1}
    assert rows_of(found, "week") == {"2026-W45": 3, "2026-W46": 1, "2026-W48": 1}
    assert found.weeks == (Week("2026-W45", 3, 0), Week("2026-W46", 1, 0), Week("2026-W48", 1, 1))
    assert next((group.cause, group.incidents) for group in found.top) == ("profile-missing", 3)


def test_shares_of_every_table_add_up_to_one(filled_archive):
    found = figures(filled_archive, by=list(DIMENSIONS))
    assert [table.by for table in found.tables] == list(DIMENSIONS)
    for table in found.tables:
        assert sum(row.share for row in table.rows) == pytest.approx(1.0), table.by
        assert sum(row.incidents for row in table.rows) == 5, table.by


def test_a_filter_that_lets_all_through_changes_no_figure(filled_archive):
    every, same = (
        figures(filled_archive, by=list(DIMENSIONS)),
        figures(filled_archive, by=list(DIMENSIONS), where=true()),
    )
    assert same == every._replace(passed=None)


def test_a_filter_picks_what_is_counted(filled_archive):
    found = figures(filled_archive, where=Incident.cause == "profile-missing", by=("cause",), top=1)
    assert (found.incidents, found.groups, found.failed, found.passed) == (3, 1, 3, None)
    assert rows_of(found, "cause") == {"profile-missing": 3}


def test_nothing_is_counted_in_an_empty_archive(archive):
    for found in (figures(archive), figures(archive, where=true())):
        assert (found.incidents, found.first, found.weeks, found.top) == (0, None, (), ())


def test_an_unknown_dimension_is_refused_with_a_proposal(archive):
    with pytest.raises(UnknownName, match="Did you mean precision"):
        figures(archive, by=["precison"])


def test_engine_versions_are_counted_by_major_and_minor(filled_archive):
    with filled_archive.write() as connection:
        ids = connection.execute(select(Incident.id).order_by(Incident.id)).scalars().all()
        for number, key in zip(ids, ((8, 6, 1), (10, 3, 0), (10, 3, 9), (10, 13, 0)), strict=False):
            value = ((key[0] * 100_000 + key[1]) * 100_000 + key[2]) * 100_000
            connection.execute(update(Incident).where(Incident.id == number).values(engine_key=value))
    (table,) = figures(filled_archive, by=["engine"]).tables
    assert [(row.value, row.incidents) for row in table.rows] == [("8.6", 1), ("10.3", 2), ("10.13", 1), (None, 1)]


def test_time_to_repair_is_from_first_seen_to_verified(filled_archive):
    assert figures(filled_archive).repair == (0, None, None)
    with filled_archive.write() as connection:
        groups = connection.execute(select(Group.id, Group.first_seen).order_by(Group.first_seen)).all()
        for (number, first), days in zip(groups[:3], (1, 2, 9), strict=True):
            values = {"verified_at": first + timedelta(days=days), "state": "verified"}
            connection.execute(update(Group).where(Group.id == number).values(**values))
    day = 86_400
    assert figures(filled_archive).repair == (3, pytest.approx(4 * day), 2 * day)
    assert figures(filled_archive, where=Incident.cause == "profile-missing").repair == (1, day, day)


def test_weeks_are_iso_weeks_and_gaps_are_filled(archive):
    def minutes(moment):
        return (moment - START).total_seconds() / 60

    last_of_2026 = datetime(2027, 1, 3, 23, 59, tzinfo=UTC)  # a Sunday
    file_runs(
        archive,
        (LOGS[0], minutes(last_of_2026)),
        (LOGS[0], minutes(last_of_2026) + 2),
        (LOGS[0], 66 * DAY + 7 * DAY * 2),
    )
    weeks = figures(archive).weeks
    assert [week.week for week in weeks] == ["2026-W53", "2027-W01", "2027-W03"]
    assert filled(weeks, 26) == [*weeks[:2], Week("2027-W02", 0, 0), weeks[2]]
    assert [week.week for week in filled(weeks, 2)] == ["2027-W02", "2027-W03"]


def test_the_most_frequent_rows_keep_the_order_of_their_table():
    table = Table("engine", (Share("8.6", 1, 0.1), Share("10.0", 5, 0.5), Share("10.3", 2, 0.2), Share(None, 2, 0.2)))
    rows, others = most_frequent(table, 2)
    assert [row.value for row in rows] == ["10.0", "10.3"]
    assert (others.value, others.incidents) == ("2 others", 3)
    assert most_frequent(table, 4)[1] is None


@pytest.mark.parametrize("width", [40, 60, 100, 200])
@pytest.mark.parametrize("blocks", [True, False])
def test_a_table_fits_the_terminal(width, blocks):
    lines = [
        _bars.Line("a-cause-with-a-very-long-name-that-goes-on-and-on", ("1,234,567", "99.9 %"), 1.0),
        _bars.Line("模型日本語のモデル", ("3", "<0.1 %"), 0.00001),
        _bars.Line("x", ("0", "0.0 %"), 0.0),
    ]
    drawn = list(_bars.table("By cause", lines, width, blocks=blocks))
    assert max(map(_bars.cells, drawn)) <= width
    assert drawn[1].rstrip()[-1] in "█#"
    assert drawn[2].rstrip()[-1] in "▏#", "what is there is seen"
    assert drawn[3].rstrip().endswith("0.0 %"), "what is not there has no bar"


def call(capsys, *arguments):
    code = main(list(arguments))
    return code, *capsys.readouterr()


@pytest.fixture
def at_home(filled_archive, archive_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive_url)
    return filled_archive


def test_text(at_home, capsys):
    code, out, err = call(capsys, "archive", "stats")
    assert (code, err) == (0, "")
    assert out.startswith(
        "5 incidents in 3 groups, 2026-11-02 to 2026-11-23\n  unknown   20.0 % (1)\n  builds    5 failed, 2 passed\n"
    )
    assert "\x1b" not in out
    bars = {line.split()[0]: line.count("█") for line in out.splitlines() if "█" in line}
    assert bars["profile-missing"] == 3 * bars["python-dependency-missing"] + bars["profile-missing"] % 3
    assert "2026-W47  0    0.0 % unknown" in out


def test_a_terminal_without_block_signs_gets_ascii(at_home, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr(sys, "stdout", stream)
    main(["archive", "stats", "--top", "1"])
    stream.flush()
    text = stream.buffer.getvalue().decode("ascii")
    assert "####" in text
    assert "?" not in text


def test_json_and_filter(at_home, capsys):
    code, out, _ = call(capsys, "archive", "stats", "cause:profile-missing", "--by", "cause", "--format", "json")
    data = json.loads(out)
    assert code == 0
    assert (data["filter"], data["incidents"], list(data["by"])) == ("cause:profile-missing", 3, ["cause"])
    assert data["by"]["cause"] == [{"value": "profile-missing", "incidents": 3, "share": 1.0}]


def test_csv_holds_no_formula(at_home, capsys):
    with at_home.write() as connection:
        connection.execute(update(Incident).values(model='=cmd|" /c calc"!A1'))
    code, out, _ = call(capsys, "archive", "stats", "--by", "model", "--by", "week", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert table[0]["value"] == '\'=cmd|" /c calc"!A1'
    assert [row["unknown_rate"] for row in table if row["by"] == "week"] == ["0.000000", "0.000000", "1.000000"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "causes"], "Did you mean cause"),
        (["--plot", "x.pdf"], "ends in .svg or .png"),
        (["--plot", "no-such-folder/x.svg"], "folder does not exist"),
        (["cuase:x"], "Did you mean cause"),
    ],
)
def test_bad_calls_are_refused(at_home, capsys, arguments, words):
    code, out, err = call(capsys, "archive", "stats", *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_pictures(at_home, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    with at_home.write() as connection:
        connection.execute(update(Incident).values(model="$x^{2$ 模型 " + "long" * 40))
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    assert call(capsys, "archive", "stats", "--plot", str(svg))[0] == 0
    first = svg.read_bytes()
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314 -- our own picture
    code, _, err = call(capsys, "archive", "stats", "--plot", str(svg))
    assert (code, "--force" in err, svg.read_bytes() == first) == (2, True, True)
    assert call(capsys, "archive", "stats", "--plot", str(svg), "--force")[0] == 0
    assert svg.read_bytes() == first, "the same figures give the same picture"
    assert call(capsys, "archive", "stats", "--by", "week", "--plot", str(png))[0] == 0
    assert png.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".svg", ".png", ".tmp")) == [
        "a.png",
        "a.svg",
    ]


def test_there_is_nothing_to_draw_without_incidents(at_home, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    code, _, err = call(capsys, "archive", "stats", "until:2020-01-01", "--plot", str(tmp_path / "a.svg"))
    assert (code, "nothing to draw" in err, (tmp_path / "a.svg").exists()) == (2, True, False)


def test_without_matplotlib_the_optional_part_is_named(at_home, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = call(capsys, "archive", "stats", "--plot", str(tmp_path / "a.svg"))
    assert (code, "pip install 'triage[plot]'" in err) == (2, True)


def rule_rows(archive, known):
    with archive.read() as connection:
        return {rule.id: rule for rule in rule_table(connection, known).rules}


def confirm(archive, uid, cause):
    with archive.write() as connection:
        return decisions.confirm(connection, find(connection, uid), cause, None, None)


def test_rules_are_judged_by_what_people_confirmed(archive):
    ids = file_runs(archive, (LOGS[0], 0), (LOGS[0], 1), (LOGS[0], 2), (LOGS[1], 3))
    with archive.read() as connection:
        names = {uid: rule for uid, rule in connection.execute(select(Incident.uid, Incident.rule))}  # noqa: C416
    first, second = (names[ids[at]].removeprefix("rule:") for at in (0, 3))
    confirm(archive, ids[0], "profile-missing")
    confirm(archive, ids[1], "profile-missing")
    confirm(archive, ids[1], "profile-invalid")  # the last word on one incident counts
    table = rule_rows(archive, [(first, "stable"), ("tensorrt/never", "stable"), ("tensorrt/old", "deprecated")])
    assert table[first][1:] == ("stable", 3, START + timedelta(minutes=2), 1, 1)
    assert table[second].status == GONE
    assert not table[second].dead
    assert table["tensorrt/never"].dead
    assert table["tensorrt/old"].status == "deprecated"


def test_a_withdrawn_verdict_does_not_count(archive):
    from triage.archive.merging import undo

    (uid,) = file_runs(archive, (LOGS[0], 0))
    line = confirm(archive, uid, "profile-invalid")
    assert sum(rule.corrected for rule in rule_rows(archive, []).values()) == 1
    with archive.write() as connection:
        undo(connection, line)
    assert sum(rule.corrected for rule in rule_rows(archive, []).values()) == 0


def test_rules_stats(at_home, capsys):
    code, out, _ = call(capsys, "rules", "stats")
    assert code == 0
    assert "7 builds in" in out
    assert out.splitlines()[2].split()[1] == "3", "the most used rule comes first"
    code, out, _ = call(capsys, "rules", "stats", "--format", "json")
    data = json.loads(out)
    assert data["watching"]["builds"] == 7
    dead = [rule["id"] for rule in data["rules"] if rule["dead"]]
    code, out, _ = call(capsys, "rules", "stats", "--dead", "--sort", "id", "--format", "csv")
    assert [row["id"] for row in csv.DictReader(io.StringIO(out))] == sorted(dead)
    assert (
        call(capsys, "rules", "stats", "--dead")[1].splitlines()[1].startswith(f"{len(dead):,} rules have not decided")
    )


def test_rules_stats_of_an_empty_archive_say_so(archive, archive_url, monkeypatch, capsys):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive_url)
    assert call(capsys, "rules", "stats") == (
        0, "This archive has seen no builds, so it cannot tell which rules are of use.\n", ""
    )  # fmt: skip
