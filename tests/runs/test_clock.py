"""Who is alive, and whose an execution is, by a clock of the database that the test moves. Whole processes are in test_leases.py."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from app.runs.database import Database
from app.runs.holders import FRESH, VAIN, Execution, Moment
from app.runs.leases import KEPT, LEASE, Leases, leases

T = TypeVar("T")


class Shared:
    """A database that several processes share, with a clock of its own: PostgreSQL's function, told to SQLite."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_000_000.0
        self.asked = 0
        self._database = Database(f"sqlite:///{folder}/shared.db")
        self._database.open()
        self._database.transaction(self._tell_time)

    def _tell_time(self, connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.create_function("clock_timestamp", 0, lambda: self.now)
        driver.create_function("strftime", 2, lambda part, at: at if part == "%s" else None)

    async def transact(self, work: Callable[[sa.Connection], T], /) -> T:
        self.asked += 1
        return await asyncio.to_thread(self._database.transaction, work)

    def rows(self) -> set[str]:
        return set(self._database.transaction(lambda c: c.execute(sa.select(leases.c.executor)).scalars().all()))


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    return Shared(tmp_path)


@pytest.fixture
async def peers(shared: Shared) -> tuple[Leases, Leases]:
    """Two that know of each other."""
    a, b = Leases(shared.transact, "a"), Leases(shared.transact, "b")
    for one in (a, b, a):
        await one.beat()
    return a, b


async def test_a_process_is_dead_when_its_lease_has_run_out_and_not_before(
    shared: Shared, peers: tuple[Leases, Leases]
) -> None:
    """FL-K11"""
    a, b = peers
    assert (a.first, b.first, a.alive, b.alive) == ("a", "a", 2, 2)
    shared.now += LEASE
    await b.beat()
    assert (b.dead, b.first, b.alive) == ([], "a", 2)
    shared.now += 1
    await b.beat()
    assert (b.dead, b.first, b.alive) == (["a"], "b", 1)
    await a.beat()
    await b.beat()
    assert (b.dead, b.first, b.alive) == ([], "a", 2), "it had only been stopped"


async def test_what_was_begun_under_a_lease_that_ran_out_is_not_gone_on_with(
    shared: Shared, peers: tuple[Leases, Leases]
) -> None:
    """FL-K11: the process slept, and its peers took its work for theirs."""
    a, _ = peers
    look = a.watch()
    assert await look.holds()
    shared.now += LEASE + 1
    await a.beat()
    assert not await look.holds()
    assert await a.watch().holds()


async def test_whether_a_lease_has_lasted_is_asked_anew_after_a_second(
    shared: Shared, peers: tuple[Leases, Leases]
) -> None:
    a, _ = peers
    look = a.watch()
    assert await look.holds()
    shared.now += LEASE + 1
    assert await look.holds(), "an answer holds for a second"
    await asyncio.sleep(FRESH + 0.05)
    assert not await look.holds()


async def test_a_lease_that_was_dropped_stays_so(shared: Shared, peers: tuple[Leases, Leases]) -> None:
    """FL-K10: its runs are others' at once, and no late beat takes them back."""
    a, b = peers
    look = a.watch()
    await a.drop()
    await a.beat()
    await b.beat()
    assert b.dead == ["a"]
    assert not await look.holds()


async def test_a_dead_process_is_remembered_for_an_hour(shared: Shared, peers: tuple[Leases, Leases]) -> None:
    _, b = peers
    shared.now += KEPT - 1
    await b.beat()
    await b.forget_past("a")
    assert shared.rows() == {"a", "b"}
    shared.now += 2
    await b.beat()
    await b.forget_past("a")
    assert shared.rows() == {"b"}
    await b.beat()
    assert b.dead == []


async def test_the_latest_execution_is_the_one_that_counts(shared: Shared) -> None:
    """FL-K11: the one before learns it within a second, and what it writes of itself then changes nothing."""
    old, new = Execution(shared.transact, "w", "old"), Execution(shared.transact, "w", "new")
    await old.take_up()
    asked = shared.asked
    assert await old.holds()
    assert shared.asked == asked, "an answer holds for a second"
    await new.take_up()
    await asyncio.sleep(FRESH + 0.05)
    assert not await old.holds()
    await old.end()
    await old.hand_over()
    assert await new.holds()


@pytest.mark.parametrize("clock", ["_steady", "_wall"])
def test_a_process_that_slept_notices_by_either_clock(clock: str) -> None:
    """FL-O04: one of them stands still where the machine sleeps, the other may be set back."""
    moment = Moment()
    assert moment.is_within(1)
    setattr(moment, clock, getattr(moment, clock) - 2)
    assert not moment.is_within(1)


async def test_a_step_is_vain_after_three_recoveries_and_a_recorded_one_begins_the_count_anew(shared: Shared) -> None:
    """FL-K12"""

    async def taken_up(name: str) -> Execution:
        execution = Execution(shared.transact, "w", name)
        await execution.take_up()
        return execution

    executions = [await taken_up(str(n)) for n in range(VAIN + 1)]
    assert [execution.is_vain for execution in executions] == [False] * VAIN + [True]
    await executions[0].hand_over()
    assert (await taken_up("again")).is_vain, "what an earlier one writes does not count"
    await (last := await taken_up("last")).got_further()
    assert not last.is_vain
    assert not (await taken_up("next")).is_vain
    await (over := await taken_up("over")).end()
    assert not over.is_vain
    assert not (await taken_up("first of another")).is_vain


async def test_who_hands_over_on_purpose_was_not_in_vain(shared: Shared) -> None:
    """FL-K10: however often it is told to end."""
    for n in range(2 * VAIN):
        execution = Execution(shared.transact, "w", str(n))
        await execution.take_up()
        assert not execution.is_vain
        await execution.hand_over()
