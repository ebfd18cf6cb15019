"""Whether somebody said stop to a task: on disk, and at once in this process."""

from app.runs import tables
from app.runs.engine import Engine


class Stop:
    def __init__(self, engine: Engine, task: str) -> None:
        self._engine = engine
        self._task = task

    async def by(self) -> str | None:
        return await self._engine.db(tables.who_stopped(self._task))

    async def wait(self) -> None:
        await self._engine.stopping(self._task).wait()
