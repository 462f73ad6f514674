"""Searching the archive: on both databases the answer of a naive scan, page by page, with its counts."""

import csv
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from triage.archive import conditions, facets, finding, merging, reach, subjects
from triage.archive.conditions import condition
from triage.archive.filing import NewBuild, NewIncident, file_builds
from triage.archive.filters import STATES, parse
from triage.archive.finding import look
from triage.archive.group_list import look_at_groups
from triage.archive.tables import Detail, Group, Incident
from triage.archive.words import version_key, words
from triage.cli import main
from triage.errors import UnknownName, UsageError
from triage.records import Cause, Evidence, Origin, Signature
from triage.records import Incident as Failure

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MANY_EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def build(number, **given):
    """A build with one incident; every detail can be chosen."""
    is_ = SimpleNamespace(
        **{
            "text": "the dynamic input is missing", "tool": "tensorrt", "version": "10.3.0", "engine": None,
            "stage": "build", "component": None, "model": "bert.onnx", "precision": "fp16", "cause": "profile-missing",
            "verdict": "named", "rule": "rule:tensorrt/profile-missing", "host": "gpu-1", "ci": None, "repo": None,
            "branch": "main", "commit": None, "source": "build.log", "signature": f"{number % 7:016x}", "at": number,
        } | given
    )  # fmt: skip
    evidence = (Evidence(3, is_.text),)
    cause = Cause(is_.cause, is_.verdict, is_.rule, evidence, {}, f"It says {is_.text}.", ())
    signature = Signature("2026-11-20", is_.signature, f"template {is_.signature}", {})
    failure = Failure(
        is_.tool, is_.version, is_.stage, is_.component, is_.model, is_.precision, is_.engine, {}, signature, (3, 3),
        None, (cause,), (),
    )  # fmt: skip
    body = {"causes": [{"id": is_.cause, "evidence": [{"line": 3, "text": is_.text}], "why": cause.why}]}
    origin = Origin(is_.host, is_.ci, is_.repo, is_.branch, is_.commit, "https://ci.example.org/1", None)
    at = NOW - timedelta(hours=is_.at)
    return NewBuild(
        is_.source, at, "failed", [NewIncident(failure, is_.text, body)], "r1", origin=origin, key=str(number)
    )


def fill(archive, *given):
    with archive.write() as connection:
        return [
            filed.incidents[0] for filed in file_builds(connection, [build(n, **one) for n, one in enumerate(given)])
        ]


VARIED = {
    "tool": ("tensorrt", "onnxruntime", "vllm"),
    "version": ("10.3.0", "10.3.4", "10.13.2.6", "8.6.1", "1.17", None, "nightly"),
    "engine": ("10.7.0", None),
    "stage": ("build", "load", None),
    "component": ("builder", "Parser", None),
    "model": ("bert.onnx", "BERT_large.onnx", "模型.onnx", "100%_vit.onnx", 'a,b "c" d\\e', "none", None),
    "precision": ("fp16", "INT8", None),
    "cause": ("profile-missing", "opset-unsupported", "unknown"),
    "verdict": ("named", "likely", "unknown"),
    "rule": ("rule:tensorrt/profile-missing", "rule:onnx/opset", "none"),
    "host": ("gpu-1", "GPU-2", None),
    "ci": ("github", "GitLab", None),
    "repo": ("team/bert", None),
    "branch": ("main", "feature/main", "develop", None),
    "commit": ("abcdef1234", "abc999", None),
    "source": ("ci/1/build.log", "C:\\logs\\x y.txt", "ümlaut_%.log"),
    "text": (
        "[TRT] [E] dynamic input is missing", "Could not find é in 模型", "x²y 1e5 0x1f 007 naïve",
        "\uff46\uff55\uff4c\uff4c \u017flow ŒUVRE µ", "don't 'quote' \"me\" (a|b) & !c :* <-> $$",
        "𞤀𞤁 ⅷ ¼ ٣٤ straße İstanbul",
    ),
    "at": (1, 2, 2, 3, 30, 24 * 8, 24 * 40, 24 * 400),
}  # fmt: skip
COLUMNS = {"version": "tool_version", "engine": "engine_version", "repo": "repository"}


