"""Where tasks of threads wait before the engine's queue, so that no thread, person or installation keeps the others from being served.

The queue itself picks at random among threads. So it is given no more tasks than can run, and which they are is decided here.
What is asked for by `POST /code` goes past this line: its callers have a key of the operator's.
"""

import asyncio
import time
from collections.abc import Callable, Collection

import sqlalchemy as sa

from app.agent.loop import unless
from app.core.task import ThreadRequest
from app.runs import numbers, tables
from app.runs.engine import Engine, Json
from app.runs.stop import Stop
from app.runs.tables import metadata, tasks
from app.trigger.load import Full, Load, full, goes_next

LOOK = 2.0
"""Seconds between two looks at whether it is a task's turn."""
TOGETHER = 50
"""Tasks that may look so often. Where more wait each looks less often, for a look reads all open tasks and only one is taken at a time."""
YOUNG = 60.0
"""Seconds for which a task counts although the engine was not seen to work on it. Later, one without a workflow holds nobody up."""
LATELY = 7 * 24 * 3600.0
"""Seconds for which an installation that asked is one to keep a slot free for."""

line = sa.Table(
    "line",
    metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("begun", sa.Boolean, nullable=False),
)
"""Tasks of threads that wait for their turn, or have had it (`begun`)."""


class Line:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._alive: frozenset[str] = frozenset()
        self._looked = float("-inf")
        self._looking = asyncio.Lock()

    async def take(self, request: ThreadRequest) -> Json:
        """Take the task, or say what is full: `{"full": {"scope", "newest"}}`. `{"held": True}` where its turn is still to come."""
        alive = await self._tasks_alive()
        if why := await self._engine.db(_take(request, alive)):
            return {"full": why._asdict()}
        return {} if await self._begins(request, alive) else {"held": True}

    async def wait(self, request: ThreadRequest) -> Json:
        """Until it is the task's turn, or until somebody says stop to it: `{"stopped": True}`."""
        stop = Stop(self._engine, request.key)
        while not (by := await stop.by()) and not await self._begins(request, await self._tasks_alive()):
            pause = LOOK * max(1.0, await self._engine.db(_waiting) / TOGETHER)
            await unless(stop.wait(), asyncio.sleep(pause))
        return {"stopped": True} if by else {}

    async def _begins(self, request: ThreadRequest, alive: Collection[str]) -> bool:
        return await self._engine.db(_begin(request, alive, self._engine.slots))

    async def _tasks_alive(self) -> frozenset[str]:
        """Tasks that a workflow works on: one look for all that wait here, who wait for it."""
        async with self._looking:
            if time.monotonic() - self._looked > LOOK / 2:
                unfinished = await self._engine.unfinished("intake", "run", "salvage")
                self._alive = frozenset(map(numbers.task_of, unfinished))
                self._looked = time.monotonic()
            return self._alive


def is_held(task: str) -> Callable[[sa.Connection], bool]:
    """Whether its turn is still to come."""
    query = sa.select(line.c.task).where(line.c.task == task, line.c.begun.is_(False))
    return lambda c: c.execute(query).first() is not None


def _take(request: ThreadRequest, alive: Collection[str]) -> Callable[[sa.Connection], Full | None]:
    def write(connection: sa.Connection) -> Full | None:
        _alone(connection)
        why = full(_load_of(request), [one for one, _ in _open(connection, alive)])
        if why is None:
            tables.add_task(request)(connection)
        return why

    return write


def _begin(request: ThreadRequest, alive: Collection[str], slots: int) -> Callable[[sa.Connection], bool]:
    """Whether it has had its turn. Else it waits for it from now on."""

    def write(connection: sa.Connection) -> bool:
        _alone(connection)
        if connection.execute(sa.select(line).where(line.c.task == request.key)).first() is None:
            connection.execute(line.insert().values(task=request.key, begun=False))
        found = _open(connection, {*alive, request.key})
        waiting = [one for one, has_begun in found if has_begun is False]
        begun = [one for one, has_begun in found if has_begun]
        asked = _load_of(request)
        if asked not in waiting:  # it has begun, or is over
            return True
        may = goes_next(asked, waiting, begun, slots, shared=_is_shared(connection, request.installation))
        if may:
            connection.execute(line.update().where(line.c.task == request.key).values(begun=True))
        return may

    return write


def _waiting(connection: sa.Connection) -> int:
    """Tasks whose turn is still to come."""
    query = sa.select(sa.func.count()).select_from(line.join(tasks, tasks.c.key == line.c.task))
    return connection.execute(query.where(tasks.c.outcome.is_(None), line.c.begun.is_(False))).scalar_one()


def _alone(connection: sa.Connection) -> None:
    """One decision after the other. SQLite has one connection."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("select pg_advisory_xact_lock(hashtext('backspace line'))"))


def _open(connection: sa.Connection, alive: Collection[str]) -> list[tuple[Load, bool | None]]:
    """Open tasks of threads, oldest first, and whether each has begun; None for one that does not wait either."""
    query = (
        sa.select(
            tasks.c.key,
            tasks.c.thread,
            _number("actor", "id"),
            _number("installation"),
            line.c.begun,
            tasks.c.created_at,
        )
        .join(line, line.c.task == tasks.c.key, isouter=True)
        .where(tasks.c.outcome.is_(None), tasks.c.request["kind"].as_string() == "thread")
        .order_by(tasks.c.seq)
    )
    young = time.time() - YOUNG
    return [
        (Load(key, thread, actor, installation), begun)
        for key, thread, actor, installation, begun, at in connection.execute(query)
        if key in alive or at > young
    ]


def _is_shared(connection: sa.Connection, installation: int) -> bool:
    """Whether another installation has asked lately."""
    since = time.time() - LATELY
    query = sa.select(tasks.c.seq).where(tasks.c.created_at > since, _number("installation") != installation).limit(1)
    return connection.execute(query).first() is not None


def _number(*path: str) -> sa.ColumnElement[int]:
    """A number in a request. GitHub's ids need more than 32 bits."""
    return sa.cast(tasks.c.request[path].as_string(), sa.BigInteger)


def _load_of(request: ThreadRequest) -> Load:
    return Load(request.key, tables.thread_of(request), request.actor.id, request.installation)
