"""A server that is killed while the model writes: what it had sent is counted by the one that goes on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from app.agent.budget import Limits, Spent
from app.agent.claude import Claude
from app.agent.conversation import Conversation
from app.agent.loop import Agent
from app.core.redact import Redactor
from app.runs import tables
from tests.agent.test_claude import LOOK, Client, connect, model, requests, script, until

__all__ = ["model"]
Json = dict[str, Any]
LIMITS = Limits(usd=1, minutes=10, turns=9, tokens=1_000_000)


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
        redactor=Redactor([]), system="You work.",
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
    assert (usage["type"], said["message"]) == ("Usage", "Stopped by @alice.")
    assert 1000 < usage["tokens"] < 20_000 + request["body"]["max_tokens"]
    assert usage["usd"] > 0


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
