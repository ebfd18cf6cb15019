"""A run's last steps fail: its last event is a Done all the same, and its task is closed or left to the comments' loop."""

from collections.abc import Collection, Iterator
from typing import Any, cast

import pytest

from app.core.events import Done, Error
from app.core.redact import Redactor
from app.core.task import CodeRequest, Repository, ThreadRequest
from app.runs import numbers, tables
from app.runs.comments import Comments
from app.runs.database import Database
from app.runs.ending import End, conclude
from app.runs.publishing import Publishing
from app.runs.steps import Body, attempt
from tests.runs.test_broken import Ended
from tests.runs.test_pipeline import REQUEST, Json

CODE = CodeRequest(
    key="t-1", repository=Repository(id=1, full_name="o/r"), instruction="Do it", asked_at="", caller="ci"
)
END = End("draft", "A check failed: a-secret.", "https://github.com/acme/api/pull/9", "api")
DONE = Done(outcome="draft", message="A check failed: [redacted].", pr_url=END.pr_url, via="api").model_dump()


class Away:
    """Sandboxes, and a place, of which nothing can be had."""

    async def runs(self) -> dict[str, str]:
        raise RuntimeError("E2B answered 418")

    async def close(self, run: str) -> None:
        raise RuntimeError("GitHub answered 418")


class Failing:
    """A run's last steps, of which those named fail. `events`: what is recorded of them."""

    def __init__(self, engine: Ended, *fail: str) -> None:
        app, away = cast(Any, engine.github), cast(Any, Away())
        comments = Comments(
            engine=cast(Any, engine), app=app, server_url="https://github.com", limit_usd=1, patch_url=lambda _: None
        )
        self._publishing = Publishing(
            engine=cast(Any, engine), place_of=lambda _: away, sandboxes=away, comments=comments, redactor=Redactor(["a-secret"])
        )  # fmt: skip
        self._fail: Collection[str] = fail
        self.events: list[Json] = []

    async def step(self, name: str, body: Body, /, *args: Any) -> Json:
        failed: Json = {"failed": "No.", "events": [Error(message="No.").model_dump()]}
        output = failed if name in self._fail else await attempt(body, *args)
        assert "failed" not in output or name in self._fail
        self.events += output["events"]
        return output

    async def conclude(self, request: ThreadRequest | CodeRequest) -> None:
        await conclude(self.step, self._publishing, numbers.run_id(request.key, 1), request, END)


@pytest.fixture
def engine(address: str) -> Iterator[Ended]:
    """With a task of a thread and one of a caller."""
    database = Database(address)
    database.open()
    for request in (REQUEST, CODE):
        database.transaction(tables.add_task(request))
    database.transaction(tables.set_comment(REQUEST.key, 5))
    yield Ended(database)
    database.engine.dispose()


@pytest.mark.parametrize("fail", [(), ("end",), ("report",), ("end", "report")])
@pytest.mark.parametrize("request_", [REQUEST, CODE], ids=["thread", "code"])
async def test_the_last_event_is_how_it_ended(
    engine: Ended, request_: ThreadRequest | CodeRequest, fail: tuple[str, ...]
) -> None:
    """Without it whoever follows waits for ever. Nor is anything left open: what a thread was not told, the comments' loop tells."""
    failing = Failing(engine, *fail)
    await failing.conclude(request_)
    assert failing.events[-1] == DONE
    assert await engine.db(tables.is_over(request_.key)) == (request_ is CODE or "report" not in fail)


async def test_the_comment_says_how_it_ended_where_only_that_could_not_be_recorded(engine: Ended) -> None:
    await Failing(engine, "end").conclude(REQUEST)
    assert "A check failed: " in engine.github.said
    assert "a-secret" not in engine.github.said
    assert "Working" not in engine.github.said
