"""The recorded events of a task as Server-Sent Events, from its first or from behind `Last-Event-ID`, until `Done`.

The reader pulls from the log at its own pace: nothing is queued for it, and of the log only the part that it reads now is in memory.
"""

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from app.core.clean import CHARACTER
from app.core.events import Done, Entry

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at a log in which nothing is new."""
PING = 15.0
"""Seconds of silence after which a comment keeps the connection open."""
PING_LINE = b": ping\n"
"""Without a blank line: clients in the wild take one for an empty event."""
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
NO_HEADERS: Mapping[str, str] = {}
NO_TASK = "There is no such task."
NO_LOG = "The task is over, and its log is not kept any more."

_UNSAFE = re.compile(f"[\x7f-\x9f\u2028\u2029\ud800-\udfff]|{CHARACTER.pattern}")
"""Line ends of some clients, what is no text, and what would be hidden from whoever reads the stream as it is: JSON leaves them."""
_ID = re.compile(r"([a-z0-9-]{1,200})\.([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")

Read = Callable[[str, int], Awaitable[tuple[list[Entry], int] | None]]
"""`read(task, after)`: events behind the first `after` steps, and the next `after`; None where none will come.
It may give a part only: it is asked again at once for as long as `after` rises."""
Wait = Callable[[str, float], Awaitable[object]]
"""`wait(task, seconds)` returns when a step of the task was recorded, as far as this process knows, and at the latest after `seconds`."""


@dataclass(frozen=True, order=True)
class Place:
    """Where an event stands in its task's log."""

    run: int
    step: int
    k: int


START = Place(0, 0, -1)


def parse_id(event_id: str) -> tuple[str, Place] | None:
    """The task and the place that an event's id names; None where it is no such id."""
    found = _ID.fullmatch(event_id)
    return (found[1], Place(int(found[2]), int(found[3]), int(found[4]))) if found else None


def encode(entry: Entry) -> bytes:
    """One event, one JSON object, one `data:` line, whatever a client takes for the end of a line."""
    data = json.dumps(entry.event.model_dump(), ensure_ascii=False)
    return f"id: {entry.id}\ndata: {_UNSAFE.sub(_escaped, data)}\n\n".encode()


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


async def _nap(task: str, seconds: float) -> None:
    await asyncio.sleep(seconds)


class Streams:
    def __init__(self, read: Read, wait: Wait = _nap, *, look: float = LOOK, ping: float = PING) -> None:
        self._read = read
        self._wait = wait
        self._look = look
        self._ping = ping

    async def follow(
        self, request: web.Request, task: str, behind: Place = START, headers: Mapping[str, str] = NO_HEADERS
    ) -> web.StreamResponse:
        """The events behind `behind` and all that follow, up to `Done`; 204, which keeps a client from coming back, where none will follow.

        `task` is known to be one. Raises web.HTTPNotFound where its log is gone. A reader that goes away changes nothing for the task.
        """
        async with contextlib.aclosing(self._parts(task, behind)) as parts:
            first = await anext(parts, None)
            if first is None:
                return web.Response(status=204)
            response = web.StreamResponse(headers={**HEADERS, **headers})
            try:
                await self._send(request, response, first, parts)
            except ConnectionError:
                pass  # the reader has gone, or took nothing for so long that it was cut
            except Exception:
                log.exception("a stream broke off", extra={"task": task})
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def _parts(self, task: str, behind: Place) -> AsyncGenerator[bytes, None]:
        """The bytes to send. b"" says that all was read for now."""
        found = await self._read(task, 0)
        if found is None:
            raise web.HTTPNotFound(text=NO_LOG)
        after, over, spoke = 0, False, time.monotonic()
        while found is not None:
            entries, reached = found
            for entry in entries:
                over = isinstance(entry.event, Done)
                if _place(entry) > behind:
                    yield encode(entry)
                    spoke = time.monotonic()
            if reached == after:
                if over:
                    return
                silent = time.monotonic() - spoke >= self._ping
                yield PING_LINE if silent else b""
                spoke = time.monotonic() if silent else spoke
                await self._wait(task, self._look)
            after = reached
            found = await self._read(task, after)

    async def _send(
        self, request: web.Request, response: web.StreamResponse, first: bytes, parts: AsyncGenerator[bytes, None]
    ) -> None:
        await response.prepare(request)
        part: bytes | None = first
        while part is not None and request.transport is not None:
            if part:
                await response.write(part)
            part = await anext(parts, None)
        await response.write_eof()


def _place(entry: Entry) -> Place:
    named = parse_id(entry.id)
    assert named, entry.id
    return named[1]
