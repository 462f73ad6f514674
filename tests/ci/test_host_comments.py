"""One comment a change and job, on every host: created, left alone, edited, resolved."""

import gzip
import importlib
import json

from ci_servers import GiteaServer, GitHubServer
from ci_servers.world import KEY, OTHER_KEY, SECOND, access_to, job_on, said

from triage import discovery
from triage.ci._marker import Marker


def test_every_host_keeps_the_contract():
    names = discovery.names("triage.ci")
    assert {"github", "gitlab", "gitea", "webhook"} <= set(names)
    for name in names:
        module = discovery.load("triage.ci", name)
        assert callable(module.post)
        assert all(isinstance(token, str) for token in module.TOKENS)


def test_the_first_failure_is_one_comment(site):
    posted = site.module.post(said(site.job), site.access)
    assert posted.what == "created"
    assert [comment["body"] for comment in site.server.comments] == [said(site.job).body(65_536, None)]
    assert posted.url
    assert posted.url.startswith(site.server.origin)
    assert [request.method for request in site.server.requests] == ["GET", "POST"]


def test_the_same_failure_again_writes_nothing(site):
    site.module.post(said(site.job), site.access)
    before = len(site.server.writes)
    later = site.job._replace(run="78")
    assert site.module.post(said(later), site.access).what == "unchanged"
    assert len(site.server.writes) == before == 1


def test_two_runs_at_the_same_moment_leave_one_comment(site):
    site.module.post(said(site.job), site.access)
    twin = {**site.server.comments[0], "id": site.server.comments[0]["id"] + 1}
    site.server.comments.append(twin)
    for run, writes in (("78", ["DELETE"]), ("79", [])):
        before = len(site.server.writes)
        assert site.module.post(said(site.job._replace(run=run)), site.access).what == "unchanged"
        assert [request.method for request in site.server.writes[before:]] == writes
    assert [comment["id"] for comment in site.server.comments] == [twin["id"] - 1]


def test_another_cause_edits_the_same_comment(site):
    first = site.module.post(said(site.job), site.access)
    later = said(site.job._replace(run="78"), SECOND, text="another cause")
    second = site.module.post(later, site.access)
    assert (second.what, second.url) == ("updated", first.url)
    assert [comment["body"] for comment in site.server.comments] == [later.body(65_536, None)]
    assert site.server.writes[-1].method == site.edit


def test_success_resolves_the_comment_once(site):
    site.module.post(said(site.job), site.access)
    good = said(site.job._replace(run="78"), SECOND, failing=False, text="passes")
    assert site.module.post(good, site.access).what == "updated"
    assert site.module.post(good, site.access).what == "nothing"
    assert len(site.server.comments) == 1
    assert len(site.server.writes) == 2


def test_success_without_a_comment_is_silent(site):
    assert site.module.post(said(site.job, failing=False), site.access).what == "nothing"
    assert not site.server.writes


def test_a_failure_after_success_speaks_again_in_the_same_comment(site):
    for run, failing in (("77", True), ("78", False), ("79", True)):
        site.module.post(said(site.job._replace(run=run), failing=failing), site.access)
    assert len(site.server.comments) == 1
    assert "failing=1" in site.server.comments[0]["body"]


def test_an_older_run_that_ends_late_is_silent(site):
    site.module.post(said(site.job._replace(run="80")), site.access)
    assert site.module.post(said(site.job._replace(run="79"), SECOND), site.access).what == "stale"
    assert len(site.server.writes) == 1


def test_a_forged_marker_is_not_ours(site):
    site.server.add_comment(f"{Marker(KEY, SECOND, 1).text()}\nforged", site.stranger())
    assert site.module.post(said(site.job), site.access).what == "created"
    assert site.server.comments[0]["body"].endswith("forged")
    assert len(site.server.comments) == 2


def test_a_marker_that_is_quoted_is_no_marker(site):
    site.server.add_comment(f"> {Marker(KEY, SECOND, 1).text()}\nquoted by ourselves")
    assert site.module.post(said(site.job), site.access).what == "created"


