"""What may leave the sandbox: the body of the step `gate`."""

import asyncio
from collections.abc import Sequence

from app.core.apart import apart
from app.core.events import Changed, StageBegan, Status
from app.core.redact import Redactor
from app.publish.changes import Contents, Limits, Verdicts, compared, content_of, judge, touches_tests
from app.runs import patch
from app.runs.engine import Engine, Json
from app.runs.ground import Ground
from app.runs.holding import DIFF_SHOWN, Holding, only_approved
from app.sandbox import repo
from app.sandbox.base import Sandbox, Sandboxes
from app.sandbox.repo import Change

JUDGED_HERE = 200_000
"""Bytes of contents: a search in them keeps the interpreter for about 0.1 s a MB."""


class Gating:
    def __init__(self, *, engine: Engine, sandboxes: Sandboxes, redactor: Redactor) -> None:
        self._engine = engine
        self._sandboxes = sandboxes
        self._redact = redactor
        self._holding = Holding(engine=engine, redactor=redactor)

    async def gate(self, ground: Ground, turns: int) -> Json:
        """What may leave the sandbox: the candidate tree, and what was kept from it."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        key = f"gate/{turns}"
        found = await repo.changes(sandbox, ground.base, f"{key}/changes")
        if ground.request.approved:
            found = await only_approved(self._engine, ground, found)
        elif not found:
            await patch.drop(self._engine, ground.request.key)
            return {"refused": None, "changes": [], "left_out": [], "events": []}
        verdicts = await self._judged(sandbox, ground, found, key)
        approval = ground.request.approved
        if approval and content_of(verdicts.passed) != approval.content:
            return {"refused": verdicts.refused, "changes": [], "left_out": [], "events": []}
        left_out = await self._holding.left_out(sandbox, ground, verdicts, key)
        paths = [change.path for change in verdicts.passed]
        tree = await repo.candidate(sandbox, ground.base, paths or [change.path for change in found], f"{key}/tree")
        events = [left_out.model_dump()] if left_out else []
        if not ground.request.approved:
            events += await self._kept(sandbox, ground, tree, key)
        judged: Json = {
            "refused": verdicts.refused,
            "changes": paths,
            "left_out": [path.model_dump() for path in left_out.paths] if left_out else [],
            "approvable": left_out.model_dump() if left_out and left_out.approval else None,
        }
        if not paths:
            return {**judged, "events": events}
        diff = await repo.diff(sandbox, ground.base, tree, f"{key}/diff", DIFF_SHOWN)
        changed = Changed(
            tree=tree,
            files=diff.files,
            added=diff.added,
            removed=diff.removed,
            diff=self._redact.text(diff.text),
            touches_tests=touches_tests(paths),
        )
        events = [changed.model_dump(), *events, StageBegan(stage="verify").model_dump()]
        content = content_of(verdicts.passed)
        return {**judged, "tree": tree, "content": content, "touches_tests": changed.touches_tests, "events": events}

    async def _judged(self, sandbox: Sandbox, ground: Ground, found: Sequence[Change], key: str) -> Verdicts:
        """By names, modes and bytes; of more bytes than could be published anyway, by what there is room for."""
        limits, room, looked_at = Limits(), repo.MAX_CONTENTS, list[Change]()
        for change in found:
            if change.size <= min(limits.file_bytes, room):
                looked_at.append(change)
                room -= change.size
        new = await repo.contents(sandbox, looked_at, f"{key}/contents")
        before = {
            path: (await repo.show(sandbox, ground.base, path, limits.file_bytes) or "").encode()
            for path in compared(found, new)
        }
        judged = Contents(new, before, self._redact)
        far = apart if sum(map(len, (*new.values(), *before.values()))) > JUDGED_HERE else asyncio.to_thread
        approved = frozenset({ground.request.approved.content} if ground.request.approved else ())
        return await far(judge, found, limits, judged, approved)

    async def _kept(self, sandbox: Sandbox, ground: Ground, tree: str, key: str) -> list[Json]:
        """The patch, for a change that might not get to people otherwise. A line where it is too large."""
        if await patch.keep(self._engine, sandbox, ground.request.key, ground.base, tree, key):
            return []
        return [
            Status(message=f"The change is larger than {patch.MAX >> 20} MB, so no patch of it is kept.").model_dump()
        ]
