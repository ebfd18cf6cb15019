"""GET /code/{task}: the recorded events of a task as Server-Sent Events, from its first or from behind `Last-Event-ID`, until `Done`.

The reader pulls from the log at its own pace; nothing is queued for it.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from app.core.events import Done, Entry

LOOK = 1.0
"""Seconds between two looks at the log."""
PING = 15.0
"""Seconds of silence after which a comment keeps the connection open."""
_LOCAL = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)

Read = Callable[[str, int], Awaitable[tuple[list[Entry], int] | None]]
"""`read(task, after)`: the events behind the first `after` steps and the next `after`; None where there is no such task."""


def routes(read: Read, look: float = LOOK, ping: float = PING) -> list[web.RouteDef]:
    """Only for a server that listens on loopback: there are no keys yet."""

    async def follow(request: web.Request) -> web.StreamResponse:
        if not _LOCAL.fullmatch(request.headers.get("Host", "")) or "Origin" in request.headers:
            return web.json_response({"error": "Only programs on this machine may read this."}, status=403)
        task = request.match_info["task"]
        found = await read(task, 0)
        if found is None:
            return web.json_response({"error": "There is no such task."}, status=404)
        entries, after = _behind(found[0], request.headers.get("Last-Event-ID", "")), found[1]
        if found[0] and not entries and isinstance(found[0][-1].event, Done):
            return web.Response(status=204)  # tells the reader not to come back
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the reader has gone; the run does not care
            async for part in _parts(read, task, entries, after, look, ping):
                await response.write(part)
        return response

    return [web.get("/code/{task}", follow)]


def _behind(entries: list[Entry], last_id: str) -> list[Entry]:
    """What comes after the event with this id; all where there is none."""
    ids = [entry.id for entry in entries]
    return entries[ids.index(last_id) + 1 :] if last_id in ids else entries


async def _parts(
    read: Read, task: str, entries: list[Entry], after: int, look: float, ping: float
) -> AsyncIterator[bytes]:
    """The bytes of these events and of those that follow, up to `Done`."""
    found: tuple[list[Entry], int] | None = entries, after
    silent = 0.0
    while found is not None:
        entries, after = found
        for entry in entries:
            yield encode(entry)
            if isinstance(entry.event, Done):
                return
        silent = 0.0 if entries else silent + look
        if silent >= ping:
            yield b": ping\n"  # no blank line: clients in the wild take one for an empty event
            silent = 0.0
        await asyncio.sleep(look)
        found = await read(task, after)


def encode(entry: Entry) -> bytes:
    """One event, one JSON object, one `data:` line."""
    return f"id: {entry.id}\ndata: {json.dumps(entry.event.model_dump(), ensure_ascii=False)}\n\n".encode()
