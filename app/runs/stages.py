"""What the steps of a run do up to the end of the work: begin, sandbox, clone, prepare or restore, the agent's hands.

Each body may run again after a crash, so each looks first or is keyed; each returns small plain JSON.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence

from app.agent import context
from app.agent.budget import Limits
from app.agent.claude import Claude
from app.agent.loop import Agent
from app.core.errors import Transient
from app.core.events import Event, NotShown, StageBegan, Status
from app.core.redact import Redactor
from app.core.task import Request, Stage
from app.github.facts import ThreadComment
from app.runs.asking import Asking
from app.runs.checkpoints import Checkpoints
from app.runs.checks import Checks
from app.runs.engine import Engine, Json
from app.runs.ground import Ground
from app.runs.place import PlaceOf
from app.runs.rules import FILES, rules_of
from app.runs.stop import Stop
from app.runs.warm import Warm
from app.sandbox import checkpoint, repo
from app.sandbox.base import Sandbox, Sandboxes

CREATION = 20.0
"""Seconds that a request which is refused waits for the sandbox that was being made for it."""


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
        warm: Warm,
        checkpoints: Checkpoints,
    ) -> None:
        self._warm = warm
        self._checkpoints = checkpoints
        self._coming: dict[str, asyncio.Task[Sandbox]] = {}
        self._engine = engine
        self._place_of = place_of
        self._sandboxes = sandboxes
        self._claude = claude
        self._limits = limits
        self._redact = redactor

    async def begin(self, run: str, request: Request) -> Json:
        """Is it still wanted and allowed? Time has passed since the request was taken."""
        if by := await Stop(self._engine, request.key).by():
            return {"stopped": f"Stopped by {by} before it began.", "events": []}
        self._begin_sandbox(run, request)
        try:
            begun = await self._place_of(request).begin(run, request)
        except Transient:
            raise
        except Exception:
            await asyncio.wait({self._coming.pop(run)}, timeout=CREATION)  # so that the run's end finds it
            raise
        return {"stopped": None, **begun.model_dump(), "events": [StageBegan(stage="prepare").model_dump()]}

    def _begin_sandbox(self, run: str, request: Request) -> None:
        """It takes its time while GitHub is asked. Its trouble is met by the step that needs it."""
        if run not in self._coming:
            self._coming[run] = asyncio.create_task(self._warm.create(run, request))
            self._coming[run].add_done_callback(lambda coming: coming.cancelled() or coming.exception())

    async def sandbox(self, run: str, request: Request, again: bool) -> Json:
        """`again`: in place of one that has gone."""
        coming = self._coming.pop(run, None)
        sandbox = await (coming or self._warm.create(run, request))
        events: list[Event] = [Status(message="A sandbox is there.")]
        if again:
            last = await self._checkpoints.last(run, request)
            after = f"the work after turn {last.turn}" if last else "the beginning"
            said = Status(message=f"The sandbox has gone; a new one continues from {after}.")
            events = [StageBegan(stage="prepare"), said]
        return {"sandbox": sandbox.id, "events": [event.model_dump() for event in events]}

    async def clone(self, run: str, request: Request, sandbox_id: str, start: str, rules: str, sha: str | None) -> Json:
        """The tip of the branch, or one commit again."""
        sandbox = await self._sandboxes.connect(sandbox_id)
        base = await self._place_of(request).clone(run, request, sandbox, start, rules, sha)
        said = [] if sha else [Status(message=f"Cloned `{start}` at {base[:7]}.").model_dump()]
        return {"base": base, "events": said}

    async def prepare(self, ground: Ground) -> Json:
        """Set-up, and the first message: all that the model is told, of the repository at one commit."""
        thread = await self._place_of(ground.request).thread(ground)  # where that has to wait, no set-up is done twice
        sandbox = await self._sandboxes.connect(ground.sandbox)
        tracked = tuple(await repo.tracked(sandbox, ground.base, FILES))
        said = await rules_of(sandbox, ground, tracked)
        how, instructions = await said.checks(), await said.instructions()  # before any code of the repository runs
        setup, problem = await self._warm.set_up(sandbox, ground, how.setup, tracked, keep=True)
        facts = context.Facts(
            base=ground.base[:12],
            branch=ground.start,
            files=tuple(path.encode(errors="surrogateescape").decode(errors="replace") for path in tracked),
            instructions=instructions,
            setup=setup,
            tests=how.test,
        )
        told, hidden = await asyncio.to_thread(self._told, ground.request, thread.comments, facts)
        not_shown = [*thread.not_shown, *([NotShown(count=hidden, why="hidden")] if hidden else [])]
        events = [*not_shown, Status(message=self._redact.text(setup)), StageBegan(stage="work")]
        return {
            "first_message": told,
            "tests": list(how.test),
            "problem": problem,
            "events": [event.model_dump() for event in events],
        }

    def _told(self, request: Request, comments: Sequence[ThreadComment], facts: context.Facts) -> tuple[str, int]:
        """The first message, and how much hidden text it lacks."""
        told = context.first_message(request, comments, facts, secrets.token_hex(8))
        return self._redact.text(told), sum(context.hidden_in(request, comments))

    async def restore(self, ground: Ground, stage: Stage) -> Json:
        """What the lost sandbox held: set-up, then the last checkpoint. `stage`: what the run goes on with."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        _, _, problem = await self.set_up(sandbox, ground)
        last = await self._checkpoints.last(ground.run, ground.request)
        if last:
            await checkpoint.restore(sandbox, last.checkpoint, str(last.turn))
        told = context.sandbox_lost(last.turn if last else None)
        behind = await self._checkpoints.is_behind(ground.request)
        events = [StageBegan(stage=stage).model_dump()]
        return {"problem": problem, "told": told, "behind": behind, "events": events}

    async def set_up(self, sandbox: Sandbox, ground: Ground) -> tuple[Checks, str, str | None]:
        """How the repository is checked, a line on its set-up, and why no check can be trusted to run, if so."""
        tracked = tuple(await repo.tracked(sandbox, ground.base, FILES))
        how = await (await rules_of(sandbox, ground, tracked)).checks()
        return how, *(await self._warm.set_up(sandbox, ground, how.setup, tracked, keep=False))

    async def tests(self, sandbox: Sandbox, ground: Ground) -> tuple[str, ...]:
        """The checks that are known."""
        tracked = await repo.tracked(sandbox, ground.base, FILES)
        return (await (await rules_of(sandbox, ground, tracked)).checks()).test

    def agent(self, ground: Callable[[], Ground]) -> Agent:
        """`ground`: as it is now, for a lost sandbox is made anew."""
        return Agent(
            claude=self._claude,
            limits=self._limits,
            sandbox=lambda: self._sandboxes.connect(ground().sandbox),
            keep=lambda sandbox, turn: self._checkpoints.keep(sandbox, ground(), turn),
            stopping=self.stopping(ground().request),
            asking=Asking(self._engine, ground().request.key, ground().run),
            redactor=self._redact,
            system=context.system(),
        )

    def stopping(self, request: Request) -> Stop:
        return Stop(self._engine, request.key)
