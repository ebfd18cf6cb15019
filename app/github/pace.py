"""How fast one installation may write: GitHub allows about 80 content requests a minute and 500 an hour, and bans who ignores it.

Counted in memory. Servers that share GitHub's limit each keep to their part of it; when one more begins, the others have written more than
their part already, so the numbers stay below GitHub's.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable

from app.core.errors import Transient

_WINDOWS = ((60.0, 60), (3600.0, 400))
"""Seconds, and writes that may fall into them."""
_LANDS = 0.95
"""Share of each window open to writes that must land; the rest is for comments that say why nothing lands."""
_SPARED = 0.8
"""Share of each window open to writes that can be left out."""
_PATIENCE = 60.0
"""Seconds that a write waits for its turn here; beyond that its run should wait, not a coroutine."""
_AFTER_A_LIMIT, _LONGEST_SILENCE = 60.0, 900.0
"""Seconds to stay away where GitHub names none: at first, and at most."""


class Lane:
    """One installation's writes, and whether GitHub told us to be silent."""

    def __init__(
        self, monotonic: Callable[[], float], sleep: Callable[[float], Awaitable[None]], servers: Callable[[], int]
    ) -> None:
        self._servers = servers
        self._monotonic = monotonic
        self._sleep = sleep
        self._taken: deque[float] = deque(maxlen=max(most for _, most in _WINDOWS))
        self._silent_until = 0.0
        self._limits = 0
        """In a row, that named no time."""
        self._turn = asyncio.Lock()

    def limited(self, seconds: float | None) -> float:
        """GitHub told of a limit: nothing is sent for so long. Where it names no time (None), twice as long each time in a row."""
        if seconds is None:
            if not self.silent():  # else it answers what was on its way when the limit came
                self._limits += 1
            seconds = min(_AFTER_A_LIMIT * 2 ** (max(self._limits, 1) - 1), _LONGEST_SILENCE)
        self._silent_until = max(self._silent_until, self._monotonic() + seconds)
        return seconds

    def written(self) -> None:
        """GitHub took a write: its limit is over."""
        if not self.silent():
            self._limits = 0

    def silent(self) -> float:
        """Seconds for which nothing may be sent, reads included; 0.0 most of the time."""
        return max(0.0, self._silent_until - self._monotonic())

    async def wait(self) -> None:
        """Return when a write may go out, first come first served. Raises Transient where that takes more than a minute."""
        async with self._turn:
            while delay := self._delay(_LANDS):
                if delay > _PATIENCE:
                    raise Transient("This installation has written as much as GitHub allows for now.", delay)
                await self._sleep(delay)
            self._taken.append(self._monotonic())

    def try_take(self, *, says_why: bool = False) -> bool:
        """Take a turn for a write that can be left out, or False: it would wait, or use up what others need.

        `says_why`: it tells people what their run waits for, and may have the last turns.
        """
        if self._delay(1.0 if says_why else _SPARED):
            return False
        self._taken.append(self._monotonic())
        return True

    def _delay(self, share: float) -> float:
        now = self._monotonic()
        delay = self.silent()
        for seconds, most in _WINDOWS:
            allowed = max(1, int(most * share / self._servers()))
            if len(self._taken) >= allowed:
                delay = max(delay, self._taken[-allowed] + seconds - now)
        return delay


class Pace:
    """The lane of each installation."""

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        servers: Callable[[], int] = lambda: 1,
    ) -> None:
        """`servers`: how many share GitHub's limits now, this one included."""
        self._lanes: defaultdict[int, Lane] = defaultdict(lambda: Lane(monotonic, sleep, servers))

    def lane(self, installation: int) -> Lane:
        return self._lanes[installation]
