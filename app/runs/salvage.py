"""What there is of a run that can't go on, published: its last checkpoint as a draft pull request. And whoever asked is told.

A workflow of its own, for no further step of the broken run can be recorded. It trusts nothing in that run's record.
"""

from functools import partial
from typing import Any

from app.agent.loop import Ended, Step
from app.core.events import Done, Error, StageBegan
from app.core.task import REQUEST
from app.publish.view import view
from app.runs import log, tables
from app.runs.checking import Checking
from app.runs.checkpoints import Checkpoints
from app.runs.ending import End, conclude, tell
from app.runs.engine import Engine, Json, Workflow
from app.runs.gating import Gating
from app.runs.ground import Ground
from app.runs.publishing import Publishing
from app.runs.stages import Stages
from app.runs.steps import Body, Failed, Gone, attempt, checked
from app.sandbox import checkpoint
from app.sandbox.base import Sandboxes

WHY = "The server could not go on with this work, for it was updated meanwhile or has a bug; its log has the details."
KEPT = "What was done up to turn {turn} is here; ask again for the rest."
NOTHING = "Nothing that was changed is kept; ask again."
GIVEN_UP = "What was to save it could not go on either; ask again."
LOST = "The last checkpoint is of turn {turn}; what was changed later was too large for one, and is lost."


class Salvage:
    """The code of the workflow `salvage`, which is one more run of the task."""

    def __init__(
        self,
        *,
        engine: Engine,
        sandboxes: Sandboxes,
        checkpoints: Checkpoints,
        stages: Stages,
        gating: Gating,
        checking: Checking,
        publishing: Publishing,
    ) -> None:
        self._engine = engine
        self._sandboxes = sandboxes
        self._checkpoints = checkpoints
        self._stages = stages
        self._gating = gating
        self._checking = checking
        self._publishing = publishing

    async def __call__(self, workflow: Workflow, spec: Json) -> Json:
        async def tried(name: str, body: Body, /, *args: Any) -> Json:
            return await workflow.step(name, partial(attempt, body, *args))

        async def step(name: str, body: Body, /, *args: Any) -> Json:
            return checked(await tried(name, body, *args))

        if spec.get("is_last"):
            given_up = End("failed", f"{WHY} {GIVEN_UP}")
            asked = REQUEST.validate_python(spec["request"])
            await conclude(tried, self._publishing, workflow.id, asked, given_up)
            return {"outcome": given_up.outcome}
        broken = spec["run"]
        try:
            found = await step("look", self._look, workflow.id, spec["task"], broken, spec.get("first", broken))
            end = None if found["outcome"] else await self._end(step, found)
        except Failed as e:
            found = {"request": spec["request"], "outcome": None}
            end = End("failed", f"{WHY} {e}")
        request, outcome = REQUEST.validate_python(found["request"]), found["outcome"]
        if end:
            await conclude(tried, self._publishing, workflow.id, request, end)
            return {"outcome": end.outcome}
        done = Done(outcome=outcome, pr_url=found["url"])
        await tell(tried, self._publishing, workflow.id, request, done, is_recorded=True)
        return {"outcome": outcome}

    async def _look(self, run: str, task: str, broken: str, first: str) -> Json:
        """What the broken run has left; where that was a salvage itself, what the `first` to break has.

        Its own sandbox is ended: a call that still runs there must change nothing more.
        """
        request = await self._engine.db(tables.request_of(task))
        assert request
        await self._publishing.let_go(broken, request)
        entries, _ = await self._engine.entries(broken)
        last = entries[-1].event if entries else None
        done = last if isinstance(last, Done) else None
        # Readers go by the last event of the newest run.
        events = [done] if done else [Error(message=WHY), StageBegan(stage="publish")]
        kept = await self._checkpoints.last(first, request)
        ground = None
        if kept and kept.base:
            ground = Ground(
                run=run, request=request, branch=kept.branch, start=kept.start, sandbox="", base=kept.base,
                rules=kept.rules,
            ).model_dump()  # fmt: skip
        return {
            "request": request.model_dump(),
            "outcome": done.outcome if done else None,
            "url": view(await log.whole(self._engine, task)).pr_url,
            "run": first,
            "ground": ground,
            "turn": kept.turn if kept else None,
            "behind": await self._checkpoints.is_behind(request),
            "events": [event.model_dump() for event in events],
        }

    async def _end(self, step: Step, found: Json) -> End:
        """One sandbox may be lost on the way."""
        for losses_left in (1, 0):
            try:
                return await self._published(step, found)
            except Failed as e:
                if not (isinstance(e, Gone) and losses_left):
                    return End("failed", f"{WHY} {e}", found["url"])
        raise AssertionError("unreachable")

    async def _published(self, step: Step, found: Json) -> End:
        if not found["ground"]:
            return End("failed", f"{WHY} {NOTHING}", found["url"])
        ground, turn = Ground.model_validate(found["ground"]), found["turn"]
        made = await step("sandbox", self._stages.sandbox, ground.run, ground.request, False)
        ground = ground.model_copy(update={"sandbox": made["sandbox"]})
        given = ground.run, ground.request, ground.sandbox, ground.start, ground.rules, ground.base
        await step("clone", self._stages.clone, *given)
        restored = await step("restore", self._restore, ground, found["run"])
        gated = await step("gate", self._gating.gate, ground, turn)
        if gated["refused"] or not gated["changes"]:
            return End("failed", f"{WHY} {gated['refused'] or NOTHING}", found["url"])
        how = Ended("failed", f"{WHY} {(LOST if found['behind'] else KEPT).format(turn=turn)}")
        prepared = {"tests": restored["tests"], "problem": None}
        verified = await step("verify", self._checking.verify, ground, prepared, gated["tree"], turn, how, None)
        commit = await step("commit", self._publishing.commit, ground, gated, "")
        told = {"summary": "", "why": how.why, "checks": verified["checks"]}
        pull = await step("pull", self._publishing.pull, ground, commit, gated, told, True)
        if missing := pull.get("missing"):
            return End("failed", f"{WHY} {missing}", via=pull["via"])
        return End("draft", how.why, pull["url"], pull["via"])

    async def _restore(self, ground: Ground, first: str) -> Json:
        """The files of the last checkpoint; set-up is spared, for no check is run on work that was cut short."""
        kept = await self._checkpoints.last(first, ground.request)
        assert kept
        sandbox = await self._sandboxes.connect(ground.sandbox)
        await checkpoint.restore(sandbox, kept.checkpoint, str(kept.turn))
        return {"tests": list(await self._stages.tests(sandbox, ground))}
