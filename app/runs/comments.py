"""The status comment of each open task, kept true: one loop in each process, level-triggered, one writer for each comment.

What a comment should say follows from the recorded events alone, so a lost edit or a restart changes nothing: the next look mends it.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from app.core.errors import Transient, UserError
from app.core.events import Done, Entry, Waiting
from app.core.fence import LeaseLost, guard
from app.core.task import Outcome, Request, ThreadRequest
from app.github.app import App
from app.github.client import GitHub
from app.github.errors import Conflict, NotFound, Refused
from app.github.tokens import COMMENT
from app.publish import comment
from app.runs import line, numbers, tables
from app.runs import log as log_of
from app.runs.engine import Engine

log = logging.getLogger(__name__)

BETWEEN_EDITS = 10.0
"""Seconds between two edits of a run's comment; the last state does not wait."""
CLOCK_EDITS = 60.0
"""Seconds after which a comment is edited although only its durations have changed."""
AFTER_A_REFUSAL = 300.0
"""Seconds more where GitHub did not let us: somebody has to change something first. The last state does not wait."""
LOOK = 5.0
"""Seconds after which the loop looks without having been woken."""


@dataclass
class _Written:
    """What this process knows of one comment."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    entries: list[Entry] = field(default_factory=list)
    read: int = 0
    """Place in its log: see `app.runs.log`."""
    at: float = float("-inf")
    body: str = ""
    still: str = ""
    """The body with its clock stopped: differs from the last one exactly where something has happened."""


class Comments:
    """`patch_url`: a link to what a task changed, for everybody; None where there can be none."""

    def __init__(
        self, *, engine: Engine, app: App, server_url: str, limit_usd: float, patch_url: Callable[[str], str | None]
    ) -> None:
        self._patch_url = patch_url
        self._engine = engine
        self._app = app
        self._server_url = server_url
        self._limit_usd = limit_usd
        self._written: defaultdict[str, _Written] = defaultdict(_Written)
        self._mend_again: dict[str, float] = {}
        """When a comment whose mending failed is tried again, by the monotonic clock."""

    async def post(self, request: ThreadRequest, place: int) -> int:
        """The task's status comment, found again or made: its id. Ours is known by the hidden marker and by its author."""
        body = await self._render(request, [], place)
        written = self._written[request.key]
        written.body = written.still = body  # so that no edit is spent on the same words
        return await self._find_or_make(request, body)

    async def _find_or_make(self, request: ThreadRequest, body: str) -> int:
        github = self._github(request)
        author = (await self._app.identity(github)).bot_id
        found = await github.find_comment(request.thread, comment.marker(request.key), author, since=request.asked_at)
        if found is None:
            found = await github.create_comment(request.thread, body)
        await self._engine.db(tables.set_comment(request.key, found))
        return found

    async def settle(self, run: str, request: ThreadRequest, outcome: Outcome, unrecorded: Done | None = None) -> None:
        """Write the last state, react, close the task: nothing where it has a newer run.

        `unrecorded`: how a run ended that could not say so. Raises Transient; a comment that somebody deleted is made once more.
        """
        if not await self._engine.db(numbers.is_newest(run)):
            return
        written = self._written[request.key]
        async with written.lock:
            await self._read(request, written)
            try:
                last = [Entry(id=f"{run}.end.0", at=time.time(), event=unrecorded)] if unrecorded else []
                await self._write_last(request, await self._render(request, written.entries + last, 0))
                await self.react(request, outcome)
            except (NotFound, Refused, Conflict) as e:
                log.warning("the last state could not be shown: %s", e, extra={"task": request.key})
            if not await self._engine.db(numbers.close(run, outcome)):
                return
        self._written.pop(request.key, None)
        self._engine.forget(request.key)
        await self._app.tokens.revoke(request.key)

    async def _write_last(self, request: ThreadRequest, body: str) -> None:
        github = self._github(request)
        comment_id = await self._engine.db(tables.comment_of(request.key))
        try:
            await _edit_surely(github, comment_id or await self._find_or_make(request, body), body)
        except NotFound:
            await _edit_surely(github, await self._find_or_make(request, body), body)

    async def react(self, request: Request, outcome: Outcome) -> None:
        """To what asked for the task's latest run, where that is in a thread. Raises what `app.github.errors` names."""
        reaction = comment.done_reaction(outcome)
        if request.approved:
            await self._github(request).react_to_comment(request.approved.comment_id, reaction)
        elif isinstance(request, ThreadRequest) and request.comment_id is not None:
            await self._github(request).react_to_comment(request.comment_id, reaction)
        elif isinstance(request, ThreadRequest):
            await self._github(request).react_to_issue(request.thread, reaction)

    async def follow(self) -> None:
        """Keep every open task's comment true, for as long as the process lives."""
        waker = self._engine.waker()
        while True:
            waker.clear()
            try:
                await self._look()
                await self._mend()
            except Exception:
                log.exception("a look at the status comments failed")
            try:
                async with asyncio.timeout(LOOK):
                    await waker.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(1)

    async def _look(self) -> None:
        places: defaultdict[str, int] = defaultdict(int)
        tasks = await self._engine.db(tables.open_tasks())
        runs = await self._engine.db(numbers.newest_ids([request.key for request, _ in tasks]))
        ours = await self._engine.speaks_for(runs.values())
        for request, comment_id in tasks:
            thread, run = tables.thread_of(request), runs[request.key]
            if isinstance(request, ThreadRequest) and comment_id is not None and run in ours:
                try:
                    await self._refresh(request, comment_id, places[thread], run)
                except LeaseLost:  # the process slept: the next look asks anew whose they are
                    return
                except Exception:  # one comment's trouble is not the others'
                    log.exception("the status comment was not edited", extra={"task": request.key})
                    self._written[request.key].at = time.monotonic()
            elif request.key in self._written and not self._written[request.key].lock.locked():
                del self._written[request.key]  # others write it now
            places[thread] += 1

    async def _refresh(self, request: ThreadRequest, comment_id: int, place: int, run: str) -> None:
        written = self._written[request.key]
        since = time.monotonic() - written.at
        if written.lock.locked() or since < BETWEEN_EDITS:
            return
        async with written.lock:
            await self._read(request, written)
            last = written.entries[-1] if written.entries else None
            done = last.event if last and _is_of(last, run) else None
            if not isinstance(done, Done):
                await self._edit(request, comment_id, place, written, since)
                return
        written.at = time.monotonic()
        if not await self._engine.db(tables.is_over(request.key)):  # its own step has given up
            await self.settle(run, await self._asked(run, request), done.outcome)

    async def _asked(self, run: str, request: ThreadRequest) -> ThreadRequest:
        """With what this run lets in, of which the task's own row does not tell."""
        approved = (await self._engine.spec(run) or {}).get("approved")
        return ThreadRequest.model_validate({**request.model_dump(), "approved": approved})

    async def _edit(self, request: ThreadRequest, comment_id: int, place: int, written: _Written, since: float) -> None:
        """Unless there is nothing new to say, or no room for it: newer words will come."""
        last = written.entries[-1].at if written.entries else 0.0
        still = await self._render(request, written.entries, place, last)
        if still == written.still and since < CLOCK_EDITS:
            return
        body = await self._render(request, written.entries, place)
        if body == written.body:
            return
        says_why = still != written.still and bool(written.entries) and isinstance(written.entries[-1].event, Waiting)
        try:
            if await self._github(request).try_edit_comment(comment_id, body, says_why=says_why):
                written.body, written.still, written.at = body, still, time.monotonic()
                await self._admit_if_late(request)
        except (Transient, UserError, NotFound) as e:
            log.warning("the status comment was not edited: %s", e, extra={"task": request.key})
            written.at = time.monotonic() + (0 if isinstance(e, Transient) else AFTER_A_REFUSAL)

    async def _admit_if_late(self, request: ThreadRequest) -> None:
        """The process may have slept while its edit was on the way, which then came after those of another."""
        try:
            await guard()
        except LeaseLost:
            await self._engine.db(tables.mend(request.key))

    async def _mend(self) -> None:
        tasks = await self._engine.db(tables.to_mend)
        runs = await self._engine.db(numbers.newest_ids([request.key for request, _ in tasks]))
        ours = await self._engine.speaks_for(runs.values())
        for request, comment_id in tasks:
            due = self._mend_again.get(request.key, 0.0) <= time.monotonic()
            if isinstance(request, ThreadRequest) and comment_id is not None and runs[request.key] in ours and due:
                try:
                    await self._mend_one(request, comment_id)
                except LeaseLost:
                    return
                except Exception:
                    log.exception("the status comment was not edited", extra={"task": request.key})
                    self._mend_again[request.key] = time.monotonic() + CLOCK_EDITS

    async def _mend_one(self, request: ThreadRequest, comment_id: int) -> None:
        """Once. Where no turn of the installation is free the next look tries again; a comment that can't be edited stays as it is."""
        body = await self._render(request, await log_of.whole(self._engine, request.key), 0)
        try:
            if not await self._github(request).try_edit_comment(comment_id, body):
                return
        except (NotFound, Refused, Conflict) as e:
            log.warning("the last state could not be shown: %s", e, extra={"task": request.key})
        except Transient as e:
            log.warning("the status comment was not edited: %s", e, extra={"task": request.key})
            self._mend_again[request.key] = time.monotonic() + CLOCK_EDITS
            return
        await self._engine.db(tables.mended(request.key))
        self._mend_again.pop(request.key, None)
        await self._app.tokens.revoke(request.key)

    async def _read(self, request: ThreadRequest, written: _Written) -> None:
        found, written.read = await log_of.rest(self._engine, request.key, written.read)
        written.entries.extend(found)

    async def _render(self, request: ThreadRequest, entries: list[Entry], place: int, now: float | None = None) -> str:
        """In a thread, for thousands of entries take long."""
        runs = await self._engine.db(numbers.newest_ids([request.key]))
        last = entries[-1] if entries else None
        is_held = not entries and await self._engine.db(line.is_held(request.key))
        goes_on = last is not None and isinstance(last.event, Done) and not _is_of(last, runs[request.key])
        return await asyncio.to_thread(
            comment.status,
            request,
            entries,
            now=time.time() if now is None else now,
            place=place,
            is_held=is_held,
            server_url=self._server_url,
            limits_usd=self._limit_usd,
            patch_url=self._patch_url(request.key),
            goes_on=goes_on,
        )

    def _github(self, request: Request) -> GitHub:
        assert request.installation is not None
        return self._app.repository(request.key, request.installation, request.repository, COMMENT)


def _is_of(entry: Entry, run: str) -> bool:
    return entry.id.startswith(f"{run}.")


async def _edit_surely(github: GitHub, comment_id: int, body: str) -> None:
    """Once more where GitHub says that it did, and shows other words."""
    for _ in range(2):
        if _same(await github.edit_comment(comment_id, body), body):
            return
    log.warning("comment %d does not say what it was told to", comment_id)


def _same(said: str, body: str) -> bool:
    return said.replace("\r\n", "\n").strip() == body.replace("\r\n", "\n").strip()
