"""A run as a straight line: prepare, work, gate, verify, publish, report.

This is workflow code: it branches on nothing but recorded outputs. What its steps do is in `stages.py`, `gating.py`, `checking.py` and
`publishing.py`.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from app.agent.context import checks_failed
from app.agent.conversation import Conversation
from app.agent.loop import Ended, Step, Stopping, work
from app.core.events import Check, LeftOutPath
from app.core.task import REQUEST, CodeRequest, Outcome, ThreadRequest
from app.runs.approving import Approving
from app.runs.checking import Checking
from app.runs.ending import End, conclude
from app.runs.engine import Json, Workflow
from app.runs.footing import Footing
from app.runs.gating import Gating
from app.runs.publishing import Publishing
from app.runs.stages import Stages
from app.runs.steps import Body, Failed, GivenUp, after, attempt_once, checked

MENDS = 3
"""Times that failing checks go back to the model."""
NOT_THAT = "What would be let in is not exactly what was approved, so nothing was."
LOST = "The sandbox was lost, and with it work that was in no checkpoint: it was too large."


class Pipeline:
    """The code of the workflow `run`."""

    def __init__(
        self, stages: Stages, approving: Approving, gating: Gating, checking: Checking, publishing: Publishing
    ) -> None:
        self._stages = stages
        self._approving = approving
        self._gating = gating
        self._checking = checking
        self._publishing = publishing

    async def __call__(self, workflow: Workflow, spec: Json) -> Json:
        request = REQUEST.validate_python(spec)
        stopping = self._stages.stopping(request)

        async def tried(name: str, body: Body, /, *args: Any, heeding: Stopping | None = None) -> Json:
            """Recorded each time that it has to wait for long: then it is shown that it does."""
            output = await workflow.step(name, partial(attempt_once, body, *args))
            while waits := output.get("waits"):
                output = await workflow.step(name, partial(after, waits, heeding, body, *args))
            return output

        async def step(name: str, body: Body, /, *args: Any) -> Json:
            return checked(await tried(name, body, *args))

        async def working(name: str, body: Body, /, *args: Any) -> Json:
            """A stop ends its waits. Later it does not: then waiting is how the work is kept."""
            return checked(await tried(name, body, *args, heeding=stopping))

        try:
            line = self._approved_line if request.approved else self._line
            end = await line(step, working, workflow.id, request)
        except GivenUp as e:
            end = End("stopped", str(e))
        except Failed as e:
            end = End("failed", str(e))
        await conclude(tried, self._publishing, workflow.id, request, end)
        return {"outcome": end.outcome}

    async def _line(self, step: Step, working: Step, run: str, request: ThreadRequest | CodeRequest) -> End:
        begun = await working("begin", self._stages.begin, run, request)
        if begun["stopped"]:
            return End("stopped", begun["stopped"])
        footing = Footing(step, working, self._stages, run, request, begun)
        await footing.found()
        talk = Conversation(messages=[])
        talk.say(footing.prepared["first_message"])
        ended, gated, verified = await self._work(step, footing, talk)
        if gated["refused"]:
            return End("failed", gated["refused"])
        if not gated["changes"]:
            return _unchanged(ended, gated, talk.summary)
        return await self._publish(step, footing, talk, ended, gated, verified)

    async def _approved_line(self, step: Step, working: Step, run: str, request: ThreadRequest | CodeRequest) -> End:
        """A later run of a task: what was left out and approved comes on top of the work, and no model is asked."""
        earlier = await step("approved", self._approving.begin, request)

        def ended(outcome: Outcome, why: str) -> End:
            return End(outcome, why, earlier["url"], earlier["via"] if earlier["url"] else "")

        try:
            begun = await working("begin", self._stages.begin, run, request)
            if begun["stopped"]:
                return ended("stopped", begun["stopped"])
            footing = Footing(step, working, self._stages, run, request, begun, self._approving)
            await footing.found()
            judged = partial(self._judged, step, footing, 0, Ended("finished"), None, "", {})
            gated, verified = await footing.sure(judged)
            if gated["refused"] or not gated["changes"]:
                return ended("failed", gated["refused"] or NOT_THAT)
            if verified["stopped"]:
                return ended("stopped", f"Stopped by {verified['stopped']}; nothing was let in.")
            cut_short = earlier["cut_short"]
            talk = Conversation(messages=[], summary=earlier["summary"])
            how = Ended("limit", cut_short) if cut_short else Ended("finished")
            return await self._publish(step, footing, talk, how, gated, verified)
        except GivenUp as e:
            return ended("stopped", str(e))
        except Failed as e:
            return ended("failed", str(e))

    async def _work(self, step: Step, footing: Footing, talk: Conversation) -> tuple[Ended, Json, Json]:
        """The loop, then gate and checks; checks that fail go back to the model, a bounded number of times."""
        agent = self._stages.agent(lambda: footing.ground)
        gated, verified = Json(tree=""), Json()
        told: list[str] = []
        for mends_left in range(MENDS, -1, -1):
            try:
                ended = await work(footing.step, agent, talk)
            except GivenUp as e:
                ended = Ended("stopped", str(e))
            except Failed as e:
                ended = Ended("failed", str(e))
            mend = told if ended.how == "finished" and mends_left > 0 else None
            judged = partial(self._judged, step, footing, talk.turns, ended, mend, gated["tree"], verified)
            gated, verified = await footing.sure(judged)
            if footing.behind:
                return Ended("failed", LOST), gated, verified
            if gated["refused"] or not gated["changes"]:
                return ended, gated, verified
            if verified["stopped"]:
                ended = Ended("stopped", f"Stopped by {verified['stopped']}.")
            if not verified["mend"]:
                return ended, gated, verified
            checks = [Check.model_validate(check) for check in verified["checks"]]
            left_out = [LeftOutPath.model_validate(path) for path in gated["left_out"]]
            on_base = verified.get("on_base", [])  # an earlier version recorded it otherwise
            talk.say(checks_failed(checks, left_out, on_base))
            told = [*told, *on_base]
        raise AssertionError("unreachable")

    async def _judged(
        self,
        step: Step,
        footing: Footing,
        turns: int,
        ended: Ended,
        mend: Sequence[str] | None,
        known_tree: str,
        known: Json,
    ) -> tuple[Json, Json]:
        """The gate and the checks. Work that was cut short and is still the tree of which `known` tells is not checked again."""
        gated = await step("gate", self._gating.gate, footing.ground, turns)
        if gated["refused"] or not gated["changes"]:
            return {"tree": "", **gated}, {}
        if ended.how != "finished" and gated["tree"] == known_tree:
            return gated, {**known, "mend": False, "stopped": None}
        verify = self._checking.verify
        return gated, await step("verify", verify, footing.ground, footing.prepared, gated["tree"], turns, ended, mend)

    async def _publish(
        self, step: Step, footing: Footing, talk: Conversation, ended: Ended, gated: Json, verified: Json
    ) -> End:
        publishing, losses = self._publishing, footing.losses

        async def committed() -> tuple[Json, Json, Json]:
            """In another sandbox than the one that was checked, gate and checks come first again."""
            now = gated, verified
            if footing.losses > losses:
                now = await self._judged(step, footing, talk.turns, ended, None, gated["tree"], verified)
                if footing.behind or not now[0]["changes"]:
                    raise Failed(LOST)
            return await step("commit", publishing.commit, footing.ground, now[0], talk.summary), *now

        commit, gated, verified = await footing.sure(committed)
        why = ended.why or ("A check failed." if verified["failing"] else "")
        draft = ended.how != "finished" or verified["failing"]
        told = {"summary": talk.summary, "why": why, "checks": verified["checks"]}
        try:
            pull = await step("pull", publishing.pull, footing.ground, commit, gated, told, draft)
        except Failed as e:
            kept = f"The work is on the branch {commit['branch']}."
            return End("failed", str(e) if kept in str(e) else f"{e} {kept}", via="link")
        outcomes: dict[str, Outcome] = {
            "finished": "draft" if draft else "ready",
            "limit": "draft",
            "stopped": "stopped",
            "failed": "failed",
        }
        if missing := pull.get("missing"):
            if nothing := pull.get("nothing", False):
                await step("discard", publishing.discard, footing.ground, commit)
            unopened: Outcome = "nothing" if nothing and ended.how == "finished" else "failed"
            return End("stopped" if ended.how == "stopped" else unopened, missing, via=pull["via"])
        return End(outcomes[ended.how], why, pull["url"], pull.get("via", ""))


def _unchanged(ended: Ended, gated: Json, summary: str) -> End:
    if ended.how != "finished":
        return End("stopped" if ended.how == "stopped" else "failed", ended.why)
    if gated["left_out"]:
        return End("failed", "All that was changed is of a kind that is not published.")
    return End("nothing", summary)
