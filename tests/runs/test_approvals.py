"""Which run follows from an approval, by the tables and the log: the right task's, once for each word, and none where it does not fit."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from app.core import events as e
from app.core.errors import Transient, UserError
from app.core.redact import Redactor
from app.core.task import Actor, Control, Repository, ThreadRequest
from app.publish import replies
from app.runs import asked, log, numbers, tables
from app.runs.approvals import Approvals
from app.runs.asked import Asked, Kept
from app.runs.comments import Comments
from app.runs.database import Database
from app.runs.ground import Ground
from app.runs.holding import only_approved
from app.runs.place import Offer, Opened
from app.runs.publishing import Publishing
from app.runs.retention import Retention
from app.sandbox.repo import Change

HASH = "0123456789abcdef" * 2
LEFT = e.LeftOut(paths=(), diff="", asked=("AGENTS.md",), approval=HASH)
CHANGED = e.Changed(tree="t", files=1, added=1, removed=0, diff="", touches_tests=False)
PUBLISHED = e.Published(branch="b", commit="c", tree="t", number=9, title="T", draft=False)
READY = (CHANGED, LEFT, PUBLISHED, e.Done(outcome="ready"))


class Recorded:
    """An engine over a database of its own, whose runs were recorded: by their ids, each event in a step of its own."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runs: dict[str, tuple[e.Event, ...]] = {}

    async def db(self, work: Callable[[sa.Connection], Any]) -> Any:
        return self.database.transaction(work)

    keep = db

    async def entries(self, run: str, after: int = 0, most: int | None = None) -> tuple[list[e.Entry], int]:
        steps = list(enumerate(self.runs.get(run, ())))[after:][:most]
        return [e.Entry(id=f"{run}.{n}.0", at=n, event=event) for n, event in steps], after + len(steps)

    async def task(self, n: int, *events: e.Event, thread: int = 12, repository: int = 7, over: bool = True) -> str:
        request = ThreadRequest(
            key=f"c-7-{n}", delivery="d", installation=3, repository=Repository(id=repository, full_name="o/r"), thread=thread,
            actor=Actor(id=1, login="alice"), instruction="Do it.", comment_id=n, asked_at="2026-11-20T10:05:00Z",
        )  # fmt: skip
        change = Change("AGENTS.md", "A", "000000", "100644", "0" * 40, "1" * 40, 5, False)
        content = Asked(changes=(change,), paths=("AGENTS.md",), rest=(), rest_diff="")
        await self.db(tables.add_task(request))
        await asked.keep(self, request.key, HASH, Kept(asked=content, pack=b"PACK\n\0"))  # type: ignore[arg-type]
        self.runs[f"{request.key}.1"] = events
        if over:
            await self.db(tables.set_outcome(request.key, "ready"))
        return request.key

    async def take(self, comment: int = 50, said: str = HASH, thread: int = 12, repository: int = 7) -> dict[str, Any]:
        control = Control(
            key=f"c-7-{comment}", delivery="d", installation=3, repository=Repository(id=repository, full_name="o/r"), thread=thread,
            actor=Actor(id=2, login="bob"), comment_id=comment, word="approve", said=said,
        )  # fmt: skip
        return await Approvals(self).take(control)  # type: ignore[arg-type]


@pytest.fixture
def recorded(address: str) -> Iterator[Recorded]:
    database = Database(address)
    database.open()
    yield Recorded(database)
    database.engine.dispose()


async def test_it_becomes_the_next_run_of_the_task_once(recorded: Recorded) -> None:
    task = await recorded.task(1, *READY)
    await recorded.db(tables.say(task, "stop", "@alice", "stop"))
    first = await recorded.take()
    assert first["run"] == 2
    request = ThreadRequest.model_validate(first["request"])
    assert (request.key, request.branch) == (task, "b")
    assert request.approved
    assert (request.approved.content, request.approved.actor.login, request.approved.branch) == (HASH, "bob", "b")
    assert await recorded.db(tables.is_open(task))
    assert await recorded.db(tables.who_stopped(task)) is None, "what stopped the run before is past"
    assert await recorded.take() == first, "the step of a server that was killed behind it"
    assert await recorded.db(numbers.newest([task, "other"])) == {task: 2, "other": 1}


