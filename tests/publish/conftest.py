"""A repository on the simulated GitHub (a process of its own), a client for it, and a work tree whose changes are to be published."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from app.core.task import Actor, Repository, Request
from app.github.app import App
from app.github.client import GitHub
from app.github.tokens import PUBLISH
from app.sandbox.repo import Change

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

    @property
    def github(self) -> GitHub:
        return self.app.repository("run-1", self.installation, self.repository, PUBLISH)

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


@pytest.fixture
async def world(simulator: str) -> AsyncIterator[World]:
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"{simulator}/_sim/apps", json={"webhook_url": f"{simulator}/nowhere", "webhook_secret": "0" * 16}
        ) as reply:
            made = await reply.json()
        app = App(session, f"{simulator}/api/v3", made["app_id"], made["private_key"])
        name = f"demo-{uuid4().hex[:8]}"
        body = {"owner": "octo", "name": name, "files": FILES, "app_id": made["app_id"]}
        async with session.post(f"{simulator}/_sim/repos", json=body) as reply:
            repo = await reply.json()
        repository = Repository(id=repo["id"], full_name=f"octo/{name}")
        yield World(simulator, session, app, repository, repo["installation_id"], repo["head"])
        async with session.get(f"{simulator}/_sim/violations") as reply:
            assert await reply.json() == []


@dataclass
class Work:
    """A clone in which a test makes changes."""

    path: Path
    base: str

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.path, check=True, capture_output=True, text=True).stdout

    def changes(self) -> tuple[list[Change], dict[str, bytes], str]:
        """What differs from the base, the new contents, and the tree."""
        self.git("add", "--all")
        raw = self.git("diff", "--cached", "--raw", "--no-abbrev", "--no-renames", "-z", self.base).split("\0")[:-1]
        changes: list[Change] = []
        contents: dict[str, bytes] = {}
        for meta, path in zip(raw[::2], raw[1::2], strict=True):
            old_mode, new_mode, old, new, status = meta.removeprefix(":").split(" ")
            data = b"" if status == "D" else (self.path / path).read_bytes()
            if status != "D":
                contents[path] = data
            changes.append(Change(path, status, old_mode, new_mode, old, new, len(data), b"\0" in data))  # type: ignore[arg-type]
        return changes, contents, self.git("write-tree").strip()


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    subprocess.run(
        ["git", "clone", "-q", f"{world.url}/{world.repository.full_name}.git", str(tmp_path / "work")], check=True
    )
    return Work(tmp_path / "work", world.head)


@pytest.fixture
def request_(world: World) -> Request:
    return asked(repository=world.repository, installation=world.installation)


def asked(**changed: Any) -> Request:
    fields = {
        "key": "c-1-2",
        "delivery": "d",
        "installation": 1,
        "repository": Repository(id=1, full_name="o/r"),
        "thread": 12,
        "actor": Actor(id=583231, login="alice"),
        "instruction": "Validate all POST bodies, and say what is wrong.",
        "title": "Validate POST bodies",
        "body": "They are not validated.",
        "comment_id": 2,
        "url": "https://github.com/o/r/issues/12#issuecomment-2",
        "asked_at": "2026-11-22T12:00:00Z",
    }
    return Request(**{**fields, **changed})
