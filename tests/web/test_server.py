"""What the edge says about itself, and to those who ask for what is not there."""

import asyncio
import contextlib
import json
import logging
import re
import socket

import aiohttp
import pytest

from tests.web.conftest import Edge
from tests.web.desk import ASK, Desk, served


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


BODY = json.dumps(ASK).encode()
START, HOST, KIND, LENGTH = (
    b"POST /code HTTP/1.1",
    b"Host: 127.0.0.1",
    b"Content-Type: application/json",
    b"Content-Length: 81",
)
CHUNKED = b"Transfer-Encoding: chunked"
AMBIGUOUS = {
    "two lengths": (START, HOST, KIND, LENGTH, b"Content-Length: 5"),
    "the same length twice": (START, HOST, KIND, LENGTH, LENGTH),
    "a list of lengths": (START, HOST, KIND, b"Content-Length: 81, 81"),
    "a length with a sign": (START, HOST, KIND, b"Content-Length: +81"),
    "a length and chunks": (START, HOST, KIND, LENGTH, CHUNKED),
    "a length and no chunks": (START, HOST, KIND, LENGTH, b"Transfer-Encoding: identity"),
    "a space before the colon": (START, HOST, KIND, LENGTH, b"Transfer-Encoding : chunked"),
    "a header over two lines": (START, HOST, KIND, LENGTH, b"X: a", b" b"),
    "a bare carriage return": (START, HOST, KIND, LENGTH, b"X: a\rb"),
    "a NUL in a header": (START, HOST, KIND, LENGTH, b"X: a\0b"),
    "no host": (START, KIND, LENGTH),
    "two hosts": (START, HOST, b"Host: evil.example", KIND, LENGTH),
    "two kinds": (START, HOST, KIND, b"Content-Type: text/plain", LENGTH),
    "another host in the address": (b"POST http://evil.example/code HTTP/1.1", HOST, KIND, LENGTH),
    "another host to connect to": (b"CONNECT evil.example:80 HTTP/1.1", HOST, KIND, LENGTH),
}


async def test_what_a_proxy_could_read_otherwise_is_read_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """RT-A05, RT-L01: and what the client wrote is not in the log, where it might be a key."""
    async with served(Desk()) as edge:
        for name, lines in AMBIGUOUS.items():
            answer = await asyncio.to_thread(said_to, edge.port, b"\r\n".join(lines) + b"\r\n\r\n" + BODY)
            assert re.match(rb"HTTP/1\.[01] 40[0345] ", answer), (name, answer)
        assert edge.desk.asked == []
        plain = b"\r\n".join((START, HOST, KIND, LENGTH)) + b"\r\n\r\n" + BODY
        assert (await asyncio.to_thread(said_to, edge.port, plain)).startswith(b"HTTP/1.1 200 ")
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


def said_to(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(request)
        return raw.recv(4096)
