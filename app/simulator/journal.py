"""The log of requests to REST and git, as tests read it, and the headers that every REST reply has."""

import json
import uuid
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from app.simulator.auth import find_token
from app.simulator.keys import WORLD
from app.simulator.state import Logged, Token

LIMIT = 5000
HOUR = 3600


@web.middleware
async def logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: what it logs is what was sent, whatever a fault made of it."""
    rest, git = request.path.startswith("/api/v3/"), ".git/" in request.path
    if not rest and not git:
        return await handler(request)
    world = request.app[WORLD]
    body = _plain(await request.read()) if rest else None
    host = request.url.host or ""
    entry = Logged(len(world.log) + 1, world.now(), request.method, host, request.path_qs, 0, None, None, body, None)
    world.log.append(entry)
    try:
        reply = await handler(request)
    except web.HTTPException as e:
        reply = e
    token = request.get("token") or find_token(world, request.headers.get("Authorization", "").partition(" ")[2])
    if isinstance(token, Token):
        ids = [r.id for r in token.repositories]
        entry.token = {"permissions": token.permissions, "repository_ids": ids, "revoked": token.revoked}
    elif token:
        entry.token = {"user": token.author.login}
    app = token.installation.app if isinstance(token, Token) else request.get("app")
    entry.app_id = app.id if app else None
    entry.status = reply.status
    if rest:
        entry.reply = _plain(reply.body) if isinstance(reply, web.Response) and isinstance(reply.body, bytes) else None
        _rate_headers(request, reply)
    return reply


def _plain(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return raw.decode(errors="replace")


def _rate_headers(request: web.Request, reply: web.StreamResponse) -> None:
    """GitHub's headers, unless a fault set its own. The count is of this token or App alone."""
    world, who = request.app[WORLD], request.headers.get("Authorization")
    since = world.now() // HOUR * HOUR
    counts = request.app[COUNTS]
    used = counts[who, since] = counts.get((who, since), 0) + 1
    for name, value in {
        "X-RateLimit-Limit": LIMIT,
        "X-RateLimit-Remaining": max(0, LIMIT - used),
        "X-RateLimit-Used": used,
        "X-RateLimit-Reset": int(since + HOUR),
        "X-RateLimit-Resource": "core",
        "X-GitHub-Request-Id": uuid.uuid4().hex[:20].upper(),
        "X-GitHub-Api-Version-Selected": request.headers.get("X-GitHub-Api-Version", "2022-11-28"),
    }.items():
        if not reply.prepared:
            reply.headers.setdefault(name, str(value))


COUNTS: web.AppKey[dict[tuple[str | None, float], int]] = web.AppKey("counts")
