"""`/code` served as in production, over a desk that keeps its tasks in memory: it outlives the server, as a database does."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiohttp import web
from pydantic import SecretStr

from app.core.api_keys import ApiKey
from app.core.events import (
    AIMessage,
    Done,
    Entry,
    Event,
    PRCreated,
    Status,
    ToolBash,
    ToolEdit,
    ToolRead,
)
from app.core.task import Asked
from app.web.code import Code
from app.web.connections import Connections
from app.web.health import Health
from app.web.keys import Gate
from app.web.server import Runner, make_app
from app.web.sse import Streams
from app.web.webhook import Webhook

AS_IT_IS: Mapping[str, float] = {}
LINK_SECRET = b"what links are signed with"
GITHUB = "https://github.com"
ASK = {"repo_url": f"{GITHUB}/octo-org/larder", "prompt": "Parse quantities."}
PULL = f"{GITHUB}/octo-org/larder/pull/7"
WORD, OTHER = "a-key-of-sixteen", "another-key-of-ours"
KEYS = (
    ApiKey(name="ci", key=SecretStr(WORD)),
    ApiKey(name="docs", key=SecretStr(OTHER), repositories=frozenset({"octo-org/docs"})),
)
BEARER = {"Authorization": f"Bearer {WORD}"}
LIMITED = {"Authorization": f"Bearer {OTHER}"}
RUN: tuple[tuple[Event, ...], ...] = (
    (Status(message="Cloned"),),
    (AIMessage(message="Näxt:\nlook"), ToolRead(filepath="larder/quantity.py")),
    (),
    (
        ToolEdit(filepath="larder/quantity.py", old_str="1", new_str="2"),
        ToolBash(command="pytest -q", output="[exit 0]"),
    ),
    (PRCreated(pr_url=PULL), Done(outcome="ready", pr_url=PULL)),
)
"""The six kinds that every client knows, and the end: each inner tuple is one step."""


@dataclass
class Task:
    repository: str
    steps: list[tuple[Event, ...]] = field(default_factory=list)
    patch: bytes | None = None
    stopped_by: str = ""


@dataclass
class Desk:
    """`run`: the steps that a new task has at once. `part`: steps that a read gives at most.

    `broken`: what asking raises. `away`: what reading raises.
    """

    run: Sequence[tuple[Event, ...]] = RUN
    part: int = 1000
    broken: Exception | None = None
    away: Exception | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    reads: int = 0
    _known: dict[tuple[str, str], str] = field(default_factory=dict)
    _news: dict[str, asyncio.Event] = field(default_factory=dict)

    def task(self, *steps: tuple[Event, ...], repository: str = "octo-org/larder") -> str:
        key = f"t-{len(self.tasks) + 1}"
        self.tasks[key] = Task(repository, list(steps))
        return key

    def record(self, task: str, *events: Event) -> None:
        """One more step."""
        self.tasks[task].steps.append(events)
        if news := self._news.pop(task, None):
            news.set()

    async def wait(self, task: str, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.setdefault(task, asyncio.Event()).wait()

    async def ask(self, asked: Asked) -> str:
        if self.broken:
            raise self.broken
        name = (asked.caller, asked.idempotency_key)
        if asked.idempotency_key and name in self._known:
            return self._known[name]
        self.asked.append(asked)
        self._known[name] = self.task(*self.run, repository=asked.repo)
        return self._known[name]

    async def stop(self, task: str, caller: str) -> bool:
        if task in self.tasks:
            self.tasks[task].stopped_by = caller
        return task in self.tasks

    async def read(self, task: str, after: int) -> tuple[list[Entry], int] | None:
        self.reads += 1
        if self.away:
            raise self.away
        if task not in self.tasks:
            return None
        steps = self.tasks[task].steps[after : after + self.part]
        entries = [
            Entry(id=f"{task}.1.{after + n}.{k}", at=0, event=event)
            for n, events in enumerate(steps, 1)
            for k, event in enumerate(events)
        ]
        return entries, after + len(steps)

    async def repository_of(self, task: str) -> str | None:
        return self.tasks[task].repository if task in self.tasks else None

    async def patch(self, task: str) -> bytes | None:
        return self.tasks[task].patch if task in self.tasks else None


@dataclass
class Edge:
    """The server; it keeps its port when it is started again."""

    desk: Desk
    keys: tuple[ApiKey, ...]
    loopback_only: bool
    timing: Mapping[str, float]
    extra: Sequence[web.RouteDef] = ()
    limits: Connections | None = None
    seconds: float = 1
    port: int = 0
    runner: Runner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        streams = Streams(self.desk.read, self.desk.wait, **self.timing)
        gate = Gate(self.keys, loopback_only=self.loopback_only, public_url="https://code.example")
        code = Code(self.desk, gate, streams, server_url=GITHUB, link_secret=LINK_SECRET, seconds=self.seconds)
        app = make_app(Webhook(("a webhook secret",), "backspace", _nowhere, _nowhere), Health(lambda: True), code)
        app.add_routes(self.extra)
        self.runner = Runner(app, self.limits)
        self.port = await self.runner.listen("127.0.0.1", self.port)

    async def cut(self) -> None:
        """End as a killed process does: every connection breaks."""
        assert self.runner
        for connection in self.connections:
            if connection.transport:
                connection.transport.abort()
        await self.runner.cleanup()

    @property
    def connections(self) -> list[web.RequestHandler]:
        return self.runner.server.connections if self.runner and self.runner.server else []

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=20, verify=False
        )  # no certificates are read


async def _nowhere(_: object) -> None:
    raise AssertionError("nothing is delivered here")


@contextlib.asynccontextmanager
async def served(
    desk: Desk,
    *,
    keys: tuple[ApiKey, ...] = (),
    loopback_only: bool = True,
    extra: Sequence[web.RouteDef] = (),
    timing: Mapping[str, float] = AS_IT_IS,
    limits: Connections | None = None,
    seconds: float = 1,
) -> AsyncIterator[Edge]:
    """`timing`: what Streams takes. `seconds`: for a body."""
    edge = Edge(desk, keys, loopback_only, timing, extra, limits, seconds)
    await edge.start()
    try:
        yield edge
    finally:
        await edge.cut()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def parsed(text: str) -> tuple[list[str], list[dict[str, Any]]]:
    """Ids and events: every block is one id line and one data line, nothing else."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    assert all(len(block) == 2 for block in blocks), text
    assert all(block[0].startswith("id: ") and block[1].startswith("data: ") for block in blocks), text
    return [block[0][4:] for block in blocks], [json.loads(block[1][6:]) for block in blocks]


def said(reply: httpx.Response) -> str:
    """The error, which is all that such a reply holds."""
    assert list(reply.json()) == ["error"]
    return str(reply.json()["error"])


def wire(steps: Sequence[tuple[Event, ...]]) -> list[dict[str, Any]]:
    """What a reader sees of these steps."""
    return [event.model_dump() for step in steps for event in step]
