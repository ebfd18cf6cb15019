"""What is removed in time: the logs of work that is over, and what was kept beside them. The `task` rows stay."""

import asyncio
import logging
import time

from app.runs import artifacts, tables
from app.runs.engine import Engine

log = logging.getLogger(__name__)
EVERY = 24 * 3600.0
"""Seconds between two looks."""


class Retention:
    """`days`: how long the log of a task is kept from when it was asked for."""

    def __init__(self, *, engine: Engine, days: int) -> None:
        self._engine = engine
        self._days = days

    async def clean_for_ever(self) -> None:
        while True:
            try:
                await self.clean()
            except Exception:
                log.exception("old logs were not removed; tomorrow's look tries again")
            await asyncio.sleep(EVERY)

    async def clean(self) -> None:
        """What may be let in goes before the log by which it is found where that was said."""
        before = time.time() - self._days * 24 * 3600
        await self._engine.db(artifacts.forget_before(before))
        if removed := await self._engine.forget_before(before):
            log.info("%d old logs were removed", removed)
        await self._engine.db(tables.forget_words(before))
