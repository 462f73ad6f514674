"""Where rules are silent: a confirmed failure names its twin at once; nothing overrules a rule."""

import json

import pytest
from filing import UNHEARD, file_logs
from support import PROFILE_MISSING, run_cli

from triage.archive import decisions, subjects
from triage.service import diagnose
from triage.service.opinion import second_opinion


def confirmed(archive, text, cause="plugin-missing", **options):
    (filed,) = file_logs(archive, text)
    with archive.write() as connection:
        subject = subjects.find(connection, filed.incidents[0])
        decisions.confirm(connection, subject, cause, options.get("fix"), options.get("note"))
    return filed.incidents[0]


def asked(archive, text):
    report = second_opinion(diagnose(text), archive=archive)
    return report.diagnosis.verdict, report.diagnosis.incidents[0].causes[0]


def test_the_next_twin_of_a_confirmed_failure_is_likely_at_once(archive):
    name = confirmed(archive, UNHEARD.format(n="'a'"), note="the gleep was not in the image")
    verdict, cause = asked(archive, UNHEARD.format(n="'another_node'"))
    assert (verdict, cause.id, cause.by) == ("likely", "plugin-missing", f"neighbour:{name}")
    assert "the gleep was not in the image" in cause.why
    assert cause.fixes


def test_an_unconfirmed_failure_names_nothing(archive):
    file_logs(archive, UNHEARD.format(n="'a'"))
    assert asked(archive, UNHEARD.format(n="'b'"))[1].by.partition(":")[0] != "neighbour"


def test_another_message_is_not_named_after_it(archive):
    confirmed(archive, UNHEARD.format(n="'a'"))
    other = UNHEARD.format(n="'b'").replace("is not twizzled", "has been drowned")
    assert asked(archive, other)[1].by.partition(":")[0] != "neighbour"


def test_neighbours_that_disagree_say_nothing(archive):
    confirmed(archive, UNHEARD.format(n="node_a"), "plugin-missing")
    confirmed(archive, UNHEARD.format(n="node_b"), "plugin-missing")
    confirmed(archive, UNHEARD.format(n="node.c"), "profile-missing")
    assert asked(archive, UNHEARD.format(n="node_D"))[1].by.partition(":")[0] != "neighbour"


def test_a_named_failure_is_not_asked_about(archive):
    confirmed(archive, PROFILE_MISSING, "plugin-missing")
    verdict, cause = asked(archive, PROFILE_MISSING)
    assert (verdict, cause.id) == ("named", "profile-missing")


def test_a_withdrawn_confirmation_names_nothing(archive):
    confirmed(archive, UNHEARD.format(n="'a'"))
    from triage.archive.merging import undo

    with archive.write() as connection:
        undo(connection)
    assert asked(archive, UNHEARD.format(n="'b'"))[1].by.partition(":")[0] != "neighbour"


def test_the_whole_way_in_a_terminal(archive_url):
    environment = {"TRIAGE_DATABASE_URL": archive_url}
    first = run_cli("diagnose", "--format", "json", "-", stdin=UNHEARD.format(n="'a'").encode(), env=environment)
    name = json.loads(first.stdout)["incidents"][0]["id"]
    done = run_cli("archive", "confirm", name[:9], "--cause", "plugin-missing", "--note", "seen it", env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    then = run_cli("diagnose", "-", stdin=UNHEARD.format(n="'b'").encode(), env=environment).stdout.decode()
    assert "LIKELY  plugin-missing" in then
    assert "seen it" in then
    assert "Confirmed by a person: plugin-missing" in " ".join(then.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["confirm", "i-aaaaaaaaaaaa", "--cause", "plugin-missing"], "no incident is called"),
        (["confirm", "i-aaaaaaaaaaaa", "--cause", "plugin-misin"], "Did you mean plugin-missing"),
        (["confirm", "i-aaaaaaaaaaaa", "--cause", "unknown"], "no cause that can be confirmed"),
        (["confirm", "i-aaaaaaaaaaaa", "--cause", "plugin-missing", "--fix", "nonsense"], "no fix of plugin-missing"),
        (["confirm", "nonsense", "--cause", "plugin-missing"], "is no id"),
        (["state", "i-aaaaaaaaaaaa", "fixed"], "no state is called 'fixed'"),
        (["owner", "i-aaaaaaaaaaaa"], "name an owner, or say --nobody"),
        (["note", "i-aaaaaaaaaaaa", "  "], "an empty note says nothing"),
        (["merge", "g-aaaaaaaaaaaa", "--into", "g-bbbbbbbbbbbb"], "no group is called"),
        (["unmerge", "g-aaaaaaaaaaaa"], "no group is called"),
        (["undo", "4711"], "the history has no line 4711"),
        (["undo"], "nothing of yours to undo"),
        (["show", "i-aaaaaaaaaaaa"], "no incident is called"),
        (["similar", "i-aaaaaaaaaaaa"], "no incident is called"),
        (["similar", "no-such-file.log"], "does not exist"),
        (["similar", "-", "--limit", "0"], "name a number from 1 to 100"),
        (["reanalyse", "modle:x"], "Did you mean model"),
        (["unknown", "cause:nonsense"], "no cause is called"),
        (["nonsense"], "no command is called 'nonsense'"),
    ],
)
def test_bad_use_is_refused_and_says_what_to_do(arguments, said, tmp_path, sqlite_template):
    path = tmp_path / "archive.db"
    path.write_bytes(sqlite_template.read_bytes())
    done = run_cli("archive", *arguments, env={"TRIAGE_DATABASE_URL": f"sqlite:///{path}"})
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr
