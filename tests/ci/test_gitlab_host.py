"""What only GitLab has: traces, merge requests of a commit, sub-path installs, a job's token that may not write."""

import pytest
from ci_servers import GitLabServer
from ci_servers.world import SHA, access_to, job_on, said

from triage.ci import gitlab
from triage.ci._message import HostFault


@pytest.fixture
def host():
    with GitLabServer() as server:
        yield server


def test_the_address_of_a_note(host):
    posted = gitlab.post(said(job_on(host)), access_to(host))
    assert posted.url == f"{host.origin}/group/sub/models/-/merge_requests/5#note_300"
    assert host.requests[0].path.startswith("/api/v4/projects/group%2Fsub%2Fmodels/merge_requests/5/notes")


def test_a_project_by_its_number(host):
    job = job_on(host, repository="4711")
    assert gitlab.post(said(job), access_to(host)).what == "created"
    assert host.requests[0].path == "/api/v4/projects/4711/merge_requests/5/notes"


def test_an_install_below_a_path():
    with GitLabServer(prefix="/tools/gitlab/api/v4") as host:
        posted = gitlab.post(said(job_on(host)), access_to(host))
        assert posted.url == f"{host.origin}/tools/gitlab/group/sub/models/-/merge_requests/5#note_300"
        assert gitlab.post(said(job_on(host)), access_to(host)).what == "unchanged"


def test_there_is_no_check(host):
    assert not hasattr(gitlab, "check")
    assert "300720" in gitlab.__doc__


def test_the_logs_of_failed_jobs(host):
    host.add_job("lint", log=b"allowed", allow_failure=True)
    host.add_job("good", status="success")
    for number in range(25):
        host.add_job(f"build {number}", log=b"trace %d\n" % number * 20_000)
    host.add_job("other pipeline", run=78)
    logs = list(gitlab.job_logs(job_on(host), access_to(host)))
    assert [log.name for log in logs] == [*(f"build {number}" for number in range(25)), "lint"]
    assert b"".join(logs[24].chunks) == b"trace 24\n" * 20_000
    assert logs[0].url == f"{host.origin}/group/models/-/jobs/9002"


def test_a_trace_that_breaks_off(host):
    host.add_job("build")
    host.fail("GET", "/trace$", 200, {}, b"line\n" * 1000, cut=500)
    (log,) = gitlab.job_logs(job_on(host), access_to(host))
    with pytest.raises(HostFault):
        list(log.chunks)


def test_the_merge_request_of_a_commit(host):
    job = job_on(host, change=None)
    host.add_change(3, SHA, state="merged")
    host.add_change(4, "d" * 40)
    assert gitlab.change_of(job, access_to(host)) is None
    host.add_change(8, SHA, target="release")
    host.add_change(9, SHA)
    assert gitlab.change_of(job, access_to(host)) == "9"


def test_a_note_that_is_too_long(host):
    message = said(job_on(host))._replace(body=lambda limit, _: "x" * (limit + 1))
    with pytest.raises(HostFault, match="1000000 characters") as caught:
        gitlab.post(message, access_to(host))
    assert caught.value.status == 400


def test_somebody_s_netrc_and_proxies_do_not_replace_the_token(host, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert gitlab.post(said(job_on(host)), access_to(host)).what == "created"
    assert "authorization" not in host.requests[0].headers
