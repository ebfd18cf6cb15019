"""Which processes on one PostgreSQL are alive, by the database's clock.

A process whose lease has run out is dead to its peers: they take its runs up. It may still be there, stopped or cut off; what keeps it
from acting then is in `holders.py`.
"""

import asyncio
import math
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from app.runs.holders import FRESH, Moment, Transact
from app.runs.tables import metadata

LEASE = 10.0
"""Seconds without a beat after which a process is taken for dead."""
BEAT = 1.0
"""Seconds between two beats."""
KEPT = 3600.0
"""Seconds for which a dead process is remembered, so that none of its runs is overlooked."""

leases = sa.Table(
    "lease",
    metadata,
    sa.Column("executor", sa.Text, primary_key=True),
    sa.Column("seen", sa.Float, nullable=False),
)
"""Processes, and when each was last seen: Unix seconds by the database's clock, 0 for one that has ended."""

_NOW = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Float)


class Leases:
    """All leases as the process `executor` sees them, which holds one of them."""

    def __init__(self, transact: Transact, executor: str) -> None:
        self._transact = transact
        self._executor = executor
        self._beaten: Moment | None = None
        self._ages: Mapping[str, float] = {}
        self._turn = asyncio.Lock()
        self._ended = False
        self._lives = 0
        """Grows each time that this process finds its own lease run out: what it held before may be others' now."""

    async def beat(self) -> None:
        """Say that this process lives, and see which others do."""
        async with self._turn:
            if not self._ended:
                await self._beat()

    async def _beat(self) -> None:
        moment = Moment()
        ages = await self._transact(_beat(self._executor))
        if ages.get(self._executor, math.inf) > LEASE:
            self._lives += 1
        self._ages = {**ages, self._executor: 0.0}
        self._beaten = moment

    @property
    def first(self) -> str:
        """The process that looks after what nobody runs."""
        return min(executor for executor, age in self._ages.items() if age <= LEASE)

    @property
    def alive(self) -> int:
        return sum(age <= LEASE for age in self._ages.values())

    @property
    def dead(self) -> list[str]:
        return [executor for executor, age in self._ages.items() if age > LEASE]

    async def forget_past(self, executor: str) -> None:
        """To be called where nothing of a dead process is left: its row goes once it is old."""
        await self._transact(_forget(executor))

    async def drop(self) -> None:
        """Be dead at once, and stay so."""
        async with self._turn:
            self._ended = True
            await self._transact(_end(self._executor))

    def watch(self) -> "Watch":
        return Watch(self, self._lives)

    async def have_lasted(self, lives: int) -> bool:
        """Whether the lease has not run out, nor been dropped, since `lives` was read."""
        if not (self._beaten and self._beaten.is_within(FRESH)):
            await self.beat()
        return self._lives == lives and not self._ended


class Watch:
    """One look of a loop at what nobody runs: it holds while the lease of its process has not run out."""

    def __init__(self, leases: Leases, lives: int) -> None:
        self._leases = leases
        self._lives = lives

    async def holds(self) -> bool:
        return await self._leases.have_lasted(self._lives)


def _beat(executor: str) -> Callable[[sa.Connection], dict[str, float]]:
    """How old each lease was before this beat, in seconds."""

    def write(connection: sa.Connection) -> dict[str, float]:
        ages = {row[0]: row[1] for row in connection.execute(sa.select(leases.c.executor, _NOW - leases.c.seen))}
        if executor in ages:
            connection.execute(leases.update().where(leases.c.executor == executor).values(seen=_NOW))
        else:
            connection.execute(leases.insert().values(executor=executor, seen=_NOW))
        return ages

    return write


def _end(executor: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(leases.update().where(leases.c.executor == executor).values(seen=0.0))

    return write


def _forget(executor: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        past = sa.and_(leases.c.executor == executor, leases.c.seen < _NOW - KEPT)
        connection.execute(leases.delete().where(past))

    return write
