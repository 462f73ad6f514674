"""The filter syntax: what is read, what is refused, and that it prints back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triage.archive.decisions import STATES as STEPS
from triage.archive.filter_values import span_of
from triage.archive.filters import KEYS, STATES, Term, Value, parse, parse_arguments, with_term, written
from triage.errors import UnknownName, UsageError

NOW = datetime(2026, 11, 21, 15, 30, 12, tzinfo=UTC)


def one(text):
    (term,) = parse(text, NOW).terms
    return term


def test_the_line_of_the_manual():
    text = (
        "model:bert precision:int8 cause:profile-missing tool:tensorrt version:>=10 state:new since:7d"
        ' "free text" -branch:main'
    )
    chosen = parse(text)
    assert [term.key for term in chosen.terms] == [
        "model", "precision", "cause", "tool", "version", "state", "since", "text", "branch",
    ]  # fmt: skip
    assert chosen.terms[-1] == Term("branch", (Value("is", ("main",)),), negated=True)
    assert written(chosen) == text


def test_the_same_key_twice_and_a_comma_mean_or():
    assert parse("cause:a cause:b tool:x cause:a") == parse("cause:a,b tool:x")
    assert parse("-cause:a cause:b").terms == (one("-cause:a"), one("cause:b"))
    assert len(parse("one two").terms) == 2, "words are joined by AND"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model:BERT", Value("is", ("BERT",))),
        ("model:bert*.onnx", Value("like", ("bert", ".onnx"))),
        ('model:"bert*"', Value("is", ("bert*",))),
        ("model:none", Value("none", ())),
        ('model:"none"', Value("is", ("none",))),
        ('source:"my file.log"', Value("is", ("my file.log",))),
        ('source:"my "*.log', Value("like", ("my ", ".log"))),
        (r"source:C:\models\x", Value("is", (r"C:\models\x",))),
        (r'source:"a \" b \\"', Value("is", ('a " b \\',))),
        ("source:http://host:80/x", Value("is", ("http://host:80/x",))),
        ("branch:修复/量化", Value("is", ("修复/量化",))),
        ('branch:"a,b"', Value("is", ("a,b",))),
        ("cause:PROFILE-missing", Value("is", ("profile-missing",))),
        ("REPOSITORY:x", Value("is", ("x",))),
        ("version:>=10", Value(">=", ("10",))),
        ("version:10.*", Value("is", ("10",))),
        ("engine:8.6..10.3", Value("..", ("8.6", "10.3"))),
        ("since:2026-11-01T10:00+02:00", Value("is", ("2026-11-01T10:00+02:00",))),
        ("until:Yesterday", Value("is", ("yesterday",))),
        ('"dynamic input"', Value("is", ("dynamic input",))),
        ("attention_mask", Value("is", ("attention mask",))),
        ("dyn*", Value("begins", ("dyn",))),
        ('"dynamic inp"*', Value("begins", ("dynamic inp",))),
        ("模型", Value("is", ("模 型",))),
        ("network.cpp:3062", Value("is", ("network cpp 3062",))),
    ],
)
def test_values(text, value):
    assert one(text).values == (value,)
    assert parse(written(parse(text))) == parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mdoel:x", "Did you mean model?"),
        ("std::bad_alloc", 'write it in quotes: "std::bad_alloc"'),
        ("state:nwe", "Did you mean new"),
        ("verdict:maybe", "no verdict is called 'maybe'. Known: likely, named, unknown."),
        ("model:", "'model:': a value is missing. Write model:bert. To find where it is empty, write model:none."),
        ("cause:", "Write cause:profile-missing."),
        ('model:""', "a value is missing"),
        ("cause:a,,b", "'cause:a,,b': a value is missing"),
        ("tool:none", "tool is never empty"),
        ('"abc', "a quote is not closed"),
        ('model:"abc', "a quote is not closed"),
        ("version:ten", "'version:ten': 'ten' is no version. Write version:10.3, version:>=10"),
        ("version:>=", "is no version"),
        ("version:10..8", "the range ends before it begins. Write version:8..10."),
        ("version:1.2.3.4.5", "is no version"),
        ("since:soon", "'soon' is no time. Write 30m, 24h, 7d"),
        ("since:2026-13-01", "is no time"),
        ("since:20261101", "is no time"),
        ("since:999999999w", "is no time"),
        ("until:none", "until is never empty"),
        ("!!", "'!!' holds no letter or digit to look for"),
        ("-", "holds no letter or digit"),
        ("a" * 1300, "is too long to look for"),
        ("model:a\0b", "holds a sign that no text has"),
        ("model:\udcff", "holds a sign that no text has"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_cure(text, says):
    with pytest.raises(UsageError) as refused:
        parse(text)
    assert says in str(refused.value)
    assert refused.value.exit_code == 2


def test_an_unknown_key_carries_its_suggestion():
    with pytest.raises(UnknownName) as refused:
        parse("presicion:int8")
    assert refused.value.close[0] == "precision"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["free text"], '"free text"'),
        (["-free text"], '-"free text"'),
        (["free tex*"], '"free tex"*'),
        (["source:my build.log"], 'source:"my build.log"'),
        (["-branch:a b"], '-branch:"a b"'),
        (["cause:x state:new"], "cause:x state:new"),
        (["word state:new"], "word state:new"),
        (['"a b" c'], '"a b" c'),
        ([" -branch:main", "x"], "-branch:main x"),
        ([], ""),
    ],
)
def test_arguments_whose_quotes_the_shell_took(arguments, line):
    assert written(parse_arguments(arguments)) == line


def test_times():
    day = datetime(2026, 11, 21, tzinfo=UTC)
    assert span_of("7d", NOW).start == NOW - timedelta(days=7)
    assert [span_of(text, NOW).start for text in ("30m", "24H", "2w")] == [
        NOW - timedelta(minutes=30), NOW - timedelta(hours=24), NOW - timedelta(weeks=2),
    ]  # fmt: skip
    assert span_of("today", NOW) == (day, day + timedelta(days=1))
    assert span_of("yesterday", NOW) == (day - timedelta(days=1), day)
    assert span_of("2026-11-01", NOW).end == datetime(2026, 11, 2, tzinfo=UTC)
    assert span_of("2026-11-01T10:00", NOW) == (
        datetime(2026, 11, 1, 10, tzinfo=UTC), datetime(2026, 11, 1, 10, 1, tzinfo=UTC),
    )  # fmt: skip
    assert span_of("2026-11-01T10:00:05+02:00", NOW).start == datetime(2026, 11, 1, 8, 0, 5, tzinfo=UTC)


def test_a_count_can_be_added_to_a_filter():
    assert written(with_term(parse("tool:tensorrt"), "model", 'my "a,b" model')) == (
        r'tool:tensorrt model:"my \"a,b\" model"'
    )
    assert one(written(with_term(parse(""), "model", "none"))).values == (Value("none", ()),)


def test_states_are_those_that_a_failure_can_have():
    assert tuple(STEPS) == STATES


ANY = st.text(st.characters(codec="utf-8"), max_size=40)
KEYED = st.builds("{}{}:{}".format, st.sampled_from(("", "-")), st.sampled_from(KEYS), ANY)


@given(st.lists(st.one_of(ANY, KEYED), max_size=4).map(" ".join))
@example(r'model:"\"')
@example('model:"a"*"b*"')
@example("cause:>=x,.. version:<10,8..9")
@example('-"-a" --b -')
def test_any_text_is_refused_cleanly_or_prints_back(text):
    try:
        chosen = parse(text, NOW)
    except UsageError:  # any other error fails the test
        return
    assert parse(written(chosen), NOW) == chosen
    assert written(parse(written(chosen), NOW)) == written(chosen)


@given(st.lists(ANY, max_size=3))
def test_any_arguments_are_refused_cleanly_or_print_back(arguments):
    try:
        chosen = parse_arguments(arguments, NOW)
    except UsageError:
        return
    assert parse(written(chosen), NOW) == chosen


@given(
    st.sampled_from(["model", "branch", "source", "owner"]),
    st.lists(ANY.filter(str.strip).filter(lambda text: "\0" not in text), min_size=1, max_size=3),
)
def test_every_value_can_be_written_in_quotes(key, values):
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    assert [value.text for value in one(f"{key}:{quoted}").values] == list(dict.fromkeys(values))
