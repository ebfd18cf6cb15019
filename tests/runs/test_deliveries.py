"""Commands that came while the server was down."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
import sqlalchemy as sa

from app.core.task import Control, ThreadRequest
from app.github.deliveries import Attempt
from app.runs.database import Database
from app.runs.deliveries import Missed, unanswered
from tests.e2e.lab import Json, Lab, Repo, Server, until
from tests.github.world import World, simulator, world

__all__ = ["simulator", "world"]

T = TypeVar("T")

ATTEMPT = Attempt(id=1, guid="a", at=10.0, event="issue_comment", action="created", succeeded=False)


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([ATTEMPT], [1]),
        ([replace(ATTEMPT, succeeded=True)], []),
        ([replace(ATTEMPT, id=2, at=11, succeeded=True), ATTEMPT], []),
        ([ATTEMPT, replace(ATTEMPT, id=2, at=9, succeeded=True)], []),
        ([replace(ATTEMPT, id=2, at=11), ATTEMPT], [2]),
        ([ATTEMPT, replace(ATTEMPT, id=2, guid="b", succeeded=True)], [1]),
        ([replace(ATTEMPT, action="edited"), replace(ATTEMPT, id=2, guid="b", event="ping", action="")], []),
        ([replace(ATTEMPT, event="issues", action="labeled")], [1]),
    ],
)
def test_a_delivery_is_missed_where_no_attempt_brought_it(attempts: list[Attempt], expected: list[int]) -> None:
    assert [attempt.id for attempt in unanswered(attempts)] == expected


class Taker:
    """Takes nothing: each try ends in an error."""

    def __init__(self) -> None:
        self.tries: list[str] = []

    async def knows(self, asked: ThreadRequest | Control) -> bool:
        return False

    async def record(self, asked: ThreadRequest | Control) -> None:
        self.tries.append(asked.key)
        raise ValueError("a bug")

    ask_again = record


async def test_a_delivery_that_fails_is_tried_three_times_and_never_redelivered(world: World, address: str) -> None:
    """FL-G26"""
    database = Database(address)
    database.open()
    taker = Taker()

    async def transact(work: Callable[[sa.Connection], T], /) -> T:
        return await asyncio.to_thread(database.transaction, work)

    missed = Missed(transact=transact, app=world.app, intake=taker, label="backspace")
    issue = await world.control("POST", f"/repos/{world.repository.full_name}/issues", {"user": "ann", "title": "A"})
    said = {"user": "ann", "body": "/backspace look"}
    path = f"/repos/{world.repository.full_name}/issues/{issue['number']}/comments"
    comment = await world.control("POST", path, said)
    await world.control("POST", "/faults", {"path": r"/app/hook/deliveries/\d+$", "status": 502, "times": 4})
    for _ in range(6):
        await missed.sweep()
    assert taker.tries == [f"c-{world.repository.id}-{comment['id']}"] * 3
    requests = await world.control("GET", "/requests?match=/app/hook/deliveries/")
    assert {request["method"] for request in requests} == {"GET"}
    database.engine.dispose()


@pytest.fixture
def away(lab: Lab) -> Iterator[Server]:
    yield (server := lab.server("away"))
    server.stop()


@dataclass
class Missing:
    """What people do while the server is down."""

    repo: Repo
    guids: list[str] = field(default_factory=list)

    def say(self, body: str, user: str = "alice") -> int:
        """A new issue with a comment: its number."""
        issue = self.repo.issue()
        self.last = f"{self.repo.control}/issues/comments/{self._sent(self.repo.comment(issue, body, user))['id']}"
        return issue

    def label(self) -> int:
        issue = self.repo.issue()
        self._sent(self.repo.label(issue, "alice"))
        return issue

    def edit(self, body: str) -> None:
        self.repo.lab.call("PATCH", self.last, user="alice", body=body)

    def delete(self) -> None:
        self.repo.lab.call("DELETE", self.last, user="alice")

    def _sent(self, reply: Json) -> Json:
        assert reply["delivery"]["status"] == 0
        self.guids.append(reply["delivery"]["guid"])
        return reply


def _looks(lab: Lab, server: Server) -> int:
    requests = lab.http.get("/_sim/requests", params={"match": "/app/hook/deliveries"}).json()
    return sum(r["app_id"] == server.app_id and "/deliveries/" not in r["path"] for r in requests)


def test_what_came_while_the_server_was_down_is_taken_once(lab: Lab, away: Server) -> None:
    """FL-G25, FL-K02"""
    repo = lab.repository(away)
    repo.member("mallory", "read")
    repo.script({"text": "All is well."})
    away.kill()
    missing = Missing(repo)
    asked = [missing.say("/backspace look"), missing.say("/backspace look"), missing.label()]
    edited = missing.say("/backspace look")
    missing.edit("/backspace look twice")
    deleted = missing.say("/backspace look")
    missing.delete()
    strange = missing.say("/backspace look", user="mallory")
    missing.delete()
    stop = missing.say("/backspace stop")
    away.start()

    for issue in asked:
        repo.finished(issue)
    for issue in (edited, deleted):
        until(lambda: repo.ours(issue), what="a line")  # noqa: B023
        assert "say it again" in repo.status(issue)
    until(lambda: repo.ours(stop), what="an answer to the control word")

    looks = _looks(lab, away)
    for guid in missing.guids[:3]:
        lab.call("POST", f"/_sim/deliveries/{guid}/redeliver", times=2)
    away.kill()
    away.start()
    until(lambda: _looks(lab, away) > looks, what="another look")
    assert len(repo.asked()) == 3
    assert [len(repo.ours(issue)) for issue in (*asked, edited, deleted, stop)] == [1] * 6
    assert repo.ours(strange) == []
