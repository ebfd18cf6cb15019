"""What no run looks after any more: at start and every few minutes, sandboxes and checkpoints of tasks that are over, stale warm states.

A run's own end removes its sandbox; this is for the ends that did not come to it. The sandbox of a run that is not over is left to it: its
next step finds it. One of a task that this database does not know is left alone: `backspace run` has a database of its own.
"""

import asyncio
import logging

from app.runs import artifacts, checkpoints, numbers, tables
from app.runs.engine import Engine
from app.runs.warm import Warm
from app.sandbox.base import Sandboxes

log = logging.getLogger(__name__)
EVERY = 300.0
"""Seconds between two sweeps."""


class Sweeper:
    def __init__(self, *, engine: Engine, sandboxes: Sandboxes, warm: Warm) -> None:
        self._engine = engine
        self._warm = warm
        self._sandboxes = sandboxes

    async def sweep_for_ever(self) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY)

    async def sweep(self) -> None:
        """What fails holds nothing else up: sandboxes first, for they cost most."""
        for part in (self._end_sandboxes, self._drop_checkpoints, self._warm.forget_unused):
            try:
                await part()
            except Exception:
                log.exception("a sweep failed; the next one tries again")

    async def _end_sandboxes(self) -> None:
        for sandbox_id, run in (await self._sandboxes.runs()).items():
            try:
                await self._end_if_over(sandbox_id, numbers.task_of(run))
            except Exception:
                log.exception("the sandbox was not removed", extra={"task": run})

    async def _end_if_over(self, sandbox_id: str, task: str) -> None:
        if await self._engine.db(tables.is_over(task)):
            log.warning("the sandbox of a task that is over is removed: %s", sandbox_id, extra={"task": task})
            await self._sandboxes.end(sandbox_id)

    async def _drop_checkpoints(self) -> None:
        await self._engine.db(artifacts.drop_of_what_is_over((checkpoints.NAME, checkpoints.BEHIND)))
