"""What the first steps of a run do that lets in what was left out: no model works in it.

Each body may run again after a crash, so each looks first or is keyed; each returns small plain JSON.
"""

from collections.abc import Sequence

from app.core.errors import UserError
from app.core.events import Approved, StageBegan, Status
from app.core.redact import Redactor
from app.core.task import Request, Stage
from app.publish.view import View, view
from app.runs import asked, holding, log, numbers
from app.runs.engine import Engine, Json, Recorded
from app.runs.ground import Ground
from app.runs.holding import GONE
from app.runs.stages import Stages
from app.sandbox import parcel, repo
from app.sandbox.base import Sandbox, Sandboxes


class Approving:
    def __init__(self, *, engine: Engine, sandboxes: Sandboxes, redactor: Redactor, stages: Stages) -> None:
        self._engine = engine
        self._sandboxes = sandboxes
        self._redact = redactor
        self._stages = stages

    async def begin(self, request: Request) -> Json:
        """What this run goes on from: the model's summary, the pull request, and why it was a draft. Raises UserError."""
        assert request.approved
        self._engine.forget(request.key)  # a stop that ended the run before; on disk it is forgotten already
        kept = await asked.kept(self._engine, request.key, request.approved.content)
        if kept is None:
            raise UserError(GONE)
        seen = view(await log.whole(self._engine, request.key))
        event = Approved(by=request.approved.actor.login, paths=kept.asked.paths)
        return {
            "summary": _summary(await self._engine.steps(numbers.run_id(request.key, 1))),
            "cut_short": _cut_short(seen),
            "url": seen.pr_url,
            "via": seen.done.via if seen.done else "",
            "events": [event.model_dump()],
        }

    async def prepare(self, ground: Ground) -> Json:
        """What was approved laid into the work tree, and set-up.

        What it replaces is looked at before any code of the repository has run. Raises UserError where people were shown something else.
        """
        sandbox = await self._sandboxes.connect(ground.sandbox)
        await self._lay(sandbox, ground, "looked-at")
        await holding.only_approved(self._engine, ground, await repo.changes(sandbox, ground.base, "approved"))
        how, said, problem = await self._stages.set_up(sandbox, ground)
        await self._lay(sandbox, ground, "set-up")
        events = [Status(message=self._redact.text(said)), StageBegan(stage="gate")]
        return {"tests": list(how.test), "problem": problem, "events": [event.model_dump() for event in events]}

    async def restore(self, ground: Ground, stage: Stage) -> Json:
        """The same in a new sandbox. `stage`: what the run goes on with."""
        sandbox = await self._sandboxes.connect(ground.sandbox)
        _, _, problem = await self._stages.set_up(sandbox, ground)
        await self._lay(sandbox, ground, "set-up")
        events = [StageBegan(stage=stage).model_dump()]
        return {"problem": problem, "told": "", "behind": False, "events": events}

    async def _lay(self, sandbox: Sandbox, ground: Ground, key: str) -> None:
        assert ground.request.approved
        kept = await asked.kept(self._engine, ground.request.key, ground.request.approved.content)
        if kept is None:
            raise UserError(GONE)
        await parcel.lay(sandbox, ground.base, kept.asked.changes, kept.pack, key)


def _summary(steps: Sequence[Recorded]) -> str:
    """The model's last words in the run that it worked in."""
    turns = [step.output["content"] for step in steps if step.name == "turn" and "content" in step.output]
    texts = ["\n\n".join(block["text"] for block in turn if block["type"] == "text") for turn in turns]
    return next((text for text in reversed(texts) if text), "")


def _cut_short(seen: View) -> str:
    """Why the pull request is a draft, other than by its checks, which are run anew."""
    if not seen.done or not seen.published or not seen.published.draft or any(c.exit_code for c in seen.checks):
        return ""
    return seen.done.message or "The work was cut short."
