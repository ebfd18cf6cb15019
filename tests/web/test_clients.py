"""Clients in the wild read a whole task across a restart of the server, and see every event once."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp_sse_client.client import EventSource  # type: ignore[import-untyped]
from httpx_sse import aconnect_sse

from tests.web.desk import ASK, RUN, Desk, Edge, served, wire

FAST = {"look": 0.02, "ping": 0.02}
"""Pings come all the time, so that a client which takes one for an event is found out."""

SOON = timedelta(seconds=0.05)


async def finish(desk: Desk, task: str) -> None:
    """The rest of the run, with pauses in it."""
    for step in RUN[2:]:
        await asyncio.sleep(0.1)
        desk.record(task, *step)


async def restart(edge: Edge) -> "asyncio.Task[None]":
    """The server ends as a killed one does; the run goes on under the next one."""
    await edge.cut()
    await edge.start()
    return asyncio.create_task(finish(edge.desk, "t-1"))


async def test_httpx_sse() -> None:
    """FL-O06, FL-O07: it leaves coming back to its user, who follows `Location`."""
    async with served(Desk(run=RUN[:2]), timing=FAST) as edge, edge.client() as http:
        async with aconnect_sse(http, "POST", "/code", json=ASK) as source:
            task, events = source.response.headers["Location"], source.aiter_sse()
            seen = [await anext(events) for _ in range(3)]
            work = await restart(edge)
            with pytest.raises(httpx.RemoteProtocolError):
                await anext(events)
        async with aconnect_sse(http, "GET", task, headers={"Last-Event-ID": seen[-1].id}) as source:
            seen += [event async for event in source.aiter_sse()]
        await work
    assert [event.json() for event in seen] == wire(RUN)


async def test_aiohttp_sse_client() -> None:
    """FL-O06, FL-O07: it POSTs again where its stream broke and, by itself, after the end: nothing is started for either."""
    seen: list[dict[str, Any]] = []
    async with served(desk := Desk(run=RUN[:2]), timing=FAST) as edge, aiohttp.ClientSession() as session:
        source = EventSource(
            edge.url + "/code", option={"method": "POST"}, reconnection_time=SOON, session=session, json=ASK
        )
        await source.connect()
        seen += [json.loads((await anext(source)).data) for _ in range(3)]
        work = await restart(edge)
        with pytest.raises(aiohttp.ClientPayloadError):
            await anext(source)
        await source.connect(retry=5)
        seen += [json.loads((await anext(source)).data) for _ in range(4)]
        with pytest.raises(ConnectionAbortedError, match="wrong response status: 204"):
            await anext(source)
        await source.close()
        await work
    assert seen == wire(RUN)
    assert len(desk.asked) == 1
