"""How a run ends, whatever of that fails: what must not outlive it is let go, whoever asked is told, and its last event is a Done.

This is workflow code: it branches on nothing but recorded outputs.
"""

from dataclasses import dataclass
from typing import Literal

from app.agent.loop import Step
from app.core.events import Done, Via
from app.core.task import CodeRequest, Outcome, ThreadRequest
from app.runs.publishing import Publishing


@dataclass(frozen=True)
class End:
    outcome: Outcome
    why: str = ""
    pr_url: str | None = None
    via: Via | Literal[""] = ""


async def conclude(
    step: Step, publishing: Publishing, run: str, request: ThreadRequest | CodeRequest, end: End
) -> None:
    """`step` gives a failure back as it was recorded, here and in `tell`."""
    ended = await step("end", publishing.end, run, request, end.outcome, end.why, end.pr_url, end.via)
    done = Done(outcome=end.outcome, pr_url=end.pr_url, message=end.why, via=end.via)
    await tell(step, publishing, run, request, done, is_recorded="failed" not in ended)


async def tell(
    step: Step,
    publishing: Publishing,
    run: str,
    request: ThreadRequest | CodeRequest,
    done: Done,
    *,
    is_recorded: bool,
) -> None:
    """`is_recorded`: readers know how it ended."""
    reported = await step("report", publishing.report, run, request, done.outcome, None if is_recorded else done)
    if "failed" in reported:
        await step("close", publishing.close, run, request, done)
