"""How fast one installation may write: GitHub allows about 80 content requests a minute and 500 an hour, and bans who ignores it.

In memory, for this process: several processes share GitHub's limit and not this count, so the numbers stay well below it.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

from app.core.errors import Transient

_WINDOWS = ((60.0, 60), (3600.0, 400))
"""Seconds, and writes that may fall into them."""
_SPARED = 0.8
"""Share of each window open to writes that can be left out; the rest is for those that must land."""
_PATIENCE = 60.0
"""Seconds that a write waits for its turn here; beyond that its run should wait, not a coroutine."""


class Lane:
    """One installation's writes, and whether GitHub told us to be silent."""

    def __init__(self, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._taken: deque[float] = deque(maxlen=max(most for _, most in _WINDOWS))
        self._silent_until = 0.0
        self._turn = asyncio.Lock()

    def silence(self, seconds: float) -> None:
        """GitHub asked for it: nothing is sent for so long."""
        self._silent_until = max(self._silent_until, self._monotonic() + seconds)

    def silent(self) -> float:
        """Seconds for which nothing may be sent, reads included; 0.0 most of the time."""
        return max(0.0, self._silent_until - self._monotonic())

    async def wait(self) -> None:
        """Return when a write may go out, first come first served. Raises Transient where that takes more than a minute."""
        async with self._turn:
            while delay := self._delay(1.0):
                if delay > _PATIENCE:
                    raise Transient("This installation has written as much as GitHub allows for now.", delay)
                await self._sleep(delay)
            self._taken.append(self._monotonic())

    def try_take(self) -> bool:
        """Take a turn for a write that can be left out, or False: it would wait, or use up what others need."""
        if self._delay(_SPARED):
            return False
        self._taken.append(self._monotonic())
        return True

    def _delay(self, share: float) -> float:
        now = self._monotonic()
        delay = self.silent()
        for seconds, most in _WINDOWS:
            allowed = int(most * share)
            if len(self._taken) >= allowed:
                delay = max(delay, self._taken[-allowed] + seconds - now)
        return delay


class Pace:
    """The lane of each installation."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lanes: defaultdict[int, Lane] = defaultdict(lambda: Lane(monotonic, sleep))

    def lane(self, installation: int) -> Lane:
        return self._lanes[installation]
