"""One turn of the model, over the Messages API. The only file that imports `anthropic`.

The SDK retries a request and never a stream that broke, so its retries are off: one policy here covers both, with one count.
The events are read raw, because what goes back to the API must be what came from it.
"""

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic, AsyncStream, DefaultAioHttpClient

from app.agent.breaker import AccountRefused, Breaker
from app.agent.budget import TurnUsage, tokens_at_most
from app.agent.reply import Cut, Reply, Turn
from app.core.errors import Transient, UserError

AGAIN = 2
"""A turn is asked again at once at most this often: what needs more patience is the caller's, whose waits are recorded and shown."""
LONGEST_WAIT = 2.0
"""Seconds; a server that wants more time (Retry-After) gets it from the caller, too."""
FASTEST = 500
"""Tokens a second: no model writes faster, so a reply that was cut has no more than this."""
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout)
Room = Callable[[TurnUsage, int], Awaitable[int]]
"""Output tokens that the next request may write, given what this turn has lost so far, and in how many requests; 0: none is sent."""
MARK = {"type": "ephemeral"}
Body = dict[str, Any]
STATUS = {
    "invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403,
    "not_found_error": 404, "request_too_large": 413,
}  # fmt: skip
SAID = 300
"""Characters that are told of an error: what stands between us and the API may answer with a page."""
TOO_LONG = re.compile(r"too long|context (length|window|limit)", re.IGNORECASE)


class TurnLost(Transient):
    """No whole reply could be had. What was spent on it still counts: see `Tries`."""


class Claude:
    """The model: one client for every run. It must be one with adaptive thinking.

    `idle` is how many seconds a stream may be silent, `backoff` how many lie between the first two requests (then twice as many).
    """

    def __init__(self, api_key: str, base_url: str, model: str, *, idle: float = 120.0, backoff: float = 1.0) -> None:
        self.model = model
        self._backoff = backoff
        self._account = Breaker()
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=anthropic.Timeout(idle, connect=10.0),
            http_client=DefaultAioHttpClient(),
        )

    async def close(self) -> None:
        await self._client.close()

    async def check(self) -> None:
        """Raises UserError where the key or the model is refused, Transient where the API can't be reached."""
        try:
            await self._client.models.retrieve(self.model)
        except anthropic.APIStatusError as e:
            raise self._verdict(e.status_code, e.api_message or e.message) or Transient(_line(str(e))) from None
        except (anthropic.APIConnectionError, httpx2.HTTPError) as e:
            raise Transient(f"The Messages API can't be reached ({e}).") from None

    async def turn(
        self,
        *,
        system: str,
        tools: list[dict[str, Any]],
        messages: list[dict[str, Any]],
        room: Room,
        tries: "Tries",
        seconds: float,
    ) -> Turn:
        """Ask for the next reply, again where it is cut. Cancelling it closes the stream.

        `room` is asked before each request, so a turn that is cut again and again costs no more than one that is not.
        `tries` counts along, so that what was used is known however this ends. `seconds` bounds all requests together.
        Raises UserError (key, credit, model or length), and TurnLost where time, tries or tokens are over.
        """
        body = _body(self.model, system, tools, messages)
        try:
            async with asyncio.timeout(seconds):
                return await self._until_whole(body, room, tries)
        except TimeoutError:
            raise TurnLost(f"The model did not finish its reply within {seconds:.0f} seconds.") from None

    async def _until_whole(self, body: Body, room: Room, tries: "Tries") -> Turn:
        while True:
            max_tokens = await room(tries.discarded, tries.requests)
            if max_tokens <= 0:
                raise TurnLost("There is too little left of the limits to ask the model again.")
            self._account.check()
            try:
                return await self._once(body | {"max_tokens": max_tokens}, tries)
            except AccountRefused as e:
                self._account.refused(e)
                raise
            except _Again as e:
                if tries.requests > AGAIN or (e.retry_after or 0) > LONGEST_WAIT:
                    raise TurnLost(f"The model gave no whole reply ({e}).", e.retry_after) from None
                await asyncio.sleep(self._pause(tries.requests, e.retry_after))

    async def _once(self, body: Body, tries: "Tries") -> Turn:
        reply, began = Reply(), time.monotonic()
        tries.requests += 1
        try:
            async with aclosing(self._events(body)) as events:
                async for event in events:
                    reply.feed(event)
                    if reply.over:
                        break
            reply.check()
        except anthropic.APIStatusError as e:
            # Refused as a whole: nothing was written, nothing is billed.
            raise self._verdict(e.status_code, e.api_message or e.message) or _Again.of(e) from None
        except BaseException as e:
            if not isinstance(e.__cause__, NEVER_SENT):
                tries.discarded += _at_most(reply, body, time.monotonic() - began)
            if isinstance(e, _StreamError):
                raise self._verdict(e.status, str(e)) or _Again(str(e)) from None
            if isinstance(e, Cut | anthropic.APIConnectionError | httpx2.HTTPError):
                raise _Again(f"{type(e).__name__}: {e}") from None
            raise
        finally:
            tries.seconds += time.monotonic() - began
        return Turn(
            content=reply.content,
            stop_reason=reply.stop_reason,
            usage=reply.usage or _at_most(reply, body, time.monotonic() - began),
            id=reply.id,
            model=reply.model,
            requests=tries.requests,
            discarded=tries.discarded,
        )

    async def _events(self, body: Body) -> AsyncGenerator[dict[str, Any], None]:
        async with self._client.messages.with_streaming_response.create(**body, stream=True) as response:
            self._account.accepted()
            async for sse in AsyncStream.raw_events(response.http_response):
                try:
                    event = json.loads(sse.data)
                except (ValueError, RecursionError):
                    raise Cut("an event is no JSON") from None
                if sse.event == "error":
                    raise _StreamError(event)
                yield event

    def _pause(self, requests: int, retry_after: float | None) -> float:
        """Seconds until the next request. Spread, so that runs that failed together don't come back together."""
        if retry_after is not None:
            return retry_after + random.uniform(0.1, 0.5) * self._backoff
        return self._backoff * 2.0 ** (requests - 1) * random.uniform(0.75, 1)

    def _verdict(self, status: int, message: str) -> Exception | None:
        """What a status means to people; None where another try may help."""
        match status:
            case 401 | 403:
                return AccountRefused("The model's key was refused (ANTHROPIC_API_KEY): tell your operator.")
            case 400 | 402 if status == 402 or "credit balance" in message:
                return AccountRefused("The model's account has no credit left: tell your operator.")
            case 404:
                return UserError(
                    f"BACKSPACE_MODEL is {self.model}, which was not found ({_line(message)}): tell your operator."
                )
            case 400 | 413 if status == 413 or TOO_LONG.search(message):
                return UserError("The work grew too long for the model: ask again for a smaller part of it.")
            case 407 | 408 | 409 | 429:
                return None
            case _ if status >= 500:
                return None
        return RuntimeError(f"the Messages API refused our request with {status}: {_line(message)}")


