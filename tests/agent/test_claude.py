"""One turn of the model, against the simulated API and against one that breaks in the middle."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from llmock.pytest_plugin import LLMock

from app.agent.budget import TurnUsage
from app.agent.claude import AGAIN, Claude, Tries, TurnLost
from app.agent.reply import Turn
from app.core.errors import Transient, UserError
from app.simulator.model import make_model

Json = dict[str, Any]
Client = TestClient[web.Request, web.Application]
TOOLS = [
    {"name": name, "description": "A tool. " * 100, "input_schema": {"type": "object"}}
    for name in ("read", "bash", "edit")
]
SYSTEM = "You work on a repository. " * 200
LIST = {"name": "bash", "input": {"command": "ls -la", "seconds": 20}}
LOOK = {"thinking": "Let me look around first.", "text": "Looking.", "tools": [LIST]}


@pytest.fixture
async def model() -> AsyncIterator[Client]:
    root = web.Application()
    root.add_subapp("/anthropic", make_model())
    async with TestClient(TestServer(root, host="127.0.0.1")) as client:
        yield client


@pytest.fixture
async def claude(model: Client) -> AsyncIterator[Claude]:
    async for client in connect(str(model.make_url("/anthropic"))):
        yield client


@pytest.fixture
async def shaky(llmock: LLMock) -> AsyncIterator[Claude]:
    async for client in connect(llmock.base_url("anthropic")):
        yield client


async def connect(
    url: str, key: str = "test", name: str = "claude-sonnet-5-5", backoff: float = 0.02
) -> AsyncIterator[Claude]:
    client = Claude(key, url, name, idle=0.5, backoff=backoff)
    try:
        yield client
    finally:
        await client.close()


async def script(model: Client, *turns: Json, **more: Any) -> None:
    reply = await model.post("/anthropic/_scripts", json={"match": "o/r", "turns": turns, **more})
    assert reply.status == 201, await reply.text()


async def requests(model: Client) -> list[Json]:
    log: list[Json] = await (await model.get("/anthropic/_requests")).json()
    return log


async def ask(
    claude: Claude,
    messages: list[Json] | None = None,
    seconds: float = 10,
    most: int = 4000,
    tries: Tries | None = None,
) -> Turn:
    async def room(lost: TurnUsage, requests: int) -> int:
        return most

    said = messages or [{"role": "user", "content": "work on o/r"}]
    return await claude.turn(
        system=SYSTEM, tools=TOOLS, messages=said, room=room, tries=tries or Tries(), seconds=seconds
    )


def answered(messages: list[Json], turn: Turn, output: str = "a.py") -> list[Json]:
    uses = [block["id"] for block in turn.content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": use, "content": output} for use in uses]
    return [*messages, {"role": "assistant", "content": turn.content}, {"role": "user", "content": results}]


async def test_a_turn_has_thinking_text_and_tool_use(model: Client, claude: Claude) -> None:
    await script(model, LOOK)
    turn = await ask(claude)
    thinking, text, use = turn.content
    assert thinking["thinking"] == "Let me look around first."
    assert text == {"type": "text", "text": "Looking."}
    assert (use["name"], use["input"]) == ("bash", LIST["input"])
    assert (turn.stop_reason, turn.requests, turn.discarded) == ("tool_use", 1, TurnUsage())


async def test_a_conversation_survives_json_and_goes_on(model: Client, claude: Claude) -> None:
    """The API refuses thinking that is not what it wrote, or that stands after something else."""
    await script(model, LOOK, LOOK | {"thinking": "Again: ünïcode ✓"}, {"text": "Done."})
    messages: list[Json] = [{"role": "user", "content": "work on o/r"}]
    for _ in range(2):
        turn = Turn.model_validate_json((await ask(claude, messages)).model_dump_json())
        messages = answered(messages, turn)
    assert (await ask(claude, messages)).stop_reason == "end_turn"


async def test_each_turn_reads_from_the_cache_what_the_turn_before_wrote(model: Client, claude: Claude) -> None:
    many = {"thinking": "All at once.", "tools": [LIST] * 25}
    await script(model, LOOK, many, LOOK, LOOK)
    messages: list[Json] = [{"role": "user", "content": "work on o/r"}]
    cached = 0
    for number in range(5):
        turn = await ask(claude, messages)
        assert turn.usage.cache_read == cached, f"turn {number}"
        assert turn.usage.input == 0
        cached = turn.usage.cache_read + turn.usage.cache_write
        messages = answered(messages, turn) if turn.stop_reason == "tool_use" else messages
    assert cached > 2000


async def test_another_run_reads_the_tools_and_the_system_prompt(model: Client, claude: Claude) -> None:
    await script(model, LOOK)
    first = await ask(claude)
    other = await ask(claude, [{"role": "user", "content": "another thing in o/r"}])
    assert 0 < first.usage.cache_write - other.usage.cache_read < 100


async def test_the_caller_s_messages_are_left_as_they_are(model: Client, claude: Claude) -> None:
    await script(model, LOOK)
    messages = answered([{"role": "user", "content": "work on o/r"}], await ask(claude))
    before = str(messages)
    await ask(claude, messages)
    assert str(messages) == before


@pytest.mark.parametrize("kind", ["cut_tool", "cut_text", "close", "stall", "error_event", "malformed"])
async def test_a_reply_that_breaks_is_discarded_counted_and_asked_again(
    model: Client, claude: Claude, kind: str
) -> None:
    """FL-A03, FL-A04, FL-A09"""
    await script(model, LOOK | {"fault": {"kind": kind}})
    turn = await ask(claude)
    assert turn.content[2]["input"] == LIST["input"]
    assert turn.requests == len(await requests(model)) == 2
    assert turn.discarded.prompt >= turn.usage.prompt
    assert 0 < turn.discarded.output <= 4000


async def test_a_reply_that_always_breaks_is_given_up_and_still_counted(model: Client, claude: Claude) -> None:
    await script(model, LOOK | {"fault": {"kind": "cut_tool", "times": 99}})
    with pytest.raises(TurnLost):
        await ask(claude, tries=(tries := Tries()))
    assert tries.requests == len(await requests(model)) == AGAIN + 1
    assert tries.discarded.prompt > (AGAIN + 1) * 1000


async def test_what_was_lost_decides_how_much_is_asked_for_next(model: Client, claude: Claude) -> None:
    await script(model, LOOK | {"fault": {"kind": "cut_text", "times": 99}})
    seen: list[TurnUsage] = []

    async def room(lost: TurnUsage, requests: int) -> int:
        seen.append(lost)
        return [4000, 2000, 0][requests]

    with pytest.raises(TurnLost, match="too little left"):
        await claude.turn(
            system=SYSTEM,
            tools=TOOLS,
            messages=[{"role": "user", "content": "o/r"}],
            room=room,
            tries=Tries(),
            seconds=10,
        )
    assert [r["body"]["max_tokens"] for r in await requests(model)] == [4000, 2000]
    assert seen[0].tokens < seen[1].tokens < seen[2].tokens


async def test_a_turn_ends_at_its_deadline(model: Client, claude: Claude) -> None:
    await script(model, LOOK | {"hold": True})
    with pytest.raises(TurnLost, match="did not finish"):
        await ask(claude, seconds=0.3, tries=(tries := Tries()))
    assert tries.requests == 1
    assert tries.discarded.prompt > 1000
    await until(model, "done", True)


async def test_cancelling_closes_the_stream(model: Client, claude: Claude) -> None:
    await script(model, LOOK | {"hold": True})
    turn = asyncio.create_task(ask(claude))
    await until(model, "status", 200)
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    await until(model, "done", True)


async def until(model: Client, field: str, value: object) -> None:
    """Wait until the first request is there and so far; the server sees at its next ping that a client has gone."""
    for _ in range(250):
        if [entry[field] for entry in (await requests(model))[:1]] == [value]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{field} is not {value!r}")


async def test_a_tool_use_beyond_the_length_limit_is_no_tool_use(model: Client, claude: Claude) -> None:
    await script(model, {"text": "Writing.", "tools": [{"name": "edit", "input": {"new": "x" * 9000}}]})
    turn = await ask(claude, most=1500)
    assert turn.stop_reason == "max_tokens"
    assert [block["type"] for block in turn.content] == ["text"]


@pytest.mark.parametrize("reason", ["refusal", "pause_turn", "model_context_window_exceeded"])
async def test_other_endings_are_the_caller_s_to_judge(model: Client, claude: Claude, reason: str) -> None:
    await script(model, {"text": "No.", "stop_reason": reason})
    assert (await ask(claude)).stop_reason == reason


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "key was refused"), (403, "key was refused"), (402, "no credit"), (413, "grew too long")],
)
async def test_what_the_operator_must_mend_is_said_at_once(
    model: Client, claude: Claude, status: int, words: str
) -> None:
    await script(model, LOOK | {"fault": {"kind": "status", "status": status}})
    with pytest.raises(UserError, match=words):
        await ask(claude)
    assert len(await requests(model)) == 1


@pytest.mark.parametrize("status", [401, 402, 403])
async def test_a_refused_account_is_asked_for_once_and_every_run_hears_why(
    model: Client, claude: Claude, status: int
) -> None:
    """FL-A08"""
    await script(model, LOOK | {"fault": {"kind": "status", "status": status, "times": 99}})
    with pytest.raises(UserError) as first:
        await ask(claude)
    for _ in range(5):
        with pytest.raises(UserError, match=re.escape(str(first.value))):
            await ask(claude)
    assert len(await requests(model)) == 1


async def test_an_account_that_is_accepted_again_is_so_for_every_run(model: Client, claude: Claude) -> None:
    """FL-A08: a minute after it was refused one request asks, and its answer lets the others go on."""
    await script(model, LOOK | {"fault": {"kind": "status", "status": 401, "times": 1}}, LOOK)
    with pytest.raises(UserError):
        await ask(claude)
    claude._account._until = 0.0
    await ask(claude)
    await ask(claude)


async def test_a_wrong_model_is_named_with_its_setting(model: Client) -> None:
    """FL-A10"""
    url = str(model.make_url("/anthropic"))
    async for claude in connect(url, name="claude-3-9"):
        with pytest.raises(UserError, match="BACKSPACE_MODEL is claude-3-9"):
            await ask(claude)
        with pytest.raises(UserError, match="BACKSPACE_MODEL"):
            await claude.check()


async def test_the_key_is_checked_and_never_said(model: Client) -> None:
    url = str(model.make_url("/anthropic"))
    async for claude in connect(url, key="invalid"):
        with pytest.raises(UserError, match=r"key was refused \(ANTHROPIC_API_KEY\)"):
            await claude.check()
    async for claude in connect(url):
        await claude.check()


async def test_an_address_without_a_server_is_transient_and_costs_nothing() -> None:
    async for claude in connect("http://127.0.0.1:9"):
        with pytest.raises(Transient):
            await claude.check()
        with pytest.raises(TurnLost):
            await ask(claude, tries=(tries := Tries()))
        assert tries.discarded == TurnUsage()


async def test_a_request_of_ours_that_is_wrong_is_a_bug(model: Client, claude: Claude) -> None:
    await script(model, LOOK)
    with pytest.raises(RuntimeError, match="prefill"):
        await ask(claude, [{"role": "user", "content": "o/r"}, {"role": "assistant", "content": "I"}])
    assert len(await requests(model)) == 1


async def test_a_conversation_that_is_too_long_is_said(llmock: LLMock, shaky: Claude) -> None:
    llmock.context_overflow()
    with pytest.raises(UserError, match="grew too long"):
        await ask(shaky)


async def test_credit_that_is_used_up_is_said(llmock: LLMock, shaky: Claude) -> None:
    llmock.fail(400, message="Your credit balance is too low to access the API.")
    with pytest.raises(UserError, match="no credit left"):
        await ask(shaky)


@pytest.mark.parametrize("fault", ["truncate", "disconnect", "corrupt", "stall"])
async def test_no_fault_of_a_stream_passes_for_a_reply(llmock: LLMock, shaky: Claude, fault: str) -> None:
    """FL-A04, FL-A09"""
    llmock.call_tool("bash", {"command": "ls -la /"}, times=None)
    getattr(llmock, fault)(after_chunks=3)
    turn = await ask(shaky)
    assert turn.content[-1]["input"] == {"command": "ls -la /"}
    assert turn.requests == 2
    # For a corrupt chunk llmock warns where its own last bytes were written before our end of the connection reached it.
    llmock.assert_resilient(strict=fault != "corrupt")


async def test_the_server_s_retry_after_is_honoured(llmock: LLMock, shaky: Claude) -> None:
    """FL-A01"""
    llmock.rate_limit(retry_after=1).reply("Done.")
    assert (await ask(shaky)).requests == 2
    llmock.assert_resilient(strict=True)


async def test_a_retry_after_that_is_too_long_goes_to_the_caller(llmock: LLMock, shaky: Claude) -> None:
    """FL-A01"""
    llmock.rate_limit(retry_after=3600)
    with pytest.raises(TurnLost) as e:
        await ask(shaky, tries=(tries := Tries()))
    assert (e.value.retry_after, tries.requests, tries.discarded) == (3600, 1, TurnUsage())


async def test_an_outage_makes_no_storm(llmock: LLMock) -> None:
    """FL-A02"""
    llmock.outage(status=500)
    async for claude in connect(llmock.base_url("anthropic"), backoff=0.1):
        with pytest.raises(TurnLost):
            await ask(claude)
    assert len(llmock.requests) == AGAIN + 1
    assert not {"retry_storm", "no_backoff"} & {finding.code for finding in llmock.verdict().findings}


@pytest.mark.parametrize(("status", "error"), [(404, UserError), (502, TurnLost)])
async def test_a_page_in_place_of_an_answer_is_told_by_its_beginning(
    llmock: LLMock, shaky: Claude, status: int, error: type[Exception]
) -> None:
    llmock.fail(status, message="<html>\n" + "<p>Bad Gateway</p>\n" * 9_000, times=None)
    with pytest.raises(error, match="<html> <p>Bad Gateway</p>") as told:
        await ask(shaky)
    assert len(str(told.value)) < 450


@pytest.mark.parametrize("status", [408, 409, 429, 503, 529])
async def test_what_passes_is_asked_again_and_costs_nothing(model: Client, claude: Claude, status: int) -> None:
    """FL-A02"""
    await script(model, LOOK | {"fault": {"kind": "status", "status": status, "times": 2}})
    turn = await ask(claude)
    assert (turn.requests, turn.discarded) == (3, TurnUsage())
