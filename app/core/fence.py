"""Whether what this code is about to do to the world is still its business.

A process that was stopped or cut off for a while may come back in the middle of work that has gone on elsewhere.
"""

from contextvars import ContextVar
from typing import Protocol


class LeaseLost(Exception):
    """Another process has taken this work up."""


class Holder(Protocol):
    async def holds(self) -> bool: ...


ACTING: ContextVar[Holder | None] = ContextVar("ACTING", default=None)
"""On whose behalf the code of this context acts."""


async def guard() -> None:
    """To be called before every effect on the world. Raises LeaseLost, and Transient where that can't be known now."""
    holder = ACTING.get()
    if holder and not await holder.holds():
        raise LeaseLost("this work goes on in another process")
