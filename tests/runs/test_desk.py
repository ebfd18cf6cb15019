"""The keys of tasks that are asked for directly, and what is refused. More of the desk is in tests/e2e/test_code.py, on whole servers."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Refusal
from app.core.redact import Redactor
from app.core.task import Asked, CodeRequest, Repository
from app.github.app import App
from app.runs import tables
from app.runs.database import Database
from app.runs.desk import Desk, task_key, ulid
from app.runs.room import PER_KEY, Room
from tests.github.world import World, simulator, world
from tests.runs.test_approvals import Recorded

__all__ = ["simulator", "world"]
TIMES = st.floats(0, 2**38 / 1000)
NOISE = st.integers(0, 2**80 - 1)


def asked(caller: str = "ci", key: str = "") -> Asked:
    return Asked(repo="o/r", prompt="Do it.", caller=caller, idempotency_key=key)


def test_without_an_idempotency_key_each_is_a_task_of_its_own() -> None:
    keys = {task_key(asked()) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch("t-[0-9a-z]{26}", key) for key in keys)


@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_an_idempotency_key_is_of_its_caller(caller: str, key: str, other: str, another: str) -> None:
    one, two = task_key(asked(caller, key)), task_key(asked(other, another))
    assert re.fullmatch("k-[0-9a-f]{32}", one)
    assert (one == two) == ((caller, key) == (other, another))


@given(TIMES, NOISE, TIMES, NOISE)
def test_later_tasks_have_later_keys(at: float, noise: int, later: float, other: int) -> None:
    earlier = (int(at * 1000), noise) <= (int(later * 1000), other)
    assert earlier == (ulid(at, noise) <= ulid(later, other))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    database = Database(f"sqlite:///{tmp_path}/backspace.db")
    database.open()
    yield Recorded(database)
    database.engine.dispose()


async def test_a_request_that_was_taken_is_found_although_its_repository_has_gone(engine: Any) -> None:
    again = asked(key="once")
    request = CodeRequest(
        key=task_key(again), repository=Repository(id=1, full_name="o/r"), instruction="Do it.", caller="ci",
        asked_at="2026-11-20T10:05:00Z",
    )  # fmt: skip
    await engine.db(tables.add_task(request))
    desk = Desk(engine=engine, redactor=Redactor(()), app=None, user=None)
    assert await desk.ask(again) == request.key
    with pytest.raises(Refusal, match="Nothing leads to o/r"):
        await desk.ask(asked(key="another"))


def open_task(n: int, caller: str = "ci") -> CodeRequest:
    return CodeRequest(
        key=f"t-{caller}-{n}", repository=Repository(id=1, full_name="o/r"), instruction="Do it.", caller=caller,
        asked_at="2026-11-20T10:05:00Z",
    )  # fmt: skip


async def test_a_key_has_no_more_than_two_hundred_open_tasks_however_fast_it_asks(engine: Any) -> None:
    """RT-A09: who asks and hangs up a thousand times has filled its own share, and nobody else's."""
    room = Room(engine)

    async def ask(n: int, caller: str = "ci") -> bool:
        request = open_task(n, caller)
        try:
            async with room.of(caller, request.key):
                await asyncio.sleep(0)  # others ask meanwhile
                await engine.db(tables.add_task(request))
        except Refusal as e:
            return e.status != 429
        return True

    assert sum(await asyncio.gather(*(ask(n) for n in range(1000)))) == PER_KEY == 200
    assert await ask(1, "docs")
    desk = Desk(engine=engine, redactor=Redactor(()), app=None, user=None)
    with pytest.raises(Refusal, match="200 tasks of this key are open"):
        await desk.ask(asked())
    await engine.db(tables.set_outcome("t-ci-0", "ready"))
    assert await ask(1001)
    assert not await ask(1002)


async def test_an_app_that_may_not_write_is_refused_and_says_what_it_lacks(engine: Any, world: World) -> None:
    read = {"metadata": "read", "contents": "read", "pull_requests": "write"}
    made = await world.control("POST", "/apps", {"webhook_secret": "0" * 16, "permissions": read})
    name = f"larder-{made['app_id']}"
    await world.control(
        "POST", "/repos", {"owner": "octo", "name": name, "files": {"a": "a"}, "app_id": made["app_id"]}
    )
    app = App(world.session, f"{world.url}/api/v3", made["app_id"], made["private_key"])
    desk = Desk(engine=engine, redactor=Redactor(()), app=app, user=None)
    with pytest.raises(Refusal, match=f"The App may not write contents in octo/{name}: an owner can accept"):
        await desk.ask(Asked(repo=f"octo/{name}", prompt="Do it.", caller="ci"))
