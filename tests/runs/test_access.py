"""What becomes of tasks where the App is taken from repositories, suspended, or let in again."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from app.core.redact import Redactor
from app.core.task import Actor, CodeRequest, Repository, Request, ThreadRequest
from app.github.app import App
from app.github.tokens import CLONE
from app.runs import tables, warm_states
from app.runs.access import WHO, Accesses
from app.runs.engine import Engine
from app.runs.warm import Warm
from app.trigger.policy import Access
from tests.github.conftest import Fake, app, fake, make_app, waits

__all__ = ["app", "fake", "make_app", "waits"]

OURS, OTHERS = 7, 8
"""Installations."""


def asked(key: str, repository: int, installation: int = OURS) -> ThreadRequest:
    return ThreadRequest(
        key=key, delivery="d", installation=installation, repository=Repository(id=repository, full_name="o/r"), thread=1,
        actor=Actor(id=1, login="alice"), instruction="Do it.", comment_id=1, asked_at="2026-11-20T10:05:00Z",
    )  # fmt: skip


BY_TOKEN = CodeRequest(
    key="t-1", repository=Repository(id=1, full_name="o/r"), instruction="x", asked_at="", caller="ci"
)
OPEN = (asked("c-1-1", 1), asked("c-2-1", 2), asked("c-3-1", 3, OTHERS), BY_TOKEN)


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    """Its database alone: nothing runs."""
    engine = Engine(address, Redactor(()), max_runs=1)
    engine._database.open()
    for request in OPEN:
        engine._database.transaction(tables.add_task(request))
    yield engine
    engine._database.engine.dispose()


@pytest.fixture
def accesses(engine: Engine, app: App) -> Accesses:
    none = cast(Any, None)
    return Accesses(engine=engine, app=app, warm=Warm(engine=engine, sandboxes=none, checking=none, template="base"))


def stopped(engine: Engine, requests: Sequence[Request] = OPEN) -> list[str]:
    return sorted(engine._database.transaction(tables.stopped([request.key for request in requests])))


def mended(engine: Engine) -> list[str]:
    return [request.key for request, _ in engine._database.transaction(tables.to_mend)]


@pytest.mark.parametrize(
    ("access", "expected"),
    [
        (Access("removed", OURS, (2, 3), whole=False), ["c-2-1"]),
        (Access("removed", OURS, (1, 2)), ["c-1-1", "c-2-1"]),
        (Access("suspended", OTHERS), ["c-3-1"]),
        (Access("restored", OURS), []),
    ],
)
async def test_what_can_not_be_published_any_more_is_stopped_and_nothing_else(
    engine: Engine, accesses: Accesses, access: Access, expected: list[str]
) -> None:
    """FL-G08"""
    await accesses.changed(access)
    await accesses.changed(access)
    assert stopped(engine) == expected
    for key in expected:
        assert engine.stopping(key).is_set()
        assert await engine.db(tables.who_stopped(key)) == WHO[access.how]


async def test_tokens_that_github_has_ended_are_not_used_again(accesses: Accesses, app: App, fake: Fake) -> None:
    """FL-G07: nor asked to be revoked, for GitHub would refuse that too."""
    runs = ("c-1-1", "c-1-1.1", "c-3-1.1")
    before = [await app.tokens.get(run, 99, 7, CLONE) for run in runs]
    await accesses.changed(Access("suspended", OURS))
    assert [await app.tokens.get(run, 99, 7, CLONE) == token for run, token in zip(runs, before, strict=True)] == [
        False,
        False,
        True,
    ]
    assert fake.asked("/installation/token") == []


async def test_a_kept_state_goes_with_the_repository(engine: Engine, accesses: Accesses) -> None:
    for repository in (1, 2):
        await engine.db(warm_states.keep(repository, "base", f"state-{repository}"))
    await accesses.changed(Access("removed", OURS, (2,), whole=False))
    assert await engine.db(warm_states.unused(1.0)) == ["state-2"]


async def test_let_in_again_each_comment_of_what_was_stopped_meanwhile_is_mended_once(
    engine: Engine, accesses: Accesses
) -> None:
    """FL-G07: not what a person stopped, nor what is still on its way to its end."""
    for installation in (OURS, OTHERS):
        await accesses.changed(Access("suspended", installation))
    by_alice = asked("c-1-2", 1)
    await engine.db(tables.add_task(by_alice))
    await engine.stop_task(by_alice.key, "@alice", "k")
    for key in ("c-1-1", "c-3-1", by_alice.key):
        await engine.db(tables.set_outcome(key, "stopped"))
    for _ in range(2):
        await accesses.changed(Access("restored", OURS))
        assert mended(engine) == ["c-1-1"]
    await engine.db(tables.mended("c-1-1"))
    await accesses.changed(Access("restored", OURS))
    assert mended(engine) == []


async def test_a_comment_is_to_be_mended_once_however_often_that_is_found(engine: Engine) -> None:
    for _ in range(2):
        await engine.db(tables.mend("c-1-1"))
    assert mended(engine) == ["c-1-1"]
