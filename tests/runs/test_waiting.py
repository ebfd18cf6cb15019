"""Tasks in the line before the queue: what is known of those at work, and what ends a wait."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from app.core.errors import Transient
from app.core.redact import Redactor
from app.runs import line, tables
from app.runs.engine import Engine
from app.runs.line import Line
from tests.runs.test_line import asked, begin, take

FIRST, SECOND, THIRD = asked(1), asked(2), asked(3, thread=2)


class Started(Engine):
    """One slot, and two tasks of an earlier process in one thread. To ask what is at work takes a while."""

    away = False
    looks = 0

    async def unfinished(self, *names: str) -> list[str]:
        self.looks += 1
        await asyncio.sleep(0.05)
        if self.away:
            raise Transient("The database is away.")
        return [f"{FIRST.key}.1", f"{SECOND.key}.intake"]


@pytest.fixture
async def engine(address: str) -> AsyncIterator[Started]:
    """Its database alone: nothing runs."""
    engine = Started(address, Redactor(()), max_runs=1)
    engine._database.open()
    for request in (FIRST, SECOND):
        take(engine._database, request)
    begin(engine._database, FIRST, slots=1)
    old = time.time() - line.YOUNG - 1
    await engine.db(lambda c: c.execute(tables.tasks.update().values(created_at=old)).rowcount)
    yield engine
    engine._database.engine.dispose()


async def test_the_limits_hold_for_all_who_ask_at_once_after_a_start(engine: Started) -> None:
    """RT-D06"""
    where = Line(engine)
    engine.away = True
    with pytest.raises(Transient):
        await where.take(asked(4))
    engine.away = False
    full = {"full": {"scope": "thread", "newest": SECOND.key}}
    assert list(await asyncio.gather(where.take(asked(4)), where.take(asked(5)))) == [full, full]
    assert engine.looks == 2, "the one that failed, and one for both"


async def test_a_stop_ends_the_wait_for_a_slot_at_once(engine: Started) -> None:
    take(engine._database, THIRD)
    waiting = asyncio.create_task(Line(engine).wait(THIRD))
    while not await engine.db(line.is_held(THIRD.key)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await engine.stop_task(THIRD.key, "@alice", "k")
    assert await asyncio.wait_for(waiting, 0.75 * line.LOOK) == {"stopped": True}


async def test_a_stop_that_was_said_before_counts_although_it_would_be_the_tasks_turn(engine: Started) -> None:
    await engine.db(tables.set_outcome(FIRST.key, "ready"))
    await engine.stop_task(SECOND.key, "@alice", "k")
    engine.forget(SECOND.key)
    assert await Line(engine).wait(SECOND) == {"stopped": True}


async def test_who_has_had_their_turn_waits_no_more(engine: Started) -> None:
    assert await Line(engine).wait(FIRST) == {}
    assert [await engine.db(line.is_held(key)) for key in (FIRST.key, "c-1-99")] == [False, False]
