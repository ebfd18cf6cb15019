"""What a run looks like as a tree of spans."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from app.runs.engine import Recorded
from app.runs.spans import Span, spans
from tests.publish.conftest import asked

Json = dict[str, Any]
WORD = "marigold"
"""Stands in everything that was said or done."""


def stage(name: str) -> Json:
    return {"events": [{"type": "Stage", "stage": name}]}


def turn(*blocks: Json, stop: str = "tool_use") -> Json:
    used = {"input": 7, "cache_read": 100, "cache_write": 20, "output": 30}
    trace = {"model": "claude-sonnet-5-5", "by": "claude-sonnet-5-5-20260901", "reply": "msg_1", **used}
    return {"ended": None, "stop_reason": stop, "content": list(blocks), "trace": trace, "events": []}


def call(call_id: str, name: str = "bash") -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {"command": f"echo {WORD}"}}


def acted(*results: tuple[str, float, float, bool]) -> Json:
    told = [
        {"type": "tool_result", "tool_use_id": i, "content": f"{WORD}\n[exit 0]", "is_error": e}
        for i, _, _, e in results
    ]
    return {"ended": None, "results": told, "trace": [{"began": b, "ended": e} for _, b, e, _ in results], "events": []}


def ended(how: str, why: str) -> Json:
    return {"ended": {"how": how, "why": why}, "events": []}


def done(outcome: str, message: str = "") -> Json:
    return {"events": [{"type": "Done", "outcome": outcome, "pr_url": None, "message": message}]}


def run(*steps: tuple[str, Json]) -> list[Recorded]:
    """One second each."""
    return [Recorded(name, k, k + 1, output) for k, (name, output) in enumerate(steps)]


PREPARED = {"first_message": f"Add a {WORD}.", **stage("work")}
TEXT = {"type": "text", "text": f"I look: {WORD}."}
THOUGHT = {"type": "thinking", "thinking": f"A {WORD}?", "signature": "c2ln"}
WHOLE = run(
    ("begin", stage("prepare")),
    ("clone", {"events": []}),
    ("prepare", PREPARED),
    ("turn", turn(THOUGHT, TEXT, call("toolu_1"), call("toolu_2", "read"))),
    ("tools", acted(("toolu_1", 4.0, 4.5, False), ("toolu_2", 4.5, 4.75, True))),
    ("turn", turn(TEXT, stop="end_turn")),
    ("gate", stage("verify")),
    ("verify", stage("work")),
    ("turn", turn(TEXT, stop="end_turn")),
    ("gate", stage("verify")),
    ("verify", stage("publish")),
    ("pull", {"events": []}),
    ("end", done("ready")),
    ("report", {"events": []}),
)


def tree(steps: list[Recorded]) -> str:
    found = spans(asked(), steps, content=False)
    lines = (f"{'  ' * s.path.count('/')}{s.name} {s.began:g}–{s.ended:g}{_error(s)}" for s in found)
    return "\n".join(lines)


def _error(span: Span) -> str:
    return "" if span.error is None else f" ✗ {span.error}".rstrip()


def test_a_run_is_one_tree_of_its_stages_turns_and_tool_calls() -> None:
    assert tree(WHOLE) == snapshot("""\
invoke_agent backspace 0–14
  prepare 0–3
    begin 0–1
    clone 1–2
    prepare 2–3
  work 3–7
    chat claude-sonnet-5-5 3–4
    execute_tool bash 4–4.5
    execute_tool read 4.5–4.75 ✗
    chat claude-sonnet-5-5 5–6
    gate 6–7
  verify 7–8
    verify 7–8
  work 8–10
    chat claude-sonnet-5-5 8–9
    gate 9–10
  verify 10–11
    verify 10–11
  publish 11–14
    pull 11–12
    end 12–13
    report 13–14\
