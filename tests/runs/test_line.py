"""What is full and whose turn it is, by the tables."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from app.core.task import Actor, CodeRequest, Repository, ThreadRequest
from app.runs import line, tables
from app.runs.database import Database
from app.trigger.load import PER_INSTALLATION, Full

BIG = 2**40
"""GitHub's ids outgrow 32 bits."""


def asked(n: int, thread: int = 1, installation: int = BIG) -> ThreadRequest:
    return ThreadRequest(
        key=f"c-1-{n}",
        delivery="d",
        installation=installation,
        repository=Repository(id=installation, full_name="o/r"),
        thread=thread,
        actor=Actor(id=BIG + 1, login="alice"),
        instruction="Do it.",
        comment_id=n,
        asked_at="2026-11-20T10:05:00Z",
    )


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    database = Database(address)
    database.open()
    yield database
    database.engine.dispose()


def take(database: Database, request: ThreadRequest, alive: tuple[str, ...] = ()) -> Full | None:
    return database.transaction(line._take(request, alive))


def begin(database: Database, request: ThreadRequest, slots: int = 2, alive: tuple[str, ...] = ()) -> bool:
    return database.transaction(line._begin(request, alive, slots))


def test_a_third_in_a_thread_is_not_taken_until_one_is_over(database: Database) -> None:
    """RT-D06"""
    first, second, third = asked(1), asked(2), asked(3)
    assert (take(database, first), take(database, second)) == (None, None)
    assert take(database, third) == Full("thread", second.key)
    assert not database.transaction(tables.is_task(third.key))
    assert take(database, second) is None, "it was taken already, by a step that runs again"
    database.transaction(tables.set_outcome(first.key, "ready"))
    assert take(database, third) is None


@pytest.mark.many
def test_of_two_servers_that_take_at_once_one_decides_after_the_other(postgres: Callable[[], str]) -> None:
    """RT-D06"""
    one, other = Database(url := postgres()), Database(url)
    for database in (one, other):
        database.open()
    take(one, asked(1))
    with ThreadPoolExecutor() as pool:
        with one.engine.begin() as connection:
            assert line._take(asked(2), ())(connection) is None
            later = pool.submit(take, other, asked(3))
            wait((later,), timeout=1)
        assert later.result() == Full("thread", asked(2).key)
    for database in (one, other):
        database.engine.dispose()


def test_a_task_that_nothing_works_on_fills_nothing_up_for_long(database: Database) -> None:
    first, second, third = asked(1), asked(2), asked(3)
    take(database, first)
    take(database, second)
    begin(database, first)
    old = time.time() - line.YOUNG - 1
    database.transaction(lambda c: c.execute(tables.tasks.update().values(created_at=old)).rowcount)
    assert take(database, third, alive=(first.key, second.key)) == Full("thread", second.key)
    assert take(database, third, alive=(first.key,)) is None


def test_a_turn_once_had_stays_and_the_next_comes_when_it_is_over(database: Database) -> None:
    """RT-D04: of two slots one is left to the other installation."""
    first, second, other = asked(1, 1), asked(2, 2), asked(3, 1, installation=8)
    direct = CodeRequest(key="t-1", repository=other.repository, instruction="x", asked_at="", caller="ci")
    for request in (first, second, other):
        take(database, request)
    database.transaction(tables.add_task(direct))
    assert [begin(database, request) for request in (first, second, other)] == [True, False, True]
    assert [begin(database, request) for request in (first, second, other)] == [True, False, True]
    database.transaction(tables.set_outcome(first.key, "ready"))
    assert begin(database, second)


def test_those_that_wait_are_counted(database: Database) -> None:
    requests = [asked(n, n) for n in range(1, 6)]
    for request in requests:
        take(database, request)
    begun = [begin(database, request) for request in requests]
    assert database.transaction(line._waiting) == begun.count(False) == 3
    database.transaction(tables.set_outcome(requests[-1].key, "stopped"))
    assert database.transaction(line._waiting) == 2


def test_what_is_asked_directly_takes_no_room_of_the_threads(database: Database) -> None:
    """RT-D06: its callers have a key of the operator's."""
    for n in range(PER_INSTALLATION):
        direct = CodeRequest(
            key=f"t-{n}", repository=Repository(id=1, full_name="o/r"), instruction="x", asked_at="", caller="ci",
            installation=BIG,
        )  # fmt: skip
        database.transaction(tables.add_task(direct))
    assert take(database, asked(1)) is None


def test_who_asked_long_ago_keeps_no_slot_free(database: Database) -> None:
    """RT-D04"""
    requests = [asked(n, n) for n in (1, 2)]
    for request in (asked(3, installation=8), *requests):
        take(database, request)
    database.transaction(tables.set_outcome("c-1-3", "ready"))
    assert [begin(database, request) for request in requests] == [True, False]
    long_ago = time.time() - line.LATELY - 1
    at = tables.tasks.update().where(tables.tasks.c.key == "c-1-3").values(created_at=long_ago)
    database.transaction(lambda c: c.execute(at).rowcount)
    assert begin(database, requests[1])


def test_alone_an_installation_has_every_slot(database: Database) -> None:
    requests = [asked(n, n) for n in (1, 2, 3)]
    for request in requests:
        take(database, request)
    assert [begin(database, request) for request in requests] == [True, True, False]
    take(database, late := asked(4, installation=8))
    assert not begin(database, late), "what has begun keeps its slot"
