import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

ROOT = Path(__file__).parent.parent.parent
SECRET = "a webhook secret of the tests"


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulator, as a process of its own, once for all tests."""
    command = [sys.executable, "-m", "tests.simulator_process", "--data", str(tmp_path_factory.mktemp("github"))]
    with Popen(command, cwd=ROOT, stdout=PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()
        assert process.wait(10) == 0


@dataclass
class Reply:
    status: int
    body: Any
    headers: Any


@dataclass
class GitHub:
    """A fresh App on a fresh repository, and somebody to ask both."""

    url: str
    session: aiohttp.ClientSession
    app_id: int
    key: str
    slug: str
    bot_id: int
    owner: str
    full_name: str = ""
    repository_id: int = 0
    installation: int = 0
    head: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    violations_before: int = 0
    answers: list[int] = field(default_factory=list)
    """Statuses that the webhook gives, one by one; then 202."""

    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until_received(self, count: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)

    async def call(
        self, method: str, path: str, data: Any = None, token: str | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        async with self.session.request(
            method, self.url + path, json=data, headers=headers, allow_redirects=False
        ) as reply:
            raw = await reply.read()
            body = json.loads(raw) if raw and "json" in reply.content_type else raw.decode()
            return Reply(reply.status, body, reply.headers)

    async def sim(self, method: str, path: str, data: Any = None) -> Any:
        reply = await self.call(method, "/_sim" + path, data)
        assert reply.status < 300, reply
        return reply.body

    async def rest(self, method: str, path: str, data: Any = None, **more: Any) -> Reply:
        """A REST call about the repository, with every permission unless a token is given."""
        if "token" not in more:
            more["token"] = await self.token()
        return await self.call(method, f"/api/v3/repos/{self.full_name}{path}", data, **more)

    def jwt(self, **claims: Any) -> str:
        now = int(time.time())
        return jwt.encode({"iat": now - 60, "exp": now + 540, "iss": str(self.app_id), **claims}, self.key, "RS256")

    async def token(self, **asked: Any) -> str:
        path = f"/api/v3/app/installations/{self.installation}/access_tokens"
        reply = await self.call("POST", path, asked, token=self.jwt())
        assert reply.status == 201, reply
        token: str = reply.body["token"]
        return token

    async def state(self) -> Any:
        return await self.sim("GET", f"/repos/{self.full_name}")

    async def issue(self, title: str = "A title", body: str = "A body") -> int:
        asked = {"user": self.owner, "title": title, "body": body}
        number: int = (await self.sim("POST", f"/repos/{self.full_name}/issues", asked))["number"]
        return number

    async def comment(self, number: int, body: str, user: str = "ada") -> Any:
        path = f"/repos/{self.full_name}/issues/{number}/comments"
        return await self.sim("POST", path, {"user": user, "body": body})

    async def violations(self) -> list[str]:
        """Of this test."""
        every: list[str] = await self.sim("GET", "/violations")
        return every[self.violations_before :]


@pytest.fixture
async def github(address: str, request: pytest.FixtureRequest) -> AsyncIterator[GitHub]:
    """What the simulator answers is checked against GitHub's description when the test ends."""
    owner = f"team-{abs(hash(request.node.nodeid)) % 10**10}"
    async with aiohttp.ClientSession() as session:
        made = GitHub(address, session, 0, "", "", 0, owner)
        made.violations_before = len(await made.violations())
        runner = await _listener(made)
        hook = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
        app = await made.sim("POST", "/apps", {"webhook_url": hook, "webhook_secret": SECRET})
        made.app_id, made.key, made.slug, made.bot_id = (app[k] for k in ("app_id", "private_key", "slug", "bot_id"))
        files = {"README.md": "# Hello\n", "run.sh": {"mode": "100755", "text": "#!/bin/sh\n"}, "a/b.txt": "b\n"}
        asked = {"owner": owner, "name": "widgets", "files": files, "app_id": made.app_id}
        repository = await made.sim("POST", "/repos", asked)
        made.full_name, made.repository_id = f"{owner}/widgets", repository["id"]
        made.installation, made.head = repository["installation_id"], repository["head"]
        yield made
        await runner.cleanup()
        assert [line for line in await made.violations() if "(5" in line] == []


async def _listener(github: GitHub) -> web.AppRunner:
    async def webhook(request: web.Request) -> web.Response:
        github.received.append((dict(request.headers), await request.read()))
        async with github.arrived:
            github.arrived.notify_all()
        return web.Response(status=github.answers.pop(0) if github.answers else 202)

    app = web.Application()
    app.router.add_post("/webhook", webhook)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner
