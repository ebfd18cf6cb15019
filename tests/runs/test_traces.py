"""A run as a tree of spans, and how it gets to a receiver of OTLP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.runs.engine import Recorded
from app.runs.spans import Span, spans
from tests.e2e.lab import FIX, Lab, Repo, bash, until
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


@dataclass
class Receiver:
    """Takes traces over HTTP as a collector does. The first one waits until `go`, and is refused."""

    url: str = ""
    go: threading.Event = field(default_factory=threading.Event)
    refused: list[str] = field(default_factory=list)
    taken: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    """Path, key and body of each request."""

    def take(self, path: str, key: str | None, body: bytes) -> int:
        if not self.refused:
            self.refused.append(path)
            self.go.wait(60)
            return 400
        self.taken.append((path, key, body))
        return 200


@contextmanager
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with suppress(BrokenPipeError):  # the sender waits no longer
                self.send_response(found.take(self.path, self.headers["x-api-key"], body))
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            found.go.set()
            server.shutdown()


KEY = "lsv2_pt_canary0000canary0000canary"
"""A key of the receiver's."""


@dataclass(frozen=True)
class Traced:
    """Runs on a server whose traces say little, and on one that was told to say more."""

    lost: Repo
    terse: Repo
    full: Repo
    received: Receiver

    def sent(self, repo: Repo) -> tuple[str, str | None, bytes]:
        (found,) = (one for one in self.received.taken if repo.full_name.encode() in one[2])
        return found


@pytest.fixture(scope="module")
def traced(lab: Lab) -> Iterator[Traced]:
    more = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY},Langsmith-Project=backspace",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    with receiver() as received:
        little = lab.server("terse", OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
        much = lab.server("full", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{received.url}/otel/v1/traces", **more)
        runs = Traced(lab.repository(little), lab.repository(little), lab.repository(much), received)
        try:
            _go(runs)
            yield runs
        finally:
            little.stop()
            much.stop()


def _go(runs: Traced) -> None:
    runs.lost.finished(runs.lost.ask({"tools": [FIX]}, {"text": "Greet with a comma"}))
    until(lambda: runs.received.refused)
    work = {"text": f"A {WORD}.", "tools": [FIX, bash(f"echo {WORD}")]}
    echo = bash(f"echo {runs.full.server.settings['ANTHROPIC_API_KEY']} {KEY} {WORD}")
    terse = runs.terse.ask(work, {"text": "Greet with a comma"}, body=f"/backspace {WORD}")
    full = runs.full.ask({"tools": [echo]}, {"text": "Nothing to do."})
    runs.terse.finished(terse)
    runs.full.finished(full)
    runs.received.go.set()
    until(lambda: len(runs.received.taken) == 2)


def test_a_receiver_that_does_not_answer_costs_no_more_than_the_trace(traced: Traced) -> None:
    """FL-O11: what went on meanwhile became a pull request too, and one line says what is missing."""
    assert len(traced.lost.pulls()) == len(traced.terse.pulls()) == 1
    lines = [json.loads(line) for line in traced.lost.server.log.splitlines() if "trace did not arrive" in line]
    assert [line["task"].split("-")[1] for line in lines] == [str(traced.lost.id)]


def test_a_run_arrives_as_one_tree_without_content(traced: Traced) -> None:
    path, _, body = traced.sent(traced.terse)
    assert path == "/v1/traces"
    assert WORD.encode() not in body
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    found = list(resource.scope_spans[0].spans)
    assert len({span.trace_id for span in found}) == 1
    by_id = {span.span_id: span for span in found}
    assert len(by_id) == len(found)
    assert [span.name for span in found if not span.parent_span_id] == ["invoke_agent backspace"]
    names = [(by_id[span.parent_span_id].name, span.name) for span in found if span.parent_span_id]
    stages = ["prepare", "work", "verify", "publish"]
    assert [name for parent, name in names if parent == "invoke_agent backspace"] == stages
    chat = ("work", "chat claude-sonnet-5-5")
    did = [("work", "execute_tool edit"), ("work", "execute_tool bash")]
    assert [pair for pair in names if " " in pair[1] and pair[0] in stages] == [chat, *did, chat]
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in found)


def test_what_was_said_and_done_arrives_where_it_is_wanted_without_any_secret(traced: Traced) -> None:
    path, key, body = traced.sent(traced.full)
    assert (path, key) == ("/otel/v1/traces", KEY)
    assert f"echo [redacted] [redacted] {WORD}".encode() in body
    assert b"canary" not in body
    assert KEY not in traced.full.server.log
