"""What hosts answer when they will not, or cannot: a HostFault that says what, where and what to do."""

import contextlib
import json
import socket
import time

import pytest
from ci_servers.world import SECOND, said

from triage.ci._message import HostFault


def fault_of(site, access=None, message=None):
    with pytest.raises(HostFault) as caught:
        site.module.post(message or said(site.job), access or site.access)
    text = str(caught.value)
    assert site.server.token not in text
    assert "\n" not in text
    return caught.value


def test_a_wrong_token(site):
    fault = fault_of(site, site.access._replace(token="wrong-token-0123456789"))  # noqa: S106
    assert fault.status == 401
    assert "GET http://127.0.0.1" in str(fault)
    assert site.module.TOKENS[0] in str(fault)
    assert "wrong-token" not in str(fault)


def test_no_token(site, monkeypatch):
    monkeypatch.setenv("CI_JOB_TOKEN", "x")
    fault = fault_of(site, site.access._replace(token=None))
    assert site.module.TOKENS[0] in str(fault)
    assert not site.server.requests
    assert ("CI_JOB_TOKEN" in str(fault)) == (site.name == "gitlab")


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "naïve"])
def test_a_token_that_is_none_is_not_shown(site, token):
    fault = fault_of(site, site.access._replace(token=token))
    assert token not in str(fault)
    assert not site.server.requests


@pytest.mark.parametrize(
    ("status", "advice"), [(403, "may not"), (404, "TRIAGE_REPOSITORY"), (422, "content"), (413, "long")]
)
def test_a_refused_comment_is_not_sent_again(site, status, advice):
    site.server.fail("POST", site.thread, status, {}, {"message": "Not this time"}, times=9)
    fault = fault_of(site)
    assert (fault.status, "Not this time" in str(fault), advice in str(fault)) == (status, True, True)
    assert "POST http" in str(fault)
    assert len(site.server.writes) == 1


def test_a_short_wait_is_waited_and_then_it_works(site, slept):
    site.server.fail("POST", site.thread, 429, {"Retry-After": "1"}, {"message": "slow down"})
    site.server.fail("GET", site.thread, 429, {"Retry-After": "2"}, {"message": "slow down"})
    assert site.module.post(said(site.job), site.access).what == "created"
    assert slept == [2.0, 1.0]
    assert len(site.server.comments) == 1


def test_a_long_wait_is_told_at_once(site):
    site.server.fail("GET", site.thread, 429, {"Retry-After": "3600"}, times=9)
    started = time.monotonic()
    fault = fault_of(site)
    assert (fault.status, fault.retry_after) == (429, 3600.0)
    assert time.monotonic() - started < 1
    assert len(site.server.requests) == 1


def test_waits_add_up_to_the_patience_and_no_more(site, slept):
    site.server.fail("GET", site.thread, 429, {"Retry-After": "1"}, times=9)
    fault = fault_of(site, site.access._replace(patience=1.5))
    assert (fault.retry_after, slept) == (1.0, [1.0])
    assert len(site.server.requests) == 2


def test_a_secondary_limit_without_a_time_is_not_hammered(site):
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    site.server.fail("POST", site.thread, 403, {}, {"message": words}, times=9)
    fault = fault_of(site)
    assert (fault.status, fault.retry_after) == (403, 60.0)
    assert len(site.server.writes) == 1


def test_a_spent_limit_ends_by_the_host_s_clock(site, slept):
    date = "Mon, 05 Jan 2026 10:00:00 GMT"  # 1767607200
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767607201", "Date": date}
    site.server.fail("POST", site.thread, 403, headers, {"message": "API rate limit exceeded"})
    assert site.module.post(said(site.job), site.access).what == "created"
    assert slept == [1.0]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_read_is_tried_again_after_a_fault_of_the_host(site, status):
    site.server.fail("GET", site.thread, status, {}, b"<html>Bad gateway</html>")
    assert site.module.post(said(site.job), site.access).what == "created"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_write_is_not_sent_twice(site, status):
    site.server.fail("POST", site.thread, status, {"Retry-After": "1"}, b"<html>Bad gateway</html>", times=9)
    fault = fault_of(site)
    assert fault.status == status
    assert "html" not in str(fault)
    assert len(site.server.writes) == 1


