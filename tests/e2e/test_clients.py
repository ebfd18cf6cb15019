"""Clients in the wild read a whole task from a real server, across a `kill -9` in its middle, and see every event once."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import httpx
import pytest
from aiohttp_sse_client.client import EventSource  # type: ignore[import-untyped]
from httpx_sse import aconnect_sse

from tests.e2e.lab import FIX, Lab, Server, bash, until
from tests.web.desk import parsed

READ = {"name": "read", "input": {"path": "greet.py"}}
PAUSE = 0.1
ONCE = {"Idempotency-Key": "once"}


@pytest.fixture
def mortal(lab: Lab) -> Iterator[Server]:
    yield (server := lab.server("mortal"))
    server.stop()


@dataclass
class Reader:
    """`connections`: how often the client connected."""

    ids: list[str] = field(default_factory=list)
    events: list[object] = field(default_factory=list)
    connections: int = 0

    def take(self, named: str, data: str) -> bool:
        """Whether it was the last event."""
        self.ids.append(named)
        self.events.append(json.loads(data))
        return '"Done"' in data


async def by_httpx_sse(url: str, body: dict[str, str], reader: Reader) -> None:
    """It leaves coming back to its user, who follows `Location`."""
    method, path, headers, sent = "POST", "/code", dict(ONCE), body
    async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                async with aconnect_sse(http, method, path, headers=headers, json=sent or None) as source:
                    reader.connections += 1
                    method, path, sent = "GET", source.response.headers.get("Location", path), {}
                    async for event in source.aiter_sse():
                        headers = {"Last-Event-ID": event.id}
                        if reader.take(event.id, event.data):
                            return
            await asyncio.sleep(PAUSE)


async def by_aiohttp_sse_client(url: str, body: dict[str, str], reader: Reader) -> None:
    """It POSTs again where its stream broke and, by itself, after the end: nothing is started for either."""
    async with aiohttp.ClientSession() as session:
        source = EventSource(
            f"{url}/code",
            option={"method": "POST"},
            reconnection_time=timedelta(seconds=PAUSE),
            session=session,
            json=body,
            headers=dict(ONCE),
        )
        over = False
        while not over:
            with contextlib.suppress(aiohttp.ClientError):
                await source.connect()
                reader.connections += 1
                while not over:
                    event = await anext(source)
                    over = reader.take(event.last_event_id, event.data)
            await asyncio.sleep(PAUSE)
        with pytest.raises(ConnectionAbortedError, match="wrong response status: 204"):
            await anext(source)
        await source.close()


async def test_each_reads_a_whole_task_across_a_kill_and_sees_every_event_once(lab: Lab, mortal: Server) -> None:
    """FL-O06, FL-O07: both ask under one name, so it is one task."""
    repo = lab.repository(mortal)
    repo.script(
        {"text": "Look first.", "tools": [READ]}, {"tools": [FIX, bash("true")], "hold": True}, {"text": "Greet"}
    )
    body = {"repo_url": f"{lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    one, two = Reader(), Reader()
    reading = asyncio.gather(by_httpx_sse(mortal.url, body, one), by_aiohttp_sse_client(mortal.url, body, two))
    await asyncio.to_thread(until, lambda: all("Tool: Read" in str(reader.events) for reader in (one, two)))
    await asyncio.to_thread(until, lambda: len(repo.asked()) == 2, what="the turn that is held")
    await asyncio.to_thread(mortal.kill)
    await asyncio.to_thread(mortal.start)
    await asyncio.to_thread(repo.let_go)
    async with asyncio.timeout(90):
        await reading
    async with httpx.AsyncClient(base_url=mortal.url, verify=False) as http:
        ids, events = parsed((await http.get(f"/code/{one.ids[0].split('.')[0]}")).text)
    assert (one.ids, one.events) == (two.ids, two.events) == (ids, events)
    assert len(set(ids)) == len(ids)
    assert {"Tool: Read", "Tool: Edit", "PR Created", "Done"} <= {event["type"] for event in events}
    assert (one.connections, two.connections, len(repo.pulls())) == (2, 2, 1)
