"""`backspace doctor` against a simulated GitHub and model: each thing that is wrong is said in words that help, and no secret is."""

import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.doctor import findings
from app.web.health import Health
from app.web.server import make_app
from tests.command import backspace
from tests.e2b_cloud.lab import e2b_cloud
from tests.e2e.lab import Lab, free_port
from tests.keys import pem

CANARY = "sk-ant-canary-for-the-doctor-123"


def settings(lab: Lab, **app: Any) -> dict[str, str]:
    """A new App of the simulator, and all that a server of it needs."""
    made = lab.call("POST", "/_sim/apps", webhook_secret="a canary of sixteen", slug=f"doctor-{free_port()}", **app)
    return {
        "ANTHROPIC_API_KEY": CANARY,
        "ANTHROPIC_BASE_URL": f"{lab.url}/anthropic",
        "GITHUB_API_URL": f"{lab.url}/api/v3",
        "GITHUB_SERVER_URL": lab.url,
        "GITHUB_APP_ID": str(made["app_id"]),
        "GITHUB_PRIVATE_KEY": made["private_key"],
        "GITHUB_WEBHOOK_SECRET": "a canary of sixteen",
        "PORT": "0",
    }


def doctor(folder: Path, given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command itself."""
    done = backspace("doctor", cwd=folder, settings=given)
    assert "canary" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


class Wrong:
    """What it finds wrong, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = monkeypatch
        monkeypatch.chdir(folder)
        for name in os.environ:
            if name.startswith(("ANTHROPIC_", "GITHUB_", "BACKSPACE_", "E2B_")):
                monkeypatch.delenv(name)

    async def __call__(self, given: dict[str, str]) -> list[str]:
        for name, value in given.items():
            self._patch.setenv(name, value)
        found = [line async for fine, line in findings() if not fine]
        assert "canary" not in str(found)
        assert given.get("GITHUB_PRIVATE_KEY", pem()).splitlines()[3] not in str(found)
        return found


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wrong:
    return Wrong(monkeypatch, tmp_path)


def test_all_is_well(lab: Lab, tmp_path: Path) -> None:
    done = doctor(tmp_path, settings(lab))
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines] == ["✓"] * 6
    assert lines[1] == f"✓ The database is {tmp_path}/backspace.db."
    assert "in bubblewrap, without a network" in lines[2]
    assert "with the permissions and events it needs" in lines[3]
    assert lines[4] == "✓ The key is accepted and the model claude-sonnet-5-5 is there."
    assert lines[5] == "✓ 127.0.0.1:0 can be listened on."


def test_what_is_wrong_is_marked_and_the_exit_code_says_so(tmp_path: Path) -> None:
    done = doctor(tmp_path, {"GITHUB_APP_ID": "twelve", "GITHUB_WEBHOOK_SECRET": "canary"})
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "✗ ANTHROPIC_API_KEY",
        "✗ GITHUB_APP_ID",
        "✗ GITHUB_PRIVATE_KEY_PATH",
        "✗ GITHUB_WEBHOOK_SECRET",
    ]


async def test_keys_that_are_refused(lab: Lab, wrong: Wrong) -> None:
    """Two things wrong are two lines."""
    github, model = await wrong(settings(lab) | {"ANTHROPIC_API_KEY": "invalid", "GITHUB_PRIVATE_KEY": pem()})
    assert "check GITHUB_APP_ID and the private key" in github
    assert "The model's key was refused (ANTHROPIC_API_KEY)" in model


async def test_an_app_id_that_nobody_has(lab: Lab, wrong: Wrong) -> None:
    (line,) = await wrong(settings(lab) | {"GITHUB_APP_ID": "999999999"})
    assert line.startswith("GITHUB_APP_ID: ")
    assert "knows no App 999999999" in line


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (
            {"permissions": {"metadata": "read", "contents": "read", "issues": "write"}},
            "lacks permissions: contents: write, pull_requests: write. Add them on its settings page.",
        ),
        ({"events": ["issues", "push"]}, "is not subscribed to: issue_comment. Tick them on its settings page."),
    ],
    ids=["permissions", "events"],
)
async def test_what_the_app_lacks(lab: Lab, wrong: Wrong, app: dict[str, Any], said: str) -> None:
    (line,) = await wrong(settings(lab, **app))
    assert line.endswith(said)


async def test_a_model_without_a_known_price_is_said(lab: Lab, wrong: Wrong) -> None:
    assert await wrong(settings(lab) | {"BACKSPACE_MODEL": "claude-unheard-of-9"}) == []
    note = "The price of `claude-unheard-of-9` is not known here, so the dearest known one is counted."
    assert any(line.endswith(f"is there. {note}") for line in [line async for _, line in findings()])


async def test_addresses_where_nobody_answers(lab: Lab, wrong: Wrong) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    github, model = await wrong(settings(lab) | {"GITHUB_API_URL": nobody, "ANTHROPIC_BASE_URL": nobody})
    assert "GitHub can't be reached" in github
    assert "The Messages API can't be reached" in model


