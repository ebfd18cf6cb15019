"""How a step's body meets trouble.

What will pass is tried again, what people can mend ends the run in their words, a sandbox that is lost can be made anew, a bug is logged
whole. A wait that people would notice is an output of its own: recorded, shown, ended by a stop, and taken up after a restart.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.agent.loop import Stopping, unless
from app.core.errors import Transient, UserError
from app.core.events import Error, Waiting
from app.core.fence import LeaseLost
from app.github.errors import Conflict, NotFound
from app.sandbox.base import SandboxGone

log = logging.getLogger(__name__)
Json = dict[str, Any]
Body = Callable[..., Awaitable[Json]]

TRIES = 60
LONGEST_PAUSE = 60.0
"""Seconds between two tries of our own choosing: all tries together last about an hour."""
LONGEST_WAIT = 3600.0
"""Seconds. A longer wait asked for by the other side ends the tries."""
UNNOTICED = 2.0
"""Seconds. A longer wait is told."""
BUG = "Something went wrong inside Backspace. The server's log has the details: tell its operator."
GONE = "The sandbox has gone, and with it the work that was in it."


class Failed(Exception):
    """A step did not succeed; the message is for people. Raised from what was recorded, so a replay raises it again."""


class Gone(Failed):
    """The sandbox has gone."""


class GivenUp(Exception):
    """Somebody said stop while a step waited; the message says so. Raised from what was recorded."""


async def attempt(body: Body, *args: Any) -> Json:
    """What `body(*args)` returns, or `{"failed": sentence}`. Never raises: an exception would not come back the same from the record."""
    output = await attempt_once(body, *args)
    while waits := output.get("waits"):
        await asyncio.sleep(_left(waits))
        output = await attempt_once(body, *args, tries=waits["tries"])
    return output


async def attempt_once(body: Body, *args: Any, tries: int = 0) -> Json:
    """As `attempt`, but what has to wait for long ends as `{"waits": {"until": Unix seconds, "seconds", "tries": so far}}`."""
    while True:
        tries += 1
        try:
            output = await body(*args)
            # What can't be recorded would end the workflow without a word.
            json.dumps(output, ensure_ascii=False).encode()
            return output
        except Transient as e:
            pause = min(2.0 ** (tries - 1), LONGEST_PAUSE) * random.uniform(0.75, 1)
            wait = e.retry_after if e.retry_after is not None else pause
            if tries >= TRIES or wait > LONGEST_WAIT:
                return _failed(f"{e} {_no_more(tries, wait)}", e.events)
            log.warning("step tried again in %.1f s: %s", wait, e)
            if wait > UNNOTICED:
                return _waits(e, wait, tries)
            await asyncio.sleep(wait)
        except LeaseLost:  # nobody waits for what comes of it: the engine refuses to record it
            raise
        except SandboxGone:
            return {"failed": GONE, "gone": True, "events": []}
        except Exception as e:
            return _failed(_told(e))


def _no_more(tries: int, wait: float) -> str:
    if wait > LONGEST_WAIT:
        return f"The next try is allowed in {wait / 60:.0f} minutes, and a run waits an hour at most; ask again then."
    return f"It did not pass after {tries} tries; ask again later."


def _told(error: Exception) -> str:
    match error:
        case UserError():
            return str(error)
        case NotFound():
            return (
                "GitHub does not show what is needed here any more: was something deleted or renamed, or the access of the App "
                "or of GITHUB_TOKEN taken away?"
            )
        case Conflict():
            return f"GitHub did not accept it: {error}"
    log.error("a bug in a step", exc_info=error)
    return BUG


async def after(waits: Json, stopping: Stopping | None, body: Body, *args: Any) -> Json:
    """Go on with a step that waits; `{"given_up": login}` where somebody says stop before its time has come."""
    by = await _waited(_left(waits), stopping)
    return {"given_up": by, "events": []} if by else await attempt_once(body, *args, tries=waits["tries"])


async def _waited(seconds: float, stopping: Stopping | None) -> str | None:
    """Login of who ended the wait."""
    if stopping is None:
        await asyncio.sleep(seconds)
        return None
    if await stopping.by() is None:
        await unless(stopping.wait(), asyncio.sleep(seconds))
    return await stopping.by()


def _left(waits: Json) -> float:
    """Seconds that are left, and no more than there were: the wall clock, which alone outlives a restart, may have been set back."""
    return float(min(waits["until"] - time.time(), waits.get("seconds", LONGEST_WAIT)))


def _waits(why: Transient, seconds: float, tries: int) -> Json:
    waiting = Waiting(message=str(why), seconds=round(seconds, 1))
    waits = {"until": time.time() + seconds, "seconds": seconds, "tries": tries}
    return {"waits": waits, "events": [*why.events, waiting.model_dump()]}


def _failed(why: str, before: Sequence[Json] = ()) -> Json:
    return {"failed": why, "events": [*before, Error(message=why).model_dump()]}


def checked(output: Json) -> Json:
    """The output of a step that must have succeeded. Raises Failed, Gone, GivenUp."""
    if output.get("given_up"):
        raise GivenUp(f"Stopped by {output['given_up']}.")
    if "failed" in output:
        raise (Gone if output.get("gone") else Failed)(output["failed"])
    return output
