"""What the Messages API refuses, the simulated one refuses too."""

import copy
from typing import Any

import pytest

from app.simulator.model_refusals import refuse
from tests.simulator_model.conftest import Client, ask, body, script

LIST = {"name": "bash", "input": {"command": "ls"}}
TOOL = {"name": "bash", "description": "Run a command.", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "bash", "input": {"command": "ls"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a.py"}
MARK = {"type": "ephemeral"}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


ACCEPTED: dict[str, dict[str, Any]] = {
    "a question": body("hi"),
    "tools and a system prompt": body(
        "hi", tools=[TOOL], system=[text("be kind", cache_control=MARK)], cache_control=MARK
    ),
    "a tool use and its result": body("hi", assistant(text("ok"), USE), user(RESULT)),
    "words after the result": body("hi", assistant(USE), user(RESULT, text("and hurry"))),
    "two user messages": body("hi", assistant(USE), user(RESULT), user(text("and hurry"))),
    "a choice left to the model": body("hi", tool_choice={"type": "auto"}),
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no max_tokens": ({k: v for k, v in body("hi").items() if k != "max_tokens"}, "max_tokens: Field required"),
    "too many tokens": (body("hi", max_tokens=200_000), "128000"),
    "temperature": (body("hi", temperature=1), "temperature"),
    "top_p": (body("hi", top_p=1), "top_p"),
    "top_k": (body("hi", top_k=1), "top_k"),
    "an unknown field": (body("hi", colour="red"), "colour: Extra inputs are not permitted"),
    "forced tool": (body("hi", tool_choice={"type": "tool", "name": "bash"}), "tool_choice"),
    "forced tools": (body("hi", tool_choice={"type": "any"}), "tool_choice"),
    "prefill": (body("hi", assistant(text("I"))), "prefill"),
    "a thinking budget": (body("hi", thinking={"type": "enabled", "budget_tokens": 2000}), "enabled"),
    "thinking off": (body("hi", thinking={"type": "disabled"}), "between_tools"),
    "a result without its use": (body("hi", assistant(text("ok")), user(RESULT)), "unexpected `tool_use_id`"),
    "a use without its result": (body("hi", assistant(USE), user(text("go on"))), "without `tool_result`"),
    "a result too late": (body("hi", assistant(USE), user(text("so"), RESULT)), "before the other content"),
    "two results": (body("hi", assistant(USE), user(RESULT, RESULT)), "single result"),
    "one id twice": (body("hi", assistant(USE, USE), user(RESULT)), "unique"),
    "one id in two turns": (body("hi", assistant(USE), user(RESULT), assistant(USE), user(RESULT)), "unique"),
    "empty text": (body("hi", assistant(text("")), "go on"), "non-whitespace"),
    "blank text": (body("hi", assistant(text(" \n")), "go on"), "non-whitespace"),
    "no content": (body("hi", assistant(), "go on"), "non-empty content"),
    "no messages": (body(), "at least one message"),
    "unsigned thinking": (body("hi", assistant({"type": "thinking", "thinking": "Hm."}), "go on"), "signature"),
    "five marks": (body(user(*(text(str(i), cache_control=MARK) for i in range(5)))), "Found 5"),
    "four marks and the automatic one": (
        body(user(*(text(str(i), cache_control=MARK) for i in range(4)), text("end")), cache_control=MARK),
        "Found 5",
    ),
    "two tools of one name": (body("hi", tools=[TOOL, TOOL]), "unique"),
    "a message that is a string": (body("hi") | {"messages": ["hi"]}, "shape"),
    "a tool without a schema": (body("hi", tools=[{"name": "bash"}]), "input_schema"),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name: str) -> None:
    assert refuse(ACCEPTED[name]) is None


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    request, words = REFUSED[name]
    assert words in (refuse(request) or "")


async def conversation(model: Client) -> dict[str, Any]:
    """A request with two turns of the model in it, each with thinking."""
    turn = {"thinking": "Let me look.", "text": "Looking.", "tools": [LIST]}
    await script(model, "o/r", turn, {"thinking": "And again.", "tools": [LIST]})
    request = body("o/r", system="be kind", tools=[TOOL])
    for _ in range(2):
        status, reply = await ask(model, request)
        assert status == 200, reply
        results = [RESULT | {"tool_use_id": b["id"]} for b in reply["content"] if b["type"] == "tool_use"]
        request["messages"] += [assistant(*reply["content"]), user(*results)]
    return request


async def test_thinking_that_comes_back_unchanged_is_accepted(model: Client) -> None:
    request = await conversation(model)
    assert (await ask(model, request))[0] == 200
    request["messages"][2]["content"][0]["cache_control"] = MARK
    assert (await ask(model, request))[0] == 200, "marks are no part of the conversation"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["messages"][1]["content"][0].update(thinking="Let me think."),
        lambda r: r["messages"][1]["content"][0].update(signature="made up"),
        lambda r: r["messages"][1]["content"].reverse(),
        lambda r: r["messages"][1]["content"].pop(0),
        lambda r: r["messages"][0].update(content="o/r, please"),
        lambda r: r["messages"][2]["content"][0].update(content="b.py"),
        lambda r: r.update(system="be quick"),
        lambda r: r.update(tools=[TOOL | {"description": "Run it."}]),
        lambda r: r.update(model="claude-opus-5-5"),
    ],
    ids=["text", "signature", "order", "left out", "first message", "result", "system", "tools", "model"],
)
async def test_thinking_is_bound_to_all_that_stood_before_it(model: Client, change: Any) -> None:
    request = copy.deepcopy(await conversation(model))
    change(request)
    status, error = await ask(model, request)
    assert status == 400
    assert "Invalid `signature` in `thinking` block" in error["error"]["message"]
