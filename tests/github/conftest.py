"""A GitHub that answers what the test says, over real HTTP: for the replies that the simulator has no reason to give."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.core.task import Repository
from app.github.app import App
from app.github.client import GitHub
from app.github.tokens import CHECK
from tests.github.world import simulator, world

__all__ = ["simulator", "world"]

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
REPOSITORY = Repository(id=7, full_name="o/r")
INSTALLATION = 99


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection instead."""


@dataclass
class Seen:
    method: str
    path: str
    token: str
    headers: dict[str, str]
    body: Any


class Fake:
    """Answers repository requests from `replies` in turn (then 200 and `{}`); mints tokens; keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque()
        self.mint_replies: deque[Reply] = deque()
        self.seen: list[Seen] = []
        self.minted: list[str] = []
        self.ahead = 0.0
        self.token_life = 3600.0
        self.url = ""

    def now(self) -> float:
        return time.time() + self.ahead

    def asked(self, part: str = "/repos/") -> list[Seen]:
        return [s for s in self.seen if part in s.path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.method, request.raw_path, token, headers, json.loads(raw) if raw else None)
        self.seen.append(seen)
        reply = self._as_app(seen) if request.path.startswith("/api/app") else self._next()
        if reply.drop:
            assert request.transport
            request.transport.close()
        text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body) if reply.body is not None else ""
        kind = {"content-type": "text/html" if isinstance(reply.body, str) else "application/json"}
        date = {"date": formatdate(self.now(), usegmt=True)}
        return web.Response(status=reply.status, text=text, headers=date | kind | reply.headers)

    def _next(self) -> Reply:
        return self.replies.popleft() if self.replies else Reply(body={})

    def _as_app(self, seen: Seen) -> Reply:
        claims = jwt.decode(
            seen.token, KEY.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
        )
        if claims["iat"] > self.now() or not self.now() < claims["exp"] <= self.now() + 600:
            return Reply(401, {"message": "'Expiration time' claim ('exp') must be a numeric value in the future"})
        if seen.path == "/api/app":
            return Reply(body={"id": int(claims["iss"]), "slug": "backspace", "permissions": {}, "events": []})
        if self.mint_replies:
            return self.mint_replies.popleft()
        self.minted.append(f"ghs_{len(self.minted) + 1}")
        ends = datetime.fromtimestamp(self.now() + self.token_life, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Reply(201, {"token": self.minted[-1], "expires_at": ends})


@pytest.fixture
async def fake() -> AsyncIterator[Fake]:
    fake = Fake()
    site = web.Application()
    site.router.add_route("*", "/{path:.*}", fake.handle)
    server = TestServer(site)
    await server.start_server()
    fake.url = str(server.make_url("/api"))
    yield fake
    await server.close()


Waits = list[float]


@pytest.fixture
def waits() -> Waits:
    """Seconds that the product waited, without waiting them."""
    return []


@pytest.fixture
async def make_app(fake: Fake, waits: Waits) -> AsyncIterator[Callable[[], App]]:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with aiohttp.ClientSession() as session:
        yield lambda: App(session, fake.url, 1, PEM, sleep=sleep)


@pytest.fixture
def app(make_app: Callable[[], App]) -> App:
    return make_app()


@pytest.fixture
def github(app: App) -> GitHub:
    return app.repository("run-1", INSTALLATION, REPOSITORY, CHECK)
