"""What the simulated model says: a script of turns, found by a string that stands in the request's first user message.

The turn to play is the number of assistant messages in the request, so a request that is repeated gets the same reply.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from app.core.task import Words
from app.simulator.model_usage import tokens

FaultKind = Literal["cut_tool", "cut_text", "close", "stall", "error_event", "malformed", "status"]


class Fault(Words):
    """What goes wrong with the first `times` requests for a turn.

    `status`: an HTTP error. The others break a stream that began well: `cut_text` and `cut_tool` end it cleanly in the middle of a
    block, `close` drops the connection, `stall` says nothing more, `error_event` and `malformed` send an error and broken JSON.
    """

    kind: FaultKind
    status: int = 529
    retry_after: float | None = None
    times: int = 1


class ToolUse(Words):
    name: str
    input: dict[str, Any]


class Turn(Words):
    """One reply: thinking, then text, then tool uses."""

    thinking: str = ""
    text: str = ""
    tools: tuple[ToolUse, ...] = ()
    stop_reason: str | None = None
    """None: `tool_use` where there are tools, else `end_turn`."""
    delay: float = 0.0
    """Seconds between the start of the message and its content."""
    hold: bool = False
    """The content waits until the turn is released."""
    fault: Fault | None = None


LAST = Turn(text="That is all that I was asked to do.")


class Script(Words):
    match: str
    turns: tuple[Turn, ...]
    repeat_last: bool = False
    """After the last turn it is played again, instead of a closing word."""

    def turn(self, number: int) -> Turn:
        if number < len(self.turns):
            return self.turns[number]
        return self.turns[-1] if self.repeat_last and self.turns else LAST


def first_user_text(body: Mapping[str, Any]) -> str:
    """The text that a script is found by."""
    content = next((m["content"] for m in body["messages"] if m["role"] == "user"), "")
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content)


def find(scripts: Iterable[Script], text: str) -> Script | None:
    """The script with the longest `match` that stands in the text."""
    found = [script for script in scripts if script.match in text]
    return max(found, key=lambda script: len(script.match), default=None)


def reply(script: Script, number: int, max_tokens: int, summarized: bool) -> tuple[list[dict[str, Any]], str]:
    """Content blocks and stop reason of a turn; thinking blocks are not signed yet. What is beyond `max_tokens` is cut off."""
    turn = script.turn(number)
    blocks: list[dict[str, Any]] = []
    if turn.thinking:
        blocks.append({"type": "thinking", "thinking": turn.thinking if summarized else "", "signature": ""})
    if turn.text:
        blocks.append({"type": "text", "text": turn.text})
    for index, tool in enumerate(turn.tools):
        name = hashlib.sha256(f"{script.match}\0{number}\0{index}".encode()).hexdigest()[:24]
        blocks.append({"type": "tool_use", "id": f"toolu_{name}", "name": tool.name, "input": tool.input})
    kept = _within(blocks, max_tokens)
    if kept != blocks:
        return kept, "max_tokens"
    return kept, turn.stop_reason or ("tool_use" if turn.tools else "end_turn")


def _within(blocks: list[dict[str, Any]], max_tokens: int) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    left = max_tokens
    for block in blocks:
        size = tokens(block)
        if size > left:
            kind = block["type"]
            part = block.get(kind, "")[: max(left - 20, 0) * 4]
            return [*kept, block | {kind: part}] if part else kept
        kept.append(block)
        left -= size
    return kept
