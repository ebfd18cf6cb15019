"""How a step's body meets trouble.

What will pass is tried again, what people can mend ends the run in their words, a bug is logged whole.
"""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from app.core.errors import Transient, UserError
from app.core.events import Error
from app.github.errors import Conflict, NotFound
from app.sandbox.base import SandboxGone

log = logging.getLogger(__name__)
Json = dict[str, Any]

TRIES = 60
LONGEST_PAUSE = 60.0
"""Seconds between two tries of our own choosing: all tries together last about an hour."""
LONGEST_WAIT = 3600.0
"""Seconds. A longer wait asked for by the other side ends the tries."""
BUG = "Something went wrong inside Backspace. The server's log has the details: tell its operator."


class Failed(Exception):
    """A step did not succeed; the message is for people. Raised from what was recorded, so a replay raises it again."""


async def attempt(body: Callable[..., Awaitable[Json]], *args: Any) -> Json:
    """What `body(*args)` returns, or `{"failed": sentence}`. Never raises: an exception would not come back the same from the record."""
    for tries in range(1, TRIES + 1):
        try:
            output = await body(*args)
            # What can't be recorded would end the workflow without a word.
            json.dumps(output, ensure_ascii=False).encode()
            return output
        except Transient as e:
            pause = min(2.0 ** (tries - 1), LONGEST_PAUSE) * random.uniform(0.75, 1)
            wait = e.retry_after if e.retry_after is not None else pause
            if tries == TRIES or wait > LONGEST_WAIT:
                return _failed(f"{e} It did not pass after {tries} tries; ask again later.")
            log.warning("step tried again in %.1f s: %s", wait, e)
            await asyncio.sleep(wait)
        except UserError as e:
            return _failed(str(e))
        except SandboxGone:
            return _failed("The sandbox has gone, and with it the work that was in it.")
        except NotFound:
            return _failed(
                "GitHub does not show the App what it needs any more: was it uninstalled, or something deleted or renamed?"
            )
        except Conflict as e:
            return _failed(f"GitHub did not accept it: {e}")
        except Exception:
            log.exception("a bug in a step")
            return _failed(BUG)
    raise AssertionError("unreachable")


def _failed(why: str) -> Json:
    return {"failed": why, "events": [Error(message=why).model_dump()]}


def checked(output: Json) -> Json:
    """The output of a step that must have succeeded. Raises Failed."""
    if "failed" in output:
        raise Failed(output["failed"])
    return output
