"""Sending one reply: its stream with holds, delays and faults."""

import asyncio
from typing import Any

from aiohttp import web

from app.simulator.model_script import Fault, Turn
from app.simulator.model_stream import PING, broken, content, encode, start

BEAT = 0.5
"""Seconds between pings while a reply waits."""

Key = tuple[str, int]
"""A turn: its script's `match` and its number."""


class Holds:
    """The turns that wait to be released."""

    def __init__(self) -> None:
        self._events: dict[Key, asyncio.Event] = {}
        self._waiting: dict[Key, int] = {}
        self._closed = asyncio.Event()

    def forget(self, match: str) -> None:
        """The script is new: its turns are held again."""
        self._events = {key: event for key, event in self._events.items() if key[0] != match}

    def release(self, match: str) -> int:
        """Let the turns of this script go on that are held now; how many requests waited."""
        held = {key: count for key, count in self._waiting.items() if key[0] == match and count}
        for key in held:
            self._events[key].set()
        return sum(held.values())

    async def close(self, _: web.Application) -> None:
        """The server goes down: nothing waits any longer."""
        self._closed.set()
        for event in self._events.values():
            event.set()

    async def wait(self, key: Key, request: web.Request, response: web.StreamResponse | None) -> None:
        """Until the turn is released, with pings on a stream. Raises ConnectionResetError when the client has gone."""
        event = self._events.setdefault(key, asyncio.Event())
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            while not await _set_within(event, BEAT):
                _check(request)
                if response:
                    await response.write(PING)
        finally:
            self._waiting[key] -= 1

    async def wait_for_leave(self, request: web.Request) -> None:
        """Until the client has gone. Raises ConnectionResetError."""
        while not await _set_within(self._closed, BEAT / 10):
            _check(request)


async def whole(holds: Holds, request: web.Request, message: dict[str, Any], key: Key, turn: Turn) -> web.Response:
    """The message in one piece."""
    if turn.hold:
        await holds.wait(key, request, None)
    await asyncio.sleep(turn.delay)
    return web.json_response(message)


async def stream(
    holds: Holds, request: web.Request, message: dict[str, Any], key: Key, turn: Turn, fault: Fault | None
) -> web.StreamResponse:
    """The message as server-sent events, whole or broken."""
    events, end = list(content(message)), b""
    if fault:
        events, end = broken(events, fault)
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    await response.write(start(message) + PING)
    if turn.hold:
        await holds.wait(key, request, response)
    await asyncio.sleep(turn.delay)
    for event in events:
        await response.write(encode(event))
    if end:
        await response.write(end)
    if fault and fault.kind == "close" and request.transport:
        request.transport.abort()
    if fault and fault.kind == "stall":
        await holds.wait_for_leave(request)
    await response.write_eof()
    return response


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _check(request: web.Request) -> None:
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client has gone")
