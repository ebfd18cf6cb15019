"""`/code`: the same work as for a comment, asked for directly and streamed. A client that goes away stops nothing; DELETE does."""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from app.core.api_keys import ApiKey
from app.core.errors import Refusal, Transient, UserError
from app.core.events import Entry
from app.core.task import Asked
from app.web import body, target
from app.web.keys import Gate, is_signed
from app.web.sse import NO_TASK, START, Place, Streams, parse_id
from app.web.webhook import TASK

MAX_BODY = 1024 * 1024
"""Bytes."""
BODY_SECONDS = 10.0
"""Time for the whole body."""
RETRY_SECONDS = 10
"""What a client is told to wait where the trouble has no time of its own."""
MAX_PROMPT = 32_000
"""Characters."""

_TASK = re.compile(r"[a-z0-9-]{1,200}")
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class Desk(Protocol):
    """Where tasks are handed in and looked up."""

    async def ask(self, asked: Asked) -> str:
        """The task's key. It is on disk when this returns; the same caller and idempotency key give the same task and start nothing.

        Raises Refusal, UserError and Transient: nothing was begun then.
        """

    async def stop(self, task: str, caller: str) -> bool:
        """False where there is no such task."""

    async def read(self, task: str, after: int) -> tuple[list[Entry], int] | None:
        """See `app.web.sse.Read`."""

    async def repository_of(self, task: str) -> str | None:
        """`owner/name`; None where there is no such task."""

    async def patch(self, task: str) -> bytes | None:
        """What the task changed; None where there is nothing."""


class Code:
    """`server_url`: where repositories are. `link_secret`: signs links to patches."""

    def __init__(
        self,
        desk: Desk,
        gate: Gate,
        streams: Streams,
        *,
        server_url: str,
        link_secret: bytes,
        seconds: float = BODY_SECONDS,
    ) -> None:
        self._desk = desk
        self._gate = gate
        self._streams = streams
        self._server_url = server_url
        self._link_secret = link_secret
        self._seconds = seconds

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/code", self.ask),
            web.get("/code/{task}", self.follow, allow_head=False),
            web.delete("/code/{task}", self.stop),
            web.get("/code/{task}/patch", self.patch, allow_head=False),
        ]

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Start a task and stream it. With `Last-Event-ID` nothing is started: clients POST again whenever a stream ends."""
        key = self._gate.caller(request)
        behind = START
        if last := request.headers.get("Last-Event-ID", ""):
            named = parse_id(last)
            if named is None:
                raise web.HTTPBadRequest(text="Last-Event-ID names no event; leave it out to start a task.")
            task, behind = named
        else:
            task = await self._start(request, key)
        request[TASK] = task
        try:
            await self._check_may_see(key, task)  # an idempotency key may be of a time when this key was for others
            return await self._streams.follow(request, task, behind, {"Location": f"/code/{task}"})
        except Transient as e:
            raise _begun(task) from e

    async def _start(self, request: web.Request, key: ApiKey) -> str:
        body.check_type(request)
        sent = _sent(await body.read(request, MAX_BODY, self._seconds))
        asked = understood(sent, request.headers.get("Idempotency-Key"), key.name, self._server_url)
        if not key.may_name(asked.repo):
            raise Refusal(f"This key is not for {asked.repo}.", 403)
        return await self._desk.ask(asked.model_copy(update={"only": key.repositories}))

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """An id of another task, or none at all, gets everything."""
        _, task = await self._caller_and_task(request)
        named = parse_id(request.headers.get("Last-Event-ID", ""))
        behind: Place = named[1] if named and named[0] == task else START
        return await self._streams.follow(request, task, behind)

    async def stop(self, request: web.Request) -> web.StreamResponse:
        key, task = await self._caller_and_task(request)
        if not await self._desk.stop(task, key.name):
            raise web.HTTPNotFound(text=NO_TASK)
        return web.json_response({"task": task}, status=202)

    async def patch(self, request: web.Request) -> web.StreamResponse:
        """With a signed link (`?sig=`) for anybody who has it."""
        task = request.match_info["task"]
        if not is_signed(self._link_secret, task, request.query.get("sig", "")):
            await self._caller_and_task(request)
        patch = await self._desk.patch(task)
        if patch is None:
            raise web.HTTPNotFound(text="There is no patch of this task.")
        headers = {"Content-Disposition": f'attachment; filename="{task}.patch"'}
        return web.Response(body=patch, content_type="text/x-diff", headers=headers)

    async def _caller_and_task(self, request: web.Request) -> tuple[ApiKey, str]:
        """Whoever asks, and the task of the address, if they may see it."""
        key, task = self._gate.caller(request), request.match_info["task"]
        await self._check_may_see(key, task)
        request[TASK] = task
        return key, task

    async def _check_may_see(self, key: ApiKey, task: str) -> None:
        repository = await self._desk.repository_of(task) if _TASK.fullmatch(task) else None
        if repository is None or not key.may_name(repository):
            raise web.HTTPNotFound(text=NO_TASK)


def _sent(raw: bytes) -> dict[str, Any]:
    try:
        return body.json_object(raw)
    except ValueError as e:
        raise web.HTTPBadRequest(text=str(e)) from None


def _begun(task: str) -> web.HTTPException:
    address = f"/code/{task}"
    return web.HTTPServiceUnavailable(
        text=f"The task is there, and its events can't be read now: GET {address} later.",
        headers={"Location": address, "Retry-After": str(RETRY_SECONDS)},
    )


def understood(sent: Mapping[str, Any], idempotency_key: str | None, caller: str, server_url: str) -> Asked:
    """What a body asks for. Raises UserError, which says what to change."""
    unknown = sent.keys() - {"repo_url", "prompt", "branch"}
    if unknown:
        raise UserError("The body has a field that is not known; it takes repo_url, prompt and branch.")
    for name in ("repo_url", "prompt", "branch"):
        if not isinstance(sent.get(name, ""), str) and (name, sent[name]) != ("branch", None):
            raise UserError(f"{name} must be a string.")
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise UserError("Idempotency-Key must have 1 to 200 visible ASCII characters.")
    if not sent.get("repo_url"):
        raise UserError(f"repo_url is missing: the address of a repository, {server_url}/owner/name.")
    return Asked(
        repo=target.repository_of(sent["repo_url"], server_url),
        prompt=_prompt(sent.get("prompt", "")),
        branch=target.branch_of(sent["branch"]) if sent.get("branch") else "",
        caller=caller,
        idempotency_key=idempotency_key or "",
    )


def _prompt(text: str) -> str:
    if not text.strip():
        raise UserError(f"prompt is missing: 1 to {MAX_PROMPT:,} characters that say what to do.")
    if len(text) > MAX_PROMPT:
        raise UserError(f"prompt has {len(text):,} characters; at most {MAX_PROMPT:,} are taken.")
    if _NO_TEXT.search(text):
        raise UserError("prompt must be text: it holds a NUL or half a surrogate pair.")
    return text
