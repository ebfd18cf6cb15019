"""Workflows that can't go on: a new version does not fit what an earlier one has recorded, or there is a bug.

The engine ends such a workflow, and no code of it runs any more. So this loop looks for them, and what is left to do is done by others:
a run is salvaged, an approval that was taken gets its run, and what was not taken yet is asked for again.
"""

import asyncio
import logging
from collections.abc import Callable

import sqlalchemy as sa

from app.core.errors import Transient
from app.core.events import Done
from app.core.task import Control, Request, ThreadRequest
from app.runs import numbers, tables
from app.runs.comments import Comments
from app.runs.engine import Engine
from app.runs.intake import Intake
from app.runs.records import Broken
from app.runs.salvage import GIVEN_UP, WHY
from app.runs.tables import inbox

log = logging.getLogger(__name__)
LOOK = 5.0
"""Seconds between two looks."""
MOST = 3
"""Runs of one task that are salvaged. Another run says that they broke too; where that one breaks, the status comment alone can."""
TOO_MANY = 0
"""No run has this number."""


class Breakage:
    """`intake` and `comments`: None without the App."""

    def __init__(self, *, engine: Engine, intake: Intake | None, comments: Comments | None) -> None:
        self._engine = engine
        self._comments = comments
        self._intake = intake
        self._known: set[str] = set()

    async def follow(self) -> None:
        """See to what is broken, for as long as the process lives. What was begun for it before is not begun again."""
        while True:
            try:
                if self._engine.is_first:
                    await self._look()
            except Transient as e:
                log.warning("broken workflows were not looked for: %s", e)
            except Exception:
                log.exception("a look for broken workflows failed; the next one tries again")
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        for broken in await self._engine.broken(self._known):
            try:
                await self._see_to(broken)
            except Transient:
                raise
            except Exception:  # one workflow's trouble is not the others'
                log.exception("%s is not seen to", broken.id)
            self._known.add(broken.id)

    async def _see_to(self, broken: Broken) -> None:
        task = numbers.task_of(broken.id)
        if broken.kind in ("intake", "ask") and await self._engine.has(numbers.run_id(task, 1)):
            return  # that run tells
        if await self._engine.db(tables.is_open(task)):
            await self._salvage(broken, task)
        elif broken.kind in ("intake", "control") and not await self._engine.db(tables.is_task(task)):
            await self._ask_again(broken, task)

    async def _salvage(self, broken: Broken, task: str) -> None:
        log.error("%s can't go on: %s", broken.id, broken.why, extra={"task": task})
        request = await self._engine.db(tables.request_of(task))
        next_run = await self._engine.db(_next_run(task, broken.id))
        if not request or next_run is None:
            return
        number, salvages = next_run
        if number == TOO_MANY:
            await self._give_up(broken.id, request)
        else:
            spec = {
                "task": task,
                "run": broken.id,
                "first": _first(broken),
                "request": request.model_dump(),
                "is_last": salvages > MOST,
            }
            run = numbers.run_id(task, number)
            await self._engine.enqueue("salvage", run, tables.thread_of(request), spec)

    async def _give_up(self, run: str, request: Request) -> None:
        if isinstance(request, ThreadRequest) and self._comments:
            await self._comments.settle(run, request, "failed", Done(outcome="failed", message=f"{WHY} {GIVEN_UP}"))
        else:
            await self._engine.db(numbers.close(run, "failed"))

    async def _ask_again(self, broken: Broken, task: str) -> None:
        log.error("a request can't be taken: %s", broken.why, extra={"task": task})
        if self._intake and broken.spec:
            asked = (ThreadRequest if broken.kind == "intake" else Control).model_validate(broken.spec)
            if not (isinstance(asked, Control) and await self._intake.go_on(asked)):
                await self._intake.ask_again(asked)


def _first(broken: Broken) -> str:
    """The run whose work is to be saved: a salvage that breaks has none of its own."""
    if broken.kind != "salvage" or not broken.spec:
        return broken.id
    return str(broken.spec.get("first", broken.spec["run"]))


def _next_run(task: str, run: str) -> Callable[[sa.Connection], tuple[int, int] | None]:
    """Number of the run that follows this one, or TOO_MANY, and how many salvages that makes. None where a newer run goes on in its
    stead, or where the task is over.
    """
    salvages = sa.select(sa.func.count()).where(inbox.c.task == task, inbox.c.word == numbers.SALVAGE)

    def write(connection: sa.Connection) -> tuple[int, int] | None:
        key = f"{run}/salvage"
        tables.hold(task)(connection)
        newest = numbers.newest([task])(connection)[task]
        if connection.execute(sa.select(inbox.c.seq).where(inbox.c.key == key)).first():
            number = numbers.of(connection, task, key)
            return (number, connection.execute(salvages).scalar_one()) if number == newest else None
        is_newest = newest == 1 or numbers.run_id(task, newest) == run
        if not is_newest or not tables.is_open(task)(connection):
            return None
        if (earlier := connection.execute(salvages).scalar_one()) > MOST:
            return TOO_MANY, earlier
        tables.say(task, numbers.SALVAGE, "", key)(connection)
        return numbers.of(connection, task, key), earlier + 1

    return write
