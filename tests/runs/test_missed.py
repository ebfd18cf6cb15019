"""Which deliveries are looked for, and how often, by GitHub's log of them."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from app.core.task import Control, ThreadRequest
from app.github.app import App
from app.runs import deliveries
from app.runs.database import Database, marks
from app.runs.deliveries import Missed
from tests.github.conftest import Fake, Reply, app, fake, make_app, waits
from tests.trigger.payloads import comment

__all__ = ["app", "fake", "make_app", "waits"]
T = TypeVar("T")
HOUR = 3600.0


class Taker:
    """Knows all that it is asked about: it came another way."""

    def __init__(self) -> None:
        self.asked_about = 0

    async def knows(self, asked: ThreadRequest | Control) -> bool:
        self.asked_about += 1
        return True

    async def record(self, asked: ThreadRequest | Control) -> None:
        raise AssertionError("it is known")

    ask_again = record


class Log:
    """GitHub's, of one delivery that no server answered."""

    def __init__(self, fake: Fake, age: float) -> None:
        self._fake = fake
        at = datetime.fromtimestamp(time.time() - age, UTC).isoformat()
        self._attempt = {"id": 4, "guid": "g", "delivered_at": at, "event": "issue_comment", "action": "created"}

    def answer(self) -> None:
        self._fake.mint_replies.clear()
        self._fake.mint_replies.append(Reply(200, [self._attempt | {"status_code": 502}]))
        self._fake.mint_replies.append(Reply(200, {"request": {"payload": comment()}}))


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path}/backspace.db")
    database.open()
    return database


def sweeper(database: Database, app: App, taker: Taker) -> Missed:
    async def transact(work: Callable[[sa.Connection], T], /) -> T:
        return await asyncio.to_thread(database.transaction, work)

    return Missed(transact=transact, app=app, intake=taker, label="backspace")


def set_moments(database: Database, **ages: float) -> None:
    def write(connection: sa.Connection) -> None:
        connection.execute(marks.delete())
        for name, age in ages.items():
            connection.execute(marks.insert().values(name=name, at=time.time() - age))

    database.transaction(write)


@pytest.mark.parametrize(
    ("age", "made", "swept", "looked_at"),
    [
        (23 * HOUR, 99 * HOUR, 99 * HOUR, True),
        (25 * HOUR, 99 * HOUR, 99 * HOUR, False),
        (2 * HOUR, HOUR, 99 * HOUR, False),
        (HOUR + 500, 99 * HOUR, HOUR, True),
        (HOUR + 700, 99 * HOUR, HOUR, False),
    ],
    ids=["of today", "of yesterday", "before the first start", "a little before the last look", "long before it"],
)
async def test_what_is_looked_at(
    database: Database, app: App, fake: Fake, age: float, made: float, swept: float, looked_at: bool
) -> None:
    """FL-G25"""
    set_moments(database, made=made, swept=swept)
    Log(fake, age).answer()
    await sweeper(database, app, taker := Taker()).sweep()
    assert bool(taker.asked_about) == looked_at


async def test_what_came_another_way_is_not_taken_nor_looked_at_again(database: Database, app: App, fake: Fake) -> None:
    """FL-G25, FL-G26"""
    set_moments(database, made=99 * HOUR)
    log, missed = Log(fake, HOUR), sweeper(database, app, taker := Taker())
    for _ in range(3):
        set_moments(database, made=99 * HOUR)
        log.answer()
        await missed.sweep()
    assert taker.asked_about == 1


async def test_what_was_noted_yesterday_is_dropped(database: Database, app: App, fake: Fake) -> None:
    """FL-G25: nobody waits for it any more."""
    row = {
        "guid": "g",
        "attempt": 4,
        "event": "issue_comment",
        "at": time.time() - 25 * HOUR,
        "tries": 1,
        "done": False,
    }
    database.transaction(lambda c: c.execute(deliveries.missed.insert().values(row)).rowcount)
    set_moments(database, made=99 * HOUR, swept=0)
    fake.mint_replies.append(Reply(200, []))
    await sweeper(database, app, taker := Taker()).sweep()
    assert (taker.asked_about, fake.asked("/app/hook/deliveries/4")) == (0, [])


async def test_one_of_the_servers_looks(database: Database, app: App, fake: Fake) -> None:
    """FL-G25"""
    asked: list[Any] = []

    def is_first() -> bool:
        asked.append(0)
        return False

    looking = asyncio.create_task(sweeper(database, app, Taker()).sweep_for_ever(is_first))
    async with asyncio.timeout(10):
        while not asked:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await asyncio.sleep(0)
    looking.cancel()
    assert fake.seen == []