""")


def test_what_a_turn_and_a_call_say_of_themselves() -> None:
    found = {span.path: dict(span.attributes) for span in spans(asked(), WHOLE, content=False)}
    assert [found["run"], found["run/1/0"], found["run/1/1.1"]] == snapshot(
        [
            {
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.agent.name": "backspace",
                "gen_ai.conversation.id": "c-1-2",
                "backspace.repository": "o/r",
                "backspace.outcome": "ready",
            },
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.conversation.id": "c-1-2",
                "gen_ai.request.model": "claude-sonnet-5-5",
                "gen_ai.request.stream": True,
                "gen_ai.response.model": "claude-sonnet-5-5-20260901",
                "gen_ai.response.id": "msg_1",
                "gen_ai.response.finish_reasons": ["tool_use"],
                "gen_ai.usage.input_tokens": 127,
                "gen_ai.usage.cache_read.input_tokens": 100,
                "gen_ai.usage.cache_creation.input_tokens": 20,
                "gen_ai.usage.cache_write.input_tokens": 20,
                "gen_ai.usage.output_tokens": 30,
            },
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "read",
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": "toolu_2",
            },
        ]
    )


def test_what_was_said_and_done_where_that_is_wanted() -> None:
    found = {span.path: span.attributes for span in spans(asked(), WHOLE, content=True)}
    first, tool, second = found["run/1/0"], found["run/1/1.0"], found["run/1/2"]
    assert json.loads(str(first["gen_ai.input.messages"])) == snapshot(
        [{"role": "user", "parts": [{"type": "text", "content": "Add a marigold."}]}]
    )
    assert json.loads(str(first["gen_ai.output.messages"])) == snapshot(
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "A marigold?"},
                    {"type": "text", "content": "I look: marigold."},
                    {"type": "tool_call", "id": "toolu_1", "name": "bash", "arguments": '{"command": "echo marigold"}'},
                    {"type": "tool_call", "id": "toolu_2", "name": "read", "arguments": '{"command": "echo marigold"}'},
                ],
                "finish_reason": "tool_use",
            }
        ]
    )
    assert (tool["gen_ai.tool.call.arguments"], tool["gen_ai.tool.call.result"]) == snapshot(
        (
            '{"command": "echo marigold"}',
            """\
marigold
[exit 0]\
""",
        )
    )
    assert json.loads(str(second["gen_ai.input.messages"])) == snapshot(
        [
            {
                "role": "user",
                "parts": [
                    {
                        "type": "tool_call_response",
                        "id": "toolu_1",
                        "response": """\
marigold
[exit 0]\
""",
                    },
                    {
                        "type": "tool_call_response",
                        "id": "toolu_2",
                        "response": """\
marigold
[exit 0]\
""",
                    },
                ],
            }
        ]
    )


def test_a_long_text_is_cut() -> None:
    long = {"type": "text", "text": "x" * 100_000}
    _, _, chat = spans(asked(), run(("turn", turn(long, stop="end_turn"))), content=True)
    assert len(str(chat.attributes["gen_ai.output.messages"])) < 9_000


@pytest.mark.parametrize(
    ("steps", "outline"),
    [
        (run(), snapshot('')),
        (run(("clone", {"failed": "GitHub has trouble.", "events": []}), ("end", done("failed", "GitHub has trouble."))), snapshot("""\
invoke_agent backspace 0–2 ✗ GitHub has trouble.
  prepare 0–2
    clone 0–1 ✗ GitHub has trouble.
    end 1–2\
""")),
        (run(("turn", ended("failed", "The model's key was refused.")), ("end", done("failed"))), snapshot("""\
invoke_agent backspace 0–2 ✗
  prepare 0–2
    turn 0–1 ✗ The model's key was refused.
    end 1–2\
""")),
        (run(("turn", ended("stopped", "Stopped by @ann.")), ("end", done("stopped", "Stopped by @ann."))), snapshot("""\
invoke_agent backspace 0–2
  prepare 0–2
    turn 0–1
    end 1–2\
""")),
        (run(("turn", turn(call("toolu_1"))), ("tools", ended("limit", "30 minutes of work are over."))), snapshot("""\
invoke_agent backspace 0–2
  prepare 0–2
    chat claude-sonnet-5-5 0–1
    tools 1–2\
""")),
        (run(("turn", {"ended": None, "stop_reason": "end_turn", "content": [TEXT], "events": []})), snapshot("""\
invoke_agent backspace 0–1
  prepare 0–1
    turn 0–1\
""")),
        (run(("DBOS.sleep", {})), snapshot("""\
invoke_agent backspace 0–1
  prepare 0–1
    DBOS.sleep 0–1\
""")),
    ],
    ids=["nothing", "a step failed", "a turn failed", "stopped", "calls cut short", "of an older version", "no step of ours"],
)  # fmt: skip
def test_a_run_that_went_another_way(steps: list[Recorded], outline: str) -> None:
    assert tree(steps) == outline


STEPS = st.sampled_from([(step.name, step.output) for step in WHOLE]) | st.sampled_from(
    [("turn", ended("stopped", "Stopped by @ann.")), ("tools", ended("limit", "Over.")), ("odd", {})]
)


@given(st.lists(STEPS, max_size=12).map(lambda steps: run(*steps)))
def test_whatever_was_recorded_every_span_has_its_parent_before_it_and_no_content(steps: list[Recorded]) -> None:
    seen = {""}
    for span in spans(asked(), steps, content=False):
        assert span.path.rpartition("/")[0] in seen
        assert span.path not in seen
        assert WORD not in repr(span)
        seen.add(span.path)


def test_calls_whose_turn_an_older_version_recorded() -> None:
    """As after an update in the middle of a run."""
    old = turn(call("toolu_1"))
    del old["trace"]
    names = [
        span.name
        for span in spans(asked(), run(("turn", old), ("tools", acted(("toolu_1", 1, 2, False)))), content=True)
    ]
    assert names == ["invoke_agent backspace", "prepare", "turn", "execute_tool bash"]
