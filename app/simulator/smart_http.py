"""Clone, fetch and push: `git http-backend` behind GitHub's checks."""

import asyncio
import base64
import binascii
import contextlib
from pathlib import Path

from aiohttp import web

from app.simulator import auth, git
from app.simulator.keys import WORLD
from app.simulator.problems import Problem
from app.simulator.state import Repository, Token, UserToken

CHUNK = 1 << 16


def add_routes(app: web.Application) -> None:
    path = "/{owner}/{repo}.git"
    app.router.add_get(path + "/info/refs", serve)
    app.router.add_post(path + "/{service:git-(upload|receive)-pack}", serve)


async def serve(request: web.Request) -> web.StreamResponse:
    try:
        repository = _permitted(request)
    except Problem as problem:
        return _plain(problem)
    tail = "/" + request.path.split(".git/", 1)[1]
    environment = git.environment({
        "PATH_INFO": tail,
        "PATH_TRANSLATED": f"{repository.path}{tail}",
        "QUERY_STRING": request.query_string,
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": "git",
    })  # fmt: skip
    return await _run(request, repository.path, environment)


async def _run(request: web.Request, path: Path, environment: dict[str, str]) -> web.StreamResponse:
    """One CGI call. Its header comes first, then the body as it is made."""
    process = await asyncio.create_subprocess_exec(
        "git", "http-backend", cwd=path, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    feeding = asyncio.create_task(_feed(request, process.stdin))
    try:
        reply = web.StreamResponse()
        while line := (await process.stdout.readline()).strip():
            name, _, value = line.decode().partition(": ")
            if name == "Status":
                reply.set_status(int(value.split()[0]))
            else:
                reply.headers[name] = value
        await reply.prepare(request)
        while chunk := await process.stdout.read(CHUNK):
            await reply.write(chunk)
        await reply.write_eof()
        return reply
    finally:
        feeding.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _feed(request: web.Request, stdin: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # git may have heard enough
        async for chunk in request.content.iter_chunked(CHUNK):
            stdin.write(chunk)
            await stdin.drain()
    stdin.close()


def _permitted(request: web.Request) -> Repository:
    """The repository, where these credentials may do this in it. Raises Problem."""
    world, full_name = request.app[WORLD], f"{request.match_info['owner']}/{request.match_info['repo']}"
    repository = world.repository(full_name) or world.renamed(full_name)
    push = "git-receive-pack" in (request.query.get("service"), request.match_info.get("service"))
    token = _token(request)
    if token is None:
        if repository is None or repository.private or push:
            raise Problem(401, "Authentication required.")
        return repository
    suspended = isinstance(token, Token) and token.installation.suspended_at
    if repository is None or not token.rights(repository) or suspended or repository.ready_at > world.now():
        raise Problem(404, "Repository not found.")
    if not auth.permits(token, repository, "contents:write" if push else "contents:read"):
        raise Problem(403, f"Permission to {repository.full_name}.git denied to {token.author.login}.")
    if push and repository.archived:
        raise Problem(403, "This repository was archived so it is read-only.")
    return repository


def _token(request: web.Request) -> Token | UserToken | None:
    """The token given as the password of Basic authentication; None where nothing is given. Raises Problem."""
    world = request.app[WORLD]
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return None
    try:
        password = base64.b64decode(value).decode().partition(":")[2] if scheme.lower() == "basic" else value
    except (binascii.Error, UnicodeDecodeError):
        password = ""
    token = request["token"] = auth.find_token(world, password)
    if token is None or not auth.is_alive(token, world):
        raise Problem(401, "Invalid username or token. Password authentication is not supported for Git operations.")
    return token


def _plain(problem: Problem) -> web.Response:
    """What git shows to people is text."""
    headers = {"WWW-Authenticate": 'Basic realm="GitHub"'} if problem.status == 401 else {}
    return web.Response(status=problem.status, text=problem.message + "\n", headers=headers)
