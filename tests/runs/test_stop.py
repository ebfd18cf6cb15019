"""To which tasks of a thread a stop is said, by the tables."""

from collections.abc import Iterator

import pytest

from app.core.task import Actor, Repository, ThreadRequest
from app.runs import tables
from app.runs.database import Database
from app.runs.stop import say_in


def asked(n: int, thread: int = 1) -> ThreadRequest:
    return ThreadRequest(
        key=f"c-7-{n}", delivery="d", installation=1, repository=Repository(id=7, full_name="o/r"), thread=thread,
        actor=Actor(id=1, login="alice"), instruction="Do it.", comment_id=n, asked_at="2026-11-20T10:05:00Z",
    )  # fmt: skip


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """Two open tasks in a thread, one that is over, and one in another thread."""
    database = Database(address)
    database.open()
    for request in (asked(1), asked(2), asked(3), asked(4, thread=2)):
        database.transaction(tables.add_task(request))
    database.transaction(tables.set_outcome("c-7-1", "ready"))
    yield database
    database.engine.dispose()


def stop(database: Database, comment: int) -> list[str]:
    return sorted(database.transaction(say_in("7#1", "@alice", f"c-7-{comment}")))


def stopped(database: Database) -> list[str]:
    return sorted(database.transaction(tables.stopped([f"c-7-{n}" for n in range(1, 6)])))


def test_a_stop_is_for_all_that_is_open_in_its_thread(database: Database) -> None:
    assert stop(database, 90) == stopped(database) == ["c-7-2", "c-7-3"]


def test_a_stop_obeyed_again_knows_what_it_has_stopped_and_stops_nothing_that_came_later(database: Database) -> None:
    """The server was killed between the two, or the reaction failed."""
    stop(database, 90)
    for key in ("c-7-2", "c-7-3"):
        database.transaction(tables.set_outcome(key, "stopped"))
    database.transaction(tables.add_task(asked(5)))
    assert stop(database, 90) == ["c-7-2", "c-7-3"]
    assert stopped(database) == ["c-7-2", "c-7-3"]
    assert stop(database, 9) == ["c-7-5"], "another comment's, although its number begins alike"
    database.transaction(tables.set_outcome("c-7-5", "stopped"))
    assert stop(database, 91) == []
