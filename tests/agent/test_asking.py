"""What was asked for and never answered: it is counted, whoever goes on with the turn, and nothing else of it is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from llmock.pytest_plugin import LLMock

from app.agent.budget import Limits, Spent
from app.agent.claude import AGAIN, Claude, TurnLost
from app.agent.conversation import Conversation
from app.agent.loop import Agent
from app.core.redact import Redactor
from app.runs import tables
from tests.agent.test_claude import LOOK, Client, connect, model, requests, script, until

__all__ = ["model"]
Json = dict[str, Any]
LIMITS = Limits(usd=1, minutes=10, turns=9, tokens=1_000_000)
KEY = "key-of-the-operator-0123456789"


class Table:
    """The notes of one run, in a database of their own."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    async def spent(self, turn: int) -> Json | None:
        with self._engine.begin() as connection:
            return tables.asking_of("c-1-1", "c-1-1.1", turn)(connection)

    async def note(self, turn: int, spent: Json) -> None:
        with self._engine.begin() as connection:
            tables.note_asking("c-1-1", "c-1-1.1", turn, spent)(connection)


class Alice:
    """Says stop when she is told to."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()

    async def by(self) -> str | None:
        return "@alice" if self.stop.is_set() else None

    async def wait(self) -> None:
        await self.stop.wait()


@pytest.fixture
def notes() -> Table:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.begin() as connection:
        tables.create(connection)
    return Table(engine)


@pytest.fixture
async def claude(model: Client) -> AsyncIterator[Claude]:
    async for client in connect(str(model.make_url("/anthropic"))):
        yield client


def agent(claude: Claude, notes: Table, limits: Limits = LIMITS, alice: Alice | None = None) -> Agent:
    unused: Any = None
    return Agent(
        claude=claude, limits=limits, sandbox=unused, keep=unused, stopping=alice or Alice(), asking=notes,
        redactor=Redactor([KEY]), system="You work.",
    )  # fmt: skip


def talk() -> Conversation:
    begun = Conversation([])
    begun.say("work on o/r")
    return begun


async def killed_while_the_model_writes(model: Client, agent: Agent) -> None:
    """Nothing of what it knew is left but what is on disk."""
    asking = asyncio.create_task(agent.ask(talk()))
    await until(model, "status", 200)
    asking.cancel()
    await asyncio.wait({asking})


async def test_a_request_of_a_killed_server_is_counted_at_its_upper_estimate(
    model: Client, claude: Claude, notes: Table
) -> None:
    """FL-K04"""
    await script(model, LOOK | {"hold": True})
    await killed_while_the_model_writes(model, agent(claude, notes))
    await script(model, LOOK)
    turn = await agent(claude, notes).ask(talk())
    spent = Spent.model_validate(turn["spent"])
    assert (spent.turns, spent.requests) == (1, len(await requests(model)))
    (first, _) = await requests(model)
    assert spent.tokens > first["body"]["max_tokens"]
    after = talk()
    after.heard(turn)
    assert await notes.spent(after.turns) is None


async def test_what_a_killed_server_may_have_used_is_left_of_no_limit(
    model: Client, claude: Claude, notes: Table
) -> None:
    """FL-K04: the cap holds, whatever the first reply had become."""
    await script(model, LOOK | {"hold": True})
    limits = LIMITS.model_copy(update={"usd": 0.03})
    await killed_while_the_model_writes(model, agent(claude, notes, limits))
    turn = await agent(claude, notes, limits).ask(talk())
    assert turn["ended"]["how"] == "limit"
    assert len(await requests(model)) == 1


async def test_a_request_that_a_stop_cuts_is_on_the_bill(model: Client, claude: Claude, notes: Table) -> None:
    """The prompt as the model's API counted it, and at most what can have been written since."""
    await script(model, LOOK | {"hold": True})
    asking = asyncio.create_task(agent(claude, notes, alice=(alice := Alice())).ask(talk()))
    await until(model, "status", 200)
    alice.stop.set()
    turn = await asking
    assert turn["ended"] == {"how": "stopped", "why": "Stopped by @alice."}
    (request,) = await requests(model)
    usage, said = turn["events"]
    assert (usage["type"], usage["turns"], said["message"]) == ("Usage", 0, "Stopped by @alice.")
    assert 1000 < usage["tokens"] < 20_000 + request["body"]["max_tokens"]
    assert usage["usd"] > 0


