"""What no run looks after any more: at start and every few minutes, the sandboxes of tasks that are over.

A run's own end removes its sandbox; this is for the ends that did not come to it. A sandbox of a task that this database does not
know is left alone: another server may share the place where sandboxes come from.
"""

import asyncio
import contextlib
import logging

from app.runs import tables
from app.runs.engine import Engine
from app.sandbox.base import Sandboxes, SandboxGone

log = logging.getLogger(__name__)
EVERY = 300.0
"""Seconds between two sweeps."""


class Sweeper:
    def __init__(self, *, engine: Engine, sandboxes: Sandboxes) -> None:
        self._engine = engine
        self._sandboxes = sandboxes

    async def sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("a sweep failed; the next one tries again")
            await asyncio.sleep(EVERY)

    async def sweep(self) -> None:
        for sandbox_id, run in (await self._sandboxes.runs()).items():
            task = run.rpartition(".")[0]
            if await self._engine.db(tables.is_over(task)):
                log.warning("the sandbox of a task that is over is removed: %s", sandbox_id, extra={"task": task})
                with contextlib.suppress(SandboxGone):
                    await (await self._sandboxes.connect(sandbox_id)).kill()
