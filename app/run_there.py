"""A task on a server, by its `/code`: asked for once, however often the connection or the server itself is lost meanwhile."""

import asyncio
import contextlib
import json
import os
import ssl
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from pydantic import ValidationError

from app.core.errors import UserError
from app.core.events import EVENT, Done, Entry

SILENCE = 60.0
"""Seconds without a byte after which a connection counts as lost; the server says something each 15."""
PATIENCE = 600.0
"""Seconds that a server may not answer, once it has taken the task."""
FIRST_PATIENCE = 15.0
"""And before: where its address is wrong, nobody wants to wait longer."""
LONGEST_PAUSE = 10.0
LINE = 1 << 24
"""Bytes of an event at most."""
OVER = 204
"""There is nothing behind what was read: the last event was one that this version does not know."""
NO_KEY = 401
TOO_MUCH = 429
"""Of ours it says that too many tasks of the key are open; of a proxy, that it takes no more requests now."""
AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""What a server, or something before it, answers while it will pass."""

Say = Callable[[str], None]


class Unheard(UserError):
    """Of a task that began, or may have: how it ends was not heard."""


class There:
    def __init__(self, session: aiohttp.ClientSession, server: str, sent: dict[str, str], say: Say) -> None:
        self._session = session
        self._say = say
        self._server = server
        self._sent = sent
        self._once = uuid.uuid4().hex
        self._address = ""
        self._behind = ""

    @property
    def task(self) -> str:
        return self._address.rpartition("/")[2]

    @property
    def left(self) -> str:
        """What becomes of the task where nobody looks any more."""
        return f"The task goes on: {self._address}" if self._address else "The server may have begun already."

    async def entries(self) -> AsyncIterator[Entry]:
        """Each event once, up to `Done`. Raises UserError where the server refuses, or does not answer for long; Unheard
        where it may have taken the task all the same."""
        heard, pause, reached = time.monotonic(), 0.0, False
        while True:
            try:
                async with contextlib.aclosing(self._stream()) as stream:
                    async for entry in stream:
                        heard, pause = time.monotonic(), 0.0
                        self._behind = entry.id
                        yield entry
                        if isinstance(entry.event, Done):
                            return
                why = "the stream ended early"
            except UserError as e:
                raise Unheard(str(e)) if self._address else e from None
            except (aiohttp.ClientError, TimeoutError, _Passing) as e:
                why = _why(e)
                reached = reached or not isinstance(e, aiohttp.ClientConnectorError)
            if time.monotonic() - heard > (PATIENCE if self._address else FIRST_PATIENCE):
                problem = f"{self._server} does not answer: {why}."
                raise Unheard(f"{problem} {self.left}") if self._address or reached else UserError(problem)
            if not pause:
                self._say(f"No answer from {self._server}, trying again: {why}.")
            pause = min(2 * pause, LONGEST_PAUSE) or 0.5
            await asyncio.sleep(pause)

    async def _stream(self) -> AsyncGenerator[Entry, None]:
        """One connection's events. The key makes it one task; `Last-Event-ID` goes on behind what was seen."""
        headers = {"Last-Event-ID": self._behind} if self._behind else {"Idempotency-Key": self._once}
        async with self._session.post(
            f"{self._server}/code", json=self._sent, headers=headers, allow_redirects=False
        ) as reply:
            await _check(reply)
            if reply.status == OVER:
                raise UserError(f"The task is over, and its end was not understood here: see {self._address}")
            self._address = self._server + reply.headers.get("Location", "")
            named = ""
            async for line in reply.content:
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "id":
                    named = value
                elif field == "data" and (entry := _entry(named, value)):
                    yield entry

    async def stop(self) -> None:
        """Raises UserError where the server refuses."""
        while True:
            try:
                if self._address:
                    async with self._session.delete(self._address, allow_redirects=False) as reply:
                        await _check(reply)
                    return
            except (aiohttp.ClientError, TimeoutError, _Passing):
                pass
            await asyncio.sleep(0.5)

    async def patch(self) -> bytes | None:
        """What the task changed; None where the server has nothing. Raises UserError where it does not answer now."""
        address = f"{self._address}/patch"
        try:
            async with self._session.get(address, allow_redirects=False) as reply:
                if reply.status == 404:
                    return None
                await _check(reply)
                return await reply.read()
        except (aiohttp.ClientError, TimeoutError, _Passing) as e:
            raise UserError(f"The work is at {address}, and can't be had now: {_why(e)}.") from e

    @property
    def kept(self) -> str:
        return f"The server has it: {self._address}/patch"

    async def close(self) -> None:
        """The server keeps what there is."""


class _Passing(Exception):
    """The server can't answer now."""


@asynccontextmanager
async def there(server: str, key: str, sent: dict[str, str], say: Say) -> AsyncIterator[There]:
    """`sent`: the body of `POST /code`. `key`: one of the server's, "" where it has none. Raises UserError."""
    if not server.startswith(("http://", "https://")):
        raise UserError("--server takes the address of a Backspace server, https://…")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENCE)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, read_bufsize=LINE) as session:
        yield There(session, server.rstrip("/"), sent, say)


async def _check(reply: aiohttp.ClientResponse) -> None:
    """Raises UserError for a refusal, in the server's words, and _Passing for what is none."""
    if reply.status == NO_KEY:
        raise UserError(f"{reply.url.origin()} wants one of its keys: set BACKSPACE_API_KEY, or give --key.")
    problem = await _problem(reply) if reply.status >= 300 else None
    if reply.status in AGAIN and not (reply.status == TOO_MUCH and problem):
        raise _Passing(f"it says {reply.status}")
    if reply.status >= 300:
        raise UserError(problem or f"{reply.url.origin()} answered {reply.status}; is that a Backspace server?")


async def _problem(reply: aiohttp.ClientResponse) -> str | None:
    """The server's own words; None where they are those of something before it."""
    try:
        return str(json.loads(await reply.text())["error"])
    except (ValueError, KeyError, TypeError):
        return None


def _why(error: Exception) -> str:
    """In the words of the operating system where there was no connection, without those of the library around them."""
    if not isinstance(error, aiohttp.ClientConnectorError):
        return str(error) or type(error).__name__
    cause = error.os_error
    if cause.errno is None or cause.errno < 0 or isinstance(cause, ssl.SSLError):
        return cause.strerror or str(cause)
    return os.strerror(cause.errno)


def _entry(named: str, data: str) -> Entry | None:
    """None for an event that only a newer version knows; of one that we know, what a newer version adds is left out."""
    try:
        return Entry(id=named, at=time.time(), event=EVENT.validate_json(data, extra="ignore"))
    except ValidationError:
        return None
