"""Faults that a test asks for: a reply held back, replaced, delayed or lost, for the requests whose path matches."""

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from app.simulator.keys import FAULTS


@dataclass(eq=False)
class Fault:
    id: int
    path: re.Pattern[str]
    method: str | None = None
    times: int = 1
    status: int | None = None
    """Answer this instead of doing anything."""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    """Wait until released: before the effect, or (`after`) with the effect made and the reply held."""
    after: bool = False
    drop_reply: bool = False
    """Make the effect, then close the connection."""
    delay: float = 0
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """Every fault that was asked for; the oldest that matches and has times left takes a request."""

    def __init__(self) -> None:
        self.known: dict[int, Fault] = {}

    def add(self, asked: dict[str, Any]) -> Fault:
        """Raises TypeError, KeyError or re.error where the fault is not one."""
        asked = {**asked, "path": re.compile(asked["path"])}
        fault = Fault(len(self.known) + 1, **asked)
        self.known[fault.id] = fault
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        for fault in self.known.values():
            if fault.hits < fault.times and fault.method in (None, method) and fault.path.search(path):
                fault.hits += 1
                return fault
        return None

    def release_all(self) -> None:
        for fault in self.known.values():
            fault.released.set()


@web.middleware
async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/_sim"):
        return await handler(request)
    fault = request.app[FAULTS].take(request.method, request.path)
    if fault is None:
        return await handler(request)
    await asyncio.sleep(fault.delay)
    if fault.hold and not fault.after:
        await fault.released.wait()
    if fault.status is not None:
        return _replacement(fault)
    try:
        reply = await handler(request)
    except web.HTTPException as e:
        reply = e
    if fault.hold and fault.after:
        await fault.released.wait()
    if fault.drop_reply and request.transport:
        request.transport.abort()
    return reply


def _replacement(fault: Fault) -> web.Response:
    assert fault.status is not None
    if isinstance(fault.body, str):
        return web.Response(status=fault.status, text=fault.body, headers=fault.headers, content_type="text/html")
    body = fault.body if fault.body is not None else {"message": "Server Error"}
    return web.Response(
        status=fault.status, text=json.dumps(body), headers=fault.headers, content_type="application/json"
    )
