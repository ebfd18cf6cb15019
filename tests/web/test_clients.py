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


async def restart(edge: Edge) -> None:
    await edge.cut()
    await edge.start()


async def finish(desk: Desk, edge: Edge) -> None:
    """A restart in the middle, then the rest of the run with pauses in it."""
    await restart(edge)
    for step in RUN[2:]:
        await asyncio.sleep(0.1)
        desk.record("t-1", *step)


async def test_httpx_sse() -> None:
    """FL-O06, FL-O07: it leaves coming back to its user, who follows `Location`."""
    seen: list[dict[str, Any]] = []
    last = ""
    async with served(desk := Desk(run=RUN[:2]), timing=FAST) as edge, edge.client() as http:
        work = None
        try:
            async with aconnect_sse(http, "POST", "/code", json=ASK) as source:
                task = source.response.headers["Location"]
                async for event in source.aiter_sse():
                    seen, last = [*seen, event.json()], event.id
                    if len(seen) == 3:
                        work = asyncio.ensure_future(finish(desk, edge))
        except httpx.TransportError:
            assert work
            await work
        async with aconnect_sse(http, "GET", task, headers={"Last-Event-ID": last}) as source:
            seen += [event.json() async for event in source.aiter_sse()]
    assert seen == wire(RUN)


async def test_aiohttp_sse_client() -> None:
    """FL-O06, FL-O07: it POSTs again where its stream broke and, by itself, after the end: nothing is started for either."""
    seen: list[dict[str, Any]] = []
    async with served(desk := Desk(run=RUN[:2]), timing=FAST) as edge, aiohttp.ClientSession() as session:
        source = EventSource(
            edge.url + "/code", option={"method": "POST"}, reconnection_time=SOON, session=session, json=ASK
        )
        await source.connect()
        seen += [json.loads((await anext(source)).data) for _ in range(3)]
        work = asyncio.ensure_future(finish(desk, edge))
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
