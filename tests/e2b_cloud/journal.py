"""The log of requests, outermost: what was sent, whatever a fault or the handler made of it."""

import hashlib
import json
import struct
import time
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

SECRET = ("x-api-key", "x-access-token")
"""Headers whose value is logged as its hash."""
JOURNAL: web.AppKey[list[dict[str, Any]]] = web.AppKey("journal")


@web.middleware
async def logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """`body` is the JSON that was sent, of files which were written. `status` is null while it is being answered."""
    if request.path.startswith("/_cloud"):
        return await handler(request)
    entry: dict[str, Any] = {
        "at": time.time(),
        "method": request.method,
        "path": request.path,
        "query": dict(request.query),
        "headers": {name: _safe(name, value) for name, value in request.headers.items()},
        "sandbox": request.headers.get("E2b-Sandbox-Id"),
        "body": await _sent(request),
        "status": None,
    }
    request.app[JOURNAL].append(entry)
    try:
        reply = await handler(request)
        entry["status"] = reply.status
        return reply
    except web.HTTPException as e:
        entry["status"] = e.status
        raise
    finally:
        if "written" in request:
            entry["body"] = request["written"]


async def _sent(request: web.Request) -> Any:
    if request.path == "/files" or request.path.endswith("/StreamInput") or not request.can_read_body:
        return None
    raw = await request.read()
    if request.content_type == "application/connect+json":
        (size,) = struct.unpack("!I", raw[1:5])
        raw = raw[5 : 5 + size]
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")


def _safe(name: str, value: str) -> str:
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" if name.lower() in SECRET else value
