"""A script over HTTP: turns, streams, faults, holds, the log."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from inline_snapshot import snapshot

from tests.simulator_model.conftest import Client, ask, body, script

LIST = {"name": "bash", "input": {"command": "ls -la"}}


async def events(client: Client, request: dict[str, Any]) -> list[Any]:
    """Data of the stream's events, pings left out; a line that is no JSON stays text."""
    headers = {"x-api-key": "test"}
    reply = await client.post("/anthropic/v1/messages", json=request | {"stream": True}, headers=headers)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    found: list[Any] = []
    for chunk in (await reply.text()).split("\n\n")[:-1]:
        name, data = chunk.split("\n")
        try:
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
        except ValueError:
            found.append(data)
    return [event for event in found if event != {"type": "ping"}]


async def test_a_turn_arrives_as_the_events_of_the_messages_api(model: Client) -> None:
    await script(model, "o/r", {"thinking": "Let me look.", "text": "Looking.", "tools": [LIST]})
    found = await events(model, body("work on o/r"))
    assert [e["type"] if "delta" not in e else next(iter(e["delta"].values())) for e in found] == snapshot(
        [
            "message_start",
            "content_block_start",
            "thinking_delta",
            "signature_delta",
            "content_block_stop",
            "content_block_start",
            "text_delta",
            "content_block_stop",
            "content_block_start",
            "input_json_delta",
            "input_json_delta",
            "content_block_stop",
            "tool_use",
            "message_stop",
        ]
    )
    assert found[0]["message"]["content"] == []
    assert found[0]["message"]["stop_reason"] is None
    assert found[8]["content_block"]["input"] == {}
    assert "".join(e["delta"].get("partial_json", "") for e in found if "delta" in e) == json.dumps(LIST["input"])


async def test_the_number_of_replies_in_the_request_is_the_turn_that_plays(model: Client) -> None:
    await script(model, "o/r", {"text": "one"}, {"text": "two"})
    said = [{"role": "assistant", "content": "one"}, {"role": "user", "content": "go on"}]
    for request, expected in [(body("o/r"), "one"), (body("o/r"), "one"), (body("o/r", *said), "two")]:
        assert (await ask(model, request))[1]["content"] == [{"type": "text", "text": expected}]
    status, closing = await ask(model, body("o/r", *said, *said))
    assert (status, closing["stop_reason"]) == (200, "end_turn")


async def test_the_last_turn_may_repeat(model: Client) -> None:
    await script(model, "o/r", {"text": "again"}, repeat_last=True)
    said = [{"role": "assistant", "content": "again"}, {"role": "user", "content": "go on"}]
    assert (await ask(model, body("o/r", *said, *said)))[1]["content"][0]["text"] == "again"


async def test_the_same_request_gets_the_same_reply_and_other_turns_other_ids(model: Client) -> None:
    await script(model, "o/r", {"tools": [LIST, LIST]})
    first, second = await ask(model, body("o/r")), await ask(model, body("o/r"))
    assert first[1]["content"] == second[1]["content"]
    assert len({block["id"] for block in first[1]["content"]}) == 2


async def test_the_script_with_the_longest_match_plays(model: Client) -> None:
    await script(model, "o/r", {"text": "short"})
    await script(model, "o/r-2", {"text": "long"})
    assert (await ask(model, body({"role": "user", "content": [{"type": "text", "text": "do o/r-2"}]})))[1]["content"][
        0
    ]["text"] == "long"


async def test_without_a_script_the_error_says_what_was_looked_for(model: Client) -> None:
    await script(model, "o/r", {"text": "one"})
    status, error = await ask(model, body("something else"))
    assert (status, error["error"]["message"]) == snapshot(
        (404, "no script: looked for o/r in the first user message, which begins 'something else'")
    )


async def test_thinking_is_hidden_unless_a_summary_is_asked_for(model: Client) -> None:
    await script(model, "o/r", {"thinking": "Hm.", "text": "Yes."})
    _, shown = await ask(model, body("o/r"))
    _, hidden = await ask(model, body("o/r", thinking={"type": "adaptive"}))
    assert (shown["content"][0]["thinking"], hidden["content"][0]["thinking"]) == ("Hm.", "")
    assert hidden["content"][0]["signature"]


