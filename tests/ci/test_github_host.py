"""What only GitHub has: check runs, logs that lie elsewhere, the pull request of a commit, Enterprise addresses."""

import pytest
from ci_servers import GitHubServer, PlainServer
from ci_servers.world import SECOND, SHA, access_to, job_on, said

import triage
from triage.ci import github
from triage.ci._message import HostFault

TRACEBACK = """Traceback (most recent call last):
  File "/home/runner/work/models/models/export.py", line 12, in <module>
    torch.onnx.export(model, args, "m.onnx", opset_version=12)
torch.onnx.errors.UnsupportedOperatorError: Exporting the operator 'aten::scaled_dot_product_attention' to ONNX \
opset version 12 is not supported. Support for this operator was added in version 14, try exporting with this version.
"""


@pytest.fixture
def host():
    with GitHubServer() as server:
        yield server


def check(host, access=None, **values):
    return github.check(said(job_on(host), **values), access or access_to(host))


def test_a_check_informs_and_never_fails(host):
    posted = check(host)
    assert posted.what == "created"
    assert posted.url == host.checks[0]["html_url"]
    assert (host.checks[0]["conclusion"], host.checks[0]["head_sha"]) == ("neutral", SHA)
    assert host.writes[0].json["output"]["title"] == "tensorrt: plugin-missing"


def test_a_check_is_said_once_edited_and_resolved(host):
    told = [check(host), check(host), check(host, fingerprint=SECOND), check(host, fingerprint=SECOND, failing=False)]
    told.append(check(host, fingerprint=SECOND, failing=False))
    assert [posted.what for posted in told] == ["created", "unchanged", "updated", "unchanged", "unchanged"]
    assert check(host, fingerprint="33" * 8, failing=False).what == "updated"
    assert check(host, fingerprint="44" * 8, failing=False).what == "nothing"
    assert [one["conclusion"] for one in host.checks] == ["success"]


def test_a_check_of_a_good_job_is_silent(host):
    assert check(host, failing=False).what == "nothing"
    assert not host.writes


def test_a_check_that_is_not_allowed(host):
    host.fail("POST", "/check-runs$", 403, {}, {"message": "Resource not accessible by integration"})
    with pytest.raises(HostFault, match="checks: write") as caught:
        check(host)
    assert caught.value.status == 403


def test_a_check_has_the_places_in_the_sources(host):
    report = triage.diagnose(TRACEBACK.encode())
    assert report.diagnosis.incidents[0].causes
    check(host, reports=(report, report))
    notes = host.writes[0].json["output"]["annotations"]
    assert [(note["path"], note["start_line"], note["annotation_level"]) for note in notes] == [
        ("export.py", 12, "warning")
    ]


def test_the_longest_body_that_a_check_takes(host):
    check(host, text="x" * 200_000)
    assert len(host.writes[0].json["output"]["summary"]) == 65_535


def test_logs_lie_elsewhere_and_that_place_gets_no_token(host):
    with PlainServer() as place:
        host.log_place = place.origin
        numbers = [host.add_job(f"job {n}", conclusion="failure" if n % 2 else "success") for n in range(110)]
        for number in numbers:
            place.files[f"/logs/{number}.txt"] = b"line\n" * 40_000 + b"%d" % number
        logs = list(github.job_logs(job_on(host), access_to(host)))
        assert [log.name for log in logs] == [f"job {n}" for n in range(1, 110, 2)]
        data = b"".join(logs[0].chunks)
        assert data.endswith(b"%d" % numbers[1])
        assert len(place.requests) == 1
        assert not {"authorization", "cookie"} & set(place.requests[0].headers)
        assert host.token not in str(place.requests[0])


def test_a_log_that_is_gone(host):
    with PlainServer() as place:
        host.log_place = place.origin
        host.add_job("build")
        (log,) = github.job_logs(job_on(host), access_to(host))
        with pytest.raises(HostFault, match="404") as caught:
            list(log.chunks)
        assert "very-secret" not in str(caught.value)


def test_a_log_that_breaks_off(host):
    with PlainServer() as place:
        host.log_place = place.origin
        host.add_job("build")
        place.fail("GET", "/logs/", 200, {}, b"line\n" * 1000, cut=500)
        (log,) = github.job_logs(job_on(host), access_to(host))
        with pytest.raises(HostFault):
            list(log.chunks)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "gopher://127.0.0.1/x", ""])
def test_a_log_at_a_place_that_is_none(host, place):
    host.add_job("build")
    host.fail("GET", "/logs$", 302, {"Location": place})
    (log,) = github.job_logs(job_on(host), access_to(host))
    with pytest.raises(HostFault, match="no safe address"):
        list(log.chunks)


def test_a_log_at_a_place_that_nobody_can_read(host, slept):
    host.add_job("build")
    host.fail("GET", "/logs$", 302, {"Location": "http://[::1"}, times=99)
    (log,) = github.job_logs(job_on(host), access_to(host))
    with pytest.raises(HostFault):
        list(log.chunks)


def test_jobs_of_another_shape(host):
    host.fail("GET", "/jobs$", 200, {}, {"jobs": {"id": 1}}, times=9)
    with pytest.raises(HostFault, match="API says"):
        list(github.job_logs(job_on(host), access_to(host)))


def test_the_pull_request_of_a_commit(host):
    job = job_on(host, change=None)
    assert github.change_of(job, access_to(host)) is None
    host.add_pull(3, SHA, state="closed")
    host.add_pull(4, "d" * 40)
    assert github.change_of(job, access_to(host)) is None
    host.add_pull(8, SHA, base="release")
    host.add_pull(9, SHA, base="main")
    assert github.change_of(job, access_to(host)) == "9"
    assert github.change_of(job._replace(base=None), access_to(host)) == "8"


def test_the_pull_request_of_a_fork(host):
    host.fork_commits.add(SHA)
    host.add_pull(12, SHA, owner="someone")
    assert github.change_of(job_on(host, change=None), access_to(host)) == "12"
    host.pulls.clear()
    host.add_pull(13, "d" * 40, owner="someone")
    assert github.change_of(job_on(host, change=None), access_to(host)) is None


def test_enterprise_has_its_api_below_a_path():
    with GitHubServer(prefix="/api/v3") as host:
        assert github.post(said(job_on(host)), access_to(host)).what == "created"
        assert all(request.path.startswith("/api/v3/repos/octo/models/") for request in host.requests)
        job = job_on(host, api=host.url + "/")
        assert github.post(said(job), access_to(host)).what == "unchanged"


def test_a_body_that_is_too_long_is_the_host_s_word(host):
    message = said(job_on(host))._replace(body=lambda limit, _: "x" * (limit + 1))
    with pytest.raises(HostFault, match="too long") as caught:
        github.post(message, access_to(host))
    assert caught.value.status == 422
