"""The loop on recorded turns: how each ending of a reply ends the work, or does not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from inline_snapshot import snapshot

from app.agent.budget import Limits, Spent
from app.agent.loop import MAX_MISUSES, Agent, Conversation, Ended, lost, work
from app.core.redact import Redactor

Json = dict[str, Any]


def turn(stop_reason: str, text: str = "words") -> Json:
    content = [{"type": "text", "text": text}]
    return {"ended": None, "spent": Spent().model_dump(), "stop_reason": stop_reason, "content": content, "events": []}


async def played(*turns: Json) -> tuple[Ended, Conversation]:
    """The work as far as these recorded turns lead it."""
    recorded = iter(turns)

    async def step(name: str, body: Callable[..., Awaitable[Json]], /, *args: Any) -> Json:
        output = next(recorded)
        assert name == ("turn" if "stop_reason" in output else "tools")
        return output

    unused: Any = None
    agent = Agent(
        claude=unused, limits=Limits(usd=1, minutes=1, turns=9, tokens=9), sandbox=unused, keep=unused, stopping=unused,
        redactor=Redactor([]), system="",
    )  # fmt: skip
    talk = Conversation([])
    return await work(step, agent, talk), talk


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        ("end_turn", "finished"),
        ("stop_sequence", "finished"),
        ("model_context_window_exceeded", "limit"),
        ("refusal", "failed"),
        ("pause_turn", "failed"),
        ("something_new", "failed"),
    ],
)
async def test_every_ending_of_a_reply_ends_the_work_and_says_why(reason: str, how: str) -> None:
    """FL-A06: also one that this version does not know."""
    ended, _ = await played(turn(reason))
    assert ended.how == how
    assert bool(ended.why) == (how != "finished")


async def test_a_reply_that_is_too_long_is_asked_for_in_pieces_twice() -> None:
    """FL-A06: and is no part of the conversation."""
    ended, talk = await played(turn("max_tokens"), turn("max_tokens"), turn("end_turn", "Done"))
    assert (ended.how, talk.summary) == ("finished", "Done")
    assert [message["role"] for message in talk.messages] == ["user", "assistant"]
    ended, _ = await played(*[turn("max_tokens")] * 3)
    assert ended.how == "limit"


def called(*names: str) -> Json:
    content = [{"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": {}} for name in names]
    return turn("tool_use") | {"content": content}


def acted(called: Json, *, misused: bool) -> Json:
    return lost(called["content"], "There is no tool of this name.") | {"misused": misused, "events": []}


async def test_a_model_that_calls_nothing_that_there_is_is_ended() -> None:
    """FL-A05: only where it does so again and again."""
    asked = called("no_such_tool")
    vain, useful = [asked, acted(asked, misused=True)], [asked, acted(asked, misused=False)]
    ended, talk = await played(*vain * (MAX_MISUSES - 1), *useful, *vain * MAX_MISUSES)
    assert ended == snapshot(
        Ended(
            how="failed", why="The model called no tool that there is, or none as it can be called, 5 times in a row."
        )
    )
    assert talk.turns == 2 * MAX_MISUSES
