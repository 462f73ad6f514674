"""What only Gitea and Forgejo have: commit statuses, logs since 1.24, an API whose address nobody can guess."""

import pytest
from ci_servers import GiteaServer
from ci_servers.world import SECOND, SHA, access_to, job_on, said

from triage.ci import gitea
from triage.ci._message import HostFault


@pytest.fixture
def host():
    with GiteaServer() as server:
        yield server


def test_a_status_warns_and_never_fails(host):
    job = job_on(host)
    told = [
        gitea.check(said(job), access_to(host)),
        gitea.check(said(job), access_to(host)),
        gitea.check(said(job, SECOND)._replace(title="tensorrt: another"), access_to(host)),
        gitea.check(said(job, failing=False)._replace(title="build passes"), access_to(host)),
        gitea.check(said(job, failing=False)._replace(title="build passes again"), access_to(host)),
    ]
    assert [posted.what for posted in told] == ["created", "unchanged", "updated", "updated", "nothing"]
    assert [status["status"] for status in host.statuses] == ["warning", "warning", "success"]
    assert {status["context"] for status in host.statuses} == {"triage / build / trt"}


def test_a_status_of_a_good_job_is_silent(host):
    assert gitea.check(said(job_on(host), failing=False), access_to(host)).what == "nothing"
    assert not host.writes


def test_the_logs_of_failed_jobs(host):
    host.add_job("good", conclusion="success")
    host.add_job("build", log=b"line\n" * 100_000)
    (log,) = gitea.job_logs(job_on(host), access_to(host))
    assert (log.name, b"".join(log.chunks)) == ("build", b"line\n" * 100_000)


def test_forgejo_has_no_logs():
    with GiteaServer(forgejo=True) as host, pytest.raises(HostFault, match="this part of the API"):
        list(gitea.job_logs(job_on(host), access_to(host)))


def test_the_pull_request_of_a_commit(host):
    job = job_on(host, change=None)
    host.add_pull(3, SHA, state="closed")
    host.add_pull(4, "d" * 40)
    assert gitea.change_of(job, access_to(host)) is None
    host.add_pull(8, SHA, base="release")
    host.add_pull(9, SHA)
    assert gitea.change_of(job, access_to(host)) == "9"


def test_the_address_of_the_api_must_be_known(host):
    with pytest.raises(HostFault, match="TRIAGE_API_URL"):
        gitea.post(said(job_on(host, api=None)), access_to(host))


def test_an_edit_that_answers_nothing_is_done(host):
    gitea.post(said(job_on(host)), access_to(host))
    host.fail("PATCH", "/comments/700$", 204)
    posted = gitea.post(said(job_on(host, run="78"), SECOND), access_to(host))
    assert (posted.what, posted.url) == ("updated", host.comments[0]["html_url"])
