"""The webhook: signed after Standard Webhooks (checked by its library), repeated with the same id, bounded."""

import base64
import json
import re

import pytest
from ci_servers import WebhookServer
from ci_servers.world import FIRST, KEY, SECOND, job_on, said
from jsonschema import Draft202012Validator
from standardwebhooks.webhooks import Webhook

import triage
from triage.ci import webhook
from triage.ci._message import Access, HostFault
from triage.schemas import report as published

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdefghijABCD").decode()
LOG = b"[E] 4: [network.cpp::validate::3047] Error Code 4: Internal Error (Network has dynamic or shape inputs, but no \
optimization profile has been defined.)\n"


@pytest.fixture
def hook(monkeypatch):
    with WebhookServer() as server:
        monkeypatch.setenv("TRIAGE_WEBHOOK_URL", server.url)
        yield server


def send(hook, access=None, **values):
    job = job_on(hook, host=None, **values.pop("job", {}))
    return webhook.post(said(job, **values), access or Access(SECRET, timeout=1.0, patience=3.0))


def event(request):
    return Webhook(SECRET).verify(request.body, dict(request.headers))


def test_a_failure_is_told_and_signed(hook):
    assert send(hook, reports=(triage.diagnose(LOG),)).what == "sent"
    (request,) = hook.requests
    told = event(request)
    assert told["type"] == "triage.failure"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["timestamp"])
    data = told["data"]
    assert (data["key"], data["fingerprint"], data["title"]) == (KEY, FIRST, "tensorrt: plugin-missing")
    assert data["job"]["repository"] == "octo/models"
    assert data["text"] == "**TensorRT: the plug-in is missing**"
    (report,) = data["reports"]
    assert report["schema"] == "triage.report/1"
    assert list(Draft202012Validator(published.SCHEMA).iter_errors(report)) == []


def test_a_changed_body_is_no_longer_signed(hook):
    send(hook)
    (request,) = hook.requests
    with pytest.raises(Exception, match="No matching signature"):
        event(request._replace(body=request.body.replace(b"plugin", b"p1ugin")))


def test_success_is_told(hook):
    send(hook, failing=False)
    assert event(hook.requests[0])["type"] == "triage.resolved"


def test_a_repeat_has_the_same_id_and_news_another(hook):
    for values in (
        {},
        {},
        {"fingerprint": SECOND},
        {"job": {"run": "78"}},
        {"job": {"attempt": 2}},
        {"failing": False},
    ):
        send(hook, **values)
    assert len(hook.requests) == 6
    assert len(hook.events) == 5


def test_it_is_sent_again_with_the_same_id(hook):
    hook.fail("POST", "/hook", 500)
    hook.fail("POST", "/hook", 429, {"Retry-After": "1"})
    hook.fail("POST", "/hook", hang=2)
    assert send(hook, Access(SECRET, timeout=0.3, patience=3.0)).what == "sent"
    assert len(hook.requests) == 4
    assert len({request.headers["webhook-id"] for request in hook.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
def test_what_a_receiver_refuses_is_not_repeated(hook, status):
    hook.fail("POST", "/hook", status, times=9)
    with pytest.raises(HostFault) as caught:
        send(hook)
    assert caught.value.status == status
    assert len(hook.requests) == 1


def test_a_receiver_that_stays_broken(hook):
    hook.fail("POST", "/hook", 503, times=99)
    with pytest.raises(HostFault) as caught:
        send(hook)
    assert caught.value.status == 503
    assert len(hook.requests) == 4


def test_redirects_are_not_followed(hook):
    for place in ("/elsewhere", "/hook/below"):
        hook.fail("POST", "/hook$", 307, {"Location": hook.origin + place})
        with pytest.raises(HostFault, match="not followed"):
            send(hook)
    assert [request.path for request in hook.requests] == ["/hook", "/hook"]


def test_a_secret_in_the_address_is_not_shown(hook, monkeypatch):
    monkeypatch.setenv("TRIAGE_WEBHOOK_URL", hook.origin + "/services/T0123ABCD/abcdef0123456789?key=hidden")
    told = []
    send(hook, Access(SECRET, say=told.append))
    hook.fail("POST", "/services", 404)
    with pytest.raises(HostFault) as caught:
        send(hook)
    for text in (told[0].partition("\n")[0], str(caught.value)):
        assert f"POST {hook.origin}/services/…/…" in text
        assert "hidden" not in text
    assert hook.requests[0].query == {"key": "hidden"}


@pytest.mark.parametrize(
    "address", ["", "http://example.com/hook", "ftp://127.0.0.1/", "http://me:pw@127.0.0.1/", "nonsense"]
)
def test_an_address_that_is_none_or_not_private(hook, monkeypatch, address):
    monkeypatch.setenv("TRIAGE_WEBHOOK_URL", address)
    with pytest.raises(HostFault, match="TRIAGE_WEBHOOK_URL") as caught:
        send(hook)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("secret", [None, "", "whsec_", "whsec_!!!", "short"])
def test_nothing_is_sent_without_a_signature(hook, secret):
    with pytest.raises(HostFault, match="TRIAGE_WEBHOOK_SECRET"):
        send(hook, Access(secret))
    assert not hook.requests


def test_the_body_is_bounded(hook):
    lines = b"".join(LOG.replace(b"3047", b"%d" % number) for number in range(3000))
    report = triage.diagnose(lines)
    incident = report.diagnosis.incidents[0]
    many = report._replace(diagnosis=report.diagnosis._replace(incidents=(incident,) * 300, primary=0))
    for reports in ((many,), (many,) * 12):
        send(hook, reports=reports, text="ß" * 300_000, job={"run": str(len(reports))})
        request = hook.requests[-1]
        assert len(request.body) <= webhook.LARGEST
        data = event(request)["data"]
        assert data["text"]
        assert data["reports"][0]["incidents"]
        for shown in data["reports"][:1]:
            assert list(Draft202012Validator(published.SCHEMA).iter_errors(shown)) == []


def test_a_dry_run_sends_nothing(hook):
    told = []
    posted = send(hook, Access(SECRET, say=told.append))
    assert posted.what == "not-sent"
    assert not hook.requests
    first, _, body = told[0].partition("\n")
    assert first == f"POST {hook.url}"
    assert json.loads(body)["data"]["key"] == KEY
    assert SECRET not in told[0]
