"""envd's file routes."""

import asyncio
import os
from collections.abc import AsyncIterator
from email.message import Message
from typing import Any

from aiohttp import BodyPartReader, web

from tests.e2b_cloud.cloud import Sandbox
from tests.e2b_cloud.machine import Refused
from tests.e2b_cloud.problems import STATUS, Problem

CHUNK = 256 << 10


async def read(request: web.Request, sandbox: Sandbox) -> web.StreamResponse:
    fd, _ = await _open(sandbox, request.query.get("path", ""), write=False)
    try:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.content_length = os.fstat(fd).st_size
        await response.prepare(request)
        while chunk := await asyncio.to_thread(os.read, fd, CHUNK):
            await response.write(chunk)
        await response.write_eof()
        return response
    finally:
        os.close(fd)


async def write(request: web.Request, sandbox: Sandbox) -> web.Response:
    """The body as it is, or one part of a form for each file."""
    path, written = request.query.get("path"), []
    if request.content_type == "application/octet-stream":
        if path is None:
            raise Problem(400, "path query parameter is required for raw body upload")
        written.append(await _write(request, sandbox, path, request.content.iter_chunked(CHUNK)))
    elif request.content_type.startswith("multipart/"):
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                written.append(await _write(request, sandbox, path or _name(part), _chunks(part)))
    else:
        expected = "expected multipart/form-data or application/octet-stream"
        raise Problem(400, f"unsupported content type: {request.content_type}, {expected}")
    return web.json_response(written)


async def _write(request: web.Request, sandbox: Sandbox, path: str, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
    fd, resolved = await _open(sandbox, path, write=True)
    try:
        async for chunk in chunks:
            await asyncio.to_thread(_write_all, fd, chunk)
        request.setdefault("written", []).append({"path": resolved, "size": os.fstat(fd).st_size})
    except OSError as e:
        raise Problem(507 if e.errno == 28 else 500, f"error writing file: {e.strerror}") from None
    finally:
        os.close(fd)
    return {"name": os.path.basename(resolved), "type": "file", "path": resolved}


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


async def _open(sandbox: Sandbox, path: str, *, write: bool) -> tuple[int, str]:
    try:
        reply, (fd,) = await sandbox.machine.ask("open", path=path, write=write)
    except Refused as e:
        raise Problem(STATUS[e.code], e.message) from None
    return fd, reply["path"]


def _name(part: BodyPartReader) -> str:
    """With its folders; aiohttp's own takes the first slash away."""
    header = Message()
    header["Content-Disposition"] = part.headers["Content-Disposition"]
    return header.get_filename("")


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield chunk
