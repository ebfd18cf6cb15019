"""What the gate holds back, for people: shown, kept where somebody may let it in, and found again by the run that does so."""

import asyncio
from collections.abc import Sequence

from app.core.errors import UserError
from app.core.events import LeftOut, LeftOutPath
from app.core.redact import Redactor
from app.publish.changes import Verdicts
from app.publish.true_diff import true_diff
from app.runs import asked
from app.runs.asked import Asked, Kept
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.sandbox import parcel, repo
from app.sandbox.base import Sandbox
from app.sandbox.repo import Change

DIFF_SHOWN = 20_000
"""Characters."""
FILES, BYTES = 50, 1_000_000
"""More of them, or more bytes together, are not shown whole."""
GONE = "What was approved is not kept any more: ask for the work again."


class Holding:
    def __init__(self, *, engine: Engine, redactor: Redactor) -> None:
        self._engine = engine
        self._redact = redactor

    async def left_out(self, sandbox: Sandbox, ground: Ground, verdicts: Verdicts, key: str) -> LeftOut | None:
        """With a way to let it in where all that it does can be shown: then its content is kept. None where nothing was left out.

        There is none where nothing is published that it could come on top of, nor where no comment reaches the server. Beside it stands
        the diff of that content alone, for that of the rest is what git in the sandbox says.
        """
        rest, rest_diff = await self._rest(sandbox, ground, verdicts, key)
        if not verdicts.held:
            if not ground.request.approved:
                await self._engine.keep(asked.drop(ground.request.key))
            return LeftOut(paths=rest, diff=rest_diff) if rest else None
        paths = (*(path for path in verdicts.left_out if path.path in verdicts.asked), *rest)
        possible = not verdicts.refused and ground.request.installation is not None
        shown = await self._true_diff(sandbox, ground, verdicts, key) if possible else None
        pack = await parcel.pack(sandbox, verdicts.held, key) if shown is not None else None
        if shown is None or pack is None:
            await self._engine.keep(asked.drop(ground.request.key))
            diff = await self._diff(sandbox, ground.base, verdicts.asked, f"{key}/left-out")
            return LeftOut(paths=paths, diff=(diff + rest_diff)[:DIFF_SHOWN], asked=verdicts.asked if possible else ())
        content = Asked(changes=verdicts.held, paths=verdicts.asked, rest=rest, rest_diff=rest_diff)
        await asked.keep(self._engine, ground.request.key, verdicts.approval, Kept(asked=content, pack=pack))
        return LeftOut(paths=paths, diff=shown, asked=verdicts.asked, approval=verdicts.approval)

    async def _rest(
        self, sandbox: Sandbox, ground: Ground, verdicts: Verdicts, key: str
    ) -> tuple[tuple[LeftOutPath, ...], str]:
        """What nobody can let in, with its diff; in a run that lets something in, that of the run before."""
        if approval := ground.request.approved:
            kept = await asked.kept(self._engine, ground.request.key, approval.content)
            return (kept.asked.rest, kept.asked.rest_diff) if kept else ((), "")
        rest = tuple(path for path in verdicts.left_out if path.path not in verdicts.asked)
        return rest, await self._diff(sandbox, ground.base, [path.path for path in rest], f"{key}/rest") if rest else ""

    async def _diff(self, sandbox: Sandbox, base: str, paths: Sequence[str], key: str) -> str:
        tree = await repo.candidate(sandbox, base, paths, key)
        return self._redact.text((await repo.diff(sandbox, base, tree, key, DIFF_SHOWN)).text)

    async def _true_diff(self, sandbox: Sandbox, ground: Ground, verdicts: Verdicts, key: str) -> str | None:
        """None where not all of it can be shown."""
        held = verdicts.held
        if not are_few(held):
            return None
        new = await repo.contents(sandbox, held, f"{key}/held")
        before = {
            change.path: text.encode()
            for change in held
            if (text := await repo.show(sandbox, ground.base, change.path, BYTES)) is not None
        }
        return await asyncio.to_thread(true_diff, held, before, new, DIFF_SHOWN, self._redact)


def are_few(held: Sequence[Change]) -> bool:
    return len(held) <= FILES and sum(change.size for change in held) <= BYTES


async def only_approved(engine: Engine, ground: Ground, found: Sequence[Change]) -> tuple[Change, ...]:
    """Those of all changes that were approved. Raises UserError where they would replace other content than people were shown."""
    assert ground.request.approved
    kept = await asked.kept(engine, ground.request.key, ground.request.approved.content)
    if kept is None:
        raise UserError(GONE)
    now = {change.path: change for change in found}
    for change in kept.asked.changes:
        there = now.get(change.path)
        if there is None or (there.old_mode, there.old_sha) != (change.old_mode, change.old_sha):
            raise UserError(
                f"{change.path} has changed since it was left out, so nothing was let in: make that change by hand."
            )
    return tuple(now[change.path] for change in kept.asked.changes)
