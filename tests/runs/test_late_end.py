"""A run whose own last step gave up is brought to its end by the loop over the comments, as that step would have done."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from app.core import events as e
from app.core.task import ThreadRequest
from app.github.app import App
from app.runs import tables
from app.runs.comments import Comments
from app.runs.database import Database
from tests.github.conftest import Fake, app, fake, make_app, waits
from tests.runs.test_approvals import READY, Recorded

__all__ = ["app", "fake", "make_app", "waits"]


class Started(Recorded):
    """With what each run was started with."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.specs: dict[str, Any] = {}

    async def spec(self, run: str) -> Any:
        return self.specs.get(run)

    def forget(self, task: str) -> None:
        """There is nothing to forget."""


@pytest.fixture
def started(address: str) -> Iterator[Started]:
    database = Database(address)
    database.open()
    yield Started(database)
    database.engine.dispose()


async def test_who_approved_is_answered_and_not_who_asked_before(started: Started, app: App, fake: Fake) -> None:
    task = await started.task(1, *READY)
    await started.db(tables.set_comment(task, 9))
    taken = await started.take(50)
    started.specs = {f"{task}.2": taken["request"]}
    started.runs[f"{task}.2"] = (e.Done(outcome="ready"),)
    request = await started.db(tables.request_of(task))
    assert isinstance(request, ThreadRequest)
    comments = Comments(engine=cast(Any, started), app=app, server_url="", limit_usd=1, patch_url=lambda _: None)
    await comments._refresh(request, 9, 0, f"{task}.2")
    reacted = [(seen.path.partition("/issues/")[2], seen.body) for seen in fake.asked("/reactions")]
    assert reacted == [("comments/50/reactions", {"content": "rocket"})]
    assert await started.db(tables.is_over(task))
