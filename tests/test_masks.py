"""The named masks: what is noise in a message, and what is secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PROFILE_MISSING, RULES, read_yaml, run_cli

from triage import discovery
from triage.ingest.text import plain
from triage.masks import NOISE, SECRETS, _marks_in, mask, redact
from triage.service import diagnose

# name of the mask, what stands in the log
TABLE = (
    ("url", "https://example.com/a/b?c=1"),
    ("url", "s3://bucket/key.onnx"),
    ("uuid", "123e4567-e89b-12d3-a456-426614174000"),
    ("time", "2026-11-20T10:26:19.123Z"),
    ("time", "2026-11-20 10:26:19,123"),
    ("time", "11/20/2026-10:26:19"),
    ("time", "10:26:19.5"),
    ("address", "0x7f3a00ff"),
    ("email", "me@example.com"),
    ("ip", "10.0.0.1:8001"),
    ("ip", "127.0.0.1"),
    ("source", "network.cpp::validate::3062"),
    ("source", "model.py:12"),
    ("source", "session.cc(123)"),
    ("path", "/models/vit/1/model.onnx"),
    ("path", "C:\\models\\vit.onnx"),
    ("path", "./a/b.log"),
    ("path", "~/x/y"),
    ("file", "vit_dyn.onnx"),
    ("file", "model.safetensors"),
    ("shape", "(1, 3, 224, 224)"),
    ("shape", "[1,3,224,224]"),
    ("shape", "[-1,3,224,224]"),
    ("shape", "{3,4}"),
    ("shape", "1x3x224x224"),
    ("duration", "12.5 ms"),
    ("duration", "3 seconds"),
    ("size", "2.00 GiB"),
    ("size", "512 MB"),
    ("size", "17179869184 bytes"),
    ("version", "8.6.1"),
    ("version", "v1.2.3+cu121"),
    ("version", "2.1.0.dev0"),
    ("hash", "a1b2c3d4e5f60718"),
    ("name", "'images'"),
    ("name", '"input_0"'),
    ("scoped", "encoder/layer/MatMul"),
    ("numbered", "Conv_45"),
    ("number", "42"),
    ("number", "0.5"),
    ("number", "1e-05"),
)
WRONG = (("shape", "-1x3x224x224"), ("number", "-3"), ("number", "-3.5e-4"))
AROUND = {"bare": "{}", "prefixed": "see {}", "suffixed": "{} here", "both": "see {} here"}


def test_every_mask_is_in_the_table():
    assert {name for name, _ in TABLE} == {name for name, _ in NOISE}


ESSENTIAL = (
    "No module named 'tensorrt'",
    "module 'numpy' has no attribute 'bool'",
    "cannot import name 'AdamW' from 'transformers'",
    "KeyError: 'MODEL_REPO'",
    "libcublas.so",
    "cudnn64_8.dll",
)


@pytest.mark.parametrize("text", ESSENTIAL)
def test_what_names_the_failure_itself_stays(text):
    assert mask(text) == (text, {})


def test_a_quoted_message_is_no_name_and_an_apostrophe_quotes_nothing():
    assert mask("\"failed to load 'vit' version 1: no such file\"")[0] == (
        '"failed to load <name> version <number>: no such file"'
    )
    assert mask("Can't load 'vit', it doesn't exist")[0] == "Can't load <name>, it doesn't exist"


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("name", "noise"), TABLE)
def test_noise_is_masked_and_kept(name, noise, around):
    template, kept = mask(AROUND[around].format(noise))
    assert template == AROUND[around].format(f"<{name}>")
    assert kept == {name: [noise]}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("name", "noise"), WRONG)
def test_noise_that_is_masked_wrongly(name, noise, around):
    assert mask(AROUND[around].format(noise))[0] == AROUND[around].format(f"<{name}>")


@pytest.mark.parametrize("word", ["opset", "sm_86", "fp16", "MatMul", "INVALID_ARGUMENT", "CUDNN_STATUS_NOT_SUPPORTED"])
def test_words_stay(word):
    assert mask(word) == (word, {})


def test_several_of_a_kind_are_kept_in_order():
    template, kept = mask("expected (1, 3) got (2, 4) at 0xff")
    assert template == "expected <shape> got <shape> at <address>"
    assert kept == {"shape": ["(1, 3)", "(2, 4)"], "address": ["0xff"]}


def test_masking_real_messages_comes_to_rest():
    for path in sorted(RULES.rglob("*.yaml"))[::3]:
        for sample in read_yaml(path).get("hits", ()):
            twice = mask(mask(sample["text"] if isinstance(sample, dict) else str(sample))[0])[0]
            assert mask(mask(twice)[0])[0] == mask(twice)[0]


LIKELY = st.text(st.sampled_from("ab1/.:-x[](), '\"<>@\\~0e+_ \n"), max_size=60)


@given(st.one_of(st.text(max_size=200), LIKELY))
def test_masking_never_fails_and_loses_nothing(text):
    template, kept = mask(text)
    for found in kept.values():
        assert all(noise in text for noise in found)
    assert len(template) <= len(text) + 10 * sum(map(len, kept.values()))


@given(st.one_of(st.text(max_size=200), LIKELY))
def test_masking_again_and_again_comes_to_rest(text):
    for _ in range(12):
        before, text = text, mask(text)[0]
        if before == text:
            return
    pytest.fail(f"still changing: {text!r}")


# --- secrets

LETTERS = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ2bC4dF6hJ8kL0"
EXAMPLES = {
    "private key": f"-----BEGIN RSA PRIVATE KEY----- {LETTERS} -----END RSA PRIVATE KEY-----",
    "github token": f"ghp_{LETTERS[:36]}",
    "gitlab token": f"glpat-{LETTERS[:20]}",
    "hugging face token": f"hf_{LETTERS[:34]}",
    "openai key": f"sk-proj-{LETTERS}",
    "aws key": "AKIA" + LETTERS[:16].upper(),
    "google key": f"AIza{LETTERS[:35]}",
    "slack token": f"xoxb-1234567890-{LETTERS[:20]}",
    "nvidia key": f"nvapi-{LETTERS}",
    "pypi token": f"pypi-{LETTERS}",
    "web token": f"eyJ{LETTERS[:12]}.eyJ{LETTERS[:20]}.{LETTERS[:30]}",
    "service key": f"npm_{LETTERS[:36]}",
    "web hook": f"https://hooks.slack.com/services/T00000000/B00000000/{LETTERS[:24]}",
    "authorization": f"Authorization: token {LETTERS[:9]}",
    "bearer": f"Bearer {LETTERS}",
    "cookie": f"Set-Cookie: sid={LETTERS[:20]}; Path=/",
    "password in address": f"https://ci:{LETTERS[:12]}@host.example/repo",
    "signature in address": f"https://s.example/k?X-Amz-Signature={LETTERS[:32]}&x=1",
    "password": f"PGPASSWORD={LETTERS[:9]}",
    "azure key": f"AccountKey={LETTERS}==",
    "assigned secret": f"NGC_API_KEY={LETTERS[:24]}",
}
MORE = {
    "github pat": f"github_pat_{LETTERS[:30]}",
    "json": f'{{"hf_token": "{LETTERS[:24]}"}}',
    "environment": f"export WANDB_API_KEY={LETTERS[:40]}",
    "yaml": f"password: {LETTERS[:20]}",
    "option": f"--token={LETTERS[:20]}",
    "postgres": f"postgresql://triage:{LETTERS[:8]}@db:5432/triage",
    "basic": f"authorization: basic {LETTERS[:24]}",
    "installation": f"ghs_1234_eyJhbGciOi.eyJpc3MiOiJ.{LETTERS}",
    "key pair": f"AKIA{'0' * 16} {LETTERS}0",
    "live key": f"sk_live_{LETTERS[:24]}",
    "mail key": f"SG.{LETTERS[:22]}.{LETTERS}",
    "bot": f"1234567890:AA{LETTERS[:33]}",
    "chat": f"https://discord.com/api/webhooks/123/{LETTERS}",
    "user alone": f"https://{LETTERS}@host.example/repo.git",
    "at in password": f"https://ci:a@{LETTERS[:8]}@host.example/repo",
    "words": f'PASSWORD: "two {LETTERS[:8]} words"',
    "json password": f'{{"password":"{LETTERS[:8]}"}}',
    "connection": f"Server=db;User Id=sa;Password={LETTERS[:8]}==;",
    "password option": f"login --password {LETTERS[:8]}",
    "netrc": f"machine host login ci password {LETTERS[:8]}",
    "curl": f"curl -s -u ci:{LETTERS[:8]} https://host.example",
    "docker": f'{{"auths":{{"r":{{"auth":"{LETTERS[:12]}=="}}}}}}',
    "short key": f"api_key: {LETTERS[:9]}",
}
CORE = {name: next(p for p in (LETTERS[:8], LETTERS[:8].upper()) if p in text) for name, text in
        {**EXAMPLES, **MORE}.items()}  # fmt: skip
FORMATS = discovery.names("triage.reports")


def test_every_kind_of_secret_has_an_example():
    assert set(EXAMPLES) == {kind for kind, _, _ in SECRETS}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_secret_is_replaced_by_its_kind(kind):
    text = redact(f"before {EXAMPLES[kind]} after")
    assert CORE[kind] not in text
    assert "masked]" in text
    assert text.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        "token: 5",
        "the key is missing",
        "num_tokens=4096",
        "api_key",
        "sk-learn",
        "glob-x",
        "PWD=/home/ci",
        "docker run -u 1000:1000 image",
        "ssh://git@host.example/repo",
        "fusion_pass=true",
        "basic configuration of the system",
        "Password authentication failed",
        "SG.x",
        "pad_token: <|endoftext|>",
        "cookie: none",
        "see https://host.example/@ci/a@b",
    ],
)
def test_ordinary_words_are_no_secrets(text):
    assert redact(text) == text


def rendered(log, name="build.log"):
    """One report in every format, coloured where the format knows colour."""
    report = diagnose(log, name=name)
    return {form: discovery.load("triage.reports", form).render([report], True) for form in FORMATS}


@pytest.mark.parametrize("kind", list(CORE))
def test_a_secret_in_a_log_reaches_no_report(kind):
    secret = {**EXAMPLES, **MORE}[kind]
    log = (
        f"&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=/m/{secret} --x={secret}\n"
        f"env {secret}\n"
        f"{PROFILE_MISSING} {secret}\n"
        f"after {secret}\n"
        f"ModuleNotFoundError: No module named '{secret}'\n"
        f"FileNotFoundError: [Errno 2] No such file or directory: '{secret}'\n"
    )
    assert [form for form, text in rendered(log).items() if CORE[kind] in text] == []


def test_a_secret_reaches_neither_output_nor_errors(tmp_path):
    path = tmp_path / "build.log"
    path.write_text(f"{PROFILE_MISSING} {EXAMPLES['github token']}\n", encoding="utf-8")
    done = run_cli("diagnose", "--format", "json", path)
    assert b"masked]" in done.stdout
    assert CORE["github token"].encode() not in done.stdout + done.stderr


@pytest.mark.parametrize("prefix", ["", "2026-11-22T03:00:00.0000000Z ", "[build] 03:00:00 INFO "])
def test_a_private_key_of_many_lines_is_not_shown_as_context(prefix):
    lines = [
        PROFILE_MISSING,
        "-----BEGIN RSA PRIVATE KEY-----",
        *["MIIEpAIBAAKCAQEA1234567890abcdefghijklmnopqrstuvwxyz"] * 3,
    ]
    assert "MIIEpAIBAA" not in rendered("".join(f"{prefix}{line}\n" for line in lines))["text"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_password_in_the_name_of_the_source_is_not_shown(form):
    name = f"https://ci:{LETTERS[:12]}@host.example/build.log"
    assert LETTERS[:12] not in rendered(PROFILE_MISSING, name)[form]


@pytest.mark.parametrize("shift", range(24, 0, -8))
def test_a_secret_at_the_edge_of_a_long_line_is_not_shown(shift):
    log = PROFILE_MISSING + "x" * (2000 - len(PROFILE_MISSING) - shift) + " ghp_" + LETTERS[:36] + "\n"
    assert f"ghp_{LETTERS[:2]}" not in str(diagnose(log))


@given(st.text(max_size=200), st.sampled_from(sorted(EXAMPLES)))
def test_a_secret_in_any_text_is_masked(text, kind):
    shown = redact(f"{text.replace(CORE[kind], '')} {EXAMPLES[kind]} ")
    assert CORE[kind] not in shown


@pytest.mark.parametrize("kind", list(CORE))
def test_a_mask_is_not_masked_again(kind):
    once = redact({**EXAMPLES, **MORE}[kind])
    assert redact(once) == once


@pytest.mark.parametrize("between", ["\u200b", "\u00ad", "\u2060", "\ufeff", "\u202e", "\uffff"])
def test_what_nobody_sees_hides_no_secret(between):
    assert CORE["github token"] not in plain(f"ghp_{between}{LETTERS[:36]}")


@given(st.text(max_size=300))
def test_masking_secrets_never_fails(text):
    assert isinstance(redact(text), str)


@given(st.lists(st.sampled_from([mark for _, marks, _ in SECRETS for mark in marks] + ["x ", "\n", "ghs", "é", "--"])))
def test_one_pass_finds_every_mark(parts):
    text = "".join(parts).lower()
    assert _marks_in(text.encode()) == {mark for _, marks, _ in SECRETS for mark in marks if mark in text}
