"""A repository on the simulated GitHub (a process of its own), held to GitHub's description, with a client for it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from app.core.task import Repository
from app.github.app import App
from app.github.client import GitHub

FILES: dict[str, Any] = {
    "README.md": "# Demo\n",
    "src/a.py": "a = 1\n",
    "src/b.py": "b = 1\n",
    "run.sh": {"mode": "100755", "text": "#!/bin/sh\n"},
}


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address."""
    data = tmp_path_factory.mktemp("simulator")
    argv = [sys.executable, "-m", "tests.simulator_process", "--port", "0", "--data", str(data)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"]
        process.terminate()


@dataclass
class World:
    """One repository there, of our App's, and its control API."""

    url: str
    session: aiohttp.ClientSession
    app: App
    repository: Repository
    installation: int
    head: str

    def github(self, permissions: Mapping[str, str]) -> GitHub:
        return self.app.repository("run-1", self.installation, self.repository, permissions)

    async def control(self, verb: str, path: str, data: dict[str, Any] | None = None) -> Any:
        async with self.session.request(verb, f"{self.url}/_sim{path}", json=data or {}) as reply:
            assert reply.status < 300, await reply.text()
            return await reply.json(content_type=None) if reply.status != 204 else None

    async def state(self) -> Any:
        return await self.control("GET", f"/repos/{self.repository.full_name}")

    async def fault(self, method: str, path: str, **what: Any) -> None:
        at = f"/{self.repository.full_name}{path}"
        await self.control("POST", "/faults", {"method": method, "path": at, **what})

    async def calls(self) -> list[tuple[str, str]]:
        """Requests on this repository so far."""
        prefix = f"/api/v3/repos/{self.repository.full_name}"
        log = await self.control("GET", "/requests")
        return [(e["method"], e["path"].removeprefix(prefix)) for e in log if e["path"].startswith(prefix)]


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def world(simulator: str) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{simulator}/_sim/apps", json={"webhook_url": f"{simulator}/nowhere", "webhook_secret": "0" * 16}
        ) as reply:
            made = await reply.json()
        app = App(session, f"{simulator}/api/v3", made["app_id"], made["private_key"], sleep=_at_once)
        name = f"demo-{uuid4().hex[:8]}"
        body = {"owner": "octo", "name": name, "files": FILES, "app_id": made["app_id"]}
        async with session.post(f"{simulator}/_sim/repos", json=body) as reply:
            repo = await reply.json()
        repository = Repository(id=repo["id"], full_name=f"octo/{name}")
        yield World(simulator, session, app, repository, repo["installation_id"], repo["head"])
        async with session.get(f"{simulator}/_sim/violations") as reply:
            assert await reply.json() == []