async def test_requests_that_came_to_no_reply_are_told_at_once_and_counted_when_the_turn_is_tried_again(
    model: Client, claude: Claude, notes: Table
) -> None:
    """FL-A02: and no turn is shown where there was none."""
    await script(model, LOOK | {"fault": {"kind": "cut_text", "times": AGAIN + 1}})
    with pytest.raises(TurnLost, match="gave no whole reply") as lost:
        await agent(claude, notes).ask(talk())
    (told,) = lost.value.events
    turn = await agent(claude, notes).ask(talk())
    spent = Spent.model_validate(turn["spent"])
    assert (told["type"], told["turns"], spent.turns) == ("Usage", 0, 1)
    assert spent.requests == len(await requests(model)) == AGAIN + 2
    assert 1000 * (AGAIN + 1) < told["tokens"] < spent.tokens - 1000


async def test_a_reply_that_never_came_leaves_less_of_every_limit(model: Client, claude: Claude, notes: Table) -> None:
    """FL-A03, RT-D02: nothing is waited for where there would be nothing left to ask with."""
    await script(model, LOOK | {"fault": {"kind": "stall", "times": 99}})
    limits = LIMITS.model_copy(update={"minutes": 0.5 / 60})
    with pytest.raises(TurnLost):
        await agent(claude, notes).ask(talk())
    turn = await agent(claude, notes, limits).ask(talk())
    assert turn["ended"]["how"] == "limit"
    assert len(await requests(model)) == AGAIN + 1


async def test_a_turn_that_used_up_the_limits_in_vain_ends_the_work_by_them(
    model: Client, claude: Claude, notes: Table
) -> None:
    """RT-D02"""
    await script(model, LOOK | {"fault": {"kind": "cut_text", "times": 99}})
    turn = await agent(claude, notes, LIMITS.model_copy(update={"usd": 0.03})).ask(talk())
    assert turn["ended"]["how"] == "limit"
    assert [event["type"] for event in turn["events"]] == ["Usage", "Status"]


@pytest.mark.parametrize("status", [404, 503])
async def test_a_proxy_that_repeats_the_key_in_its_errors_tells_it_nobody(
    llmock: LLMock, notes: Table, status: int
) -> None:
    """RT-O02"""
    llmock.fail(status, message=f"no route for {KEY}", times=None)
    async for shaky in connect(llmock.base_url("anthropic")):
        try:
            told = str(await agent(shaky, notes).ask(talk()))
        except TurnLost as lost:
            told = str(lost)
    assert "no route for" in told
    assert KEY not in told


class Earlier:
    """Somebody said stop to a server that was killed since: nothing wakes this one."""

    async def by(self) -> str | None:
        return "@alice"

    async def wait(self) -> None:
        await asyncio.Event().wait()


async def test_a_stop_said_to_a_server_that_was_killed_asks_the_model_nothing(
    model: Client, claude: Claude, notes: Table
) -> None:
    stopped: Any = Earlier()
    ended = (await agent(claude, notes, alice=stopped).ask(talk()))["ended"]
    assert ended == {"how": "stopped", "why": "Stopped by @alice."}
    assert await requests(model) == []


async def test_a_limit_that_is_reached_asks_the_model_nothing(model: Client, claude: Claude, notes: Table) -> None:
    """RT-D02"""
    used = talk()
    used.spent = Spent(turns=LIMITS.turns)
    ended = (await agent(claude, notes).ask(used))["ended"]
    assert (ended["how"], await requests(model)) == ("limit", [])
