"""`/_cloud`: what a test wants to know, to happen now, or to go wrong. JSON, no key."""

import contextlib
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from app.simulator.keys import FAULTS
from tests.e2b_cloud.cloud import Plan, Sandbox
from tests.e2b_cloud.control_plane import body_of, detailed
from tests.e2b_cloud.journal import JOURNAL
from tests.e2b_cloud.keys import CLOUD
from tests.e2b_cloud.policy import Policy

routes = web.RouteTableDef()


@routes.get("/_cloud/requests")
async def requests(request: web.Request) -> web.Response:
    return web.json_response(request.app[JOURNAL])


@routes.get("/_cloud/sandboxes")
async def sandboxes(request: web.Request) -> web.Response:
    return web.json_response([report(s) for s in request.app[CLOUD].sandboxes.values()])


def report(sandbox: Sandbox) -> dict[str, Any]:
    policy: Policy = sandbox.network
    return {
        "id": sandbox.id,
        "template": sandbox.template,
        "state": sandbox.state,
        "metadata": sandbox.metadata,
        "envs": sandbox.envs,
        "network": policy,
        "on_the_network": sandbox.on_the_network,
        "on_timeout": sandbox.on_timeout,
        "started_at": sandbox.started_at,
        "end_at": sandbox.end_at,
        "seconds_left": sandbox.end_at - time.time(),
        "disk": str(sandbox.disk),
        "connections": len(sandbox.connections),
        "processes": [p for pid in sandbox.machine.processes()[1:] if (p := process(pid))],
    }


def process(pid: int) -> dict[str, Any] | None:
    """As the host sees it; `pid` is the sandbox's number for it."""
    with contextlib.suppress(OSError, StopIteration):
        folder = Path(f"/proc/{pid}")
        numbers = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("NSpid:"))
        argv = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        environ = (folder / "environ").read_bytes().decode(errors="replace").split("\0")[:-1]
        network = os.readlink(folder / "ns/net") == os.readlink("/proc/self/ns/net")
        return {
            "pid": int(numbers.split()[-1]),
            "host_pid": pid,
            "argv": argv,
            "environ": environ,
            "on_the_network": network,
        }
    return None


@routes.get("/_cloud/templates")
async def templates(request: web.Request) -> web.Response:
    known = request.app[CLOUD].templates.known.values()
    return web.json_response([dataclasses.asdict(t) | {"disk": t.disk and str(t.disk)} for t in known])


@routes.put("/_cloud/plan")
async def plan(request: web.Request) -> web.Response:
    """The limits: what is not named is as at the beginning."""
    request.app[CLOUD].plan = Plan(**await body_of(request))
    return web.Response(status=204)


@routes.post("/_cloud/faults")
async def add_fault(request: web.Request) -> web.Response:
    return web.json_response({"id": request.app[FAULTS].add(await body_of(request)).id}, status=201)


@routes.get("/_cloud/faults")
async def faults(request: web.Request) -> web.Response:
    return web.json_response([{"id": f.id, "hits": f.hits} for f in request.app[FAULTS].known.values()])


@routes.delete("/_cloud/faults")
async def no_faults(request: web.Request) -> web.Response:
    """Who is held back goes on."""
    request.app[FAULTS].release_all()
    request.app[FAULTS].known.clear()
    return web.Response(status=204)


@routes.post("/_cloud/sandboxes/{id}/{order:expire|pause|resume|vanish|drop}")
async def order(request: web.Request) -> web.Response:
    cloud, sandbox_id = request.app[CLOUD], request.match_info["id"]
    match request.match_info["order"]:
        case "expire":
            await cloud.expire(cloud.sandbox(sandbox_id))
        case "pause":
            await cloud.pause(sandbox_id)
        case "resume":
            await cloud.connect(sandbox_id, 300)
        case "vanish":
            await cloud.kill(sandbox_id)
        case _:
            return web.json_response({"dropped": cloud.sandbox(sandbox_id).drop_connections()})
    return web.json_response({})


@routes.get("/_cloud/sandboxes/{id}")
async def detail(request: web.Request) -> web.Response:
    sandbox = request.app[CLOUD].sandbox(request.match_info["id"])
    return web.json_response(report(sandbox) | {"api": detailed(sandbox)})
