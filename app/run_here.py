"""A task whose work this process does, with everything of a server but its HTTP edge.

Database, local sandbox and log lie in the run's own folder (`run_folders.py`), which is removed when the run is over.

Settings come from the environment alone: a `.env` in the working folder may be a repository's, and whoever wrote it is not the asker.
"""

import asyncio
import contextlib
import os
import re
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from app import run_folders
from app.core.api_keys import NOBODY
from app.core.errors import Transient, UserError
from app.core.events import Done, Entry
from app.core.task import Asked, CodeRequest, Repository
from app.run_folders import Kept
from app.runs import by_path, numbers, tables
from app.runs.desk import task_key
from app.settings import RunAlone, Settings, load, refuse_lack_of_key
from app.web.code import understood
from app.wiring import UNSAFE, Work, sandboxes_of, working

LOOK = 0.1
"""Seconds between two looks at the record."""
FORGETTING = 20.0
"""Seconds for E2B to end what was forgotten: whoever asks for something else waits meanwhile."""
Say = Callable[[str], None]


class Here:
    def __init__(self, work: Work, task: str, folder: Path, say: Say) -> None:
        self._work = work
        self._folder = folder
        self._say = say
        self._failed = False
        self._stopping = False
        self.task = task

    @property
    def left(self) -> str:
        again = "ends the stop and keeps the work" if self._stopping else "goes on with the run"
        return f"Cut off before the end: the same command {again}. Until then it lies in {self._folder}."

    async def entries(self) -> AsyncIterator[Entry]:
        after = 0
        while True:
            found, after = await self._work.desk.read(self.task, after) or ([], after)
            for entry in found:
                yield entry
                if isinstance(entry.event, Done):
                    self._failed = entry.event.outcome == "failed"
                    return
            await asyncio.sleep(LOOK)

    async def stop(self) -> None:
        self._stopping = True
        await self._work.desk.stop(self.task, NOBODY)

    async def patch(self) -> bytes | None:
        return await self._work.desk.patch(self.task)

    @property
    def kept(self) -> str:
        return "The same command in another folder tries again."

    async def close(self) -> None:
        while not await self._work.engine.db(tables.is_over(self.task)):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        if self._work.traces:
            await self._work.traces.rest()
        if log := run_folders.remove(self._folder, keep_log=self._failed):
            self._say(f"Its log: {log}")


@asynccontextmanager
async def here(repo: str, prompt: str, branch: str, say: Say) -> AsyncIterator[Here]:
    """Begin, or take up what the same command began. Raises UserError where that can't be."""
    settings = load(env_file=None, kind=RunAlone)
    local = None if "://" in repo else await by_path.folder(repo)
    asked = _asked(repo, local, prompt, branch, settings)
    folder = run_folders.of(local.path if local else repo, prompt, branch)
    await look_at_others(folder, settings, say)
    alone = own(settings, folder, local is not None)
    kept, fresh = run_folders.keep(folder, local.path if local else repo, prompt, in_e2b=alone.sandbox == "e2b")
    async with contextlib.AsyncExitStack() as stack:
        try:
            if local and fresh:
                await by_path.folder(repo, branch)
            _say_what_holds(local, settings, fresh, say)
            with (folder / "log").open("a") as log, contextlib.redirect_stderr(log):  # logging keeps what it is now
                work = await stack.enter_async_context(working(alone))
            task = await _begin(work, asked.model_copy(update={"idempotency_key": kept.once}), local)
        except (UserError, Transient) as e:
            if fresh:
                run_folders.remove(folder)
            raise UserError(str(e)) from e
        yield Here(work, task, folder, say)


async def look_at_others(ours: Path, settings: Settings, say: Say) -> None:
    """What was cut off before is named, and forgotten after some days."""
    for folder, kept in (await asyncio.to_thread(run_folders.others, ours)).items():
        if await asyncio.to_thread(run_folders.is_stale, folder):
            await _forget(folder, kept, settings)
        elif kept:
            words = textwrap.shorten(kept.prompt, 60, placeholder=" …")
            days = run_folders.DAYS
            say(f"A run on {kept.repo} was cut off ({words}). The same command takes it up, within {days} days.")


async def _forget(folder: Path, kept: Kept | None, settings: Settings) -> None:
    """With its sandbox. Where that is in E2B and can't be ended now, the folder stays, so that a later run ends it."""
    try:
        if kept and kept.in_e2b:
            asked = Asked(repo=kept.repo, prompt=kept.prompt, caller=NOBODY, idempotency_key=kept.once)
            await _end_in_e2b(task_key(asked), settings)
    except (UserError, Transient, TimeoutError):
        return
    await run_folders.forget(folder)


async def _end_in_e2b(task: str, settings: Settings) -> None:
    """Paused by now, and known to nobody else. Raises UserError, Transient or TimeoutError."""
    settings = settings.model_copy(update={"backspace_sandbox": "e2b"})
    refuse_lack_of_key(settings)
    sandboxes = sandboxes_of(settings)
    async with asyncio.timeout(FORGETTING):
        for sandbox, run in (await sandboxes.runs()).items():
            if numbers.task_of(run) == task:
                await sandboxes.end(sandbox)


def _asked(repo: str, local: by_path.Folder | None, prompt: str, branch: str, settings: Settings) -> Asked:
    """By the rules of `POST /code`. Raises UserError."""
    address = repo
    if local:
        name = re.sub("[^A-Za-z0-9_-]+", "-", os.path.basename(local.path))[:100] or "repository"
        address = f"{settings.github_server_url}/local/{name}"
    return understood(
        {"repo_url": address, "prompt": prompt, "branch": branch}, None, NOBODY, settings.github_server_url
    )


async def _begin(work: Work, asked: Asked, local: by_path.Folder | None) -> str:
    """The task's key; nothing begins that has begun already."""
    if local is None:
        return await work.desk.ask(asked)
    request = CodeRequest(
        key=f"t-{asked.idempotency_key}",
        repository=Repository(id=0, full_name=asked.repo),
        instruction=asked.prompt,
        asked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        branch=asked.branch,
        caller=NOBODY,
        path=local.path,
    )
    await work.desk.start(request)
    return request.key


def own(settings: Settings, folder: Path, local: bool) -> Settings:
    """For one run in its folder. Of a repository of this machine nothing goes anywhere but to the model: no E2B, no traces, no
    network. `unsafe-local` is left to whoever set it, for there may be no bubblewrap; what it means is said."""
    own: dict[str, object] = {
        "backspace_database_url": f"sqlite:///{folder}/backspace.db",
        "backspace_data": folder / "sandboxes",
        "backspace_max_runs": 1,
    }
    if not local:
        refuse_lack_of_key(settings)
    else:
        own |= {"otel_exporter_otlp_endpoint": None, "otel_exporter_otlp_traces_endpoint": None}
        own |= {"backspace_local_network": False}
        own |= {"backspace_sandbox": "unsafe-local" if settings.sandbox == "unsafe-local" else "local"}
    return settings.model_copy(update=own)


def _say_what_holds(local: by_path.Folder | None, settings: Settings, fresh: bool, say: Say) -> None:
    if settings.sandbox == "unsafe-local":
        say(f"{UNSAFE} What they send over the network leaves this machine." if local else UNSAFE)
    if not fresh:
        say("The same command was cut off before: its run is taken up.")
    elif local and local.dirty:
        say(f"What is not committed is not included: the work starts from the last commit of {local.branch}.")
