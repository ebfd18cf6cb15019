"""What is kept beside the record, and for how long, on both databases."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
import sqlalchemy as sa

from app.core.task import Actor, Repository, ThreadRequest
from app.runs import artifacts, tables
from app.runs.database import Database

T = TypeVar("T")
BIG = 2**40
"""GitHub's ids outgrow 32 bits."""
OPEN, OVER = "c-1-1", "c-1-2"


class Tables:
    def __init__(self, database: Database) -> None:
        self._do = database.transaction

    def __call__(self, work: Callable[[sa.Connection], T]) -> T:
        return self._do(work)


@pytest.fixture
def do(address: str) -> Iterator[Tables]:
    """Two tasks, one of which is over."""
    database = Database(address)
    database.open()
    do = Tables(database)
    for key in (OPEN, OVER):
        do(tables.add_task(asked(key)))
    do(tables.set_outcome(OVER, "ready"))
    yield do
    database.engine.dispose()


def asked(key: str) -> ThreadRequest:
    return ThreadRequest(
        key=key, delivery="d", installation=BIG, repository=Repository(id=BIG, full_name="o/r"), thread=1,
        actor=Actor(id=BIG, login="alice"), instruction="Do it. \x7f ☕", comment_id=BIG, asked_at="2026-11-20T10:05:00Z",
    )  # fmt: skip


def test_a_task_is_taken_once_and_comes_back_as_it_was_asked(do: Tables) -> None:
    do(tables.add_task(asked(OPEN)))
    do(tables.set_comment(OPEN, BIG + 1))
    assert do(tables.open_tasks(f"{BIG}#1")) == [(asked(OPEN), BIG + 1)]
    assert do(tables.request_of(OVER)) == asked(OVER)
    assert [do(tables.is_open(key)) for key in (OPEN, OVER, "c-1-3")] == [True, False, False]


def test_a_word_is_there_once_and_the_first_counts(do: Tables) -> None:
    for actor in ("@alice", "@bob"):
        do(tables.say(OPEN, "stop", actor, f"k/{actor}"))
        do(tables.say(OPEN, "stop", "@carol", f"k/{actor}"))
    assert do(tables.who_stopped(OPEN)) == "@alice"
    assert do(tables.stopped([OPEN, OVER])) == [OPEN]
    assert [do(tables.say_once(OVER, "full", actor, "once")) for actor in ("a", "b")] == ["a", "a"]


def test_what_the_model_was_asked_last_is_noted_until_the_task_is_over(do: Tables) -> None:
    for turn in (1, 2):
        do(tables.note_asking(OPEN, f"{OPEN}.1", turn, {"requests": turn, "usd": 0.1}))
    assert do(tables.asking_of(OPEN, f"{OPEN}.1", 1)) is None
    assert do(tables.asking_of(OPEN, f"{OPEN}.1", 2)) == {"requests": 2, "usd": 0.1}
    do(tables.set_outcome(OPEN, "ready"))
    assert do(tables.asking_of(OPEN, f"{OPEN}.1", 2)) is None


def test_bytes_are_kept_until_the_task_is_over_or_old(do: Tables) -> None:
    for key in (OPEN, OVER):
        for name in ("checkpoint", "patch"):
            do(artifacts.keep(key, name, b"before"))
            do(artifacts.keep(key, name, bytes(range(256))))
        do(tables.say(key, "stop", "@alice", key))
    do(artifacts.drop_of_what_is_over(("checkpoint",)))
    assert [do(artifacts.kept(key, "checkpoint")) for key in (OPEN, OVER)] == [bytes(range(256)), None]
    do(artifacts.forget_before(0.0))
    assert do(artifacts.kept(OVER, "patch")) == bytes(range(256))
    do(artifacts.forget_before(4e9))
    do(tables.forget_words(4e9))
    assert [do(artifacts.kept(key, "patch")) for key in (OPEN, OVER)] == [bytes(range(256)), None]
    assert do(tables.stopped([OPEN, OVER])) == [OPEN]
