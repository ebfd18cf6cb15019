"""What the steps of a run do up to the gate: begin, sandbox, clone, prepare, the agent's hands, gate.

Each body may run again after a crash, so each looks first or is keyed; each returns small plain JSON.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from app.agent import context
from app.agent.budget import Limits
from app.agent.claude import Claude
from app.agent.loop import Agent
from app.core.events import Changed, LeftOut, LeftOutPath, StageBegan, Status
from app.core.redact import Redactor
from app.core.task import Request
from app.publish.changes import judge, touches_tests
from app.runs import checks
from app.runs.checking import Checking
from app.runs.checks import Checks
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.runs.place import PlaceOf
from app.runs.stop import Stop
from app.sandbox import repo
from app.sandbox.base import Sandbox, Sandboxes

Json = dict[str, Any]
FILES = 200_000
"""Tracked paths that are looked at."""
DIFF_SHOWN = 20_000
INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md")
FILE_BYTES = 100_000


class Stages:
    def __init__(
        self,
        *,
        engine: Engine,
        place_of: PlaceOf,
        sandboxes: Sandboxes,
        claude: Claude,
        limits: Limits,
        redactor: Redactor,
        checking: Checking,
    ) -> None:
        self._checking = checking
        self._engine = engine
        self._place_of = place_of
        self._sandboxes = sandboxes
        self._claude = claude
        self._limits = limits
        self._redact = redactor

    async def begin(self, run: str, request: Request) -> Json:
        """Is it still wanted and allowed? Time has passed since the request was taken."""
        if by := await Stop(self._engine, request.key).by():
            return {"stopped": f"Stopped by @{by} before it began.", "events": []}
        begun = await self._place_of(request).begin(run, request)
        return {"stopped": None, **begun.model_dump(), "events": [StageBegan(stage="prepare").model_dump()]}

    async def sandbox(self, run: str) -> Json:
        return {"sandbox": (await self._sandboxes.create(run)).id, "events": []}

    async def clone(self, run: str, request: Request, sandbox_id: str, start: str) -> Json:
        sandbox = await self._sandboxes.connect(sandbox_id)
        base = await self._place_of(request).clone(run, request, sandbox, start)
        return {"base": base, "events": [Status(message=f"Cloned `{start}` at {base[:7]}.").model_dump()]}

    async def prepare(self, ground: Ground) -> Json:
        """Set-up, and the first message: all that the model is told, from the default branch at one commit."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        tracked = tuple(await repo.tracked(sandbox, ground.base, FILES))
        how = await self._checks(sandbox, ground.base, frozenset(tracked))
        setup, problem = await self._checking.set_up(sandbox, ground.request, how.setup)
        texts = {
            path: await repo.show(sandbox, ground.base, path, FILE_BYTES)
            for path in INSTRUCTION_FILES
            if path in tracked
        }
        facts = context.Facts(
            base=ground.base[:12],
            branch=ground.branch,
            files=tuple(path.encode(errors="surrogateescape").decode(errors="replace") for path in tracked),
            instructions={path: text for path, text in texts.items() if text},
            setup=setup,
            tests=how.test,
        )
        message = self._redact.text(context.first_message(ground.request, facts, secrets.token_hex(8)))
        events = [Status(message=self._redact.text(setup)), StageBegan(stage="work")]
        return {
            "first_message": message,
            "tests": list(how.test),
            "problem": problem,
            "events": [event.model_dump() for event in events],
        }

    async def _checks(self, sandbox: Sandbox, base: str, tracked: frozenset[str]) -> Checks:
        if checks.CONFIG in tracked:
            return checks.from_config(await repo.show(sandbox, base, checks.CONFIG, FILE_BYTES) or "")
        found = {path: await repo.show(sandbox, base, path, FILE_BYTES) for path in checks.MANIFESTS if path in tracked}
        return checks.usual({path: text for path, text in found.items() if text is not None}, tracked)

    def agent(self, ground: Ground) -> Agent:
        return Agent(
            claude=self._claude,
            limits=self._limits,
            sandbox=lambda: self._sandboxes.connect(ground.sandbox),
            stopping=Stop(self._engine, ground.request.key),
            redactor=self._redact,
            system=context.system(),
        )

    async def gate(self, ground: Ground, turns: int) -> Json:
        """What may leave the sandbox: the candidate tree, and what was kept from it."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        key = f"gate/{turns}"
        verdicts = judge(await repo.changes(sandbox, ground.base, f"{key}/changes"))
        if verdicts.refused or not (verdicts.passed or verdicts.left_out):
            return {"refused": verdicts.refused, "changes": [], "left_out": [], "events": []}
        paths = [change.path for change in verdicts.passed]
        tree = await repo.candidate(sandbox, ground.base, paths, f"{key}/tree")
        diff = await repo.diff(sandbox, ground.base, tree, f"{key}/diff", DIFF_SHOWN)
        changed = Changed(
            tree=tree,
            files=diff.files,
            added=diff.added,
            removed=diff.removed,
            diff=self._redact.text(diff.text),
            touches_tests=touches_tests(paths),
        )
        left_out = await self._left_out(sandbox, ground.base, tree, verdicts.left_out, key)
        return {
            "refused": None,
            "tree": tree,
            "changes": paths,
            "left_out": [path.model_dump() for path in verdicts.left_out],
            "touches_tests": changed.touches_tests,
            "events": [*([changed.model_dump()] if paths else []), *left_out, StageBegan(stage="verify").model_dump()],
        }

    async def _left_out(
        self, sandbox: Sandbox, base: str, tree: str, paths: Sequence[LeftOutPath], key: str
    ) -> list[Json]:
        if not paths:
            return []
        whole = await repo.candidate(sandbox, base, [path.path for path in paths], f"{key}/left-out")
        diff = await repo.diff(sandbox, base, whole, f"{key}/left-out-diff", DIFF_SHOWN)
        return [LeftOut(paths=tuple(paths), diff=self._redact.text(diff.text)).model_dump()]
