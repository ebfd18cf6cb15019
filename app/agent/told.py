"""What people are told of a turn: its words, its calls, its price, and why the work ends with it. Pure."""

from typing import Any

from app.agent.budget import Spent
from app.agent.reply import Turn
from app.core.events import AIMessage, CallsBegan, Error, Status, Usage
from app.tools.base import briefs

Json = dict[str, Any]


def ended_as(how: str, why: str, *events: Usage) -> Json:
    """Output of a step that ends the work: see `Ended`. `events` come before the sentence."""
    message = Error(message=why) if how == "failed" else Status(message=why)
    return {"ended": {"how": how, "why": why}, "events": [event.model_dump() for event in (*events, message)]}


def usage_of(spent: Spent) -> Usage:
    return Usage(tokens=spent.tokens, usd=round(spent.usd, 6), turns=spent.turns)


def said_in(turn: Turn, spent: Spent) -> list[Json]:
    """Events of a whole reply."""
    words = [block[block["type"]] for block in turn.content if block["type"] in ("thinking", "text")]
    calls = [block for block in turn.content if block["type"] == "tool_use"] if turn.stop_reason == "tool_use" else []
    events: list[AIMessage | Usage | CallsBegan] = [AIMessage(message=text) for text in words if text.strip()]
    events.append(usage_of(spent))
    if calls:
        events.append(CallsBegan(calls=briefs(calls)))
    return [event.model_dump() for event in events]
