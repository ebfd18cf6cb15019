"""POST /webhook: verify, decide, record, answer. GitHub gets its 2xx only when what was asked is on disk.

Nothing unsigned is parsed or decompressed. The signature is checked here and not by gidgethub, which takes SHA-1, and crashes on a
signature that is no ASCII, on a missing event header and on JSON nested deep.
"""

import asyncio
import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from app.core.apart import apart
from app.core.task import Control, ThreadRequest
from app.trigger.policy import Access, access, decide
from app.web.body import check_type, json_object, read

log = logging.getLogger(__name__)

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub never sends more."""
READ_HERE = 1024 * 1024
"""Bytes; no comment makes a delivery larger."""
BODY_SECONDS = 10.0
"""Time for the whole body; GitHub itself gives a delivery ten seconds."""

DELIVERY = web.RequestKey("delivery", str)
TASK = web.RequestKey("task", str)
"""What the access log tells of a request."""

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})")
_DELIVERY_ID = re.compile(r"[A-Za-z0-9-]{1,80}")

Record = Callable[[ThreadRequest | Control], Awaitable[None]]
"""Returns when it is on disk, also where it was there before. Anything it raises is a 503."""
Changed = Callable[[Access], Awaitable[None]]
"""Takes what the App may do now; as Record."""


class Webhook:
    """`secrets`: any of them may have signed. `label`: the one that asks for work."""

    def __init__(
        self, secrets: Sequence[str], label: str, record: Record, changed: Changed, body_seconds: float = BODY_SECONDS
    ) -> None:
        if not secrets or not all(secrets):
            raise ValueError("a webhook without a secret would take anybody's word")
        self._keys = [secret.encode() for secret in secrets]
        self._label = label
        self._record = record
        self._changed = changed
        self._body_seconds = body_seconds

    async def receive(self, request: web.Request) -> web.Response:
        """202 once recorded, 204 where nothing is asked, 503 where it could not be recorded, else a 4xx that says why."""
        body = await self._signed_body(request)
        event, delivery = _names(request)
        request[DELIVERY] = delivery
        check_type(request)
        try:
            if len(body) > READ_HERE:
                asked, change = await apart(_understood, event, body, delivery, self._label)
            else:
                asked, change = _understood(event, body, delivery, self._label)
        except ValueError as e:
            raise web.HTTPBadRequest(text=str(e)) from None
        if asked:
            request[TASK] = asked.key
        try:
            if change:
                await self._changed(change)
            if asked is None:
                return web.Response(status=204)
            await self._record(asked)
        except Exception:
            what = asked.key if asked else event
            log.exception("not recorded: %s", what, extra={"task": what, "delivery": delivery})
            raise web.HTTPServiceUnavailable(text="not recorded; deliver it again") from None
        return web.json_response({"task": asked.key}, status=202)

    async def _signed_body(self, request: web.Request) -> bytes:
        claimed = _SIGNATURE.fullmatch(request.headers.get("X-Hub-Signature-256", ""))
        if not claimed:
            raise web.HTTPUnauthorized(text="X-Hub-Signature-256 is missing or malformed")
        body = await read(request, MAX_BODY, self._body_seconds)
        far = len(body) > READ_HERE
        if not (await asyncio.to_thread(self._signed, body, claimed[1]) if far else self._signed(body, claimed[1])):
            raise web.HTTPUnauthorized(text="the signature does not match")
        return body

    def _signed(self, body: bytes, claimed: str) -> bool:
        digests = [hmac.new(key, body, hashlib.sha256).hexdigest() for key in self._keys]
        return any(hmac.compare_digest(digest, claimed) for digest in digests)


def _understood(
    event: str, body: bytes, delivery: str, label: str
) -> tuple[ThreadRequest | Control | None, Access | None]:
    """What the delivery asks for, and what the App may do since. Raises ValueError for what GitHub would not send."""
    payload = json_object(body)
    return decide(event, payload, delivery, label=label), access(event, payload)


def _names(request: web.Request) -> tuple[str, str]:
    event = request.headers.get("X-GitHub-Event", "")
    delivery = request.headers.get("X-GitHub-Delivery", "")
    if not event or not _DELIVERY_ID.fullmatch(delivery):
        raise web.HTTPBadRequest(text="X-GitHub-Event or X-GitHub-Delivery is missing or malformed")
    return event, delivery
