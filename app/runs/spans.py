"""A run as a tree of spans, read from its recorded steps: run, stage, step. Pure.

The step of a turn is a `chat` span; that of tool calls is one `execute_tool` span for each call. Names are those of OpenTelemetry's
conventions for generative AI (open-telemetry/semantic-conventions-genai); the library's constants for them are deprecated.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from app.core.task import Request
from app.runs.engine import Json, Recorded
from app.tools.tool import one_line, short

Value = str | int | bool | list[str]
AGENT = "backspace"
PROVIDER = "anthropic"


@dataclass(frozen=True)
class Span:
    path: str
    """Its place in the tree, the same in every reading of the run: what stands before the last slash is its parent's."""
    name: str
    began: float
    """Unix seconds, as `ended`."""
    ended: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    error: str | None = None
    """Why it failed, in a sentence for people that may be empty; None where it did not fail."""


def spans(request: Request, steps: Sequence[Recorded], *, content: bool) -> list[Span]:
    """The tree, parents first, of steps without secrets.

    `content`: also what was said, and the calls' arguments and results, each text cut to 8,000 characters.
    """
    if not steps:
        return []
    found, reading = [_run(request, steps)], _Reading(request.key, content)
    for k, (stage, pairs) in enumerate(groupby(_with_stages(steps), key=lambda pair: pair[0])):
        inside = [step for _, step in pairs]
        found.append(Span(f"run/{k}", stage, inside[0].began, inside[-1].ended))
        for i, step in enumerate(inside):
            found += reading.step(f"run/{k}/{i}", step)
    return found


def _run(request: Request, steps: Sequence[Recorded]) -> Span:
    attributes: dict[str, Value] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.agent.name": AGENT,
        "gen_ai.conversation.id": request.key,
        "backspace.repository": request.repository.full_name,
    }
    error = None
    for done in (event for step in steps for event in _events(step) if event["type"] == "Done"):
        attributes["backspace.outcome"] = done["outcome"]
        error = done["message"] if done["outcome"] == "failed" else None
    return Span("run", f"invoke_agent {AGENT}", steps[0].began, steps[-1].ended, attributes, error)


def _with_stages(steps: Sequence[Recorded]) -> Iterator[tuple[str, Recorded]]:
    """Each step with the stage that it ran in; a run begins by preparing."""
    stage = "prepare"
    for step in steps:
        yield stage, step
        for event in _events(step):
            if event["type"] == "Stage":
                stage = event["stage"]


def _events(step: Recorded) -> Sequence[Json]:
    found: Sequence[Json] = step.output.get("events", ())
    return found


class _Reading:
    """Reads steps in their order: a turn says what the calls after it are, and their results are what the next turn was told."""

    def __init__(self, task: str, content: bool) -> None:
        self._task = task
        self._content = content
        self._calls: list[Json] = []
        self._told: list[Json] = []

    def step(self, path: str, step: Recorded) -> list[Span]:
        """Its spans. Of a turn or calls that ended early there is the step alone."""
        output = step.output
        found = [_plain(path, step)]
        if step.name == "turn" and "content" in output:
            found = [self._turn(path, step)] if "trace" in output else found
            self._calls = [block for block in output["content"] if block["type"] == "tool_use"]
            self._told = []
        elif step.name == "tools" and "results" in output:
            found = self._results(path, output) if "trace" in output else found
            self._told = output["results"]
        elif "first_message" in output:
            self._told = [{"type": "text", "text": output["first_message"]}]
        return found

    def _turn(self, path: str, step: Recorded) -> Span:
        output, trace = step.output, step.output["trace"]
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.conversation.id": self._task,
            "gen_ai.request.model": trace["model"],
            "gen_ai.request.stream": True,
            "gen_ai.response.model": trace["by"],
            "gen_ai.response.id": trace["reply"],
            "gen_ai.response.finish_reasons": [output["stop_reason"]],
            "gen_ai.usage.input_tokens": trace["input"] + trace["cache_read"] + trace["cache_write"],
            "gen_ai.usage.cache_read.input_tokens": trace["cache_read"],
            "gen_ai.usage.cache_creation.input_tokens": trace["cache_write"],
            "gen_ai.usage.cache_write.input_tokens": trace["cache_write"],  # its name in the conventions' next release
            "gen_ai.usage.output_tokens": trace["output"],
        }
        if self._content:
            said = {**_message("assistant", output["content"]), "finish_reason": output["stop_reason"]}
            attributes["gen_ai.input.messages"] = _json([_message("user", self._told)])
            attributes["gen_ai.output.messages"] = _json([said])
        return Span(path, f"chat {trace['model']}", step.began, step.ended, attributes)

    def _results(self, path: str, output: Json) -> list[Span]:
        each = zip(self._calls, output["results"], output["trace"], strict=False)
        return [self._call(f"{path}.{i}", *what) for i, what in enumerate(each)]

    def _call(self, path: str, call: Json, result: Json, times: Json) -> Span:
        name = one_line(call["name"])
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call["id"],
        }
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = short(_json(call["input"]))
            attributes["gen_ai.tool.call.result"] = short(result["content"])
        error = "" if result["is_error"] else None
        return Span(path, f"execute_tool {name}", times["began"], times["ended"], attributes, error)


def _plain(path: str, step: Recorded) -> Span:
    ended = step.output.get("ended") or {}
    error = step.output.get("failed") or (ended.get("why") if ended.get("how") == "failed" else None)
    return Span(path, step.name, step.began, step.ended, error=error)


def _message(role: str, blocks: Sequence[Json]) -> Json:
    return {"role": role, "parts": [_part(block) for block in blocks]}


def _part(block: Json) -> Json:
    match block["type"]:
        case "text":
            return {"type": "text", "content": short(block["text"])}
        case "thinking":
            return {"type": "reasoning", "content": short(block["thinking"])}
        case "tool_use":
            return {
                "type": "tool_call",
                "id": block["id"],
                "name": block["name"],
                "arguments": short(_json(block["input"])),
            }
        case "tool_result":
            return {"type": "tool_call_response", "id": block["tool_use_id"], "response": short(block["content"])}
        case other:
            return {"type": other}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
