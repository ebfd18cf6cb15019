"""Clients in the wild take no ping for an event. Across the end of a server: see tests/e2e/test_clients.py."""

import asyncio
import json

import aiohttp
from aiohttp_sse_client.client import EventSource  # type: ignore[import-untyped]
from httpx_sse import aconnect_sse

from tests.web.desk import ASK, RUN, Desk, served, wire

PINGS = {"look": 0.02, "ping": 0.02}


async def finish(desk: Desk) -> None:
    """The rest of the run, with pauses in it."""
    for step in RUN[2:]:
        await asyncio.sleep(0.1)
        desk.record("t-1", *step)


async def test_httpx_sse() -> None:
    """FL-O07"""
    async with (
        served(desk := Desk(run=RUN[:2]), timing=PINGS) as edge,
        edge.client() as http,
        aconnect_sse(http, "POST", "/code", json=ASK) as source,
    ):
        work = asyncio.create_task(finish(desk))
        assert [event.json() async for event in source.aiter_sse()] == wire(RUN)
        await work


async def test_aiohttp_sse_client() -> None:
    """FL-O07"""
    async with served(desk := Desk(run=RUN[:2]), timing=PINGS) as edge, aiohttp.ClientSession() as session:
        source = EventSource(f"{edge.url}/code", option={"method": "POST"}, session=session, json=ASK)
        await source.connect()
        work = asyncio.create_task(finish(desk))
        assert [json.loads((await anext(source)).data) for _ in wire(RUN)] == wire(RUN)
        await source.close()
        await work
