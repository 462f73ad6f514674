"""``triage tui`` as a command: where there is no terminal, and the server for a browser."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support import run_cli

from triage.cli.tui import opens_desk

WAIT = 60.0


@pytest.fixture
def env(tmp_path):
    return {"TRIAGE_DATA_DIR": str(tmp_path / "data"), "TRIAGE_CONFIG_DIR": str(tmp_path / "config")}


def test_without_a_terminal_it_says_what_to_type(env):
    done = run_cli("tui", env=env)
    assert done.returncode == 2
    assert b"needs a terminal" in done.stderr
    assert b"triage diagnose LOG" in done.stderr


def test_bare_triage_without_a_terminal_prints_the_overview(env):
    assert not opens_desk()
    done = run_cli(env=env)
    assert done.returncode == 2
    assert b"triage tui" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("keys = 'emacs'", b"keys must be plain or vim"),
        ("colour = 1", b"colour is not known"),
        ("[", b"cannot be read"),
    ],
)
def test_wrong_settings_are_told(env, tmp_path, text, words):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "desk.toml").write_text(text, encoding="utf-8")
    done = run_cli("tui", env=env)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_wrong_port_and_a_pipe_are_no_web_desk(env):
    pytest.importorskip("textual_serve")
    assert b"is no port" in run_cli("tui", "--web", "--port", "0", env=env).stderr
    assert b"a pipe cannot be shown" in run_cli("tui", "--web", "-", env=env).stderr


def test_a_web_desk_without_its_part_says_what_to_install(env, monkeypatch, capsys):
    from triage.cli import main

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "textual_serve" else object())
    assert main(["tui", "--web"]) == 2
    assert "triage[web]" in capsys.readouterr().err


# -- the server


@pytest.fixture
def served(env):
    """The address of a desk that is served, and its process."""
    pytest.importorskip("textual_serve")
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "triage", "tui", "--web", "--port", str(port)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env})
    address = re.search(rb"http://\S+", child.stdout.readline())
    yield address[0].decode(), child
    child.kill()
    child.wait()
    child.stdout.close()
    child.stderr.close()


def status(address, **headers):
    end = time.monotonic() + WAIT
    while True:
        try:
            with urlopen(Request(address, headers=headers), timeout=10) as answer:  # noqa: S310 -- our own server
                return answer.status, answer.headers
        except HTTPError as fault:
            return fault.code, fault.headers
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_only_who_has_the_key_is_let_in(served):
    address, child = served
    plain = address.partition("?")[0]
    port = plain.rstrip("/").rpartition(":")[2]
    code, headers = status(address)
    assert code == 200
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    assert status(plain)[0] == 403
    assert status(f"{plain}ws")[0] == 403
    assert status(f"{plain}ws?key=" + address.partition("key=")[2])[0] == 403
    assert status(f"{plain}static/js/textual.js")[0] == 403
    assert status(address, Host=f"desk.example:{port}")[0] == 403
    assert status(address, Host=f"localhost:{port}")[0] == 403
    assert status(address, Origin="http://evil.example")[0] == 403
    child.send_signal(signal.SIGINT)
    assert child.wait(WAIT) == 0
    assert child.stderr.read() == b""


def test_the_desk_answers_through_the_page(served):
    aiohttp = pytest.importorskip("aiohttp")
    address, _ = served
    plain = address.partition("?")[0]

    async def talk():
        seen = b""
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            async with session.get(address) as answer:
                assert answer.status == 200
            async with session.ws_connect(f"{plain}ws?width=100&height=30") as page:
                await page.send_json(["resize", {"width": 100, "height": 30}])
                end = time.monotonic() + WAIT
                while b"Paste a failing log" not in seen and time.monotonic() < end:
                    message = await page.receive(timeout=WAIT)
                    seen += message.data if isinstance(message.data, bytes) else b""
                await page.send_json(["stdin", "q"])
                while not page.closed and time.monotonic() < end:
                    await page.receive(timeout=WAIT)
        return seen

    assert b"Paste a failing log" in asyncio.run(talk())


def test_a_taken_port_is_told(served, env):
    address, _ = served
    port = re.search(r":(\d+)/", address)[1]
    status(address)
    done = run_cli("tui", "--web", "--port", port, env=env)
    assert done.returncode == 2
    assert b"cannot be used" in done.stderr
    assert done.stdout == b""
