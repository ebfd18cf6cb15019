"""Somebody says stop: to what is open in a thread, on disk, and at once to the step that runs in this process."""

from collections.abc import Callable

import sqlalchemy as sa

from app.runs import tables
from app.runs.engine import Engine
from app.runs.tables import inbox, tasks


def say_in(thread: str, actor: str, key: str) -> Callable[[sa.Connection], list[str]]:
    """Say stop to all open tasks of a thread: their keys. The same `key` again says nothing more, and gives the same."""
    named = inbox.c.key == sa.literal(f"{key}/") + tasks.c.key
    said = sa.select(tasks.c.key).join(inbox, inbox.c.task == tasks.c.key).where(tasks.c.thread == thread, named)
    is_open = sa.select(tasks.c.key).where(tasks.c.thread == thread, tasks.c.outcome.is_(None))

    def write(connection: sa.Connection) -> list[str]:
        if told := list(connection.execute(said).scalars()):
            return told
        found = list(connection.execute(is_open).scalars())
        for task in found:
            tables.say(task, "stop", actor, f"{key}/{task}")(connection)
        return found

    return write


class Stop:
    def __init__(self, engine: Engine, task: str) -> None:
        self._engine = engine
        self._task = task

    async def by(self) -> str | None:
        return await self._engine.db(tables.who_stopped(self._task))

    async def wait(self) -> None:
        await self._engine.stopping(self._task).wait()
