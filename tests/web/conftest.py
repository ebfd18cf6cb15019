"""The web edge on a free port, served as in production, with a record that the test holds."""

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from app.core.task import Control, ThreadRequest
from app.trigger.policy import Access
from app.web.health import Health
from app.web.server import Runner, make_app
from app.web.webhook import Webhook
from tests.trigger.payloads import comment

SECRET = "It's a Secret to Everybody"
OLD = "the secret before that one"


@dataclass
class Edge:
    """`broken`: what recording raises. `delay`: seconds that it takes."""

    port: int = 0
    ready: bool = True
    recorded: list[ThreadRequest | Control] = field(default_factory=list)
    changes: list[Access] = field(default_factory=list)
    broken: Exception | None = None
    delay: float = 0

    async def record(self, asked: ThreadRequest | Control) -> None:
        await asyncio.sleep(self.delay)
        if self.broken:
            raise self.broken
        self.recorded.append(asked)

    async def changed(self, access: Access) -> None:
        if self.broken:
            raise self.broken
        self.changes.append(access)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def deliver(
        self,
        payload: Any = None,
        *,
        body: bytes | None = None,
        event: str = "issue_comment",
        secret: str = SECRET,
        without: tuple[str, ...] = (),
        **headers: str,
    ) -> tuple[int, Any]:
        """Status and JSON of one signed delivery; `headers` (with _ for -) replace, `without` removes some."""
        body = json.dumps(comment() if payload is None else payload).encode() if body is None else body
        sent = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
            "X-Hub-Signature-256": sign(body, secret),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in sent.items() if name not in without}
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.url("/webhook"), data=io.BytesIO(body), headers=sent, skip_auto_headers=without) as reply,
        ):
            return reply.status, await reply.json() if reply.status != 204 else None


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    edge = Edge()
    webhook = Webhook((SECRET, OLD), "backspace", edge.record, edge.changed, body_seconds=2)
    runner = Runner(make_app(webhook, Health(lambda: edge.ready)))
    edge.port = await runner.listen("127.0.0.1", 0)
    yield edge
    await runner.cleanup()
