"""A comment says why its run stands still, also where that is because the installation may write no more."""

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from app.core.events import Entry, StageBegan, Waiting
from app.core.redact import Redactor
from app.core.task import Actor, Repository, ThreadRequest
from app.github.app import App
from app.runs import tables
from app.runs.comments import CLOCK_EDITS, Comments, _Written
from app.runs.engine import Engine
from tests.github.conftest import Fake, app, fake, make_app, waits

__all__ = ["app", "fake", "make_app", "waits"]

REQUEST = ThreadRequest(
    key="c-1-1", delivery="d", installation=7, repository=Repository(id=1, full_name="o/r"), thread=1,
    actor=Actor(id=1, login="alice"), instruction="Do it.", comment_id=1, asked_at="2026-11-20T10:05:00Z",
)  # fmt: skip
BUSY = "This installation has written as much as GitHub allows for now"


@pytest.fixture
def engine(address: str) -> Iterator[Engine]:
    """Its database alone: nothing runs."""
    engine = Engine(address, Redactor(()), max_runs=1)
    engine._database.open()
    engine._database.transaction(tables.add_task(REQUEST))
    yield engine
    engine._database.engine.dispose()


async def test_a_run_that_waits_for_its_turn_to_write_says_so_once(engine: Engine, app: App, fake: Fake) -> None:
    """RT-D05: in the turns that are kept for that."""
    comments = Comments(
        engine=engine, app=app, server_url="https://x", limit_usd=1, patch_url=cast(Any, lambda _: None)
    )
    for _ in range(57):
        await app._pace.lane(7).wait()
    written = _Written()

    async def edits(event: StageBegan | Waiting) -> int:
        written.entries.append(Entry(id=f"c-1-1.1.{len(written.entries)}.0", at=time.time() - 1, event=event))
        before = len(fake.asked("/issues/comments/"))
        for _ in range(2):
            await comments._edit(REQUEST, 9, 0, written, CLOCK_EDITS)
            written.body = ""  # as if its clock had gone on
        return len(fake.asked("/issues/comments/")) - before

    assert await edits(StageBegan(stage="publish")) == 0
    assert await edits(Waiting(message=f"{BUSY}.", seconds=900)) == 1
    (edit,) = fake.asked("/issues/comments/")
    assert f"{BUSY} · tried again in " in edit.body["body"]
