"""The work of a run after its last turn that changed files, kept on the server: a sandbox may be lost at any time."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from app.core.errors import UserError
from app.core.task import Request
from app.runs import artifacts
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.sandbox import checkpoint
from app.sandbox.base import Sandbox
from app.sandbox.checkpoint import Checkpoint

log = logging.getLogger(__name__)
NAME = "checkpoint"
BEHIND = "checkpoint-behind"
"""There while the files are further than the checkpoint."""
HEAD = 4096
"""Bytes within which the pack of a checkpoint begins: before it are ids, and two branches of 255 bytes at most."""


@dataclass(frozen=True)
class Kept:
    turn: int
    checkpoint: Checkpoint
    base: str = ""
    """With the branches, what it needs where the run's record can't be read; "" in what an earlier version kept."""
    branch: str = ""
    start: str = ""
    rules: str = ""


class Checkpoints:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def keep(self, sandbox: Sandbox, ground: Ground, turn: int) -> None:
        """The files as they are after this turn. Goes on without where they are too many or too large, or git fails."""
        task = ground.request.key
        last = await self._last(ground.run, ground.request, HEAD)
        try:
            known = last.checkpoint.tree if last else ""
            saved = await checkpoint.save(sandbox, ground.base, known, str(turn))
        except (checkpoint.TooLarge, UserError, RuntimeError) as e:
            log.warning("no checkpoint after turn %s: %s", turn, e, extra={"task": task})
            await self._engine.keep(artifacts.keep(task, BEHIND, b""))
            return
        content = b""
        if saved:
            head = f"{ground.run} {turn} {saved.tree} {ground.base} {ground.branch} {ground.start} {ground.rules}"
            content = f"{head.rstrip(' ')}\n".encode() + saved.pack
        if content or await self.is_behind(ground.request):
            await self._engine.keep(_caught_up(task, content))

    async def last(self, run: str, request: Request) -> Kept | None:
        """Of this run, for it holds only with this run's base."""
        return await self._last(run, request)

    async def _last(self, run: str, request: Request, most: int | None = None) -> Kept | None:
        content = await self._engine.db(artifacts.kept(request.key, NAME, most))
        return _read(content, run) if content is not None else None

    async def is_behind(self, request: Request) -> bool:
        """Some work is in no checkpoint."""
        return await self._engine.db(artifacts.kept(request.key, BEHIND)) is not None


def _caught_up(task: str, content: bytes) -> Callable[[sa.Connection], None]:
    """The files are as the checkpoint: this one, or, where it is empty, the one that is kept, or the base."""

    def write(connection: sa.Connection) -> None:
        if content:
            artifacts.keep(task, NAME, content)(connection)
        artifacts.drop(task, BEHIND)(connection)

    return write


def _read(content: bytes, run: str) -> Kept | None:
    """None also for what can't be read: then the work goes on as without a checkpoint."""
    head, _, pack = content.partition(b"\n")
    try:
        of, turn, tree, *base_and_branches = head.decode().split(" ")  # a branch may hold other blanks
        return Kept(int(turn), Checkpoint(tree, pack), *base_and_branches) if of == run else None
    except (ValueError, TypeError):
        log.exception("a checkpoint of %s can't be read", run)
        return None