async def test_addresses_where_somebody_else_answers(lab: Lab, wrong: Wrong) -> None:
    """The pages of the simulator, instead of its APIs."""
    github, model = await wrong(settings(lab) | {"GITHUB_API_URL": lab.url, "ANTHROPIC_BASE_URL": f"{lab.url}/no"})
    assert "GITHUB_API_URL" in github
    assert "BACKSPACE_MODEL" in model


async def test_a_database_that_can_not_be_made(lab: Lab, wrong: Wrong, tmp_path: Path) -> None:
    (line,) = await wrong(settings(lab) | {"BACKSPACE_DATABASE_URL": "sqlite:///no/such/folder.db"})
    assert line == f"BACKSPACE_DATABASE_URL: {tmp_path}/no/such/folder.db can't be written by this user."


@asynccontextmanager
async def somebody(app: web.Application) -> AsyncIterator[str]:
    """Another program on this machine."""
    async with TestServer(app, host="127.0.0.1") as server:
        yield str(server.make_url("")).rstrip("/")


async def test_a_proxy_that_repeats_the_key_is_not_repeated(lab: Lab, wrong: Wrong) -> None:
    async def repeat(request: web.Request) -> web.Response:
        error = {"type": "not_found_error", "message": f"no route for {request.headers['Authorization']}"}
        return web.json_response({"type": "error", "error": error}, status=404)

    proxy = web.Application()
    proxy.router.add_get("/{path:.*}", repeat)
    async with somebody(proxy) as url:
        (line,) = await wrong(settings(lab) | {"ANTHROPIC_BASE_URL": url})
    assert "no route for " in line


async def test_a_port_that_is_taken(lab: Lab, wrong: Wrong) -> None:
    async with somebody(web.Application()) as url:
        (line,) = await wrong(settings(lab) | {"PORT": str(urlsplit(url).port)})
    assert line == f"HOST and PORT: {url.removeprefix('http://')} can't be listened on (Address already in use)."


async def test_doctor_may_be_asked_while_the_server_runs(lab: Lab, wrong: Wrong) -> None:
    async with somebody(make_app(None, Health(lambda: True))) as url:
        assert await wrong(settings(lab) | {"PORT": str(urlsplit(url).port)}) == []


async def test_a_postgresql_that_is_away_is_said_without_its_password(lab: Lab, wrong: Wrong) -> None:
    database = f"postgresql://backspace:canary-of-postgres@127.0.0.1:{free_port()}/runs"
    (line,) = await wrong(settings(lab) | {"BACKSPACE_DATABASE_URL": database})
    assert line.startswith("BACKSPACE_DATABASE_URL: PostgreSQL can't be used (")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, ""),
        (400, ""),
        (401, "OTEL_EXPORTER_OTLP_HEADERS: {url}/v1/traces does not accept the key in them (401)."),
        (404, "OTEL_EXPORTER_OTLP_ENDPOINT: {url}/v1/traces answers 404: there is no receiver of traces."),
    ],
)
async def test_where_traces_go_is_asked_with_the_key(lab: Lab, wrong: Wrong, status: int, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["x-api-key"] == "canary-of-traces"
        return web.Response(status=status)

    receiver = web.Application()
    receiver.router.add_post("/v1/traces", answer)
    async with somebody(receiver) as url:
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "x-api-key=canary-of-traces"}
        assert await wrong(settings(lab) | traces) == ([said.format(url=url)] if said else [])


async def test_a_sandbox_without_isolation_is_named_as_such(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, wrong: Wrong
) -> None:
    assert await wrong(settings(lab) | {"BACKSPACE_SANDBOX": "unsafe-local"}) == []
    assert "Commands run WITHOUT isolation (BACKSPACE_SANDBOX=unsafe-local), as this user." in [
        line async for _, line in findings()
    ]


async def test_e2b_is_asked_whether_it_knows_the_key_and_the_template(lab: Lab, wrong: Wrong, tmp_path: Path) -> None:
    with e2b_cloud(tmp_path / "e2b") as cloud:
        given = settings(lab) | {"E2B_API_KEY": cloud.key, "E2B_API_URL": cloud.url, "E2B_SANDBOX_URL": cloud.url}
        assert await wrong(given) == []
        fine = "Commands run in E2B, in virtual machines made from base; they reach registries of packages."
        assert fine in [line async for _, line in findings()]
        (template,) = await wrong(given | {"BACKSPACE_E2B_TEMPLATE": "none"})
        (key,) = await wrong(given | {"E2B_API_KEY": "e2b_canary"})
    assert template == "BACKSPACE_E2B_TEMPLATE: E2B has no template none for this key."
    assert key == "E2B_API_KEY: E2B does not accept this key. Take a valid one from its dashboard."
    (nobody,) = await wrong(given)
    assert nobody == "The connection to E2B was lost."


def test_what_it_says_is_printed_letter_by_letter(lab: Lab, tmp_path: Path) -> None:
    """Brackets are text, and a long line is one line."""
    folder = tmp_path / "[bold]x[/bold] [/nonsense]" / ("long" * 20)
    folder.mkdir(parents=True)
    lines = doctor(folder, settings(lab)).stdout.splitlines()
    assert f"✓ The database is {folder}/backspace.db." in lines
