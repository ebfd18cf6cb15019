"""Open connections: how many there are, and how long each may keep the server waiting.

aiohttp itself gives a head that comes slowly the time of an idle connection, and a reader that takes nothing all the time there is.
"""

import asyncio
import logging
import math
import resource
from collections.abc import Awaitable, Callable

from aiohttp import web

log = logging.getLogger(__name__)

HEAD = 20.0
"""Seconds from the start of a connection until the head of its first request is whole."""
SILENCE = 75.0
"""Seconds from a reply until the next head is whole, and in which a reader must take something of what waits for it. Longer than the
minute for which proxies keep a connection that they may use again.
"""
MOST = 4096
"""Connections; half of the files that the process may have open where that is less, for the work needs files too."""

Make = Callable[[], asyncio.Protocol]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _room() -> int:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else min(MOST, files // 2)


class Connections:
    """At most `most`. Where one more comes, the one is cut that has waited longest without a request under way, else the one whose
    body has been on its way for longest: so nobody is kept out by those who connect and ask nothing, or never ask to the end.
    """

    def __init__(self, *, most: int | None = None, head: float = HEAD, silence: float = SILENCE) -> None:
        self.head = head
        self.silence = silence
        self._most = _room() if most is None else most
        self._open: dict[asyncio.BaseTransport, _Connection] = {}
        self._waiting: dict[_Connection, None] = {}
        """Those without a request under way; the one that waits longest is the first."""
        self._at_work: dict[_Connection, web.Request] = {}
        """The others, in the order in which their requests began."""

    def guarded(self, make: Make) -> Make:
        """The same protocols, each with its deadlines."""
        return lambda: _Connection(self, make())

    @web.middleware
    async def under_way(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """While a request is handled, its own deadlines hold."""
        connection = self._open.get(request.transport) if request.transport else None
        if connection is None:
            return await handler(request)
        self._waiting.pop(connection, None)
        self._at_work[connection] = request
        connection.begin()
        try:
            return await handler(request)
        finally:
            self._at_work.pop(connection, None)
            if connection.transport in self._open:
                self._waiting[connection] = None
                connection.end()

    def opened(self, connection: "_Connection") -> None:
        self._open[connection.transport] = connection
        self._waiting[connection] = None
        if len(self._open) > self._most:
            log.warning("%d connections are open: one in which nothing was asked to the end is cut", self._most)
            self._idlest(connection).cut()

    def _idlest(self, newcomer: "_Connection") -> "_Connection":
        """`newcomer` itself where all others are at work."""
        unread = (at for at, request in self._at_work.items() if not request.content.is_eof())
        return next((at for at in self._waiting if at is not newcomer), None) or next(unread, newcomer)

    def closed(self, connection: "_Connection") -> None:
        self._open.pop(connection.transport, None)
        self._waiting.pop(connection, None)
        self._at_work.pop(connection, None)


class _Connection(asyncio.Protocol):
    """Between a transport and aiohttp's protocol: passes everything on, and keeps one deadline."""

    transport: asyncio.Transport

    def __init__(self, connections: Connections, http: asyncio.Protocol) -> None:
        self._connections = connections
        self._http = http
        self._under_way = False
        self._is_stuck = False
        self._deadline: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._under_way = True
        self._wait_further()

    def end(self) -> None:
        self._under_way = False
        self._wait_further()

    def cut(self) -> None:
        self._wait(None)
        self._connections.closed(self)
        self.transport.abort()

    def _wait_further(self) -> None:
        self._wait(None if self._under_way and not self._is_stuck else self._connections.silence)

    def _wait(self, seconds: float | None, left: float = math.inf) -> None:
        """The deadline is so far away. `left`: bytes that its reader had not taken."""
        if self._deadline:
            self._deadline.cancel()
        loop = asyncio.get_running_loop()
        self._deadline = None if seconds is None else loop.call_later(seconds, self._is_over, seconds, left)

    def _is_over(self, seconds: float, left: float) -> None:
        untaken = self.transport.get_write_buffer_size()
        if 0 < untaken < left:
            self._wait(seconds, untaken)
            return
        log.debug("cut after %.0f s in which nothing came, with %d bytes that were not taken", seconds, untaken)
        self.cut()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._wait(self._connections.head)
        self._http.connection_made(transport)
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        self._connections.closed(self)
        self._http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()
        self._is_stuck = True
        self._wait_further()

    def resume_writing(self) -> None:
        self._http.resume_writing()
        self._is_stuck = False
        self._wait_further()
