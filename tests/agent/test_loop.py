"""The loop on recorded turns: how each ending of a reply ends the work, or does not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app.agent.budget import Limits, Spent
from app.agent.loop import Agent, Conversation, Ended, work
from app.core.redact import Redactor

Json = dict[str, Any]


def turn(stop_reason: str, text: str = "words") -> Json:
    content = [{"type": "text", "text": text}]
    return {"ended": None, "spent": Spent().model_dump(), "stop_reason": stop_reason, "content": content, "events": []}


async def played(*turns: Json) -> tuple[Ended, Conversation]:
    """The work as far as these recorded turns lead it."""
    recorded = iter(turns)

    async def step(name: str, body: Callable[..., Awaitable[Json]], /, *args: Any) -> Json:
        assert name == "turn"
        return next(recorded)

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
