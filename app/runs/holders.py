"""Which execution of a workflow is the one that counts, and how often it was taken up in vain.

Each execution writes its name over that of the one before. A process that was stopped and has come back reads another's name there: what
it was about to do to the world, or to keep, is not its business any more. (Its records are refused by the engine itself.)
"""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import sqlalchemy as sa

from app.core.fence import LeaseLost
from app.runs.tables import metadata

T = TypeVar("T")

FRESH = 1.0
"""Seconds for which an answer to "is it still ours?" holds."""
VAIN = 3
"""Recoveries without a newly recorded step after which the step that is next is given up."""

holders = sa.Table(
    "holder",
    metadata,
    sa.Column("workflow", sa.Text, primary_key=True),
    sa.Column("execution", sa.Text, nullable=False),
    sa.Column("vain", sa.Integer, nullable=False),
)
"""The latest execution of each unfinished workflow, and how often it was taken up again since its last recorded step."""


class Transact(Protocol):
    """One transaction, off the loop. Raises Transient."""

    async def __call__(self, work: Callable[[sa.Connection], T], /) -> T: ...


class Moment:
    """A moment by two clocks, so that a process which slept since then notices, whatever put it to sleep."""

    def __init__(self) -> None:
        self._steady, self._wall = time.monotonic(), time.time()

    def is_within(self, seconds: float) -> bool:
        """Of now."""
        return time.monotonic() - self._steady <= seconds and 0 <= time.time() - self._wall <= seconds


class Execution:
    """One execution of a workflow, under a name of its own."""

    def __init__(self, transact: Transact, workflow: str, name: str) -> None:
        self._transact = transact
        self._workflow = workflow
        self._name = name
        self._vain = 0

    async def take_up(self) -> None:
        self._sure = Moment()
        self._vain = await self._transact(_take_up(self._workflow, self._name))

    @property
    def is_vain(self) -> bool:
        """The step that is next has ended its process too often."""
        return self._vain >= VAIN

    async def got_further(self) -> None:
        """A step was newly recorded."""
        if self._vain:
            await self._transact(_count(self._workflow, self._name, 0))
            self._vain = 0

    async def holds(self) -> bool:
        if not self._sure.is_within(FRESH):
            moment = Moment()
            if await self._transact(_holder_of(self._workflow)) != self._name:
                return False
            self._sure = moment
        return True

    def fenced(self, work: Callable[[sa.Connection], T]) -> Callable[[sa.Connection], T]:
        """`work`, which raises LeaseLost where another execution has come, and which one that comes waits for."""

        def write(connection: sa.Connection) -> T:
            holder = sa.select(holders.c.execution).where(holders.c.workflow == self._workflow)
            if connection.execute(holder.with_for_update()).scalar_one_or_none() != self._name:
                raise LeaseLost("this work goes on in another process")
            return work(connection)

        return write

    async def hand_over(self) -> None:
        """This process ends on purpose: the next execution is no recovery."""
        await self._transact(_count(self._workflow, self._name, -1))

    async def end(self) -> None:
        await self._transact(_end(self._workflow, self._name))


def _take_up(workflow: str, name: str) -> Callable[[sa.Connection], int]:
    """How often that was in vain."""
    mine = holders.c.workflow == workflow

    def write(connection: sa.Connection) -> int:
        row = connection.execute(sa.select(holders.c.vain).where(mine).with_for_update()).one_or_none()
        if row is None:
            connection.execute(holders.insert().values(workflow=workflow, execution=name, vain=0))
            return 0
        vain = int(row.vain) + 1
        connection.execute(holders.update().where(mine).values(execution=name, vain=vain))
        return vain

    return write


def _holder_of(workflow: str) -> Callable[[sa.Connection], str | None]:
    query = sa.select(holders.c.execution).where(holders.c.workflow == workflow)
    return lambda c: c.execute(query).scalar_one_or_none()


def _mine(workflow: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(holders.c.workflow == workflow, holders.c.execution == name)


def _count(workflow: str, name: str, vain: int) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(holders.update().where(_mine(workflow, name)).values(vain=vain))

    return write


def _end(workflow: str, name: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(holders.delete().where(_mine(workflow, name)))

    return write