async def test_while_the_task_is_at_work_it_waits(recorded: Recorded) -> None:
    task = await recorded.task(1, *READY)
    assert (await recorded.take(50))["run"] == 2
    with pytest.raises(Transient):
        await recorded.take(51)
    await recorded.db(tables.set_outcome(task, "failed"))
    assert (await recorded.take(51))["run"] == 3, "what failed can be said again"


async def test_an_older_run_does_not_close_what_was_opened_again(recorded: Recorded) -> None:
    """Its step was recorded too late, or its comment was looked at too early: a server that was killed, or slow."""
    task = await recorded.task(1, *READY)
    request = ThreadRequest.model_validate((await recorded.take())["request"])
    nothing: Any = None
    comments = Comments(engine=cast(Any, recorded), app=nothing, server_url="", limit_usd=1, patch_url=nothing)
    await comments.settle(f"{task}.1", request, "ready")
    assert not await recorded.db(numbers.close(f"{task}.1", "ready"))
    assert await recorded.db(tables.is_open(task))
    assert await recorded.db(numbers.close(f"{task}.2", "ready"))
    assert await recorded.db(tables.is_over(task))


async def test_what_is_let_in_is_let_in(recorded: Recorded) -> None:
    task = await recorded.task(1, *READY)
    await asked.note_let_in(recorded, task, HASH)  # type: ignore[arg-type]
    assert await recorded.take() == {"refused": replies.approve_again_text()}
    await recorded.db(asked.drop(task))
    assert await recorded.take() == {"refused": replies.approve_again_text()}


async def test_it_is_of_the_issue_or_of_the_pull_request_where_it_is_said(recorded: Recorded) -> None:
    """Also where two tasks left out the very same."""
    task = await recorded.task(1, *READY)
    await recorded.task(2, CHANGED, LEFT, e.Done(outcome="failed"), thread=13)
    assert (await recorded.take(50, thread=9))["request"]["key"] == task
    assert await recorded.take(51, thread=13) == {"refused": replies.approve_alone_text()}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"said": ""}, replies.approve_how_text()),
        ({"said": HASH[::-1]}, replies.approve_unknown_text()),
        ({"thread": 99}, replies.approve_unknown_text()),
        ({"repository": 8}, replies.approve_unknown_text()),
    ],
)
async def test_what_does_not_fit_gets_a_line_and_no_run(recorded: Recorded, words: dict[str, Any], why: str) -> None:
    task = await recorded.task(1, *READY)
    assert await recorded.take(**words) == {"refused": why}
    assert await recorded.db(tables.is_over(task))


async def test_where_two_works_of_an_issue_left_out_the_same_the_pull_request_says_which(recorded: Recorded) -> None:
    """RT-G06"""
    other = (CHANGED, LEFT, PUBLISHED.model_copy(update={"number": 11, "branch": "c"}), e.Done(outcome="ready"))
    first, second = await recorded.task(1, *READY), await recorded.task(2, *other)
    assert await recorded.take(50) == {"refused": replies.approve_which_text([9, 11])}
    assert (await recorded.take(51, thread=9))["request"]["key"] == first
    await asked.note_let_in(recorded, first, HASH)  # type: ignore[arg-type]
    assert (await recorded.take(52))["request"]["key"] == second, "nothing else is to be let in here"
    await asked.note_let_in(recorded, second, HASH)  # type: ignore[arg-type]
    assert await recorded.take(53) == {"refused": replies.approve_again_text()}


async def test_a_task_that_took_it_has_taken_it(recorded: Recorded) -> None:
    """The server was killed behind the write; before the next look, another task has left out the same."""
    await recorded.task(1, *READY)
    first = await recorded.take(50)
    await recorded.task(2, *READY)
    assert await recorded.take(50) == first
    await recorded.db(asked.drop("c-7-1"))
    assert await recorded.take(50) == first


async def test_a_newer_gate_asks_in_place_of_the_older(recorded: Recorded) -> None:
    """RT-G06"""
    task = await recorded.task(1, *READY)
    content = Asked(changes=(), paths=(), rest=(), rest_diff="")
    await asked.keep(recorded, task, "f" * 32, Kept(asked=content, pack=b""))  # type: ignore[arg-type]
    assert await recorded.take() == {"refused": replies.approve_unknown_text()}
    kept = await asked.kept(recorded, task, "f" * 32)  # type: ignore[arg-type]
    assert kept == Kept(asked=content, pack=b"")


