"""How long a connection may keep the server waiting, over real sockets: a slow one is cut, and no honest one suffers."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator

import httpx

from app.core.events import Done
from app.web.connections import Connections
from app.web.keys import signature
from tests.web.desk import ASK, LINK_SECRET, Desk, Edge, parsed, served, until

ASKED = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
NEVER = 600.0


async def connect(edge: Edge, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(said)
    return reader, writer


async def is_cut(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            return await reader.read() == b""
    return True


async def healthy(edge: Edge) -> bool:
    async with edge.client() as http:
        return (await http.get("/healthz")).status_code == 200


async def test_a_head_that_does_not_come_or_comes_a_byte_at_a_time_is_not_waited_for() -> None:
    """RT-W17: slowloris."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        for byte in b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 1000:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    async with served(Desk(), limits=Connections(head=0.3, silence=NEVER)) as edge:
        silent, slow = await connect(edge), await connect(edge)
        dripping = asyncio.create_task(drip(slow[1]))
        assert await is_cut(silent[0])
        assert await is_cut(slow[0])
        assert not dripping.done()
        dripping.cancel()
        await until(lambda: not edge.connections)
        assert await healthy(edge)
        for _, writer in (silent, slow):
            writer.close()


async def test_a_further_head_that_does_not_become_whole_is_not_waited_for_either() -> None:
    """RT-W17"""
    async with served(Desk(), limits=Connections(head=NEVER, silence=0.3)) as edge:
        reader, writer = await connect(edge, ASKED + ASKED[:20])
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        assert await is_cut(reader)
        writer.close()


async def test_who_keeps_a_connection_for_later_follows_a_quiet_task_or_sends_slowly_is_served() -> None:
    desk = Desk()
    task = desk.task()
    limits = Connections(head=0.5, silence=NEVER)
    async with served(desk, limits=limits, seconds=NEVER) as edge, edge.client() as http:
        reader, writer = await connect(edge, ASKED)
        await reader.readuntil(b"}")
        following = asyncio.create_task(http.get(f"/code/{task}"))
        slow = await http.post("/code", content=_slowly(), headers={"Content-Type": "application/json"})
        writer.write(ASKED)
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        desk.record(task, Done(outcome="nothing"))
        assert len(parsed((await following).text)[0]) == 1
        writer.close()
    assert (slow.status_code, len(desk.asked)) == (200, 1)


async def _slowly() -> AsyncIterator[bytes]:
    body = json.dumps(ASK).encode()
    for part in (body[:9], body[9:30], body[30:]):
        yield part
        await asyncio.sleep(0.25)


async def test_a_quiet_stream_is_not_an_idle_connection() -> None:
    desk = Desk()
    task = desk.task()
    async with served(desk, limits=Connections(silence=0.2)) as edge, edge.client() as http:
        reading = asyncio.create_task(http.get(f"/code/{task}"))
        await asyncio.sleep(0.5)
        desk.record(task, Done(outcome="nothing"))
        assert len(parsed((await reading).text)[0]) == 1


async def test_who_asks_for_much_and_takes_nothing_is_cut() -> None:
    """RT-A10: it needs no key for that."""
    async with served(Desk(), limits=Connections(silence=0.3)) as edge:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect(("127.0.0.1", edge.port))
            raw.setblocking(False)
            raw.send(ASKED.replace(b"healthz", b"openapi.json") * 2000)
            await until(lambda: bool(edge.connections))
            await until(lambda: not edge.connections)
        assert await healthy(edge)


async def test_who_takes_a_large_patch_slowly_gets_all_of_it() -> None:
    desk = Desk()
    task = desk.task()
    desk.tasks[task].patch = b"x" * (16 << 20)
    async with served(desk, limits=Connections(silence=1)) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, limit=1 << 16)
        link = f"/code/{task}/patch?sig={signature(LINK_SECRET, task)}"
        writer.write(f"GET {link} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(8):
            assert len(await reader.readexactly(2 << 20)) == 2 << 20
            await asyncio.sleep(0.2)
        writer.close()


async def test_past_the_bound_the_one_that_has_waited_longest_makes_room() -> None:
    """RT-W17: so a thousand connections that ask nothing keep nobody out, and cost no one who is being served."""
    desk = Desk()
    task = desk.task()
    async with (
        served(desk, limits=Connections(most=3, head=NEVER)) as edge,
        edge.client() as http,
        http.stream("GET", f"/code/{task}") as stream,
    ):
        silent = [await connect(edge, b"GET /") for _ in range(20)]
        assert await healthy(edge)
        assert await asyncio.gather(*(is_cut(reader) for reader, _ in silent[:18])) == [True] * 18
        assert len(edge.connections) <= 3
        desk.record(task, Done(outcome="nothing"))
        assert '"Done"' in (await stream.aread()).decode()
        for _, writer in silent:
            writer.close()


async def test_past_the_bound_a_body_that_does_not_come_makes_room_before_anybody_is_turned_away() -> None:
    """RT-W17"""
    desk = Desk()
    task = desk.task()
    asked = b"POST /code HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
    async with (
        served(desk, limits=Connections(most=3), seconds=NEVER) as edge,
        edge.client() as http,
        http.stream("GET", f"/code/{task}") as stream,
    ):
        slow = [await connect(edge, asked) for _ in range(6)]
        assert await asyncio.gather(*(is_cut(reader) for reader, _ in slow[:4])) == [True] * 4
        assert await healthy(edge)
        desk.record(task, Done(outcome="nothing"))
        assert '"Done"' in (await stream.aread()).decode()
        for _, writer in slow:
            writer.close()


async def test_past_the_bound_with_all_at_work_the_new_one_is_turned_away() -> None:
    desk = Desk()
    task = desk.task()
    async with (
        served(desk, limits=Connections(most=1)) as edge,
        edge.client() as http,
        http.stream("GET", f"/code/{task}") as stream,
    ):
        for _ in range(3):
            try:
                await healthy(edge)
            except httpx.TransportError:
                continue
            raise AssertionError("there was room")
        desk.record(task, Done(outcome="nothing"))
        assert '"Done"' in (await stream.aread()).decode()
