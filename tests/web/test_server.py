"""What the edge says about itself, and to those who ask for what is not there."""

import asyncio
import contextlib
import re

import aiohttp
import pytest

from tests.web.conftest import Edge


@pytest.mark.parametrize(("ready", "status", "word"), [(True, 200, "ok"), (False, 503, "unavailable")])
async def test_health_tells_whether_work_is_taken(edge: Edge, ready: bool, status: int, word: str) -> None:
    edge.ready = ready
    async with aiohttp.ClientSession() as session, session.get(edge.url("/healthz")) as reply:
        assert (reply.status, await reply.json()) == (status, {"status": word})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("GET", "/webhook", 405),
        ("TRACE", "/webhook", 405),
        ("TRACE", "/healthz", 405),
        ("POST", "/nothing", 404),
        ("POST", "/healthz", 405),
    ],
)
async def test_unknown_routes_get_a_json_error_and_no_version(edge: Edge, method: str, path: str, status: int) -> None:
    """RT-L01"""
    async with aiohttp.ClientSession() as session, session.request(method, edge.url(path)) as reply:
        assert (reply.status, list(await reply.json())) == (status, ["error"])
        assert "Server" not in reply.headers


async def test_an_ordinary_answer_has_no_version_either(edge: Edge) -> None:
    async with aiohttp.ClientSession() as session, session.get(edge.url("/healthz")) as reply:
        assert "Server" not in reply.headers


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 100_000,
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x",
        b"GET /healthz HTTP/1.1\r\nHost: x" + b"\r\nX-More: x" * 5_000,
        b"GET /healthz HTTP/9.9\r\nHost: x",
        b"\x16\x03\x01 TLS",
    ],
    ids=["a huge header", "a huge path", "many headers", "no such HTTP", "no HTTP"],
)
async def test_a_request_beyond_the_limits_is_told_neither_version_nor_stack(edge: Edge, request_head: bytes) -> None:
    """RT-L01"""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(request_head + b"\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        answer = await reader.read()
        assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")), answer[:200]
        assert not re.search(rb"(?i)python|aiohttp|traceback|/site-packages", answer)
    writer.close()
    async with aiohttp.ClientSession() as session, session.get(edge.url("/healthz")) as reply:
        assert reply.status == 200
