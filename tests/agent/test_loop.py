"""The loop on recorded turns: how each ending of a reply ends the work, or does not."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.agent.budget import Limits, Spent
from app.agent.conversation import Conversation
from app.agent.loop import MAX_MISUSES, Agent, Ended, lost, work
from app.core.redact import Redactor
from app.simulator.model_refusals import refuse

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
        claude=unused, limits=Limits(usd=1, minutes=1, turns=9, tokens=9), sandbox=unused, keep=unused, stopping=unused, asking=unused,
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


RECORDED = st.one_of(
    st.sampled_from(["max_tokens", "pause_turn", "end_turn"]).map(turn),
    st.just(turn("end_turn") | {"content": []}),
    st.integers(1, 3).map(lambda calls: called(*["bash"] * calls)),
)


@given(st.lists(RECORDED, max_size=8), st.data())
async def test_a_conversation_taken_up_after_any_step_is_one_that_the_api_takes(
    turns: list[Json], data: st.DataObject
) -> None:
    """FL-A07: every tool use has its result in the next message, also where a sandbox was lost or the checks spoke in between."""
    talk = Conversation([])
    talk.say("Work on o/r.")
    for number, recorded in enumerate(turns):
        content = [
            block | {"id": f"toolu_{number}_{at}"} if "id" in block else block
            for at, block in enumerate(recorded["content"])
        ]
        talk.heard(recorded | {"content": content})
        if recorded["stop_reason"] == "tool_use":
            talk.did(lost(content, "The sandbox was lost."))
        elif recorded["stop_reason"] != "max_tokens" or data.draw(st.booleans()):
            talk.say("The checks failed.")
        body = {"model": "claude-sonnet-5-5", "max_tokens": 1024, "messages": talk.messages}
        assert refuse(body) is None
        assert json.loads(json.dumps(talk.messages)) == talk.messages
