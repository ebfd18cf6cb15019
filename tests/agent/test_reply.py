"""What counts as a whole reply, however strange the stream."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agent.budget import TurnUsage
from app.agent.reply import Cut, Reply

Event = dict[str, Any]
START: Event = {"type": "message_start", "message": {"usage": {"input_tokens": 7, "cache_read_input_tokens": None}}}
STOP: Event = {"type": "message_stop"}


def block(start: Event, *deltas: Event) -> list[Event]:
    return [
        {"type": "content_block_start", "index": 0, "content_block": start},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
    ]


def why(reason: str | None) -> Event:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 3}}


def use(*pieces: str) -> list[Event]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block({"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {}}, *deltas)


def text(words: str) -> list[Event]:
    return block({"type": "text", "text": ""}, {"type": "text_delta", "text": words})


def read(*events: Event) -> Reply:
    reply = Reply()
    for event in events:
        reply.feed(event)
    reply.check()
    return reply


WHOLE = [START, *text("Looking."), *use('{"command', '": "ls"}'), why("tool_use"), STOP]


def test_a_whole_reply() -> None:
    reply = read(*WHOLE)
    assert reply.content[0] == {"type": "text", "text": "Looking."}
    assert reply.content[1]["input"] == {"command": "ls"}
    assert reply.usage == TurnUsage(input=7, output=3)


@given(st.integers(0, len(WHOLE) - 1))
def test_no_beginning_of_a_reply_is_a_reply(end: int) -> None:
    with pytest.raises(Cut):
        read(*WHOLE[:end])


def test_a_block_that_never_ended_makes_no_whole_reply() -> None:
    """FL-A04: although the reply says that it is over."""
    with pytest.raises(Cut):
        read(START, *text("Looking.")[:-1], why("end_turn"), STOP)


def test_fields_that_this_version_does_not_know_are_kept() -> None:
    start = {"type": "thinking", "thinking": "", "signature": "", "caller": {"type": "direct"}}
    reply = read(START, *block(start, {"type": "signature_delta", "signature": "c2ln"}), why("end_turn"), STOP)
    assert reply.content == [start | {"signature": "c2ln"}]


def test_events_that_this_version_does_not_know_say_nothing() -> None:
    assert read(START, {"type": "weather", "sun": True}, *WHOLE[1:]).content == read(*WHOLE).content


def test_a_tool_use_without_input_has_an_empty_one() -> None:
    assert read(START, *use(""), why("tool_use"), STOP).content[0]["input"] == {}


@pytest.mark.parametrize("pieces", [('{"command": "rm -rf', ""), ("[1]",), ("null",), ('{"a":' * 5000,)])
def test_a_tool_use_whose_input_is_broken_never_passes_for_one_without(pieces: tuple[str, ...]) -> None:
    with pytest.raises(Cut, match="no JSON object"):
        read(START, *use(*pieces), why("tool_use"), STOP)
    reply = read(START, *use(*pieces), why("max_tokens"), STOP)
    assert (reply.stop_reason, reply.content[0]["input"]) == ("max_tokens", {})


def test_a_reply_that_stops_for_a_tool_has_one() -> None:
    with pytest.raises(Cut, match="has none"):
        read(START, *text("Looking."), why("tool_use"), STOP)


def test_text_that_the_api_would_not_take_back_is_left_out() -> None:
    assert read(START, *text("\n"), *use("{}"), why("tool_use"), STOP).content[0]["type"] == "tool_use"
    with pytest.raises(Cut, match="malformed"):
        read(START, *text("\ud83d"), why("end_turn"), STOP)


junk = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "index", "delta", "usage", "message", "content_block", "text"]), inner
        )
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.sampled_from([e["type"] for e in WHOLE]), junk), max_size=5))
def test_whatever_arrives_is_a_reply_or_cut(strange: list[tuple[str, Any]]) -> None:
    events = [(value if isinstance(value, dict) else {}) | {"type": kind} for kind, value in strange]
    with contextlib.suppress(Cut):
        reply = read(*WHOLE[:-1], *events, STOP)
        assert reply.usage
        assert isinstance(reply.stop_reason, str)
