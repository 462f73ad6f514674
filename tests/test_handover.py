"""What one stage leaves for the next is read as hostile, and believed only where it belongs to the run."""

import json
import os

import jsonschema
import pytest
from support import FIXTURES, PROFILE_MISSING

from triage import discovery
from triage.errors import InputError
from triage.records import Job
from triage.reports._parse import report_from
from triage.reports._shape import as_dict
from triage.service import diagnose
from triage.service.examining import examine
from triage.service.handover import LARGEST, NAME, as_data, belonging, from_data, read_folder

JOB = Job("github", "ci / build", "github", "https://api.example.org", "o/r", "a" * 40, "topic", change="7", run="99")


def handed(tmp_path, job=JOB):
    log = tmp_path / "build.log"
    log.write_text(PROFILE_MISSING, encoding="utf-8")
    return json.loads(json.dumps(as_data(examine([str(log)], job, with_archive=False))))


def left(tmp_path, body):
    folder = tmp_path / "left"
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("case", sorted(path.name for path in FIXTURES.iterdir())[::5])
@pytest.mark.parametrize("form", ["markdown", "text"])
def test_a_report_read_back_says_the_same(case, form):
    """Only what the JSON does not hold is missing: where in a line the match was, and how long the log."""
    report = diagnose((FIXTURES / case / "log.txt").read_bytes(), name=case)
    back = report_from(json.loads(json.dumps(as_dict(report))))
    assert as_dict(back)["incidents"] == [
        {**one, "facts": {key: str(value) for key, value in one["facts"].items() if not isinstance(value, list | dict)},
         "signature": one["signature"] and {**one["signature"], "kept": {}}, "consequences": []}
        for one in as_dict(report)["incidents"]
    ]  # fmt: skip
    if form == "markdown":
        render = discovery.load("triage.reports", form).render
        assert render([back]) == render([report])


def test_what_is_left_is_read_back(tmp_path):
    ((path, found),) = read_folder(left(tmp_path, handed(tmp_path)))
    assert path.endswith(NAME)
    assert found.status == "failure"
    assert [case.incident.causes[0].id for case in found.cases] == ["profile-missing"]
    assert found.cases[0].standing.section == "change"
    assert not found.job.trusted


@pytest.mark.parametrize(("field", "other"), [("run", "98"), ("commit", "b" * 40), ("repository", "evil/r")])
def test_a_report_of_another_run_is_refused(tmp_path, field, other):
    found = from_data(handed(tmp_path), "it")
    with pytest.raises(InputError, match=f"of {field} "):
        belonging(found, JOB._replace(**{field: other}), "it")


def test_where_to_write_is_never_taken_from_the_report(tmp_path):
    body = handed(tmp_path)
    body["job"] |= {"change": "1", "api": "https://evil.example", "host": "webhook", "run_url": "https://evil.example"}
    job = belonging(from_data(body, "it"), JOB, "it").job
    assert job == JOB


def change(body, path, value):
    *way, last = path
    for step in way:
        body = body[step]
    body[last] = value


ODD = [
    (["schema"], "triage.job/2"), (["status"], "great"), (["reports"], {}), (["cases"], None), (["cases", 0], 5),
    (["cases", 0, "incident"], 50), (["cases", 0, "incident"], -1), (["cases", 0, "report"], True),
    (["cases", 0, "standing"], {"section": "<script>", "why": ""}), (["job"], []), (["job", "name"], None),
    (["reports", 0, "schema"], "x"), (["reports", 0, "primary"], 9), (["reports", 0, "incidents"], [{}]),
    (["reports", 0, "incidents", 0, "causes"], []), (["reports", 0, "incidents", 0, "span"], [1]),
    (["reports", 0, "incidents", 0, "causes", 0, "id"], "no-such-cause"),
    (["reports", 0, "incidents", 0, "causes", 0, "id"], "a\n### b"),
    (["reports", 0, "incidents", 0, "causes", 0, "by"], "<b>"),
    (["reports", 0, "incidents", 0, "causes", 0, "verdict"], "sure"),
    (["reports", 0, "incidents", 0, "causes", 0, "evidence"], [{"line": 0, "text": "x"}]),
    (["reports", 0, "incidents", 0, "causes", 0, "evidence"], [{"line": 1e99, "text": "x"}]),
    (["reports", 0, "incidents", 0, "tool"], "@everyone"),
    (["reports", 0, "incidents", 0, "seen"], {"times": "many"}),
    (["reports", 0, "source"], 7),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value"), ODD)
def test_what_does_not_fit_is_refused_with_its_place(tmp_path, path, value):
    body = handed(tmp_path)
    change(body, path, value)
    with pytest.raises(InputError):
        list(read_folder(left(tmp_path, body)))


@pytest.mark.parametrize("text", ["", "{", "null", "[" * 100_000, '{"schema": "triage.job/1"}', "\x00"])
def test_what_is_no_handover_is_refused(tmp_path, text):
    with pytest.raises(InputError):
        list(read_folder(left(tmp_path, text)))


def test_links_pipes_and_giants_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(handed(tmp_path)), encoding="utf-8")
    for number, make in enumerate([
        lambda path: os.symlink(secret, path),
        os.mkfifo,
        lambda path: open(path, "wb").truncate(LARGEST + 1),
    ]):  # fmt: skip
        folder = tmp_path / f"left-{number}"
        folder.mkdir()
        make(str(folder / NAME))
        with pytest.raises(InputError):
            list(read_folder(str(folder)))


def test_secrets_and_controls_in_a_report_are_cleaned_again(tmp_path):
    body = handed(tmp_path)
    token = "ghp_" + "A1b2C3d4E5" * 3 + "123456"
    body["reports"][0]["incidents"][0]["causes"][0]["evidence"][0]["text"] = f"x\x1b[31m\u202e {token}"
    ((_, found),) = read_folder(left(tmp_path, body))
    text = found.cases[0].incident.causes[0].evidence[0].text
    assert token not in text
    assert text.isprintable()


def test_a_folder_without_one_says_what_to_type(tmp_path):
    with pytest.raises(InputError, match="triage ci report LOG --out"):
        list(read_folder(str(tmp_path)))


def test_it_follows_the_published_schema(tmp_path):
    schema = discovery.load("triage.schemas", "job").SCHEMA
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(handed(tmp_path))
