"""The loop: ask the model, do what it asked for, repeat. Every reply and every set of results is one recorded step."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from app.agent.budget import Limits, Spent, TurnUsage, max_tokens, tokens_at_most, too_little_left, why_stop
from app.agent.claude import Claude, Tries, TurnLost
from app.agent.conversation import Conversation
from app.agent.reply import Turn
from app.agent.told import ended_as, said_in, usage_of
from app.core.errors import UserError
from app.core.redact import Redactor
from app.sandbox.base import Sandbox
from app.tools.base import ToolResult, definitions, reads_only, run_calls

Json = dict[str, Any]
T = TypeVar("T")
TURN_SECONDS = 600.0
"""For one turn with all its tries."""
MAX_CUT = 2
"""Replies in a row that may reach their length limit before the work ends."""
MAX_MISUSES = 5
"""Turns in a row with no call that a tool takes, after which the work ends."""
MISUSED = f"The model called no tool that there is, or none as it can be called, {MAX_MISUSES} times in a row."


class Step(Protocol):
    """Run `body(*args)` as a recorded step, or return what was recorded."""

    async def __call__(self, name: str, body: Callable[..., Awaitable[Json]], /, *args: Any) -> Json: ...


class Stopping(Protocol):
    """Whether somebody said stop."""

    async def by(self) -> str | None:
        """Login of who said it."""
        ...

    async def wait(self) -> None:
        """Return when somebody says it."""
        ...


class Asking(Protocol):
    """What a turn has cost that has no record yet, for the server may be killed while the model writes."""

    async def spent(self, turn: int) -> Json | None:
        """What was noted last for this turn, by a server that was killed since."""
        ...

    async def note(self, turn: int, spent: Json) -> None:
        """On disk when this returns."""
        ...


@dataclass(frozen=True)
class Ended:
    """Why the work ended. `why` is a sentence for people, empty where the model had finished."""

    how: Literal["finished", "limit", "stopped", "failed"]
    why: str = ""


async def work(step: Step, agent: "Agent", talk: Conversation) -> Ended:
    """Ask, act, repeat, until the model has finished, somebody said stop, or a limit is reached."""
    while True:
        turn = await step("turn", agent.ask, talk)
        if ended := turn["ended"]:
            return Ended(**ended)
        talk.heard(turn)
        match turn["stop_reason"]:
            case "tool_use":
                acted = await step("tools", agent.act, turn["content"], talk)
                if ended := acted["ended"]:
                    return Ended(**ended)
                talk.did(acted)
                if talk.misuses >= MAX_MISUSES:
                    return Ended("failed", MISUSED)
            case "end_turn" | "stop_sequence":
                return Ended("finished")
            case "max_tokens" if talk.cut <= MAX_CUT:
                pass
            case "max_tokens":
                return Ended("limit", "The model's replies were too long, three times in a row.")
            case "model_context_window_exceeded":
                return Ended("limit", "The conversation has grown longer than the model can read.")
            case "refusal":
                return Ended("failed", "The model refused to go on with this request.")
            case other:
                return Ended("failed", f"The model ended its reply in a way this version does not know (`{other}`).")


class Agent:
    """The bodies of the loop's two steps. `keep` is given the sandbox after each turn, by its number, that may have changed files."""

    def __init__(
        self,
        *,
        claude: Claude,
        limits: Limits,
        sandbox: Callable[[], Awaitable[Sandbox]],
        keep: Callable[[Sandbox, int], Awaitable[None]],
        stopping: Stopping,
        asking: Asking,
        redactor: Redactor,
        system: str,
    ) -> None:
        self._claude = claude
        self._limits = limits
        self._sandbox = sandbox
        self._keep = keep
        self._stopping = stopping
        self._asking = asking
        self._redact = redactor
        self._system = system

    async def ask(self, talk: Conversation) -> Json:
        """One turn of the model, unless it is time to end. Raises TurnLost where the model is to be asked again later."""
        if by := await self._stopping.by():
            return ended_as("stopped", f"Stopped by {by}.")
        noted = await self._asking.spent(talk.turns)
        spent = Spent.model_validate(noted) if noted else talk.spent
        if why := self._why_stop(spent, talk):
            return ended_as("limit", why)
        tries = Tries()
        try:
            turn = await unless(self._stopping.wait(), self._asked(spent, talk, tries))
        except TurnLost as e:
            return await self._lost(e, self._used(spent, tries), talk)
        except UserError as e:
            return ended_as("failed", self._redact.text(str(e)), usage_of(self._used(spent, tries)))
        if turn is None:
            return ended_as("stopped", f"Stopped by {await self._stopping.by()}.", usage_of(self._used(spent, tries)))
        spent = self._used(spent, tries).plus(self._claude.model, turn.usage, turns=1)
        return {
            "ended": None,
            "spent": spent.model_dump(),
            "stop_reason": turn.stop_reason,
            "content": turn.content,  # replayed byte for byte
            "trace": {"model": self._claude.model, "reply": turn.id, "by": turn.model, **turn.usage.model_dump()},
            "events": await asyncio.to_thread(self._redact.value, said_in(turn, spent)),
        }

    def _next(self, spent: Spent, talk: Conversation) -> TurnUsage:
        """The most that the next request may use; no output: there is too little left for it."""
        prompt = self._system + json.dumps(talk.messages, ensure_ascii=False) + json.dumps(definitions())
        tokens = tokens_at_most(prompt)
        return TurnUsage(cache_write=tokens, output=max_tokens(spent, self._limits, self._claude.model, tokens))

    def _why_stop(self, spent: Spent, talk: Conversation) -> str | None:
        """Why no further request is sent, if so."""
        if why := why_stop(spent, self._limits):
            return why
        return None if self._next(spent, talk).output else too_little_left(spent, self._limits)

    def _used(self, spent: Spent, tries: Tries) -> Spent:
        """After the requests of a turn, but for its whole reply."""
        used = spent.plus(self._claude.model, tries.discarded, requests=tries.requests)
        return used.model_copy(update={"minutes": used.minutes + tries.seconds / 60})

    async def _lost(self, error: TurnLost, spent: Spent, talk: Conversation) -> Json:
        """Where no whole reply came: the turn begins with what this has cost when it is tried again. Raises TurnLost."""
        if why := self._why_stop(spent, talk):
            return ended_as("limit", why, usage_of(spent))
        await self._asking.note(talk.turns, spent.model_dump())
        raise TurnLost(self._redact.text(str(error)), error.retry_after, [usage_of(spent).model_dump()])

    async def _asked(self, spent: Spent, talk: Conversation, tries: Tries) -> Turn:
        async def room(lost: TurnUsage, requests: int) -> int:
            so_far = spent.plus(self._claude.model, lost, requests=requests)
            most = self._next(so_far, talk)
            if most.output:
                await self._asking.note(talk.turns, so_far.plus(self._claude.model, most, requests=1).model_dump())
            return most.output

        return await self._claude.turn(
            system=self._system,
            tools=definitions(),
            messages=talk.messages,
            room=room,
            tries=tries,
            seconds=TURN_SECONDS,
        )

    async def act(self, content: Sequence[Json], talk: Conversation) -> Json:
        """Run the tool calls of a turn; results in their order, redacted before anybody sees them. Raises SandboxGone and Transient."""
        calls = [block for block in content if block["type"] == "tool_use"]
        prefix = f"work/{talk.turns}"
        sandbox = await self._sandbox()
        if by := await self._stopping.by():  # said to a server that was killed since: nothing wakes this one
            await _end_calls(sandbox, prefix, calls)
            return ended_as("stopped", f"Stopped by {by}.")
        began, left = time.monotonic(), (self._limits.minutes - talk.spent.minutes) * 60
        try:
            async with asyncio.timeout(max(left, 1)):
                results = await unless(self._stopping.wait(), run_calls(sandbox, prefix, calls))
        except TimeoutError:
            await _end_calls(sandbox, prefix, calls)
            return ended_as("limit", f"{self._limits.minutes:g} minutes of work are over.")
        if results is None:
            await _end_calls(sandbox, prefix, calls)
            return ended_as("stopped", f"Stopped by {await self._stopping.by()}.")
        if not all(reads_only(call) for call in calls):
            await self._keep(sandbox, talk.turns)
        shown = [event.model_dump() for result in results for event in result.events]
        told = [_result(call, result) for call, result in zip(calls, results, strict=True)]
        return {
            "ended": None,
            "minutes": _minutes_since(began),
            "results": await asyncio.to_thread(self._redact.value, told),
            "misused": all(result.misused for result in results),
            "trace": [{"began": result.began, "ended": result.ended} for result in results],
            "events": await asyncio.to_thread(self._redact.value, shown),
        }


def lost(content: Sequence[Json], told: str) -> Json:
    """What `act` would have returned, where every call of the turn was lost with its sandbox."""
    calls = [block for block in content if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": told, "is_error": True} for call in calls]
    return {"ended": None, "minutes": 0.0, "results": results}


def _minutes_since(began: float) -> float:
    """Only time that was worked counts: none while the server was down."""
    return (time.monotonic() - began) / 60


async def _end_calls(sandbox: Sandbox, prefix: str, calls: Sequence[Json]) -> None:
    for index in range(len(calls)):
        await sandbox.stop(f"{prefix}/{index}")


async def unless(end: Awaitable[object], work: Awaitable[T]) -> T | None:
    """The result of `work`, or None, and `work` cancelled, where `end` comes first."""
    doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(end)
    try:
        await asyncio.wait({doing, ending}, return_when=asyncio.FIRST_COMPLETED)
        return await doing if doing.done() else None
    finally:
        for task in (doing, ending):
            task.cancel()
        await asyncio.wait({doing, ending})


def _result(call: Json, result: ToolResult) -> Json:
    return {"type": "tool_result", "tool_use_id": call["id"], "content": result.content, "is_error": result.is_error}
