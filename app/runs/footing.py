"""What a run stands on from its clone to its commit: a sandbox, made anew where it is lost, as it was after the last checkpoint.

Workflow code: it branches on nothing but recorded outputs.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from app.agent.loop import Step, lost
from app.core.task import CodeRequest, Stage, ThreadRequest
from app.runs.ground import Ground
from app.runs.stages import Stages
from app.runs.steps import Failed, Gone

Json = dict[str, Any]
T = TypeVar("T")


class Preparing(Protocol):
    """What a new sandbox is made ready by: `Stages`, or `Approving`."""

    async def prepare(self, ground: Ground) -> Json: ...
    async def restore(self, ground: Ground, stage: Stage) -> Json: ...


RENEWALS = 2
"""Sandboxes that a run may lose while it works. After another one it publishes what there is, for which it gets one more."""


class Footing:
    """`ground` and `prepared` are of the present sandbox. `working` is the step whose waits a stop ends."""

    ground: Ground
    prepared: Json
    losses: int = 0
    behind: bool = False
    """Work was lost that the model does not know to be: it had finished."""

    def __init__(
        self,
        step: Step,
        working: Step,
        stages: Stages,
        run: str,
        request: ThreadRequest | CodeRequest,
        begun: Json,
        preparing: Preparing | None = None,
    ) -> None:
        self._preparing = preparing or stages
        self._step = step
        self._working = working
        self._stages = stages
        self._run = run
        self._request = request
        self._begun = begun
        self._rules: str = begun.get("rules", "")  # an earlier version did not record it

    async def found(self) -> None:
        """Sandbox, clone, set-up, and the first message. Raises Failed."""
        await self._while_it_lasts(self._prepare, self._nothing, RENEWALS)

    async def sure(self, part: Callable[[], Awaitable[T]]) -> T:
        """What `part` returns; it is done again as a whole where its sandbox is lost in between. Raises Failed."""

        async def renew() -> None:
            await self._renew(self._step, "gate")

        return await self._while_it_lasts(part, renew, RENEWALS + 1)

    async def step(self, name: str, body: Callable[..., Awaitable[Json]], /, *args: Any) -> Json:
        """A step of the agent's loop. Calls whose sandbox is lost are not run again: that is their result. Raises Failed."""
        told = ""

        async def part() -> Json:
            return lost(args[0], told) if told else await self._working(name, body, *args)

        async def renew() -> None:
            nonlocal told
            told = await self._renew(self._working, "work")

        return await self._while_it_lasts(part, renew, RENEWALS)

    async def _while_it_lasts(
        self, part: Callable[[], Awaitable[T]], renew: Callable[[], Awaitable[None]], most: int
    ) -> T:
        has_gone = False
        while True:
            try:
                if has_gone:
                    await renew()
                return await part()
            except Gone:
                if self.losses >= most:
                    raise Failed(f"The sandbox was lost {self.losses + 1} times.") from None
                self.losses, has_gone = self.losses + 1, True

    async def _nothing(self) -> None:
        """There is no work yet that could be brought back."""

    async def _prepare(self) -> None:
        sandbox, base = await self._sandbox_and_clone(self._working, None)
        begun = self._begun
        self.ground = Ground(
            run=self._run,
            request=self._request,
            branch=begun["branch"],
            start=begun["start"],
            sandbox=sandbox,
            base=base,
            rules=self._rules,
        )
        self.prepared = await self._working("prepare", self._preparing.prepare, self.ground)

    async def _renew(self, step: Step, stage: Stage) -> str:
        """What is told the model of a call that was lost. `stage`: what goes on in the new sandbox."""
        sandbox, _ = await self._sandbox_and_clone(step, self.ground.base)
        self.ground = self.ground.model_copy(update={"sandbox": sandbox})
        restored = await step("restore", self._preparing.restore, self.ground, stage)
        self.prepared = {**self.prepared, "problem": restored["problem"]}
        self.behind = restored["behind"] and stage != "work"
        return str(restored["told"])

    async def _sandbox_and_clone(self, step: Step, sha: str | None) -> tuple[str, str]:
        run, request = self._run, self._request
        made = await step("sandbox", self._stages.sandbox, run, request, self.losses > 0)
        sandbox: str = made["sandbox"]
        start = self._begun["start"]
        cloned = await step("clone", self._stages.clone, run, request, sandbox, start, self._rules, sha)
        return sandbox, cloned["base"]
