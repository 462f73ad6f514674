"""Dry runs, proxies and private certificates, for every host."""

import json
import shutil
import ssl
import subprocess

import pytest
from ci_servers import GiteaServer, GitHubServer, GitLabServer, ProxyServer
from ci_servers.world import SECOND, access_to, job_on, said

from triage import discovery
from triage.ci._message import HostFault

SERVERS = {"github": GitHubServer, "gitlab": GitLabServer, "gitea": GiteaServer}


def test_a_dry_run_reads_and_does_not_write(site):
    told = []
    posted = site.module.post(said(site.job), site.access._replace(say=told.append))
    assert posted.what == "not-sent"
    assert [request.method for request in site.server.requests] == ["GET"]
    assert [line.partition(" ")[0] for line in told] == ["GET", "POST"]
    first, _, body = told[1].partition("\n")
    assert first.startswith(f"POST {site.server.url}/")
    assert json.loads(body) == {"body": said(site.job).body(65_536, None)}
    assert not any(site.server.token in line for line in told)


def test_a_dry_run_shows_an_edit(site):
    site.module.post(said(site.job), site.access)
    told = []
    posted = site.module.post(said(site.job, SECOND), site.access._replace(say=told.append))
    assert posted.what == "not-sent"
    assert posted.url
    assert told[-1].startswith(f"{site.edit} {site.server.url}/")
    assert len(site.server.writes) == 1


def test_a_dry_run_that_changes_nothing_says_so(site):
    site.module.post(said(site.job), site.access)
    assert site.module.post(said(site.job), site.access._replace(say=lambda _: None)).what == "unchanged"


def test_a_dry_run_without_a_token_asks_nobody(site):
    told = []
    posted = site.module.post(said(site.job), site.access._replace(token=None, say=told.append))
    assert posted.what == "not-sent"
    assert not site.server.requests
    assert [line.partition(" ")[0] for line in told] == ["GET", "POST"]
    assert site.module.change_of(site.job, site.access._replace(token=None, say=told.append)) is None
    assert list(site.module.job_logs(site.job, site.access._replace(token=None, say=told.append))) == []
    if hasattr(site.module, "check"):
        assert site.module.check(said(site.job), site.access._replace(token=None, say=told.append)).what == "not-sent"


def test_what_is_printed_moves_no_cursor(site):
    told = []
    message = said(site.job, text="\x1b[2J\x07\u202e\U000e0041 line\u2028\nnext")
    site.module.post(message, site.access._replace(say=told.append))
    assert all(character.isprintable() or character == "\n" for character in told[1])
    assert json.loads(told[1].partition("\n")[2])["body"] == message.body(65_536, None)


def test_a_proxy_is_used(site, monkeypatch):
    with ProxyServer(site.server) as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        monkeypatch.setenv("no_proxy", "elsewhere.example")
        job = site.job._replace(api=f"http://host.invalid{site.server.prefix}")
        assert site.module.post(said(job), site.access).what == "created"
        assert all(asked.startswith("http://host.invalid/") for asked in proxy.requests)
        assert len(proxy.requests) == 2


def test_no_proxy_is_obeyed(site, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert site.module.post(said(site.job), site.access).what == "created"


def test_a_proxy_that_is_not_there(site, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(HostFault):
        site.module.post(said(site.job), site.access._replace(patience=0.1))


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:9", "nonsense://127.0.0.1:9", "http://[bad", "http://me:hidden@127.0.0.1:9"]
)
def test_a_proxy_that_cannot_be_used(site, proxy, monkeypatch):
    monkeypatch.setenv("all_proxy", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(HostFault) as caught:
        site.module.post(said(site.job), site.access._replace(patience=0.1))
    assert "hidden" not in str(caught.value)
    assert not site.server.requests


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("ca")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "ca.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", None])
@pytest.mark.parametrize("name", SERVERS)
def test_a_private_authority_is_trusted_where_a_variable_names_it(name, variable, certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
    module = discovery.load("triage.ci", name)
    with SERVERS[name](tls=context) as host:
        if variable:
            monkeypatch.setenv(variable, str(certificate / "ca.pem"))
            assert module.post(said(job_on(host)), access_to(host)).what == "created"
        else:
            with pytest.raises(HostFault, match=r"(?i)certificate"):
                module.post(said(job_on(host)), access_to(host)._replace(patience=0.1))


def test_gitlab_s_own_variable_for_its_certificate(certificate, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "ca.pem", certificate / "key.pem")
    monkeypatch.setenv("CI_SERVER_TLS_CA_FILE", str(certificate / "ca.pem"))
    with GitLabServer(tls=context) as host:
        assert discovery.load("triage.ci", "gitlab").post(said(job_on(host)), access_to(host)).what == "created"


def test_a_bundle_that_is_not_there_is_named(site, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(HostFault, match=r"SSL_CERT_FILE names /nowhere/ca\.pem"):
        site.module.post(said(site.job), site.access)


def test_a_bundle_that_is_none_is_named(site, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("nonsense")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with pytest.raises(HostFault, match="certificates cannot be read"):
        site.module.post(said(site.job), site.access)
