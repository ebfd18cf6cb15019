"""How long we wait for E2B, and how often we ask again. Every request of ours has its deadline here: the SDK's are switched off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from e2b import AsyncSandbox

from app.core.errors import Transient
from app.sandbox.e2b_errors import Unresponsive, translated

AGAIN = (0.2, 1.0, 3.0, 8.0)
"""Seconds before each new try of what failed in a way that passes."""
LIFE = 900
"""Seconds that a sandbox runs on after we were last heard of; then E2B pauses it."""

T = TypeVar("T")


@dataclass(frozen=True)
class Waits:
    """`patience`: seconds after which the far end tells that a command still runs; the rest follows from it."""

    patience: float

    @property
    def reply(self) -> float:
        """Seconds for a question to the far end to be taken, and as many for its reply."""
        return 2 * self.patience

    @property
    def answer(self) -> float:
        """Seconds for one answer of the control plane."""
        return 6 * self.patience

    @property
    def end(self) -> float:
        """Seconds beyond its own deadline for a call to end: no sandbox is kept awake for longer."""
        return 6 * self.patience

    @property
    def upload(self) -> float:
        """Seconds for files on their way into a sandbox."""
        return 10 * self.patience


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raises Transient when the time is over, and as `translated`."""
    with translated():
        async with asyncio.timeout(seconds):
            yield


async def insist(body: Callable[[], Awaitable[T]], seconds: float, on: type[Transient] = Transient) -> T:
    """What `body()` returns, each time within so many seconds, tried again where it raises `on`. Raises as `translated`."""
    for wait in (*AGAIN, None):
        try:
            async with within(seconds):
                return await body()
        except on:
            if wait is None:
                raise
            await asyncio.sleep(wait)
    raise AssertionError("unreachable")


async def awake(connect: Callable[..., Awaitable[AsyncSandbox]], waits: Waits) -> AsyncSandbox:
    """The sandbox, resumed where it was paused, for `LIFE` more seconds at least. Raises SandboxGone."""
    try:
        async with within(waits.answer):
            return await connect(timeout=LIFE)
    except Unresponsive:
        async with within(waits.answer):
            return await connect(timeout=LIFE, on_resume="reboot")
