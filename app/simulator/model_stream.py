"""A reply as the events of the Messages API's stream, and the faults that break it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from app.simulator.model_script import Fault

PIECE = 24
"""Characters in one delta."""


def encode(event: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by its type."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


PING = encode({"type": "ping"})
OVERLOADED = encode({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
MALFORMED = b'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "del\n\n'


def start(message: Mapping[str, Any]) -> bytes:
    """The first event: the message without content, one output token counted so far."""
    usage = message["usage"] | {"output_tokens": 1}
    shell = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return encode({"type": "message_start", "message": shell})


def content(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The events after the first."""
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _empty(block)}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _empty(block: Mapping[str, Any]) -> dict[str, Any]:
    blank = {"text": "", "thinking": "", "signature": "", "input": {}}
    return {key: blank.get(key, value) if key != "type" else value for key, value in block.items()}


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"]))
        case "thinking":
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            arguments = json.dumps(block["input"], ensure_ascii=False)
            pieces = ["", *_pieces(arguments)] if block["input"] else [""]
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


def _pieces(text: str) -> list[str]:
    return [text[i : i + PIECE] for i in range(0, len(text), PIECE)]


def broken(events: list[dict[str, Any]], fault: Fault) -> tuple[list[dict[str, Any]], bytes]:
    """The events that are still sent, and what is sent after them instead of the rest. The break is in the middle of a block."""
    kind = "input_json_delta" if fault.kind == "cut_tool" else ""
    deltas = [i for i, e in enumerate(events) if e["type"] == "content_block_delta" and kind in e["delta"]["type"]]
    if not deltas:
        raise ValueError(f"the turn has nothing that {fault.kind} could break")
    ends = {"error_event": OVERLOADED, "malformed": MALFORMED}
    at = deltas[min(1, len(deltas) - 1)]
    return events[: at + 1], ends.get(fault.kind, b"")
