"""What an operator is told about the settings: by name, in one line each, and never with a value."""

import json
import socket
from pathlib import Path
from unittest.mock import ANY

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as read_key

from app.core.errors import UserError
from app.settings import load
from tests.command import backspace
from tests.keys import pem

SECRET = "a webhook secret of ours"
GOOD = {
    "ANTHROPIC_API_KEY": "sk-ant-canary-of-the-settings",
    "GITHUB_APP_ID": "12",
    "GITHUB_PRIVATE_KEY": pem(),
    "GITHUB_WEBHOOK_SECRET": SECRET,
}
ENCRYPTED = (
    read_key(pem().encode(), None)
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
    .decode()
)
ELLIPTIC = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*GOOD, "GITHUB_PRIVATE_KEY_PATH", "BACKSPACE_SANDBOX", "E2B_API_KEY", "HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def said(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> list[str]:
    """The lines of the refusal."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError) as refused:
        load()
    return str(refused.value).splitlines()


def test_serve_names_everything_that_is_missing_and_exits_2(tmp_path: Path) -> None:
    """RT-W05, FL-O12"""
    done = backspace("serve", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "ANTHROPIC_API_KEY: is missing.",
        "GITHUB_APP_ID: is missing.",
        "GITHUB_PRIVATE_KEY_PATH: this or GITHUB_PRIVATE_KEY is missing: the App's private key, from its settings page.",
        "GITHUB_WEBHOOK_SECRET: is missing.",
    ]
    assert list(tmp_path.iterdir()) == []


def test_serve_names_everything_that_is_malformed_and_shows_no_value(tmp_path: Path) -> None:
    """RT-W05, FL-O12"""
    wrong = {
        "ANTHROPIC_BASE_URL": "http://user:pass-canary@model",
        "GITHUB_APP_ID": "canary-12",
        "GITHUB_PRIVATE_KEY": "-----BEGIN RSA PRIVATE KEY-----\nY2FuYXJ5\n-----END RSA PRIVATE KEY-----\n",
        "GITHUB_WEBHOOK_SECRET": "canary-of-15-ch",
        "BACKSPACE_DATABASE_URL": "mysql://user:canary@db/x",
        "BACKSPACE_SANDBOX": "canary",
        "PORT": "canary",
    }
    done = backspace("serve", cwd=tmp_path, settings={**wrong, "ANTHROPIC_API_KEY": "sk-ant-canary"})
    assert done.returncode == 2
    assert sorted(line.partition(":")[0] for line in done.stderr.splitlines()) == sorted(wrong)
    assert "GITHUB_WEBHOOK_SECRET: must have at least 16 characters." in done.stderr
    assert "canary" not in done.stderr
    assert "Y2FuYXJ5" not in done.stderr


@pytest.mark.parametrize(
    "key",
    [
        "PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nx",
        pem()[: len(pem()) // 2],
        ENCRYPTED,
        ELLIPTIC,
        "\x7f\xe9",
    ],
    ids=["the words alone", "no key material", "cut", "with a password", "not RSA", "bytes"],
)
@pytest.mark.parametrize("form", ["GITHUB_PRIVATE_KEY", "GITHUB_PRIVATE_KEY_PATH"])
def test_what_is_no_private_key_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, form: str
) -> None:
    """FL-O12"""
    (tmp_path / "key.pem").write_text(key, encoding="latin-1")
    value = {"GITHUB_PRIVATE_KEY": key, "GITHUB_PRIVATE_KEY_PATH": str(tmp_path / "key.pem")}[form]
    (line,) = said(monkeypatch, {**GOOD, "GITHUB_PRIVATE_KEY": "", form: value})
    assert line.startswith(f"{form}: must be the whole RSA private key in PEM")
    assert not any(part in line for part in key.splitlines() if "-----" not in part and len(part) > 1)


def test_a_key_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch, {**GOOD, "GITHUB_PRIVATE_KEY": "", "GITHUB_PRIVATE_KEY_PATH": "nowhere.pem"})
    assert lines == ["GITHUB_PRIVATE_KEY_PATH: the file can't be read (No such file or directory)."]


def test_the_key_as_text_with_escaped_line_breaks_or_as_a_file_is_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert load().private_key() == pem()
    monkeypatch.setenv("GITHUB_PRIVATE_KEY", pem().replace("\n", "\\n"))
    assert load().private_key() == pem()
    monkeypatch.delenv("GITHUB_PRIVATE_KEY")
    (tmp_path / "key.pem").write_text(pem())
    monkeypatch.setenv("GITHUB_PRIVATE_KEY_PATH", "key.pem")
    assert load().private_key() == pem()


def test_the_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = {**GOOD, "GITHUB_PRIVATE_KEY": pem().replace("\n", "\\n"), "BACKSPACE_LABEL": "from the file"}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    settings = load()
    assert settings.private_key() == pem()
    assert settings.backspace_label == "from the file"
    monkeypatch.setenv("BACKSPACE_LABEL", "from outside")
    assert load().backspace_label == "from outside"


def test_settings_that_are_printed_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    shown = repr(load())
    assert "canary" not in shown
    assert SECRET not in shown
    assert pem().splitlines()[1] not in shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com"])
def test_no_isolation_only_on_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """RT-S09"""
    assert said(monkeypatch, {**GOOD, "BACKSPACE_SANDBOX": "unsafe-local", "HOST": host}) == [
        "BACKSPACE_SANDBOX: unsafe-local runs commands without isolation, so HOST must be 127.0.0.1."
    ]


@pytest.mark.parametrize(
    ("given", "sandbox"),
    [
        ({}, "local"),
        ({"E2B_API_KEY": "e2b_canary"}, "e2b"),
        ({"E2B_API_KEY": "e2b_canary", "HOST": "0.0.0.0"}, "e2b"),
        ({"E2B_API_KEY": "e2b_canary", "BACKSPACE_SANDBOX": "local"}, "local"),
        ({"BACKSPACE_SANDBOX": "local", "HOST": "0.0.0.0"}, "local"),
    ],
)
def test_the_sandbox_is_e2b_as_soon_as_there_is_its_key(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], sandbox: str
) -> None:
    for name, value in {**GOOD, **given}.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.sandbox == sandbox
    assert "canary" not in repr(settings)
    assert ("e2b_canary" in settings.secrets()) is ("E2B_API_KEY" in given)


def test_the_password_of_the_database_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GOOD, "BACKSPACE_DATABASE_URL": "postgres://ann:p%40ss-canary@db/work"}.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.backspace_database_url == "postgresql://ann:p%40ss-canary@db/work"
    assert "p@ss-canary" in settings.secrets()


def test_a_password_that_is_not_encoded_is_not_taken_for_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = said(monkeypatch, {**GOOD, "BACKSPACE_DATABASE_URL": "postgresql://ann:canary/canary@db/work"})
    assert line.startswith("BACKSPACE_DATABASE_URL: must be sqlite:///FILE or postgresql://")
    assert "canary" not in line


def test_others_commands_run_on_this_machine_only_where_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """RT-S09"""
    (line,) = said(monkeypatch, {**GOOD, "HOST": "0.0.0.0"})
    assert line.startswith("BACKSPACE_SANDBOX: ")
    assert "needs E2B_API_KEY; or set local" in line


def test_e2b_without_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = said(monkeypatch, {**GOOD, "BACKSPACE_SANDBOX": "e2b"})
    assert lines == ["E2B_API_KEY: is missing, and BACKSPACE_SANDBOX=e2b needs it."]


def test_a_port_that_is_taken_or_a_database_that_can_not_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        unsafe = {**GOOD, "BACKSPACE_SANDBOX": "unsafe-local", "PORT": port}
        no_port = backspace("serve", cwd=tmp_path, settings=unsafe)
        no_file = backspace(
            "serve", cwd=tmp_path, settings={**unsafe, "BACKSPACE_DATABASE_URL": "sqlite:///no/such/folder.db"}
        )
    assert (no_port.returncode, no_file.returncode) == (2, 2)
    warning, refusal = no_port.stderr.splitlines()
    assert refusal == f"HOST and PORT: 127.0.0.1:{port} can't be listened on (Address already in use)."
    assert "commands run as this user, with its files, its network" in json.loads(warning)["message"]
    assert no_file.stderr.splitlines() == [
        ANY,
        "BACKSPACE_DATABASE_URL: no/such/folder.db can't be opened (No such file or directory).",
    ]


def test_traces_go_where_opentelemetrys_own_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert load().trace_endpoint() is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.smith.langchain.com/otel/")
    assert load().trace_endpoint() == "https://api.smith.langchain.com/otel/v1/traces"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in")
    assert load().trace_endpoint() == "https://traces.example/in"
    assert load().otel_instrumentation_genai_capture_message_content is False


def test_a_key_for_the_receiver_of_traces_is_a_secret_and_a_projects_name_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20Y2FuYXJ5OmNhbmFyeTE2Nw==, Langsmith-Project=backspace"
    )
    settings = load()
    assert settings.trace_headers() == {
        "authorization": "Basic Y2FuYXJ5OmNhbmFyeTE2Nw==",
        "langsmith-project": "backspace",
    }
    assert "Y2FuYXJ5OmNhbmFyeTE2Nw==" in settings.secrets()
    assert "backspace" not in settings.secrets()
    assert "Y2Fu" not in repr(settings)


@pytest.mark.parametrize(
    "headers", ["canary", "x-api-key=", "x-api-key=canary,canary", "a b=canary", "x=canary%0Ay", "x=ключ"]
)
def test_headers_that_can_not_be_sent(monkeypatch: pytest.MonkeyPatch, headers: str) -> None:
    assert said(monkeypatch, {**GOOD, "OTEL_EXPORTER_OTLP_HEADERS": headers}) == [
        "OTEL_EXPORTER_OTLP_HEADERS: must be name=value, several with commas between."
    ]