def test_a_host_that_stays_broken_is_given_up(site, slept):
    site.server.fail("GET", site.thread, 502, times=99)
    assert fault_of(site).status == 502
    assert len(site.server.requests) == 4
    assert 0.3 < sum(slept) < 1.5


def test_no_answer_in_time(site):
    site.server.fail("GET", site.thread, hang=3, times=9)
    started = time.monotonic()
    fault = fault_of(site, site.access._replace(timeout=0.3))
    assert "no answer within 0.3 s" in str(fault)
    assert time.monotonic() - started < 2.5


def test_a_write_without_an_answer_is_not_repeated(site):
    site.server.fail("POST", site.thread, hang=3, times=9)
    fault = fault_of(site, site.access._replace(timeout=0.3))
    assert "not known" in str(fault)
    assert len(site.server.writes) == 1


def test_an_answer_that_trickles_is_not_waited_for(site):
    page = b"[" + b" " * 400
    with _trickle(page) as port:
        job = site.job._replace(api=f"http://127.0.0.1:{port}")
        started = time.monotonic()
        fault = fault_of(site, site.access._replace(timeout=0.4, patience=0), said(job))
        assert "0.4 s" in str(fault)
        assert time.monotonic() - started < 3


def test_nobody_listens(site, slept):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        job = site.job._replace(api=f"http://127.0.0.1:{taken.getsockname()[1]}")
        fault = fault_of(site, message=said(job))
    assert "no connection" in str(fault)
    assert "object at 0x" not in str(fault)


CUT = json.dumps([{"id": 1, "body": "x" * 200}]).encode()


def test_an_answer_that_is_cut_off_is_asked_for_again(site, slept):
    site.server.fail("GET", site.thread, 200, {}, CUT, cut=40)
    site.server.fail("GET", site.thread, 200, {}, CUT[:40])
    assert site.module.post(said(site.job), site.access).what == "created"


@pytest.mark.parametrize(("body", "cut"), [(CUT, 40), (CUT[:40], None), (b"", None)])
def test_an_answer_that_stays_cut_off(site, body, cut):
    site.server.fail("GET", site.thread, 200, {}, body, times=99, cut=cut)
    fault_of(site, site.access._replace(patience=0.1))
    assert not site.server.writes


def test_the_answer_to_a_write_is_cut_off(site):
    site.server.fail("POST", site.thread, 201, {}, b'{"id": 12345, "body": "abc', times=9, cut=10)
    assert "not known" in str(fault_of(site))
    assert len(site.server.writes) == 1


def test_a_page_instead_of_json(site):
    site.server.fail(
        "GET", site.thread, 200, {"Content-Type": "text/html"}, b"<html><script>alert(1)</script>", times=9
    )
    assert "HTML page" in str(fault_of(site))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        {"message": "no list"},
        7,
        ["x"],
        [{"id": "1", "body": "b", "user": {}, "author": {}}],
        [{"body": 5}],
        [[]],
    ],
)
def test_json_of_another_shape(site, answer):
    site.server.fail("GET", site.thread, 200, {}, json.dumps(answer).encode(), times=99)
    assert "API says" in str(fault_of(site))
    assert not site.server.writes


def test_json_as_deep_as_a_well(site, slept):
    site.server.fail("GET", site.thread, 200, {}, b"[" * 200_000, times=99)
    fault_of(site)


def test_an_answer_without_end_is_not_swallowed(site, monkeypatch):
    monkeypatch.setattr("triage.ci._wire.LARGEST", 1 << 20)
    site.server.fail("GET", site.thread, 200, {}, b"[" + b" " * (3 << 20) + b"]", times=9)
    assert "larger than 1 MiB" in str(fault_of(site))


def test_an_odd_user(site, slept):
    if site.name == "github":
        site.server.installation = False
    site.module.post(said(site.job), site.access)
    site.server.fail("GET", "/user$", 200, {}, b'{"id": "41"}', times=99)
    assert "/user" in str(fault_of(site))
    assert len(site.server.writes) == 1


