"""One reply of the model, put together from the events of its stream. Pure.

A stream that ends early ends without any error, and a tool use that is cut in it looks like one without input. So a reply counts
only when the stream said that it is over and why.
"""

import json
from typing import Any

from app.agent.budget import TurnUsage
from app.core.task import Words

PARTS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("partial_json", "input"),
}
"""Kind of a delta: the field that carries the piece, and the field of the block that it is a piece of."""


class Cut(ValueError):
    """What the stream said is no whole reply."""


class Turn(Words):
    """A whole reply of the model."""

    content: list[dict[str, Any]]
    """Content blocks as they came, to be sent back unchanged: thinking blocks are signed, and bound to all that stands before them.
    May be empty."""
    stop_reason: str
    """As the API says it. Tools may run only on `tool_use`; after anything else the input of a tool use may be missing."""
    usage: TurnUsage
    id: str
    """Of the reply, as the API named it; "" where it did not."""
    model: str
    """That wrote it, likewise: a dated name where a family's was asked for."""
    requests: int
    """Every request that was sent for this turn, discarded ones too."""
    discarded: TurnUsage
    """Upper estimate for the requests whose reply was cut or lost."""


class Reply:
    """Collects the events of one stream."""

    def __init__(self) -> None:
        self.content: list[dict[str, Any]] = []
        self.stop_reason = ""
        self.id = ""
        self.model = ""
        self._open: dict[int, _Block] = {}
        self._usage: dict[str, Any] = {}
        self.over = False
        self._bad_input = False

    def feed(self, event: dict[str, Any]) -> None:
        """One event, whatever it is. Raises Cut where it is malformed; an event of an unknown type says nothing."""
        try:
            self._feed(event)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise Cut(f"malformed event: {e!r}") from None

    def _feed(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "message_start":
                self._count(event["message"]["usage"])
                self.id, self.model = (_name(event["message"].get(key)) for key in ("id", "model"))
            case "content_block_start":
                self._open[event["index"]] = _Block(event["content_block"])
            case "content_block_delta":
                self._open[event["index"]].add(event["delta"])
            case "content_block_stop":
                self._close(self._open.pop(event["index"]))
            case "message_delta":
                self.stop_reason = "" + (event["delta"]["stop_reason"] or "")
                self._count(event["usage"])
            case "message_stop":
                self.over = True

    def check(self) -> None:
        """Raises Cut unless the reply is whole."""
        if not (self.over and self.stop_reason) or self._open:
            raise Cut("the stream ended before the reply did")
        if self.stop_reason == "tool_use":
            if self._bad_input:
                raise Cut("the input of a tool use is no JSON object")
            if not any(block["type"] == "tool_use" for block in self.content):
                raise Cut("the reply stops for a tool use and has none")

    @property
    def usage(self) -> TurnUsage | None:
        """What the API counted so far; None before it said anything."""
        if not self._usage:
            return None
        return TurnUsage(
            input=self._usage.get("input_tokens", 0),
            cache_read=self._usage.get("cache_read_input_tokens", 0),
            cache_write=self._usage.get("cache_creation_input_tokens", 0),
            output=self._usage.get("output_tokens", 0),
        )

    def _count(self, usage: dict[str, Any]) -> None:
        self._usage |= {name: count for name, count in usage.items() if isinstance(count, int)}

    def _close(self, block: "_Block") -> None:
        whole, good = block.close()
        self._bad_input |= not good
        # The API sends such a block and refuses to take it back.
        if whole["type"] != "text" or whole["text"].strip():
            self.content.append(whole)


class _Block:
    def __init__(self, start: dict[str, Any]) -> None:
        self._start = dict(start)
        self._pieces: dict[str, list[str]] = {}

    def add(self, delta: dict[str, Any]) -> None:
        piece, field = PARTS[delta["type"]]
        self._pieces.setdefault(field, []).append(delta[piece])

    def close(self) -> tuple[dict[str, Any], bool]:
        """The block, and whether its input (if it has one) could be read; what could not be is {}."""
        block, good = self._start, True
        for field, pieces in self._pieces.items():
            text = "".join(pieces)
            text.encode()
            if field == "input":
                block["input"], good = _input(text)
            else:
                block[field] += text
        return block, good


def _name(value: Any) -> str:
    return value if isinstance(value, str) and value.isascii() else ""


def _input(text: str) -> tuple[dict[str, Any], bool]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}, False
    return (value, True) if isinstance(value, dict) else ({}, False)
