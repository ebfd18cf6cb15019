"""One way to send a request to GitHub's REST API, over gidgethub: versioned, bounded, retried where that is safe.

gidgethub gives the templates of addresses, the headers and the encoding. What it leaves open is decided here: errors of the
transport, replies that are not JSON, limits, redirects, a token that has run out. It never sees a failed reply.
"""

import asyncio
import io
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import aiohttp
import gidgethub.aiohttp
from gidgethub.sansio import accept_format
from yarl import URL

from app.core.errors import Transient
from app.core.fence import guard
from app.github import errors
from app.github.clock import ServerClock
from app.github.pace import Lane

log = logging.getLogger(__name__)

API_VERSION = "2022-11-28"
PAGE = 100
"""Items on a page of a list: the most that GitHub gives."""
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
_BACKOFF = (0.5, 1.0, 2.0)
"""Seconds before each further try, at most: the wait is drawn from the upper half."""
_PATIENCE = 10.0
"""The longest wait GitHub may ask for that is spent here; a longer one is the caller's."""
_HOPS = 3

Values = Mapping[str, str | int | list[str] | None]


class Credentials(Protocol):
    """Whom requests are sent for."""

    async def token(self) -> str: ...

    def refused(self, token: str) -> bool:
        """GitHub answered 401 to this token. True where `token()` may now give one that does better."""
        ...


class Rest(gidgethub.aiohttp.GitHubAPI):
    """GitHub's REST API for one set of credentials. Errors are those of `app.github.errors`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        credentials: Credentials,
        lane: Lane,
        clock: ServerClock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        guarded: bool = True,
    ) -> None:
        """`guarded`: nothing is written once the work goes on in another process."""
        super().__init__(session, "backspace-agent", base_url=api_url)
        self._guarded = guarded
        self.lane = lane
        self._origin = URL(api_url).origin()
        self._credentials = credentials
        self._clock = clock
        self._pause = sleep

    async def get(self, path: str, values: Values) -> Any:
        reply, _ = await self._tries("GET", path, values)
        return reply

    async def pages(self, path: str, values: Values) -> AsyncIterator[Any]:
        """The items of a list, page by page, each once. `path` must take `page` and `per_page`."""
        seen: set[int] = set()
        for page in range(1, 1000):
            items = await self.get(path, {**values, "per_page": PAGE, "page": page})
            for item in items:
                if item["id"] not in seen:
                    seen.add(item["id"])
                    yield item
            if len(items) < PAGE:
                return

    async def turned(self, path: str, values: Values) -> AsyncIterator[Any]:
        """The items of a list whose every page names the next one. `path` must take `cursor` and `per_page`."""
        cursor: str | None = None
        while True:
            items, following = await self._tries("GET", path, {**values, "per_page": PAGE, "cursor": cursor})
            for item in items:
                yield item
            cursor = URL(following).query.get("cursor") if following else None
            if cursor is None:
                return

    async def write(self, method: str, path: str, values: Values, data: Any = b"", *, again: bool) -> Any:
        """`again`: a second time has no second effect, so a lost reply is no reason to give up. Waits for its turn."""
        await self.lane.wait()
        return await self.send(method, path, values, data, again=again)

    async def send(self, method: str, path: str, values: Values, data: Any = b"", *, again: bool) -> Any:
        """As `write`, without a turn: for what does not count as content."""
        reply, _ = await self._tries(method, path, values, data, again=again)
        return reply

    async def _tries(
        self, method: str, path: str, values: Values, data: Any = b"", *, again: bool = True
    ) -> tuple[Any, str | None]:
        waits = iter(_BACKOFF if again else ())
        token = await self._credentials.token()
        renewed = False
        while True:
            try:
                return await self._once(method, path, values, data, token)
            except errors.Unauthorized:
                if renewed or not self._credentials.refused(token):
                    raise
                token, renewed = await self._credentials.token(), True
            except Transient as e:
                wait = next(waits, None)
                if wait is None or (e.retry_after or 0) > _PATIENCE:
                    raise
                log.warning("%s %s: %s Trying again.", method, path, e)
                await self._pause(e.retry_after or wait * random.uniform(0.5, 1))

    async def _once(self, method: str, path: str, values: Values, data: Any, token: str) -> tuple[Any, str | None]:
        """The reply, and the address of the next page."""
        if silent := self.lane.silent():
            raise Transient("GitHub asked us to slow down.", silent)
        if self._guarded and method != "GET":
            await guard()
        headers = {"authorization": f"Bearer {token}", "x-github-api-version": API_VERSION}
        reply, following, _ = await self._make_request(
            method, path, values, data, accept_format(), extra_headers=headers
        )
        return reply, following

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Called by gidgethub: one exchange, redirects followed. Raises what the reply means, if it is no success."""
        try:
            status, reply_headers, reply = await self._exchange(method, URL(url), headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise Transient(f"GitHub can't be reached ({type(e).__name__}).") from e
        self._clock.learn(reply_headers)
        log.debug("%s %s: %d", method, URL(url).path, status)
        failure = errors.failure(status, reply_headers, reply, self._clock.now())
        if isinstance(failure, errors.RateLimited):
            failure.retry_after = self.lane.limited(failure.retry_after)
        if failure:
            raise failure
        if method != "GET":  # reads pass while a limit of writes lasts
            self.lane.written()
        return status, reply_headers, reply

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """A renamed repository answers with its new address, where the request is to be repeated as it is.

        aiohttp would turn a POST into a GET, and would take the token to any host.
        """
        for _ in range(_HOPS):
            data = io.BytesIO(body) if body else None
            async with self._session.request(
                method, url, headers=headers, data=data, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                location = response.headers.get("location") if 300 <= response.status < 400 else None
                if location is None:
                    return response.status, response.headers, await response.read()
            url = url.join(URL(location))
            if url.origin() != self._origin:
                raise errors.Refused("GitHub's API leads to another host: check GITHUB_API_URL.")
        raise errors.Refused("GitHub's API leads round in circles: check GITHUB_API_URL.")
