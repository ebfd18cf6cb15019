"""Commands that were missed: at start and every few minutes GitHub's log of deliveries is read, and what never arrived is taken.

Nothing is redelivered, so what fails here can't come back by itself: it is tried three times and then logged. A delivery that did arrive
is known by what it asked for, so it doesn't matter which of the two sees it first.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from app.core.errors import Transient
from app.core.task import Control, ThreadRequest
from app.github.app import App
from app.github.deliveries import Attempt, Deliveries
from app.github.tokens import COMMENT
from app.runs.database import mark, marked
from app.runs.holders import Transact
from app.runs.tables import metadata
from app.trigger.policy import decide

log = logging.getLogger(__name__)
AT_START = 1.0
"""Seconds before the first sweep: by then the webhook is served, so nothing falls between the two."""
EVERY = 300.0
"""Seconds between two sweeps."""
OLDEST = 24 * 3600.0
"""Seconds after which nobody waits for a command any more."""
OVERLAP = 600.0
"""Seconds that each sweep looks back behind the one before, for a log that is written late and for clocks that differ."""
TRIES = 3
ASKING = {("issue_comment", "created"), ("issues", "labeled")}
"""The only deliveries that can ask for anything: see `decide`."""

missed = sa.Table(
    "missed",
    metadata,
    sa.Column("guid", sa.Text, primary_key=True),
    sa.Column("attempt", sa.BigInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("done", sa.Boolean, nullable=False),
)
"""Deliveries that no attempt brought here, and how often each was tried."""


class Taker(Protocol):
    """What becomes of a command that was missed: see `Intake`."""

    async def knows(self, asked: ThreadRequest | Control, /) -> bool: ...
    async def record(self, asked: ThreadRequest | Control, /) -> None: ...
    async def ask_again(self, asked: ThreadRequest | Control, /) -> None: ...


class Missed:
    def __init__(self, *, transact: Transact, app: App, intake: Taker, label: str) -> None:
        self._transact = transact
        self._app = app
        self._deliveries = Deliveries(app)
        self._intake = intake
        self._label = label

    async def sweep_for_ever(self, is_first: Callable[[], bool]) -> None:
        """`is_first`: whether this process looks after what nobody runs."""
        await asyncio.sleep(AT_START)
        while True:
            try:
                if is_first():
                    await self.sweep()
            except Transient as e:
                log.warning("missed deliveries were not looked for: %s", e)
            except Exception:
                log.exception("a look for missed deliveries failed; the next one tries again")
            await asyncio.sleep(EVERY)

    async def sweep(self) -> None:
        now = time.time()
        made = await self._transact(marked("made")) or now
        swept = await self._transact(marked("swept")) or 0.0
        since = max(now - OLDEST, math.floor(made), swept - OVERLAP)  # GitHub tells whole seconds
        await self._transact(_note(unanswered([a async for a in self._deliveries.since(since)])))
        await self._transact(mark("swept"))
        for row in await self._transact(_to_try(now - OLDEST)):
            await self._try(row.guid, row.attempt, row.event, row.tries + 1)

    async def _try(self, guid: str, attempt: int, event: str, tries: int) -> None:
        await self._transact(_set(guid, tries=tries))  # before it, for it might end this process
        try:
            await self._take(guid, attempt, event)
        except Transient as e:
            await self._transact(_set(guid, tries=tries - 1))
            log.warning("a missed delivery is tried again later: %s", e, extra={"delivery": guid})
        except Exception:
            log.exception("a missed delivery failed, try %d of %d", tries, TRIES, extra={"delivery": guid})
        else:
            await self._transact(_set(guid, done=True))

    async def _take(self, guid: str, attempt: int, event: str) -> None:
        payload = await self._deliveries.payload(attempt)
        asked = decide(event, payload, guid, label=self._label)
        if asked is None or await self._intake.knows(asked):
            return
        log.warning("a missed delivery is taken: %s", asked.key, extra={"task": asked.key, "delivery": guid})
        if await self._stands(asked, payload):
            await self._intake.record(asked)
        elif asked.comment_id is not None:
            await self._intake.ask_again(asked)

    async def _stands(self, asked: ThreadRequest | Control, payload: dict[str, Any]) -> bool:
        """Whether what was said is still there as it was: time has passed, and nobody saw a reaction."""
        github = self._app.repository(asked.key, asked.installation, asked.repository, COMMENT)
        if asked.comment_id is not None:
            said: str = payload["comment"]["body"]
            return await github.comment_body(asked.comment_id) == said
        labels = (await github.issue(asked.thread)).labels
        return self._label.casefold() in [label.casefold() for label in labels]


def unanswered(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Of each delivery that can ask for something and that no attempt brought here, the latest attempt."""
    arrived = {attempt.guid for attempt in attempts if attempt.succeeded}
    latest: dict[str, Attempt] = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        if attempt.guid not in arrived and (attempt.event, attempt.action) in ASKING:
            latest[attempt.guid] = attempt
    return list(latest.values())


def _note(attempts: Sequence[Attempt]) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        for attempt in attempts:
            if connection.execute(sa.select(missed.c.guid).where(missed.c.guid == attempt.guid)).first() is None:
                values = {"guid": attempt.guid, "attempt": attempt.id, "event": attempt.event, "at": attempt.at}
                connection.execute(missed.insert().values(**values, tries=0, done=False))

    return write


def _to_try(since: float) -> Callable[[sa.Connection], Sequence[sa.Row[Any]]]:
    """Those that are left, the oldest first; what is older than `since` is dropped."""

    def read(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
        connection.execute(missed.delete().where(missed.c.at < since))
        query = sa.select(missed).where(sa.not_(missed.c.done), missed.c.tries < TRIES).order_by(missed.c.at)
        return connection.execute(query).all()

    return read


def _set(guid: str, **values: Any) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(missed.update().where(missed.c.guid == guid).values(**values))

    return write