def test_a_comment_of_somebody_who_is_gone(site):
    body = json.dumps(
        [{"id": 1, "body": "x", "user": None, "author": None}, {"id": 2, "body": None, "user": {}, "author": {}}]
    )
    site.server.fail("GET", site.thread, 200, {}, body.encode())
    assert site.module.post(said(site.job), site.access).what == "created"


def test_what_the_host_says_is_shown_harmless(site):
    said_there = "\x1b[31mred\x07 " + site.server.token + " ghp_" + "a1B2" * 9 + " " + "x" * 5000
    site.server.fail("POST", site.thread, 422, {}, {"message": said_there})
    text = str(fault_of(site))
    assert "\x1b" not in text
    assert "ghp_a1B2" not in text
    assert len(text) < 900


def test_hostile_headers(site, slept):
    for after in ("soon", "-5", "9" * 30, "1e9", "Mon, 99 Foo 2026"):
        site.server.fail("GET", site.thread, 429, {"Retry-After": after})
        assert fault_of(site).status == 429


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_another_host_gets_no_token(site, status):
    for place in ("http://127.0.0.2:9/api/v4/user", "", site.server.origin + "9/x"):
        site.server.fail("GET", site.thread, status, {"Location": place})
        fault = fault_of(site)
        assert "moved" in str(fault)
        assert "TRIAGE_API_URL" in str(fault)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_repository_that_was_renamed_is_followed_within_the_host(site, status):
    thread = site.server.url + (
        "/projects/1/merge_requests/5/notes" if site.name == "gitlab" else "/repos/new/name/issues/5/comments"
    )
    site.server.fail("GET", site.thread, status, {"Location": thread})
    site.server.fail("POST", site.thread, status, {"Location": thread})
    assert site.module.post(said(site.job), site.access).what == "created"
    assert site.server.writes[-1].json["body"].startswith("<!-- triage")


def test_a_location_that_is_no_address(site, slept):
    site.server.fail("GET", site.thread, 307, {"Location": "http://[::1"}, times=99)
    fault_of(site)
    assert not site.server.writes


def test_a_circle_of_redirects_ends(site):
    site.server.fail("GET", site.thread, 307, {"Location": site.server.url + "/x/comments"}, times=99)
    site.server.fail("GET", "/x/comments", 307, {"Location": site.server.url + "/x/comments"}, times=99)
    assert "without an end" in str(fault_of(site))


@pytest.mark.parametrize(
    "values",
    [
        {"change": None}, {"change": "5/../6"}, {"repository": None}, {"repository": "../.."}, {"repository": "a"},
        {"repository": "a/b?x"}, {"api": "file:///etc/passwd"}, {"api": "http://me:secret@127.0.0.1:1"}, {"api": "http://"},
        {"api": "http://[::1"}, {"api": "http://a b"},
    ],
)  # fmt: skip
def test_a_job_that_is_not_known_well_enough(site, values):
    fault = fault_of(site, message=said(site.job._replace(**values)))
    assert "TRIAGE_" in str(fault)
    assert not site.server.requests


def test_the_edit_that_fails_leaves_the_comment(site):
    site.module.post(said(site.job), site.access)
    before = site.server.comments[0]["body"]
    site.server.fail(site.edit, r"/(notes|comments)/\d+$", 403, {}, {"message": "locked"})
    assert fault_of(site, message=said(site.job, SECOND)).status == 403
    assert site.server.comments[0]["body"] == before


@contextlib.contextmanager
def _trickle(body):
    """A server that sends a byte every 20 ms."""
    import threading

    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)

    def serve():
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                    for byte in body:
                        if over.wait(0.02):
                            return
                        connection.sendall(bytes([byte]))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listening.close()


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"message": "ok"}'])
def test_an_answer_without_what_was_made_is_no_comment(site, body):
    site.server.fail("POST", site.thread, 200, body=body)
    assert "is not an object with an id" in str(fault_of(site))
