from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from app.simulator.model import make_model

Client = TestClient[web.Request, web.Application]
MODEL = "claude-sonnet-5-5"


@pytest.fixture
async def model() -> AsyncIterator[Client]:
    """The simulated API over HTTP, mounted as in the simulator."""
    root = web.Application()
    root.add_subapp("/anthropic", make_model())
    async with TestClient(TestServer(root, host="127.0.0.1")) as client:
        yield client


async def script(client: Client, match: str, *turns: dict[str, Any], **more: Any) -> None:
    reply = await client.post("/anthropic/_scripts", json={"match": match, "turns": turns, **more})
    assert reply.status == 201, await reply.text()


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    """A request that the API accepts; a string is a user message."""
    said = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    thinking = {"type": "adaptive", "display": "summarized"}
    return {"model": MODEL, "max_tokens": 4096, "messages": said, "thinking": thinking, **more}


async def ask(client: Client, request: dict[str, Any], key: str = "test") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"}
    reply = await client.post("/anthropic/v1/messages", json=request, headers=headers)
    return reply.status, await reply.json()