@pytest.mark.parametrize("most", [1, 2, 3, None])
async def test_a_log_goes_over_all_runs_without_a_gap(recorded: Recorded, most: int | None) -> None:
    task = await recorded.task(1, *READY)
    assert (await recorded.take())["run"] == 2
    second = (e.Approved(by="bob", paths=("AGENTS.md",)), e.Done(outcome="ready"))
    recorded.runs[f"{task}.2"] = second[:1]
    found, after = list[e.Entry](), 0
    for end in (False, True):
        if end:
            recorded.runs[f"{task}.2"] = second
        while True:
            some, reached = await log.behind(recorded, task, after, most)  # type: ignore[arg-type]
            found += some
            if reached == after:
                break
            after = reached
    assert [entry.event for entry in found] == [*READY, *second]
    assert len({entry.id for entry in found}) == len(found)
    assert await log.whole(recorded, task) == found  # type: ignore[arg-type]


async def test_what_is_let_in_replaces_exactly_what_people_were_shown(recorded: Recorded) -> None:
    """RT-G06: a push to that file meanwhile would be undone without a word; one to another file stays."""
    task = await recorded.task(1, *READY)
    request = ThreadRequest.model_validate((await recorded.take())["request"])
    ground = Ground(run=f"{task}.2", request=request, branch="main", start="b", sandbox="s", base="c" * 40)
    kept = Change("AGENTS.md", "A", "000000", "100644", "0" * 40, "1" * 40, 5, False)
    noise = Change("setup.log", "A", "000000", "100644", "0" * 40, "2" * 40, 5, False)
    engine: Any = recorded
    assert await only_approved(engine, ground, (kept, noise)) == (kept,)
    pushed = replace(kept, status="M", old_mode="100644", old_sha="3" * 40)
    for found in ((pushed,), (replace(kept, old_mode="100755"),), (noise,), ()):
        with pytest.raises(UserError, match="has changed since it was left out"):
            await only_approved(engine, ground, found)
    await asked.note_let_in(engine, task, HASH)
    with pytest.raises(UserError, match="not kept any more"):
        await only_approved(engine, ground, (kept,))


class Refusing:
    """A place that takes no pull request."""

    async def pull(self, ground: Ground, head: str, offer: Offer) -> Opened:
        raise UserError("GitHub does not take it.")


async def test_what_is_on_its_branch_is_let_in_whatever_becomes_of_the_pull_request(recorded: Recorded) -> None:
    """By the step behind the commit: that of the commit may need the content again, in a new sandbox."""
    task = await recorded.task(1, *READY)
    request = ThreadRequest.model_validate((await recorded.take())["request"])
    ground = Ground(run=f"{task}.2", request=request, branch="main", start="b", sandbox="s", base="c" * 40)
    place: Any = Refusing()
    nothing: Any = None
    publishing = Publishing(
        engine=recorded,  # type: ignore[arg-type]
        place_of=lambda _: place,
        sandboxes=nothing,
        comments=None,
        redactor=Redactor(()),
    )
    commit = {"branch": "b", "commit": "c", "tree": "t"}
    gated = {"changes": ["AGENTS.md"], "left_out": [], "touches_tests": False}
    with pytest.raises(UserError, match="does not take it"):
        await publishing.pull(ground, commit, gated, {"summary": "", "why": "", "checks": []}, False)
    assert await asked.is_let_in(recorded, task, HASH)  # type: ignore[arg-type]


async def test_what_may_be_let_in_is_forgotten_before_the_log_by_which_it_is_found(recorded: Recorded) -> None:
    task = await recorded.task(1, *READY)

    async def forget_before(at: float) -> int:
        assert await asked.kept(recorded, task, HASH) is None  # type: ignore[arg-type]
        return 1

    recorded.forget_before = forget_before  # type: ignore[attr-defined]
    await Retention(engine=recorded, days=-1).clean()  # type: ignore[arg-type]
