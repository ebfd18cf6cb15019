"""Who may use `/code`: a bearer key; or, where none is set, any program on this machine and no page of another site."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from pydantic import SecretStr

from app.core.api_keys import NOBODY, ApiKey

LOCAL = ApiKey(name=NOBODY, key=SecretStr(""))
"""Who asks where no key is set."""

_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_BY_A_PROXY = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


class Gate:
    """`loopback_only`: nobody but this machine reaches the server. Without that and without keys there is no `/code` at all.

    `public_url`: the address that people's browsers have for this server, "" where it is the one it listens on.
    """

    def __init__(self, keys: Sequence[ApiKey], *, loopback_only: bool, public_url: str = "") -> None:
        self._keys = [(_digest(key.key.get_secret_value()), key) for key in keys]
        self._loopback_only = loopback_only
        self._public_origin = _origin(public_url)

    def caller(self, request: web.Request) -> ApiKey:
        """The key of this request. Raises web.HTTPException: 401, 403, or 404 where there is no `/code`."""
        if not self._keys and not self._loopback_only:
            raise web.HTTPNotFound
        self._refuse_other_sites(request)
        if self._keys:
            return self._bearer(request.headers.getall("Authorization", []))
        if not _LOCAL_HOST.fullmatch(request.headers.get("Host", "")) or not request.raw_path.startswith("/"):
            raise web.HTTPForbidden(text="Only programs on this machine may do this: address it as 127.0.0.1.")
        if any(name in request.headers for name in _BY_A_PROXY):
            raise web.HTTPForbidden(
                text="This came through a proxy: set BACKSPACE_API_KEYS, or ask this machine directly."
            )
        return LOCAL

    def _refuse_other_sites(self, request: web.Request) -> None:
        origins = request.headers.getall("Origin", [])
        host = request.headers.get("Host", "").lower()
        own = {f"http://{host}", f"https://{host}", self._public_origin}
        if any(not origin or origin.lower() not in own for origin in origins):
            raise web.HTTPForbidden(text="Pages of other sites may not do this.")

    def _bearer(self, headers: list[str]) -> ApiKey:
        scheme, _, given = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        digest = _digest(given.strip())
        found = [key for known, key in self._keys if hmac.compare_digest(known, digest)]  # all of them, whichever fits
        if scheme.lower() != "bearer" or not found:
            raise web.HTTPUnauthorized(
                text="Send `Authorization: Bearer KEY` with one of the server's keys.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return found[0]


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if url else ""


def signature(secret: bytes, task: str) -> str:
    """What makes a link to a task's patch good without a key: hex, for as long as the secret lives."""
    return hmac.new(secret, f"patch:{task}".encode(), hashlib.sha256).hexdigest()


def is_signed(secret: bytes, task: str, claimed: str) -> bool:
    return hmac.compare_digest(signature(secret, task).encode(), claimed.encode("utf-8", "surrogateescape"))