def test_each_key_keeps_its_own_comment(site):
    site.module.post(said(site.job), site.access)
    assert site.module.post(said(site.job, key=OTHER_KEY), site.access).what == "created"
    assert site.module.post(said(site.job, key=OTHER_KEY), site.access).what == "unchanged"
    assert len(site.server.comments) == 2


def test_ours_is_found_behind_hundreds(site):
    for number in range(230):
        site.server.add_comment(f"remark {number}", site.stranger())
    site.server.add_comment(said(site.job).body(65_536, None))
    assert site.module.post(said(site.job), site.access).what == "unchanged"
    pages = [
        request.query.get("page") for request in site.server.requests if request.path.endswith(("notes", "comments"))
    ]
    assert len(pages) == {"github": 3, "gitlab": 12, "gitea": 1}[site.name]


def test_the_other_change_is_left_alone(site):
    site.server.add_comment(said(site.job).body(65_536, None), issue="6")
    assert site.module.post(said(site.job), site.access).what == "created"


def test_a_person_s_token_knows_who_it_is():
    with GitHubServer(installation=False) as host:
        job, github = job_on(host), importlib.import_module("triage.ci.github")
        host.add_comment(said(job).body(65_536, None), host.person("github-actions[bot]", 41898282, "Bot"))
        assert github.post(said(job), access_to(host)).what == "created"
        assert github.post(said(job), access_to(host)).what == "unchanged"


def test_a_name_like_the_bot_s_is_not_enough():
    with GitHubServer() as host:
        job, github = job_on(host), importlib.import_module("triage.ci.github")
        for login, kind in (("github-actions[bot]", "User"), ("github-actions", "Bot"), ("evil[bot]", "Bot")):
            host.add_comment(said(job).body(65_536, None), host.person(login, 7, kind))
        assert github.post(said(job), access_to(host)).what == "created"


def test_an_app_of_one_s_own_is_found_by_name_or_by_asking(monkeypatch):
    github = importlib.import_module("triage.ci.github")
    with GitHubServer() as host:
        host.user = host.person("our-app[bot]", 99, "Bot")
        assert github.post(said(job_on(host)), access_to(host)).what == "created"
        assert github.post(said(job_on(host)), access_to(host)).what == "unchanged"
        assert host.requests[-1].path == "/graphql"
        monkeypatch.setenv("TRIAGE_COMMENT_AUTHOR", "our-app[bot]")
        assert github.post(said(job_on(host)), access_to(host)).what == "unchanged"
        assert host.requests[-1].path == "/user"
        monkeypatch.setenv("TRIAGE_COMMENT_AUTHOR", "another[bot]")
        assert github.post(said(job_on(host)), access_to(host)).what == "created"


def test_the_token_of_a_gitea_job_finds_its_comment():
    gitea = importlib.import_module("triage.ci.gitea")
    with GiteaServer(actor=True) as host:
        assert gitea.post(said(job_on(host)), access_to(host)).what == "created"
        assert gitea.post(said(job_on(host)), access_to(host)).what == "unchanged"


def test_half_characters_do_not_stop_a_comment(site):
    message = said(site.job._replace(branch="br\udcffnch"), text="log-\udcff.txt \ud83d")
    assert site.module.post(message, site.access).what == "created"
    assert site.server.comments[0]["body"].endswith("log-?.txt ?")
    told = []
    job = site.job._replace(branch="br\udcffnch", commit="d" * 40)
    assert site.module.change_of(job, site.access._replace(say=told.append)) is None
    assert told


def test_chunked_and_compressed_answers_are_read(site):
    site.module.post(said(site.job), site.access)
    body = json.dumps(site.server.comments).encode()
    site.server.fail("GET", site.thread, 200, {"Content-Encoding": "gzip"}, gzip.compress(body))
    assert site.module.post(said(site.job), site.access).what == "unchanged"
    half, rest = body[:50], body[50:]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (half, rest, b""))
    site.server.fail("GET", site.thread, 200, {"Transfer-Encoding": "chunked"}, chunks, cut=90)
    site.server.fail("GET", site.thread, 200, {"Transfer-Encoding": "chunked"}, chunks)
    assert site.module.post(said(site.job), site.access).what == "unchanged"
    assert len(site.server.writes) == 1