class Tries:
    """What one turn has used so far: requests that were sent, the seconds that they took, and an upper estimate of what was cut or lost."""

    def __init__(self) -> None:
        self.requests = 0
        self.seconds = 0.0
        self.discarded = TurnUsage()


class _Again(Exception):
    """This request gave no reply and another may."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(_line(message))
        self.retry_after = retry_after

    @classmethod
    def of(cls, error: anthropic.APIStatusError) -> "_Again":
        after = error.response.headers.get("retry-after", "")
        seconds = float(after) if re.fullmatch(r"\d{1,9}(\.\d+)?", after) else None
        return cls(f"{error.status_code}: {error.api_message or error.message}", seconds)


class _StreamError(Exception):
    """An error event in a stream that began with 200."""

    def __init__(self, event: Any) -> None:
        error = event.get("error") if isinstance(event, dict) else None
        kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, None)
        super().__init__(f"{kind}: {message}")
        self.status = STATUS.get(str(kind), 529)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAID else f"{line[: SAID - 1]}…"


def _at_most(reply: Reply, body: Body, seconds: float) -> TurnUsage:
    """Upper estimate of a request that was cut: its prompt as the API counted it, or else as if all of it were written to the cache."""
    prompt = reply.usage or TurnUsage(cache_write=tokens_at_most(json.dumps(body, ensure_ascii=False)))
    return prompt.model_copy(
        update={"output": min(body["max_tokens"], max(prompt.output, int(seconds * FASTEST) + FASTEST))}
    )


def _body(model: str, system: str, tools: list[dict[str, Any]], messages: list[dict[str, Any]]) -> Body:
    """The request, but for `max_tokens`. Its prefix is the same bytes in every turn of a run, and three places in it are cached:

    the tools with the system prompt, which other runs share; the end of the turn before, so that it is found again however many
    blocks this turn added (the API looks back over twenty); and the end, for the turn after.
    """
    return {
        "model": model,
        "system": [{"type": "text", "text": system, "cache_control": MARK}],
        "tools": sorted(tools, key=lambda tool: str(tool["name"])),
        "messages": _marked(messages),
        "cache_control": MARK,
        "thinking": {"type": "adaptive", "display": "summarized"},
    }


def _marked(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with a mark where the request before this one ended."""
    end = max((i for i, message in enumerate(messages) if message["role"] == "assistant"), default=0) - 1
    if end < 0:
        return messages
    content = messages[end]["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    marked = [*blocks[:-1], blocks[-1] | {"cache_control": MARK}]
    return [*messages[:end], messages[end] | {"content": marked}, *messages[end + 1 :]]
