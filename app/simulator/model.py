"""The Messages API of a model that plays scripts, over HTTP, and its control routes (`/_scripts`, `/_release`, `/_requests`).

It refuses what the real one refuses, so a client that gets along with it sends requests of the right shape.
"""

import hashlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from app.simulator.model_play import Holds, stream, whole
from app.simulator.model_refusals import refuse
from app.simulator.model_script import Fault, Script, find, first_user_text, reply
from app.simulator.model_seal import Seal
from app.simulator.model_usage import Cache, tokens

MAX_BODY = 32 * 1024 * 1024
RETIRED = ("claude-2", "claude-3", "claude-opus-4-2", "claude-sonnet-4-2", "claude-opus-4-1")
ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(Exception):
    """An error reply of the API."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


def make_model() -> web.Application:
    """The simulated API, to be mounted at a path of its own: that path is the client's base URL."""
    model = Model()
    app = web.Application(middlewares=[_errors])
    app.add_routes(
        [
            web.post("/v1/messages", model.messages),
            web.get("/v1/models/{id}", model.describe),
            web.post("/_scripts", model.add_script),
            web.post("/_release", model.release),
            web.get("/_requests", model.requests),
        ]
    )
    app.on_shutdown.append(model.holds.close)
    return app


class Model:
    """The scripts, the cache and the log of one simulated API."""

    def __init__(self) -> None:
        self.holds = Holds()
        self._scripts: dict[str, Script] = {}
        self._broken: Counter[tuple[str, int]] = Counter()
        self._cache = Cache()
        self._log: list[dict[str, Any]] = []

    async def add_script(self, request: web.Request) -> web.Response:
        """POST {"match", "turns", "repeat_last"?}: plays from now on where `match` stands in the first user message."""
        try:
            script = Script.model_validate_json(await _read(request))
        except ValueError as e:
            raise ApiError(400, f"script: {e}") from None
        self._scripts[script.match] = script
        self._broken = Counter({key: n for key, n in self._broken.items() if key[0] != script.match})
        self.holds.forget(script.match)
        return web.json_response({"turns": len(script.turns)}, status=201)

    async def release(self, request: web.Request) -> web.Response:
        """POST {"match"}: lets the turns go on that are held now; answers how many requests waited."""
        return web.json_response({"released": self.holds.release((await request.json())["match"])})

    async def requests(self, request: web.Request) -> web.Response:
        """GET ?match=: every request so far, in order, without keys."""
        match = request.query.get("match")
        return web.json_response([entry for entry in self._log if match is None or entry["match"] == match])

    async def describe(self, request: web.Request) -> web.Response:
        """GET /v1/models/{id}."""
        _authorize(request)
        name = _known(request.match_info["id"])
        return web.json_response(
            {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        )

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/messages."""
        entry = self._enter(request)
        try:
            _authorize(request)
            body = entry["body"] = await _json(request)
            if problem := refuse(body):
                raise ApiError(400, problem)
            script, number = self._find(body)
            entry.update(model=body["model"], messages=len(body["messages"]), match=script.match, turn=number)
            fault = self._fault(script, number)
            entry["fault"] = fault.kind if fault else None
            if fault and fault.kind == "status":
                raise ApiError(fault.status, "This error is in the script.", fault.retry_after)
            message = self._message(script, number, body)
        except ApiError as e:
            entry.update(status=e.status, done=True)
            raise
        entry.update(usage=message["usage"], status=200)
        turn = script.turn(number)
        try:
            if body.get("stream"):
                return await stream(self.holds, request, message, (script.match, number), turn, fault)
            return await whole(self.holds, request, message, (script.match, number), turn)
        finally:
            entry["done"] = True

    def _enter(self, request: web.Request) -> dict[str, Any]:
        keys = ("authorization", "x-api-key")
        entry: dict[str, Any] = {"n": len(self._log), "at": time.time(), "done": False}
        entry |= dict.fromkeys(("match", "turn", "model", "messages", "usage", "status", "fault", "body"))
        entry["headers"] = {k.lower(): v for k, v in request.headers.items() if k.lower() not in keys}
        self._log.append(entry)
        return entry

    def _find(self, body: dict[str, Any]) -> tuple[Script, int]:
        """The script for this request, and the number of the turn that it asks for."""
        _known(body["model"])
        text = first_user_text(body)
        script = find(self._scripts.values(), text)
        if script is None:
            known = ", ".join(sorted(self._scripts)) or "there are none"
            raise ApiError(404, f"no script: looked for {known} in the first user message, which begins {text[:200]!r}")
        return script, sum(message["role"] == "assistant" for message in body["messages"])

    def _fault(self, script: Script, number: int) -> Fault | None:
        fault, key = script.turn(number).fault, (script.match, number)
        if fault is None or self._broken[key] >= fault.times:
            return None
        self._broken[key] += 1
        return fault

    def _message(self, script: Script, number: int, body: dict[str, Any]) -> dict[str, Any]:
        summarized = (body.get("thinking") or {}).get("display") == "summarized"
        blocks, stop_reason = reply(script, number, body["max_tokens"], summarized)
        output = sum(tokens(block) for block in blocks)
        seal = Seal.after(body)
        for block in blocks:
            if block["type"] == "thinking":
                block["signature"] = seal.sign(block["thinking"])
            seal.read("assistant", block)
        return {
            "id": "msg_" + hashlib.sha256(f"{script.match}\0{number}".encode()).hexdigest()[:24],
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": blocks,
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": self._cache.usage(body, time.monotonic()) | {"output_tokens": output},
        }


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as e:
        error = {"type": ERRORS.get(e.status, "api_error"), "message": str(e)}
        headers = {} if e.retry_after is None else {"Retry-After": f"{e.retry_after:g}"}
        return web.json_response({"type": "error", "error": error}, status=e.status, headers=headers)


def _authorize(request: web.Request) -> None:
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
    if (bearer or request.headers.get("x-api-key", "")) in ("", "invalid"):
        raise ApiError(401, "invalid x-api-key")


async def _read(request: web.Request) -> bytes:
    """The body, by the limit of this API and not by that of the application it is mounted in."""
    try:
        return await request.clone(client_max_size=MAX_BODY).read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request exceeds the maximum size") from None


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await _read(request))
    except ValueError:
        raise ApiError(400, "The request body is not valid JSON.") from None


def _known(model: str) -> str:
    if not model.startswith("claude-") or model.startswith(RETIRED):
        raise ApiError(404, f"model: {model}")
    return model
