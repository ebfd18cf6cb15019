"""What the demo says to the simulator, and what it hears from the server."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from app.core.errors import UserError
from app.core.events import EVENT, Event

Json = dict[str, Any]


class World:
    """The simulator's control addresses, and the server's event stream."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def post(self, path: str, **body: Any) -> Json:
        return await self._send("POST", path, body)

    async def put(self, path: str, **body: Any) -> Json:
        return await self._send("PUT", path, body)

    async def _send(self, method: str, path: str, body: Json) -> Json:
        async with self._session.request(method, self._url + path, json=body) as reply:
            if reply.status >= 400:
                raise UserError(f"The simulator answered {reply.status} to {path}: {await reply.text()}")
            return await reply.json() if reply.content_type == "application/json" else {}

    async def events(self, url: str) -> AsyncIterator[Event]:
        """Each event until `Done`. The task is known to the server a moment after the comment was sent."""
        for _ in range(50):
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as reply:
                if reply.status == 404:
                    await asyncio.sleep(0.2)
                    continue
                async for line in reply.content:
                    if line.startswith(b"data: "):
                        yield EVENT.validate_json(line[6:])
                return
        raise UserError("The server did not take the comment; its log says why.")

    async def settled(self, repo: str, issue: int) -> list[Json]:
        """The pull requests, once the last reaction is on the comment."""
        for _ in range(100):
            async with self._session.get(self._url + repo) as reply:
                state = await reply.json()
            text = json.dumps(state)
            if '"rocket"' in text or '"confused"' in text:
                break
            await asyncio.sleep(0.2)
        return list(state["pulls"])
