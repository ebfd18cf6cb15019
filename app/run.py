"""`backspace run`: a task asked for on the command line and watched there. This process does the work, or a server does."""

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NoReturn, Protocol

from rich.console import Console

from app.core.errors import UserError
from app.core.events import Done, Entry, Published
from app.core.task import Outcome
from app.run_there import Unheard, there
from app.screen import Footer, Screen, as_json

KEYS = "Ctrl-C stops the run and keeps the work"
STOPPING = "Stopping. What was done so far is kept; Ctrl-C again ends at once."
CUT = 130
EXIT_CODES: dict[Outcome, int] = {"ready": 0, "nothing": 0, "failed": 1, "draft": 3, "stopped": CUT}
"""2, for what never began, is that of every UserError."""
UNHEARD = 4
"""The server has the task, or may have it."""


class Job(Protocol):
    """A task, wherever the work is done."""

    @property
    def task(self) -> str: ...

    @property
    def left(self) -> str:
        """What becomes of it where this process ends now: a sentence."""
        ...

    def entries(self) -> AsyncIterator[Entry]:
        """Each event once, up to `Done`. Raises UserError."""
        ...

    async def stop(self) -> None:
        """The work so far is kept, and then the task ends. Raises UserError."""
        ...

    async def patch(self) -> bytes | None:
        """What it changed, as far as that is kept as a patch."""
        ...

    @property
    def kept(self) -> str:
        """Where the patch is had again: a sentence."""
        ...

    async def close(self) -> None:
        """It is over and was seen: nothing of it needs to stay on this machine."""
        ...


async def run(repo: str, prompt: str, *, branch: str, server: str, key: str, json_lines: bool) -> NoReturn:
    """Ends the process with the exit code of the outcome. Raises UserError where nothing began."""
    out = Console(highlight=False)
    notes = Console(stderr=True, highlight=False) if json_lines else out

    def say(text: str) -> None:
        notes.print(text, markup=False, soft_wrap=True)

    check(repo, server)
    sent = {"repo_url": repo, "prompt": prompt} | ({"branch": branch} if branch else {})
    if server:
        place: AbstractAsyncContextManager[Job] = there(server, key, sent, say)
    else:
        from app.run_here import here  # all that a server needs, which takes seconds

        place = here(repo, prompt, branch, say)
    async with place as job:
        watch = Watch(job, out, say, json_lines)
        try:
            await watch.to_the_end()
        except Unheard as e:
            say(str(e))
            leave(UNHEARD)
        if watch.done is None:
            say(job.left)
            leave(CUT)
        try:
            await tell(job, watch, repo, say)
        except UserError as e:
            say(str(e))
        else:
            await job.close()
        leave(EXIT_CODES[watch.done.outcome])


def check(repo: str, server: str) -> None:
    """Raises UserError where `repo` is of no kind that there is."""
    if "://" not in repo and not os.path.isdir(repo):
        raise UserError(f"{repo} is no folder of this machine, and no address: https://…/owner/name.")
    if "://" not in repo and server:
        raise UserError(f"--server works on repositories that it can reach, and {repo} is of this machine.")


class Watch:
    """A job's events on the terminal, or as JSON; Ctrl-C stops it."""

    def __init__(self, job: Job, out: Console, say: Callable[[str], None], json_lines: bool) -> None:
        self._job = job
        self._out = out
        self._say = say
        self._json = json_lines
        self._screen = Screen(out)
        self._stopping: asyncio.Task[None] | None = None
        self.published: Published | None = None
        self.done: Done | None = None
        """The last event; None where this process is to end before it."""

    async def to_the_end(self) -> None:
        """Until the last event, Ctrl-C for the second time, or nobody reads what is written. Raises UserError."""
        with contextlib.nullcontext() if self._json else Footer(self._out, KEYS) as footer:
            reading = asyncio.create_task(self._read(footer))
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._pressed, reading)
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _read(self, footer: Footer | None) -> None:
        async for entry in self._job.entries():
            try:
                self._show(entry, footer)
            except SystemExit:  # rich's word for a pipe that nobody reads
                return
            match entry.event:
                case Published() as published:
                    self.published = published
                case Done() as done:
                    self.done = done

    def _show(self, entry: Entry, footer: Footer | None) -> None:
        if footer is None:
            self._out.out(as_json(entry), highlight=False)
        else:
            self._screen.show(entry.event)
            footer.take(entry)

    def _pressed(self, reading: asyncio.Task[None]) -> None:
        if self._stopping is None:
            self._say(STOPPING)
            self._stopping = asyncio.create_task(self._stop())
        else:
            reading.cancel()

    async def _stop(self) -> None:
        try:
            await self._job.stop()
        except UserError as e:
            self._say(str(e))


async def tell(job: Job, watch: Watch, repo: str, say: Callable[[str], None]) -> None:
    """Where the work is, and how to take it. Raises UserError where the patch can't be written, which can be asked for again."""
    assert watch.done
    if watch.done.pr_url:
        say(watch.done.pr_url)
    elif watch.done.via == "branch" and watch.published:
        git = shlex.join(["git", "-C", repo])
        branch = watch.published.branch
        say(f"The work is on the branch {branch}.\n  {git} show {branch}\n  {git} merge {branch}")
    elif watch.done.via == "patch" and (patch := await job.patch()):
        file = Path(f"backspace-{job.task}.patch")
        try:
            await asyncio.to_thread(file.write_bytes, patch)
        except OSError as e:
            raise UserError(f"{file} can't be written here ({e.strerror}). {job.kept}") from e
        say(f"The work is in {file}: git apply takes it.")


def leave(code: int) -> NoReturn:
    """A crash on purpose, for the same reason as a server's: every step is recorded, and nothing is to be wound up."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    logging.shutdown()
    os._exit(code)
