"""How much one key may have asked for by `POST /code`: whoever hangs up and asks again leaves a task behind each time."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import sqlalchemy as sa

from app.core.errors import Refusal
from app.runs.engine import Engine
from app.runs.tables import tasks

PER_KEY = 200
"""Open tasks: as many as were measured at once (docs/operations.md); at the default limit of 2 dollars a task, 400 dollars."""


class Room:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asking: defaultdict[str, set[str]] = defaultdict(set)
        """Keys of tasks that are not recorded yet, by their caller. Each process knows its own, so several may pass the limit by those."""

    @asynccontextmanager
    async def of(self, caller: str, task: str) -> AsyncIterator[None]:
        """For as long as it takes to record this task. Raises Refusal."""
        asking = self._asking[caller]
        before = {*asking}
        known = {*await self._engine.db(_open(caller)), *before}
        if len((known | asking) - {task}) >= PER_KEY:
            raise Refusal(
                f"{PER_KEY} tasks of this key are open: ask again when one of them is over, or stop one.", 429
            )
        asking.add(task)
        try:
            yield
        finally:
            asking.discard(task)


def _open(caller: str) -> Callable[[sa.Connection], list[str]]:
    """Keys of this caller's tasks without an outcome, as many as matter."""
    of_caller = tasks.c.request["caller"].as_string() == caller
    query = sa.select(tasks.c.key).where(tasks.c.outcome.is_(None), of_caller).limit(PER_KEY + 1)
    return lambda c: [str(key) for key in c.execute(query).scalars()]
