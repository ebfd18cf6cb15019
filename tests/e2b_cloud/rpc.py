"""The Connect protocol as envd speaks it: JSON, unary and streaming, both ways."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import StreamReader, web

from tests.e2b_cloud.machine import Refused
from tests.e2b_cloud.problems import STATUS

END = 2
"""Flag of the last frame."""


def refused(e: Refused) -> web.Response:
    return web.json_response({"code": e.code, "message": e.message}, status=STATUS[e.code])


def streams(request: web.Request) -> bool:
    return request.content_type == "application/connect+json"


async def message_of(request: web.Request) -> dict[str, Any]:
    """The one message of the request, which is in a frame where the reply is a stream."""
    raw = await request.read()
    found: dict[str, Any] = json.loads(raw[5:] if streams(request) else raw or b"{}")
    return found


async def messages_of(content: StreamReader) -> AsyncIterator[dict[str, Any]]:
    """Until the client has sent its last."""
    while True:
        try:
            flags, size = struct.unpack("!BI", await content.readexactly(5))
        except asyncio.IncompleteReadError:
            return
        body = await content.readexactly(size)
        if flags & END:
            return
        yield json.loads(body)


class Stream:
    """A reply of many messages, whose head goes with the first. Refused ends it with that error, as its last frame.

    A head that came before a client has sent its last would let that client's HTTP library drop what it has not sent.
    """

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.response = web.StreamResponse(headers={"Content-Type": "application/connect+json"})

    async def __aenter__(self) -> "Stream":
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Refused):
            await self._frame(END, {"error": {"code": error.code, "message": error.message}})
        elif error is None:
            await self._frame(END, {})
        else:
            return False
        await self.response.write_eof()
        return True

    async def send(self, message: Mapping[str, Any]) -> None:
        await self._frame(0, message)

    async def _frame(self, flags: int, message: Mapping[str, Any]) -> None:
        body = json.dumps(message).encode()
        await self.response.prepare(self.request)
        await self.response.write(struct.pack("!BI", flags, len(body)) + body)


def encoded(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as JSON: bytes are base64."""
    if "data" not in event:
        return dict(event)
    return {"data": {name: base64.b64encode(chunk).decode() for name, chunk in event["data"].items()}}