@pytest.fixture
def varied(archive):
    """Sixty incidents that differ in everything, with decided groups."""
    given = [
        {key: of[(number * 7 + number // 5 + place * 3) % len(of)] for place, (key, of) in enumerate(VARIED.items())}
        for number in range(60)
    ]  # fmt: skip
    fill(archive, *given)
    with archive.write() as connection:
        for number in range(1, 8):
            values = {"state": STATES[number % 6], "owner": ("Ana", None, "bo")[number % 3]}
            confirmed = {"confirmed_cause": "opset-unsupported" if number % 2 else None}
            connection.execute(update(Group).where(Group.id == number).values(**values, **confirmed))
    return archive


def everything(archive):
    """All incidents with their words, newest first, as a scan sees them."""
    with archive.read() as connection:
        held = dict(connection.execute(select(Detail.incident_id, Detail.words)).all())
        numbers = (
            connection.execute(select(Incident.id).order_by(Incident.at.desc(), Incident.id.desc())).scalars().all()
        )
        return [(hit, held[hit.number]) for hit in finding.hits_of(connection, numbers)]


def fits(chosen, hit, held):
    return all(_holds(term, hit, held) != term.negated for term in chosen.terms)


def _holds(term, hit, held):
    if term.key == "text":
        value = term.values[0]
        return f" {value.text}{'' if value.op == 'begins' else ' '}" in f" {held} "
    return any(_fits(term.key, value, hit) for value in term.values)


def _fits(key, value, hit):
    if key in ("since", "until"):
        hours = (NOW - hit.at) / timedelta(hours=1)
        limit = float(value.text.removesuffix("h"))
        return hours <= limit if key == "since" else hours >= limit
    there = {"rule": hit.rule if hit.rule != "none" else None}.get(key, getattr(hit, COLUMNS.get(key, key), None))
    if key == "confirmed" and value.text in ("yes", "no"):
        return (there is not None) == (value.text == "yes")
    if key in ("version", "engine"):
        return _version(value, version_key(there))
    if value.op == "none" or there is None:
        return value.op == "none" and there is None
    return _alike(key, value, there.removeprefix("rule:").casefold())


def _alike(key, value, low):
    if value.op == "like":
        return re.fullmatch(".*".join(re.escape(part.casefold()) for part in value.parts), low, re.DOTALL) is not None
    if key == "commit":
        return low.startswith(value.text)
    contains = key in ("model", "host", "branch", "repo", "component", "ci", "owner", "source")
    return value.text.casefold() in low if contains else value.text.casefold() == low


def _version(value, key):
    if key is None or value.op == "none":  # one that cannot be ordered ("nightly") counts as none
        return key is None and value.op == "none"
    low, size = version_key(value.parts[0]), 100_000 ** (3 - value.parts[0].count("."))
    end = version_key(value.parts[-1]) + 100_000 ** (3 - value.parts[-1].count("."))
    return {
        "is": low <= key < low + size, ">=": key >= low, "<": key < low, ">": key >= low + size,
        "<=": key < low + size, "..": low <= key < end,
    }[value.op]  # fmt: skip


def _quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


VALUES = {
    "model": ("bert", "BERT_LARGE", "模型", "%", "_", "none", '"none"', "b*t*", "*x", _quote(VARIED["model"][4])),
    "host": ("gpu", "gpu-2", "none"), "ci": ("git", "GITLAB", "none"), "repo": ("team/", "none"),
    "branch": ("main", "develop", "none", "main*"), "component": ("PARSER", "none", "b*er"),
    "source": ("build", '"x y"', _quote("C:\\logs\\"), "%.LOG", "*.log", "ci/*"), "owner": ("ana", "none", "*o"),
    "cause": ("profile-missing", "opset-unsupported", "opset*", "unknown"), "tool": ("vllm", "tensorrt", "on*"),
    "stage": ("load", "build", "none"), "precision": ("int8", "none", "FP16"),
    "rule": ("tensorrt/profile-missing", "onnx/*", "none"), "commit": ("abc", "abcdef1234", "ABC*", "none"),
    "confirmed": ("yes", "no", "none", "opset-unsupported"), "state": STATES, "verdict": ("named", "likely", "unknown"),
    "version": ("10", "10.3", ">=10.3", "<10.3", ">10.3", "<=10.3", "8..10.3", "10.3.4", "none"),
    "engine": (">=10", "none"), "since": ("2h", "200h", "1000h"), "until": ("2h", "200h"),
}  # fmt: skip
TEXTS = sorted({word for text in VARIED["text"] for word in (*text.split(), *words(text).split(), text)})
KEYED = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.builds(
        "{}{}:{}".format, st.sampled_from(("", "", "-")), st.just(key),
        st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=2).map(",".join),
    )
)  # fmt: skip
FREE = st.builds(
    "{}{}{}".format,
    st.sampled_from(("", "", "-")),
    st.one_of(st.sampled_from(TEXTS), st.text(max_size=8)).map(_quote),
    st.sampled_from(("", "*")),
)


@pytest.mark.parametrize("few", [10_000, 4])
def test_any_filter_gives_what_a_scan_gives(varied, few, monkeypatch):
    """With ``few`` 4 counting ends early and pages go on beyond what was counted."""
    for module in (conditions, reach, finding):
        monkeypatch.setattr(module, "FEW", few)
    scanned = everything(varied)

    def compare(text):
        try:
            chosen = parse(text, NOW)
        except UsageError:
            return
        wanted = [hit.id for hit, held in scanned if fits(chosen, hit, held)]
        with varied.read() as connection:
            found = look(connection, chosen, limit=1000, now=NOW, facets=True)
            loose = select(func.count()).select_from(Incident).where(condition(connection, chosen, NOW))
            assert connection.execute(loose).scalar_one() == len(wanted)
        assert [hit.id for hit in found.hits] == wanted
        if found.total.bounded:
            assert found.total.number == sum(hit.at >= found.total.since for hit in found.hits)
        else:
            assert found.total.number == len(wanted)
        assert all(sum(dict(facet.counts).values()) + facet.others == found.total.number for facet in found.facets)

    for key, values in VALUES.items():
        for value in values:
            compare(f"{key}:{value}")
            compare(f"-{key}:{value}")
    MANY_EXAMPLES(given(st.lists(st.one_of(KEYED, FREE), max_size=3).map(" ".join))(compare))()


def test_no_text_can_break_the_full_text_query(archive):
    """Whatever stands in logs and whatever is searched: letters and digits decide, alike on both databases."""
    nasty = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
    lines = [
        *VARIED["text"],
        "a" * 300,
        "AND OR NOT NEAR(a b)",
        "1e5abc 1e 12e3 e10 0x1fg 1.5e-3",
        "\u200b\u0301e\u0301",
    ]

    @MANY_EXAMPLES
    @given(nasty, st.integers(0, 40), st.integers(1, 12), st.booleans())
    def search(text, start, length, star):
        fill(archive, {"text": text, "source": text or "x", "model": text, "at": len(lines)})
        lines.append(text)
        of = words(lines[(start * 7) % len(lines)])
        for wanted in (text, of[start : start + length], of):
            if not words(wanted):
                with pytest.raises(UsageError, match="no letter or digit"):
                    parse(_quote(wanted))
                continue
            chosen = parse(_quote(wanted) + "*" * star, NOW)
            with archive.read() as connection:
                found = {hit.number for hit in look(connection, chosen, limit=1000, now=NOW).hits}
                held = connection.execute(select(Detail.incident_id, Detail.words)).all()
            part = f" {words(wanted)}{'' if star else ' '}"
            assert found == {number for number, text_ in held if part in f" {text_} "}

    fill(archive, *({"text": line} for line in lines))
    search()


@pytest.mark.parametrize("few", [10_000, 3])
@pytest.mark.parametrize("order", finding.ORDERS)
def test_pages_repeat_and_skip_nothing_while_new_incidents_arrive(archive, order, few, monkeypatch):
    for module in (conditions, reach, finding):
        monkeypatch.setattr(module, "FEW", few)
    models = ("bert", None, "vit", "äöü", "Zed")
    fill(
        archive,
        *({"model": models[n % 5], "at": n // 2, "cause": ("unknown", "opset-unsupported")[n % 2]} for n in range(23)),
    )
    chosen = parse("since:20d -tool:vllm", NOW)
    with archive.read() as connection:
        before = [hit.id for hit in look(connection, chosen, order=order, limit=1000, now=NOW).hits]
    seen, cursor, pages = [], None, 0
    while cursor or not pages:
        with archive.read() as connection:
            found = look(connection, chosen, order=order, limit=4, cursor=cursor, now=NOW)
        seen += [hit.id for hit in found.hits]
        cursor, pages = found.cursor, pages + 1
        with archive.write() as connection:  # newer ones, and one filed late
            file_builds(connection, [build(100 + pages, at=-pages), build(200 + pages, at=5)])
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in before] == before


def test_orders(archive):
    fill(
        archive,
        {"model": "b", "at": 1},
        {"model": None, "at": 2},
        {"model": "a", "at": 3, "cause": "opset-unsupported"},
    )
    with archive.read() as connection:
        orders = {
            order: [round((NOW - hit.at) / timedelta(hours=1)) for hit in look(connection, parse(""), order=order).hits]
            for order in finding.ORDERS
        }
    assert orders == {"at": [1, 2, 3], "first": [3, 2, 1], "cause": [3, 1, 2], "model": [2, 3, 1]}


@pytest.mark.parametrize("cursor", ["", "c", "zork", "cAAAA", "c!!", "ümlaut", "c" + "A" * 5000])
def test_a_foreign_cursor_is_refused(archive, cursor):
    with archive.read() as connection, pytest.raises(UsageError, match="is no cursor of this list"):
        look(connection, parse(""), cursor=cursor or "-")


def test_a_cursor_belongs_to_its_filter_and_order(archive):
    fill(archive, *({} for _ in range(3)))
    with archive.read() as connection:
        cursor = look(connection, parse("tool:tensorrt"), limit=1).cursor
        assert re.fullmatch(r"c[\w-]+", cursor)
        for text, order in (("", "at"), ("tool:tensorrt", "first"), ("stage:build", "at")):
            with pytest.raises(UsageError, match="same filter and the same --sort"):
                look(connection, parse(text), order=order, cursor=cursor)


def test_facets_count_every_match(varied):
    scanned = [hit for hit, _ in everything(varied) if hit.tool == "tensorrt"]
    with varied.read() as connection:
        found = {
            facet.key: dict(facet.counts) for facet in look(connection, parse("tool:tensorrt"), facets=True).facets
        }
    assert list(found) == list(facets.COLUMNS)
    for key in ("cause", "stage", "precision", "model", "state", "verdict", "branch"):
        assert found[key] == Counter(getattr(hit, key) for hit in scanned)
    keys = [version_key(hit.tool_version) for hit in scanned]
    minors = Counter(key and f"{key // 10**15}.{key // 10**10 % 10**5}" for key in keys)
    assert found["version"] == minors


def test_a_count_picked_as_a_term_gives_as_many(varied):
    with varied.read() as connection:
        for facet in look(connection, parse(""), facets=True).facets:
            for value, times in facet.counts:
                term = f"{facet.key}:{'none' if value is None else value if facet.key == 'version' else _quote(value)}"
                if facet.key not in ("model", "branch"):  # these also find what contains the value
                    assert look(connection, parse(term)).total.number == times, term


def test_counts_beyond_the_bound_say_so(archive, monkeypatch):
    for module in (conditions, reach, finding):
        monkeypatch.setattr(module, "FEW", 5)
    fill(archive, *({"cause": "opset-unsupported" if n == 15 else "profile-missing"} for n in range(16)))
    with archive.read() as connection:
        many = look(connection, parse("verdict:named"), facets=True, limit=3)
        few = look(connection, parse("cause:opset-unsupported"), facets=True)
    assert (many.total.bounded, str(many.total), many.total.since) == (True, "6+", NOW - timedelta(hours=5))
    assert dict(many.facets[0].counts) == {"profile-missing": 6}
    assert (few.total.bounded, few.total.number, len(few.hits)) == (False, 1, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cause:profil-missing", "no cause is called 'profil-missing'. Did you mean profile-missing"),
        ("tool:tensort", "no tool is called 'tensort'. Did you mean tensorrt"),
        ("stage:biuld", "no stage is called 'biuld'. Did you mean build"),
        ("confirmed:maybe", "no cause is called 'maybe'"),
        ("group:g-aaaaaaaaaaaa", "no group is called"),
        ("id:i-aaaaaaaaaaaa", "no incident is called"),
    ],
)
def test_names_that_nobody_knows_are_refused(archive, text, says):
    for find_them in (look, look_at_groups):
        with archive.read() as connection, pytest.raises(UnknownName, match=re.escape(says)):
            find_them(connection, parse(text))


def test_a_cause_that_only_the_archive_knows_is_no_error(archive):
    fill(archive, {"cause": "home-made", "tool": "in-house"})
    with archive.read() as connection:
        assert look(connection, parse("cause:home-made tool:in-house")).total.number == 1
        assert look(connection, parse("cause:profile-invalid")).total.number == 0


def test_ids_and_their_beginnings(archive):
    ids = fill(archive, {"signature": "1" * 16}, {"signature": "2" * 16}, {"signature": "2" * 16})
    with archive.read() as connection:
        hit = look(connection, parse(f"id:{ids[0]}")).hits[0]
        assert (hit.id, hit.signature) == (ids[0], "1" * 16)
        assert [h.id for h in look(connection, parse(f"id:{ids[1][:9]}")).hits] == [ids[1]]
        assert [h.id for h in look(connection, parse(f"-id:{ids[1]} since:99d", NOW), now=NOW).hits] == [ids[0], ids[2]]
        assert [h.id for h in look(connection, parse(f"group:{hit.group}")).hits] == [ids[0]]
        assert look(connection, parse("signature:2222")).total.number == 2
        with pytest.raises(UsageError, match="too short"):
            look(connection, parse("id:i-a"))


def test_a_merged_group_is_found_by_both_its_ids(archive):
    fill(archive, {"signature": "1" * 16}, {"signature": "2" * 16}, {"signature": "2" * 16})
    with archive.read() as connection:
        one, two = (look(connection, parse(f"signature:{n}")).hits[0].group for n in "12")
    with archive.write() as connection:
        merging.merge(connection, subjects.find(connection, one), subjects.find(connection, two))
    with archive.read() as connection:
        for name in (one, two):
            assert look(connection, parse(f"group:{name}")).total.number == 3
            assert [group.id for group in look_at_groups(connection, parse(f"group:{name}")).groups] == [two]
        (only,) = look_at_groups(connection, parse("")).groups
    assert (only.times, only.builds) == (3, 3)


def test_groups_are_those_of_the_incidents_that_fit(varied):
    scanned = everything(varied)
    for text in (
        "",
        "model:bert branch:main",
        "state:fixing,closed",
        "owner:ana confirmed:yes",
        "-owner:none",
        "missing",
    ):
        chosen = parse(text)
        counted = Counter(hit.group for hit, held in scanned if fits(chosen, hit, held))
        for order in ("at", "first", "count", "cause"):
            seen, cursor = [], None
            while cursor or not seen:
                with varied.read() as connection:
                    found = look_at_groups(connection, chosen, order=order, limit=2, cursor=cursor)
                seen += found.groups
                cursor = found.cursor
                if not found.groups:
                    break
            assert {group.id for group in seen} == set(counted), (text, order)
            assert len(seen) == found.total.number
            keys = {"at": "last_seen", "first": "first_seen", "count": "times", "cause": "cause"}
            values = [getattr(group, keys[order]) for group in seen]
            assert values == sorted(values, reverse=order != "cause")


@pytest.fixture
def filed(archive, archive_url, monkeypatch):
    """Two incidents that the commands find, one of them with a nasty name."""
    monkeypatch.setenv("TRIAGE_DATABASE_URL", archive_url)
    monkeypatch.setenv("COLUMNS", "100")
    return fill(
        archive,
        {"text": "Network has no optimization profile", "repo": "team/bert", "ci": "github"},
        {
            "model": "=cmd|'/c calc'!A1",
            "branch": "\x1b[31mred",
            "host": None,
            "tool": "vllm",
            "text": "gone\x07 wrong",
            "at": 9,
        },
    )


def told(capsys, *arguments):
    assert main(["archive", *arguments]) == 0
    return capsys.readouterr().out


def test_list_prints_a_table_that_fits(filed, capsys):
    text = told(capsys, "list", "tool:tensorrt")
    assert text.splitlines()[0].split()[:7] == ["id", "when", "state", "verdict", "cause", "tool", "model"]
    assert text.splitlines()[1].startswith(f"{filed[0]}  ")
    assert "profile-missing" in text
    assert "1 of 1 incident · tool:tensorrt" in text
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in told(capsys, "list")
    assert "\x1b[32mnamed" in told(capsys, "list", "--color", "always")
    assert told(capsys, "list", "model:nothing") == "no incident fits · model:nothing\n"


def test_a_dash_negates_in_a_command(filed, capsys):
    for arguments in (["-tool:vllm"], ["--limit", "5", "-tool:vllm", "--sort", "first"], ["-gone wrong", "-host:none"]):
        assert [
            one["id"] for one in json.loads(told(capsys, "list", "--format", "json", *arguments))["incidents"]
        ] == filed[:1]


def test_search_shows_what_fits_and_counts(filed, capsys):
    text = told(capsys, "search", "optimization prof*")
    assert "\n  Network has no optimization profile\n" in text
    assert re.search(r"Counts over all\n  cause +profile-missing 1\n  tool +tensorrt 1\n", text)
    found = json.loads(told(capsys, "search", "optimization", "--format", "json"))
    assert found["filter"] == "optimization"
    assert found["total"] == {"count": 1, "more": False, "counted_since": None}
    assert found["facets"]["model"] == {"counts": [{"value": "bert.onnx", "count": 1}], "others": 0}
    assert found["incidents"][0]["text"] == "Network has no optimization profile"


def test_json_pages(filed, capsys):
    first = json.loads(told(capsys, "list", "--limit", "1", "--format", "json"))
    second = json.loads(told(capsys, "list", "--limit", "1", "--format", "json", "--cursor", first["cursor"]))
    assert [first["incidents"][0]["id"], second["incidents"][0]["id"]] == filed
    assert (second["cursor"], second["total"]["count"]) == (None, 2)


def test_jsonl_speaks_the_elastic_common_schema(filed, capsys):
    first, second = map(json.loads, told(capsys, "list", "--format", "jsonl").splitlines())
    assert first["@timestamp"] == "2026-11-21T12:00:00.000Z"
    assert first["ecs"] == {"version": "8.17.0"}
    assert first["event"] == {
        "id": filed[0], "kind": "event", "category": ["process"], "type": ["end"], "outcome": "failure",
        "module": "triage", "dataset": "triage.incident", "provider": "triage", "action": "incident-filed",
        "reason": "It says Network has no optimization profile.", "url": "https://ci.example.org/1",
    }  # fmt: skip
    assert first["error"] == {"type": "profile-missing", "message": "Network has no optimization profile"}
    assert first["service"] == {"name": "tensorrt", "version": "10.3.0"}
    assert first["rule"] == {
        "id": "tensorrt/profile-missing", "name": "tensorrt/profile-missing", "version": "r1",
    }  # fmt: skip
    assert (first["host"], first["log"]) == ({"name": "gpu-1"}, {"file": {"path": "build.log"}})
    assert all(isinstance(value, str) for value in first["labels"].values())
    assert "host" not in second, "what is empty is left out"
    assert "\\u001b" not in json.dumps(second)
    assert "\\u0007" not in json.dumps(second)


def test_csv_defuses_formulas_and_control_signs(filed, capsys):
    text = told(capsys, "list", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["id"] for row in rows] == filed
    assert rows[1]["model"] == "'=cmd|'/c calc'!A1"
    assert "\x1b" not in text


def test_groups_print_in_every_format(filed, capsys):
    text = told(capsys, "groups", "state:new", "--sort", "count")
    assert text.splitlines()[0].split() == ["id", "state", "cause", "count", "builds", "first", "last", "text"]
    assert "2 of 2 groups · state:new" in text
    row = json.loads(told(capsys, "groups", "tool:vllm", "--format", "json"))["groups"][0]
    assert (row["times"], row["builds"], row["state"], row["template"]) == (1, 1, "new", "template " + "1".zfill(16))
    event = json.loads(told(capsys, "groups", "tool:vllm", "--format", "jsonl"))
    assert (event["event"]["kind"], event["event"]["id"]) == ("state", row["id"])
    assert next(csv.DictReader(io.StringIO(told(capsys, "groups", "--format", "csv", "tool:vllm"))))["id"] == row["id"]


def test_output_is_written_whole_or_not_at_all(filed, capsys, tmp_path):
    path = tmp_path / "found.jsonl"
    assert told(capsys, "list", "--format", "jsonl", "--output", str(path)) == ""
    assert [json.loads(line)["event"]["id"] for line in path.read_text("utf-8").splitlines()] == filed
    assert main(["archive", "list", "--output", str(path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["archive", "list", "--output", str(tmp_path / "no" / "such")]) == 2
    assert [entry.name for entry in tmp_path.iterdir() if "found" in entry.name] == ["found.jsonl"]


@pytest.mark.parametrize("command", ["list", "search", "groups"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mdoel:x"], "Did you mean model?"),
        (["cause:profil-missing"], "Did you mean profile-missing"),
        (["state:nwe"], "Did you mean new"),
        (["since:soon"], "is no time"),
        (['"open'], "a quote is not closed"),
        (["--limit", "0"], "write 1 to 1000"),
        (["--limit", "1001"], "write 1 to 1000"),
        (["--cursor", "zork"], "is no cursor of this list"),
        (["id:nonsense"], "is no id"),
    ],
)
def test_bad_input_is_refused_in_words(filed, capsys, command, arguments, says):
    assert main(["archive", command, *arguments]) == 2
    told_ = capsys.readouterr()
    assert (told_.out, told_.err.startswith("triage: "), says in told_.err) == ("", True, True), told_.err


@pytest.mark.parametrize("command", ["list", "search", "groups"])
@pytest.mark.parametrize("arguments", [["--sort", "size"], ["--format", "xml"], ["--limit", "many"], ["--zork"]])
def test_bad_options_are_refused(command, arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["archive", command, *arguments])
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["list", "search", "groups"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["archive", command, "--help"])
    assert stopped.value.code == 0
    assert f"triage archive {command} " in capsys.readouterr().out.partition("example:")[2]
