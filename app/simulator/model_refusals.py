"""What the Messages API refuses with 400 `invalid_request_error`, for a model that always thinks (Sonnet 5.5 and its like)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from app.simulator.model_seal import Seal
from app.simulator.model_usage import MAX_BREAKPOINTS, as_blocks, blocks_in_order, breakpoints

FIELDS = {
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "stream", "stop_sequences", "metadata",
    "cache_control", "output_config", "service_tier", "inference_geo", "diagnostics", "container", "speed",
}  # fmt: skip
SAMPLING = ("temperature", "top_p", "top_k")
BLOCKS = {
    "user": {"text", "tool_result", "image", "document"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
    "system": {"text"},
}
UNMARKABLE = ("thinking", "redacted_thinking")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def refuse(body: object) -> str | None:
    """The message of the error, or None where the request is well formed."""
    if not isinstance(body, dict):
        return "The request body must be a JSON object."
    try:
        stages = (_fields, _thinking, _tools, _shapes, _marks, _pairs, _seals)
        return next((problem for stage in stages for problem in stage(body)), None)
    except (AttributeError, KeyError, TypeError) as e:
        return f"The request has a shape that the API does not know: {e!r}"


def _fields(body: Mapping[str, Any]) -> Iterator[str]:
    for name in SAMPLING:
        if name in body:
            yield f"{name}: this parameter is not supported by this model."
    for name in body.keys() - FIELDS:
        yield f"{name}: Extra inputs are not permitted"
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            yield f"{name}: Field required"
    if not isinstance(body["max_tokens"], int) or not 1 <= body["max_tokens"] <= 128_000:
        yield "max_tokens: must be from 1 to 128000 for this model"
    if not isinstance(body["messages"], list) or not body["messages"]:
        yield "messages: at least one message is required"


def _thinking(body: Mapping[str, Any]) -> Iterator[str]:
    thinking = body.get("thinking") or {"type": "adaptive"}
    kind = thinking.get("type")
    if kind not in ("adaptive", "between_tools"):
        yield f'thinking.type: "{kind}" is not supported by this model; use "adaptive" or "between_tools".'
    if "budget_tokens" in thinking:
        yield "thinking.budget_tokens: Extra inputs are not permitted"
    if thinking.get("display", "omitted") not in ("summarized", "omitted"):
        yield 'thinking.display: must be "summarized" or "omitted"'
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "tool_choice: forced tool use is not supported by this model."


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    names: set[str] = set()
    for i, tool in enumerate(body.get("tools") or []):
        name = tool.get("name", "")
        if not TOOL_NAME.fullmatch(name):
            yield f"tools.{i}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if name in names:
            yield "tools: Tool names must be unique."
        if (tool.get("input_schema") or {}).get("type") != "object":
            yield f"tools.{i}.input_schema.type: must be object"
        names.add(name)


def _shapes(body: Mapping[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    for i, message in enumerate(messages):
        allowed = BLOCKS.get(message.get("role", ""))
        if allowed is None or not isinstance(message.get("content"), str | list):
            yield f"messages.{i}: a role (user, assistant or system) and content are required"
            return
        blocks = as_blocks(message["content"])
        if not blocks:
            yield f"messages.{i}: all messages must have non-empty content"
        for j, block in enumerate(blocks):
            if block.get("type") not in allowed:
                yield f"messages.{i}.content.{j}.type: {block.get('type')!r} can't stand in a {message['role']} message"
            if block["type"] == "text" and not block.get("text", "").strip():
                yield f"messages.{i}.content.{j}: text content blocks must contain non-whitespace text"
            if block["type"] == "tool_use" and not isinstance(block.get("input"), dict):
                yield f"messages.{i}.content.{j}.input: Input should be a valid dictionary"
    if messages[0]["role"] != "user":
        yield "messages: first message must use the user role"
    if messages[-1]["role"] == "assistant":
        yield "This model does not support assistant message prefill. The conversation must end with a user message."


def _marks(body: Mapping[str, Any]) -> Iterator[str]:
    for _, block in blocks_in_order(body):
        if block.get("cache_control") and block.get("type") in UNMARKABLE:
            yield f"cache_control: can't be set on {block['type']} blocks"
    if (found := len(breakpoints(body))) > MAX_BREAKPOINTS:
        yield f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."


def _pairs(body: Mapping[str, Any]) -> Iterator[str]:
    """Every tool use is answered at the beginning of the user message after it, and nothing else is answered."""
    seen: set[str] = set()
    asked: list[str] = []
    for i, (role, blocks) in enumerate(_turns(body)):
        results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        if orphans := [r for r in results if r not in asked]:
            yield (
                f"messages.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {orphans[0]}. Each `tool_result` block"
                " must have a corresponding `tool_use` block in the previous message."
            )
        if missing := [a for a in asked if a not in results]:
            yield (
                f"messages.{i - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing[0]}."
            )
        if len(set(results)) != len(results):
            yield f"messages.{i}: each tool_use must have a single result"
        if any(b["type"] != "tool_result" for b in blocks[: len(results)]):
            yield f"messages.{i}: `tool_result` blocks must come before the other content"
        asked = [b["id"] for b in blocks if b["type"] == "tool_use"] if role == "assistant" else []
        if len(set(asked)) != len(asked) or seen & set(asked):
            yield f"messages.{i}: `tool_use` ids must be unique"
        seen |= set(asked)


def _turns(body: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The messages, consecutive ones of one role taken together."""
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for message in body["messages"]:
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(as_blocks(message["content"]))
        else:
            turns.append((message["role"], as_blocks(message["content"])))
    return turns


def _seals(body: Mapping[str, Any]) -> Iterator[str]:
    seal = Seal(body)
    for i, message in enumerate(body["messages"]):
        for j, block in enumerate(as_blocks(message["content"])):
            if block["type"] == "thinking" and (problem := seal.problem(block)):
                yield f"messages.{i}.content.{j}: {problem}"
            seal.read(message["role"], block)
