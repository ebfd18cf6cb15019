"""The agent in each sandbox, by way of the proxy in front of them all: health, files, and the two RPC services."""

import asyncio
import base64
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import BasicAuth, web
from aiohttp.typedefs import Handler

from tests.e2b_cloud import files, rpc
from tests.e2b_cloud.cloud import Sandbox
from tests.e2b_cloud.keys import CLOUD
from tests.e2b_cloud.machine import HOME, PATH, Refused
from tests.e2b_cloud.problems import Problem, not_running
from tests.e2b_cloud.processes import Process

PORT = "49983"
KEEPALIVE_SECONDS = 90.0
USERS = ("user", "root")
UNAUTHORIZED = "unauthorized access, please provide a valid access token or method signing if supported"
SIGNALS = {"SIGNAL_SIGKILL": signal.SIGKILL, "SIGNAL_SIGTERM": signal.SIGTERM}

routes = web.RouteTableDef()


@web.middleware
async def proxied(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Finds the sandbox, and lets through who has its token. Its end or pause cuts the connection."""
    sandbox = await _running(request)
    if request.headers.get("E2b-Sandbox-Port", PORT) != PORT:
        raise Problem(502, "The sandbox is running but port is not open", sandboxId=sandbox.id)
    if request.path != "/health" and request.headers.get("X-Access-Token") != sandbox.token:
        raise Problem(401, UNAUTHORIZED)
    assert request.transport
    request["sandbox"], transport = sandbox, request.transport
    sandbox.connections.add(transport)
    try:
        return await handler(request)
    except Refused as e:
        return rpc.refused(e)
    finally:
        sandbox.connections.discard(transport)


async def _running(request: web.Request) -> Sandbox:
    cloud, sandbox_id = request.app[CLOUD], request.headers["E2b-Sandbox-Id"]
    sandbox = cloud.sandboxes.get(sandbox_id)
    if sandbox and sandbox.state == "paused" and sandbox.auto_resume:
        with contextlib.suppress(Problem):
            await cloud.connect(sandbox_id, 300)
    if sandbox is None or sandbox.state != "running":
        raise not_running(sandbox_id)
    return sandbox


@routes.get("/health")
async def health(request: web.Request) -> web.Response:
    return web.Response(status=204)


@routes.get("/files")
async def read_file(request: web.Request) -> web.StreamResponse:
    return await files.read(request, request["sandbox"])


@routes.post("/files")
async def write_file(request: web.Request) -> web.Response:
    return await files.write(request, request["sandbox"])


@routes.post("/process.Process/Start")
async def start(request: web.Request) -> web.StreamResponse:
    async with rpc.Stream(request) as stream, _deadline(request) as seconds:
        asked, sandbox, user = await rpc.message_of(request), request["sandbox"], _user(request)
        if "pty" in asked:
            raise Refused("unimplemented", "the stand-in has no terminals")
        config = asked["process"]
        starting = sandbox.processes.start(
            config,
            environment(sandbox, user) | config.get("envs", {}),
            asked.get("tag"),
            stdin=asked.get("stdin", True),
            network=sandbox.on_the_network,
            seconds=seconds,
        )
        process = await asyncio.shield(asyncio.ensure_future(starting))  # it starts, though its client may have left
        await _follow(request, stream, process)
    return stream.response


@routes.post("/process.Process/Connect")
async def attach(request: web.Request) -> web.StreamResponse:
    async with rpc.Stream(request) as stream, _deadline(request):
        selector = (await rpc.message_of(request))["process"]
        await _follow(request, stream, request["sandbox"].processes.find(selector, over=True))
    return stream.response


@contextlib.asynccontextmanager
async def _deadline(request: web.Request) -> AsyncIterator[float | None]:
    """The client's, in seconds. Beyond it the stream ends."""
    seconds = int(request.headers.get("Connect-Timeout-Ms", 0)) / 1000 or None
    try:
        async with asyncio.timeout(seconds):
            yield seconds
    except TimeoutError:
        raise Refused("deadline_exceeded", "context deadline exceeded") from None


async def _follow(request: web.Request, stream: rpc.Stream, process: Process) -> None:
    ping = float(request.headers.get("Keepalive-Ping-Interval", KEEPALIVE_SECONDS))
    with process.listen() as events:
        if process.end:
            events.put_nowait(process.end)
        event: Mapping[str, Any] = {"start": {"pid": process.pid}}
        while True:
            await stream.send({"event": rpc.encoded(event)})
            if "end" in event:
                return
            try:
                event = await asyncio.wait_for(events.get(), ping)
            except TimeoutError:
                event = {"keepalive": {}}


@routes.post("/process.Process/List")
async def list_processes(request: web.Request) -> web.Response:
    live = request["sandbox"].processes.live.values()
    tagged = [{"config": p.config, "pid": p.pid} | ({"tag": p.tag} if p.tag else {}) for p in live]
    return web.json_response({"processes": tagged})


@routes.post("/process.Process/SendSignal")
async def send_signal(request: web.Request) -> web.Response:
    asked, processes = await rpc.message_of(request), request["sandbox"].processes
    process = processes.find(asked["process"])
    if (number := SIGNALS.get(asked["signal"])) is None:
        raise Refused("unimplemented", f"invalid signal: {asked['signal']}")
    await processes.signal(process, number)
    return web.json_response({})


@routes.post("/process.Process/SendInput")
async def send_input(request: web.Request) -> web.Response:
    asked = await rpc.message_of(request)
    await _feed(request["sandbox"].processes.find(asked["process"]), asked["input"])
    return web.json_response({})


@routes.post("/process.Process/CloseStdin")
async def close_stdin(request: web.Request) -> web.Response:
    process = request["sandbox"].processes.find((await rpc.message_of(request))["process"])
    if process.stdin:
        process.stdin.close()
        process.stdin = None
    return web.json_response({})


@routes.post("/process.Process/StreamInput")
async def stream_input(request: web.Request) -> web.StreamResponse:
    process: Process | None = None
    async with rpc.Stream(request) as stream:
        async for message in rpc.messages_of(request.content):
            if "start" in message:
                process = request["sandbox"].processes.find(message["start"]["process"])
            elif "data" in message and process:
                await _feed(process, message["data"]["input"])
        await stream.send({})
    return stream.response


async def _feed(process: Process, given: Mapping[str, str]) -> None:
    if "stdin" not in given:
        raise Refused("internal", "error writing to tty: tty not assigned to process")
    if process.stdin is None or process.stdin.is_closing():
        raise Refused("internal", "error writing to stdin: stdin not enabled or closed")
    try:
        process.stdin.write(base64.b64decode(given["stdin"]))
        await process.stdin.drain()
    except OSError as e:
        raise Refused("internal", f"error writing to stdin: {e}") from None


def environment(sandbox: Sandbox, user: str) -> dict[str, str]:
    """What every process of the sandbox has."""
    home = HOME if user == "user" else "/root"
    ours = {"PATH": PATH, "HOME": home, "USER": user, "LOGNAME": user, "E2B_SANDBOX": "true"}
    return ours | {"E2B_SANDBOX_ID": sandbox.id, "E2B_TEMPLATE_ID": sandbox.template} | dict(sandbox.envs)


def _user(request: web.Request) -> str:
    header = request.headers.get("Authorization")
    try:
        user = BasicAuth.decode(header).login if header else USERS[0]
    except ValueError:
        user = ""
    if user not in USERS:
        raise Refused("unauthenticated", f"invalid username: '{user}'")
    return user


def _filesystem(method: str, do: str, *names: str) -> None:
    @routes.post(f"/filesystem.Filesystem/{method}")
    async def handler(request: web.Request) -> web.Response:
        _user(request)
        asked = await rpc.message_of(request)
        reply, _ = await request["sandbox"].machine.ask(do, **{name: asked.get(name) or "" for name in names})
        return web.json_response(reply)


_filesystem("Stat", "stat", "path")
_filesystem("ListDir", "list_dir", "path", "depth")
_filesystem("MakeDir", "make_dir", "path")
_filesystem("Move", "move", "source", "destination")
_filesystem("Remove", "remove", "path")
