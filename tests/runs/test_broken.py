"""What is begun for workflows that can't go on."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.core.events import Entry
from app.core.redact import Redactor
from app.core.task import Actor, Control, Repository
from app.runs import numbers, tables
from app.runs.broken import MOST, Breakage
from app.runs.comments import Comments
from app.runs.database import Database
from app.runs.intake import Intake
from app.runs.records import Broken
from app.runs.salvage import GIVEN_UP
from tests.runs.test_approvals import HASH, READY, Recorded
from tests.runs.test_pipeline import REQUEST, Json

TASK = REQUEST.key
CONTROL = Control(
    key="c-7-50", delivery="d", installation=3, repository=Repository(id=7, full_name="o/r"), thread=12,
    actor=Actor(id=2, login="bob"), comment_id=50, word="approve", said=HASH,
)  # fmt: skip


class GitHub:
    """And the App, and its tokens. `said`: the status comment."""

    said = ""
    tokens = property(lambda self: self)

    def repository(self, *_: Any) -> "GitHub":
        return self

    async def edit_comment(self, _: int, body: str) -> str:
        self.said = body
        return body

    async def react_to_comment(self, *_: Any) -> None:
        pass

    async def revoke(self, _: str) -> None:
        pass


@dataclass
class Ended:
    """An engine over a database of its own, which has ended these workflows. `begun`: by their ids, what was put in line then."""

    database: Database
    workflows: list[Broken] = field(default_factory=list)
    begun: dict[str, Json] = field(default_factory=dict)
    github: "GitHub" = field(default_factory=lambda: GitHub())

    async def db(self, work: Callable[[sa.Connection], Any]) -> Any:
        return self.database.transaction(work)

    async def broken(self, known: Collection[str]) -> list[Broken]:
        return [workflow for workflow in self.workflows if workflow.id not in known]

    async def entries(self, run: str, after: int = 0, most: int | None = None) -> tuple[list[Entry], int]:
        return [], after

    def forget(self, task: str) -> None:
        pass

    async def has(self, workflow_id: str) -> bool:
        return workflow_id in self.begun

    async def enqueue(self, name: str, workflow_id: str, thread: str, spec: Json) -> None:
        self.begun.setdefault(workflow_id, spec)

    async def break_newest(self, kind: str = "salvage") -> Json:
        """What was begun last breaks: what is begun for that."""
        run = list(self.begun)[-1]
        return await self.look(Broken(run, kind, self.begun[run], "a bug"))

    async def look(self, *broken: Broken) -> Json:
        before = set(self.begun)
        self.workflows.extend(broken)
        engine = cast(Any, self)
        limit: Any = {"server_url": "https://github.com", "limit_usd": 1, "patch_url": lambda _: None}
        comments = Comments(engine=engine, app=cast(Any, self.github), **limit)
        await Breakage(engine=engine, intake=None, comments=comments)._look()
        new = [self.begun[run] for run in self.begun if run not in before]
        return new[0] if new else {}


@pytest.fixture
def engine(address: str) -> Iterator[Ended]:
    """With a task whose first run is at work."""
    database = Database(address)
    database.open()
    database.transaction(tables.add_task(REQUEST))
    database.transaction(tables.set_comment(TASK, 5))
    yield Ended(database, begun={f"{TASK}.1": {}})
    database.engine.dispose()


async def test_a_salvage_that_breaks_leaves_the_work_to_the_next_one(engine: Ended) -> None:
    first = f"{TASK}.1"
    assert (await engine.break_newest("run"))["run"] == first
    for broken in (f"{TASK}.2", f"{TASK}.3"):
        spec = await engine.break_newest()
        assert (spec["task"], spec["run"], spec["first"]) == (TASK, broken, first)


async def test_so_does_one_of_an_earlier_version(engine: Ended) -> None:
    engine.begun[f"{TASK}.1"] = {"task": TASK, "run": "an earlier one"}
    assert (await engine.break_newest())["first"] == "an earlier one"


async def test_what_breaks_too_often_is_over_and_says_so(engine: Ended) -> None:
    """A run of its own says so, so that a stream ends with it too, and where that breaks the comment does."""
    salvages = [await engine.break_newest("run"), *[await engine.break_newest() for _ in range(MOST)]]
    assert [spec["is_last"] for spec in salvages] == [False] * MOST + [True]
    assert await engine.db(tables.is_open(TASK))
    assert await engine.break_newest() == {}
    assert await engine.db(tables.is_over(TASK))
    assert "Failed" in engine.github.said
    assert GIVEN_UP in engine.github.said


async def test_an_older_run_salvages_no_task_that_was_opened_again(engine: Ended) -> None:
    """It ended long ago, and each server that starts sees it again."""
    await engine.db(tables.say(TASK, numbers.APPROVE, "bob", "approve"))
    assert await engine.look(Broken(f"{TASK}.1", "run", None, "a bug")) == {}
    assert await engine.db(numbers.newest([TASK])) == {TASK: 2}


class Approved(Recorded):
    """With a control word whose workflow was ended. `begun`: ids."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.begun: list[str] = []

    async def enqueue(self, name: str, workflow_id: str, thread: str, spec: Json) -> None:
        self.begun.append(workflow_id)

    async def begin(self, name: str, workflow_id: str, spec: Json) -> None:
        self.begun.append(workflow_id)

    async def see_to(self, control: Control) -> list[str]:
        nothing: Any = None
        engine = cast(Any, self)
        intake = Intake(engine=engine, app=nothing, comments=nothing, redactor=Redactor(()), label="")
        broken = Broken(f"{control.key}.control", "control", control.model_dump(), "a bug")
        await Breakage(engine=engine, intake=intake, comments=None)._see_to(broken)
        return self.begun


@pytest.mark.parametrize("taken", [True, False])
async def test_an_approval_that_was_taken_gets_its_run_and_another_is_asked_for_again(
    engine: Ended, taken: bool
) -> None:
    approved = Approved(engine.database)
    task = await approved.task(1, *READY)
    if taken:
        await approved.take(50)
    assert await approved.see_to(CONTROL) == ([f"{task}.2"] if taken else ["c-7-50.missed"])
    assert await approved.db(tables.is_open(task)) == taken
