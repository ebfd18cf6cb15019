"""GET /code/{task}: the recorded events of a task as Server-Sent Events, from its first or from behind `Last-Event-ID`, until `Done`.

The reader pulls from the log at its own pace; nothing is queued for it.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from aiohttp import web

from app.core.events import Done, Entry

LOOK = 1.0
"""Seconds between two looks at the log."""
PING = 15.0
"""Seconds of silence after which a comment keeps the connection open."""
LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

Read = Callable[[str, int], Awaitable[tuple[list[Entry], int] | None]]
"""`read(task, after)`: the events behind the first `after` steps and the next `after`; None where there is no such task."""


def routes(read: Read) -> list[web.RouteDef]:
    """Only for a server that listens on loopback: there are no keys yet."""

    async def follow(request: web.Request) -> web.StreamResponse:
        if (request.host or "").rsplit(":", 1)[0] not in LOCAL_HOSTS or "Origin" in request.headers:
            return web.json_response({"error": "Only programs on this machine may read this."}, status=403)
        task = request.match_info["task"]
        found = await read(task, 0)
        if found is None:
            return web.json_response({"error": "There is no such task."}, status=404)
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the reader has gone; the run does not care
            await _send_all(response, read, task, found, request.headers.get("Last-Event-ID", ""))
        return response

    return [web.get("/code/{task}", follow)]


async def _send_all(
    response: web.StreamResponse, read: Read, task: str, found: tuple[list[Entry], int] | None, last_id: str
) -> None:
    skipping = any(entry.id == last_id for entry in found[0]) if found else False
    silent = 0.0
    while found is not None:
        entries, after = found
        for entry in entries:
            if skipping:
                skipping = entry.id != last_id
                continue
            await response.write(encode(entry))
            silent = 0.0
            if isinstance(entry.event, Done):
                return
        await asyncio.sleep(LOOK)
        silent += LOOK
        if silent >= PING:
            await response.write(b": ping\n")  # no blank line: clients in the wild take one for an empty event
            silent = 0.0
        found = await read(task, after)


def encode(entry: Entry) -> bytes:
    """One event, one JSON object, one `data:` line."""
    return f"id: {entry.id}\ndata: {json.dumps(entry.event.model_dump(), ensure_ascii=False)}\n\n".encode()