async def test_a_reply_ends_at_max_tokens(model: Client) -> None:
    await script(model, "o/r", {"text": "word " * 1000, "tools": [LIST]})
    _, cut = await ask(model, body("o/r", max_tokens=100))
    assert cut["stop_reason"] == "max_tokens"
    assert [block["type"] for block in cut["content"]] == ["text"]
    assert cut["usage"]["output_tokens"] <= 100


async def test_keys_are_asked_for_and_never_logged(model: Client) -> None:
    await script(model, "o/r", {"text": "one"})
    assert [(await ask(model, body("o/r"), key))[0] for key in ("", "invalid", "sk-good")] == [401, 401, 200]
    log = await (await model.get("/anthropic/_requests", params={"match": "o/r"})).text()
    assert "sk-good" not in log
    entry = json.loads(log)[0]
    assert (entry["turn"], entry["messages"], entry["status"], entry["done"]) == (0, 1, 200, True)
    assert entry["usage"]["output_tokens"] > 0


@pytest.mark.parametrize(
    ("name", "status"), [("claude-sonnet-5-5", 200), ("claude-sonnet-4-20250514", 404), ("gpt-6", 404)]
)
async def test_models_are_known_by_name_and_retired_ones_are_gone(model: Client, name: str, status: int) -> None:
    reply = await model.get(f"/anthropic/v1/models/{name}", headers={"x-api-key": "test"})
    assert reply.status == status


async def test_a_status_fault_comes_as_often_as_the_script_says(model: Client) -> None:
    fault = {"kind": "status", "status": 429, "retry_after": 1.5, "times": 2}
    await script(model, "o/r", {"text": "one", "fault": fault})
    replies = [
        await model.post("/anthropic/v1/messages", json=body("o/r"), headers={"x-api-key": "test"}) for _ in range(3)
    ]
    assert [(r.status, r.headers.get("Retry-After")) for r in replies] == [(429, "1.5"), (429, "1.5"), (200, None)]
    assert (await replies[0].json())["error"]["type"] == "rate_limit_error"


@pytest.mark.parametrize("kind", ["cut_tool", "cut_text", "error_event", "malformed"])
async def test_a_broken_stream_ends_in_the_middle_and_the_next_one_is_whole(model: Client, kind: str) -> None:
    await script(model, "o/r", {"text": "Looking around here.", "tools": [LIST], "fault": {"kind": kind}})
    broken = await events(model, body("o/r"))
    assert "content_block_delta" in {e["type"] for e in broken if isinstance(e, dict)}
    assert not {"message_delta", "message_stop"} & {e["type"] for e in broken if isinstance(e, dict)}
    if kind == "cut_tool":
        assert broken[-1]["delta"]["type"] == "input_json_delta"
    if kind == "error_event":
        assert broken[-1]["error"]["type"] == "overloaded_error"
    assert (await events(model, body("o/r")))[-1] == {"type": "message_stop"}


async def test_a_dropped_connection_is_an_error_for_the_client(model: Client) -> None:
    await script(model, "o/r", {"text": "Looking.", "fault": {"kind": "close"}})
    with pytest.raises(aiohttp.ClientError):
        await events(model, body("o/r"))


async def test_a_held_turn_waits_for_its_release(model: Client) -> None:
    await script(model, "o/r", {"text": "one", "hold": True})
    waiting = asyncio.create_task(events(model, body("o/r")))
    while not (await (await model.post("/anthropic/_release", json={"match": "o/r"})).json())["released"]:
        assert not waiting.done()
        await asyncio.sleep(0.01)
    assert (await waiting)[-1] == {"type": "message_stop"}
    assert (await events(model, body("o/r")))[-1] == {"type": "message_stop"}


async def test_a_script_that_is_malformed_is_refused(model: Client) -> None:
    reply = await model.post("/anthropic/_scripts", json={"match": "o/r", "turns": [{"txt": "one"}]})
    assert reply.status == 400
