"""The body of a request: read within limits, never decompressed, and taken for JSON only where it says so."""

import asyncio
import json
from typing import Any

from aiohttp import web


async def read(request: web.Request, limit: int, seconds: float) -> bytes:
    """The whole body. Raises web.HTTPException: 413 past `limit` bytes, 408 past `seconds`, 400 where it broke off."""
    if (request.content_length or 0) > limit:
        raise _too_large(limit, request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit, len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="the body came too slowly") from None
    except (web.RequestPayloadError, ConnectionError):
        raise web.HTTPBadRequest(text="the body broke off") from None
    return bytes(body)


def _too_large(limit: int, size: int) -> web.HTTPException:
    return web.HTTPRequestEntityTooLarge(limit, size, text=f"the body is too large: at most {limit:,} bytes are taken")


def check_type(request: web.Request) -> None:
    """Raises web.HTTPException (415, 400) where the body does not say that it is plain JSON in UTF-8."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="set Content-Type to application/json")
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="no Content-Encoding is taken")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise web.HTTPBadRequest(text="the charset must be utf-8")


def json_object(body: bytes) -> dict[str, Any]:
    """Raises ValueError for anything else, however deep it is nested; the message is for whoever sent it."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
