"""A run as a straight line: prepare, work, gate, verify, publish, report.

This is workflow code: it branches on nothing but recorded outputs. What its steps do is in `stages.py`, `checking.py` and `publishing.py`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.agent.context import checks_failed
from app.agent.loop import Conversation, Ended, Step, work
from app.core.events import Check, LeftOutPath
from app.core.task import REQUEST, CodeRequest, Outcome, ThreadRequest
from app.runs.checking import Checking
from app.runs.engine import Workflow
from app.runs.ground import Ground
from app.runs.publishing import Publishing
from app.runs.stages import Stages
from app.runs.steps import Failed, attempt, checked

Json = dict[str, Any]
MENDS = 3
"""Times that failing checks go back to the model."""


@dataclass(frozen=True)
class End:
    outcome: Outcome
    why: str = ""
    pr_url: str | None = None


class Pipeline:
    """The code of the workflow `run`."""

    def __init__(self, stages: Stages, checking: Checking, publishing: Publishing) -> None:
        self._stages = stages
        self._checking = checking
        self._publishing = publishing

    async def __call__(self, workflow: Workflow, spec: Json) -> Json:
        request = REQUEST.validate_python(spec)

        async def tried(name: str, body: Callable[..., Awaitable[Json]], *args: Any) -> Json:
            return await workflow.step(name, partial(attempt, body, *args))

        async def step(name: str, body: Callable[..., Awaitable[Json]], *args: Any) -> Json:
            return checked(await tried(name, body, *args))

        try:
            end = await self._line(step, workflow.id, request)
        except Failed as e:
            end = End("failed", str(e))
        await tried("end", self._publishing.end, workflow.id, request, end.outcome, end.why, end.pr_url)
        await tried("report", self._publishing.report, request, end.outcome)
        return {"outcome": end.outcome}

    async def _line(self, step: Step, run: str, request: ThreadRequest | CodeRequest) -> End:
        stages = self._stages
        begun = await step("begin", stages.begin, run, request)
        if begun["stopped"]:
            return End("stopped", begun["stopped"])
        made = await step("sandbox", stages.sandbox, run)
        cloned = await step("clone", stages.clone, run, request, made["sandbox"], begun["start"])
        ground = Ground(run=run, request=request, branch=begun["branch"], sandbox=made["sandbox"], base=cloned["base"])
        prepared = await step("prepare", stages.prepare, ground)
        talk = Conversation(messages=[])
        talk.say(prepared["first_message"])
        ended, gated, verified = await self._work(step, ground, talk, prepared)
        if gated["refused"]:
            return End("failed", gated["refused"])
        if not gated["changes"]:
            return _unchanged(ended, gated, talk.summary)
        return await self._publish(step, ground, talk.summary, ended, gated, verified)

    async def _work(self, step: Step, ground: Ground, talk: Conversation, prepared: Json) -> tuple[Ended, Json, Json]:
        """The loop, then gate and checks; checks that fail go back to the model, a bounded number of times."""
        agent = self._stages.agent(ground)
        checked_tree, verified = "", Json()
        for mends_left in range(MENDS, -1, -1):
            try:
                ended = await work(step, agent, talk)
            except Failed as e:
                ended = Ended("failed", str(e))
            gated = await step("gate", self._stages.gate, ground, talk.turns)
            if gated["refused"] or not gated["changes"]:
                return ended, gated, {}
            if ended.how != "finished" and gated["tree"] == checked_tree:
                return ended, gated, verified
            mend = ended.how == "finished" and mends_left > 0
            checked_tree = gated["tree"]
            verified = await step(
                "verify", self._checking.verify, ground, prepared, checked_tree, talk.turns, ended, mend
            )
            if verified["stopped"]:
                ended = Ended("stopped", f"Stopped by @{verified['stopped']}.")
            if not verified["mend"]:
                return ended, gated, verified
            checks = [Check.model_validate(check) for check in verified["checks"]]
            left_out = [LeftOutPath.model_validate(path) for path in gated["left_out"]]
            talk.say(checks_failed(checks, left_out, base_fails=verified["base_fails"]))
        raise AssertionError("unreachable")

    async def _publish(
        self, step: Step, ground: Ground, summary: str, ended: Ended, gated: Json, verified: Json
    ) -> End:
        publishing = self._publishing
        why = ended.why or ("A check failed." if verified["failing"] else "")
        draft = ended.how != "finished" or verified["failing"]
        told = {"summary": summary, "why": why, "checks": verified["checks"], "left_out": gated["left_out"]}
        commit = await step("commit", publishing.commit, ground, gated, summary)
        try:
            pull = await step("pull", publishing.pull, ground, commit, gated, told, draft)
        except Failed as e:
            kept = f"The work is on the branch {commit['branch']}."
            raise Failed(str(e) if kept in str(e) else f"{e} {kept}") from None
        outcomes: dict[str, Outcome] = {
            "finished": "draft" if draft else "ready",
            "limit": "draft",
            "stopped": "stopped",
            "failed": "failed",
        }
        return End(outcomes[ended.how], why, pull["url"])


def _unchanged(ended: Ended, gated: Json, summary: str) -> End:
    if ended.how != "finished":
        return End("stopped" if ended.how == "stopped" else "failed", ended.why)
    if gated["left_out"]:
        return End("failed", "All that was changed is of a kind that is not published.")
    return End("nothing", summary)
