"""The control plane: sandboxes, snapshots and templates, for those who hold the key."""

import asyncio
import json
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.e2b_cloud.cloud import DEFAULT_TIMEOUT, Sandbox
from tests.e2b_cloud.keys import API_KEY, CLOUD
from tests.e2b_cloud.problems import Problem

ENVD_VERSION = "0.6.13"
routes = web.RouteTableDef()


@web.middleware
async def keyed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Checks the key. What was begun is finished, also where the client has left."""
    sent = request.headers.get("X-API-KEY")
    if sent is None:
        raise Problem(401, "Authorization header is missing")
    if sent != API_KEY:
        raise Problem(401, "Invalid API key, please visit https://e2b.dev/docs/api-key for more information.")
    return await asyncio.shield(asyncio.ensure_future(handler(request)))


async def body_of(request: web.Request) -> dict[str, Any]:
    """Raises Problem."""
    try:
        found = json.loads(await request.read() or b"{}")
    except ValueError as e:
        raise Problem(400, f"Error when parsing request: {e}") from None
    if not isinstance(found, dict):
        raise Problem(400, "Error when parsing request: an object is wanted")
    return found


def short(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "templateID": sandbox.template,
        "sandboxID": sandbox.id,
        "clientID": "6532622b",
        "envdVersion": ENVD_VERSION,
        "envdAccessToken": sandbox.token,
        "trafficAccessToken": None,
        "domain": None,
    }


def listed(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "templateID": sandbox.template,
        "sandboxID": sandbox.id,
        "clientID": "6532622b",
        "startedAt": _time(sandbox.started_at),
        "endAt": _time(sandbox.end_at),
        "cpuCount": 2,
        "memoryMB": 512,
        "diskSizeMB": 10240,
        "state": sandbox.state,
        "metadata": sandbox.metadata,
        "envdVersion": ENVD_VERSION,
    }


def detailed(sandbox: Sandbox) -> dict[str, Any]:
    network = {name: value for name, value in sandbox.network.items() if name != "allow_internet_access"}
    return listed(sandbox) | {
        "envdAccessToken": sandbox.token,
        "allowInternetAccess": sandbox.network.get("allow_internet_access"),
        "network": network,
        "lifecycle": {"onTimeout": sandbox.on_timeout, "autoResume": sandbox.auto_resume},
        "domain": None,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def page(request: web.Request, items: list[dict[str, Any]]) -> web.Response:
    """As many as asked for; the rest by the token in `x-next-token`, which is where it begins."""
    start, limit = int(request.query.get("nextToken", 0)), int(request.query.get("limit", 100))
    headers = {"x-next-token": str(start + limit)} if start + limit < len(items) else {}
    return web.json_response(items[start : start + limit], headers=headers)


class Keys:
    """Idempotency keys: a repeated one gets the first answer again, whatever became of the sandbox."""

    def __init__(self) -> None:
        self.used: dict[str, tuple[bytes, dict[str, Any] | None]] = {}

    def look(self, key: str, body: bytes) -> dict[str, Any] | None:
        first, answer = self.used.get(key, (body, None))
        if first != body:
            raise Problem(
                422,
                "Idempotency key was already used with a different request",
                error_code="idempotency_request_mismatch",
            )
        if key in self.used and answer is None:
            raise Problem(
                409, "A request with this idempotency key is in progress", error_code="idempotency_in_progress"
            )
        return answer


KEYS: web.AppKey[Keys] = web.AppKey("keys", Keys)


@routes.post("/v2/sandboxes")
async def create(request: web.Request) -> web.Response:
    keys, key, asked = request.app[KEYS], request.headers.get("Idempotency-Key"), await body_of(request)
    raw = json.dumps(asked, sort_keys=True).encode()
    if key and (answer := keys.look(key, raw)):
        return web.json_response(answer, status=201)
    if key:
        keys.used[key] = raw, None
    try:
        answer = short(await request.app[CLOUD].create(asked))
    except BaseException:
        if key:
            del keys.used[key]
        raise
    if key:
        keys.used[key] = raw, answer
    return web.json_response(answer, status=201)


@routes.get("/v2/sandboxes")
async def list_sandboxes(request: web.Request) -> web.Response:
    query = request.query
    wanted = wanted_metadata(query.get("metadata", ""))
    states = query.get("state", "running,paused").split(",")
    found = [
        s
        for s in request.app[CLOUD].sandboxes.values()
        if s.state in states
        and wanted.items() <= dict(s.metadata).items()
        and query.get("template") in (None, s.template)
    ]
    found.sort(key=lambda s: s.started_at, reverse=query.get("order") != "asc")
    return page(request, [listed(s) for s in found])


def wanted_metadata(query: str) -> dict[str, str]:
    """The SDKs encode each name and value, and then the query they make of them."""
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    return {urllib.parse.unquote(name): urllib.parse.unquote(value) for name, value in pairs}


@routes.get("/sandboxes/{id}")
async def get(request: web.Request) -> web.Response:
    return web.json_response(detailed(request.app[CLOUD].sandbox(request.match_info["id"])))


@routes.delete("/sandboxes/{id}")
async def kill(request: web.Request) -> web.Response:
    await request.app[CLOUD].kill(request.match_info["id"])
    return web.Response(status=204)


@routes.post("/v2/sandboxes/{id}/connect")
async def connect(request: web.Request) -> web.Response:
    cloud, asked = request.app[CLOUD], await body_of(request)
    seconds = cloud.allowed(asked.get("timeout", DEFAULT_TIMEOUT))
    resumed = await cloud.connect(request.match_info["id"], seconds)
    return web.json_response(short(cloud.sandbox(request.match_info["id"])), status=201 if resumed else 200)


@routes.post("/sandboxes/{id}/timeout")
async def set_timeout(request: web.Request) -> web.Response:
    cloud, asked = request.app[CLOUD], await body_of(request)
    cloud.ends_in(cloud.running(request.match_info["id"]), cloud.allowed(asked["timeout"]))
    return web.Response(status=204)


@routes.post("/sandboxes/{id}/pause")
async def pause(request: web.Request) -> web.Response:
    if (await body_of(request)).get("memory") is False:
        raise Problem(501, "The stand-in does not pause without memory")
    await request.app[CLOUD].pause(request.match_info["id"])
    return web.Response(status=204)


@routes.put("/sandboxes/{id}/network")
async def set_network(request: web.Request) -> web.Response:
    request.app[CLOUD].set_network(request.match_info["id"], await body_of(request))
    return web.Response(status=204)


@routes.post("/sandboxes/{id}/snapshots")
async def snapshot(request: web.Request) -> web.Response:
    name = (await body_of(request)).get("name")
    made = await request.app[CLOUD].snapshot(request.match_info["id"], name)
    return web.json_response({"snapshotID": made, "names": [made] if name else []}, status=201)


@routes.get("/snapshots")
async def list_snapshots(request: web.Request) -> web.Response:
    found = request.app[CLOUD].templates.snapshots(request.query.get("sandboxID"), request.query.get("name"))
    return page(request, [{"snapshotID": t.snapshot_id, "names": [t.snapshot_id] if t.name else []} for t in found])


@routes.delete("/templates/{id}")
async def delete_template(request: web.Request) -> web.Response:
    await request.app[CLOUD].delete_template(request.match_info["id"])
    return web.Response(status=204)


@routes.get("/templates/aliases/{alias}")
async def alias(request: web.Request) -> web.Response:
    template = request.app[CLOUD].templates.find(request.match_info["alias"])
    return web.json_response({"templateID": template.id, "public": False})


@routes.post("/v3/templates")
async def request_build(request: web.Request) -> web.Response:
    template, build_id = request.app[CLOUD].templates.request_build(await body_of(request))
    names = {"names": [template.name], "aliases": [template.name], "tags": template.tags}
    answer: Mapping[str, Any] = {"templateID": template.id, "buildID": build_id, "public": False, **names}
    return web.json_response(answer, status=202)


@routes.get("/templates/{id}/files/{hash}")
async def files_of_build(request: web.Request) -> web.Response:
    return web.json_response({"present": True}, status=201)


@routes.post("/v2/templates/{id}/builds/{build}")
async def start_build(request: web.Request) -> web.Response:
    match = request.match_info
    request.app[CLOUD].templates.start_build(match["id"], match["build"], await body_of(request))
    return web.Response(status=202)


@routes.get("/templates/{id}/builds/{build}/status")
async def build_status(request: web.Request) -> web.Response:
    match, offset = request.match_info, int(request.query.get("logsOffset", 0))
    return web.json_response(request.app[CLOUD].templates.status(match["id"], match["build"], offset))
