"""The log of a workflow: the steps that were recorded, and the events in them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbos import DBOS

from app.core.events import EVENT, Entry

Json = dict[str, Any]
BATCH = 100
"""Logs that are removed in one transaction."""


@dataclass(frozen=True)
class Recorded:
    """A step as it was recorded; times in Unix seconds."""

    name: str
    began: float
    ended: float
    output: Json


class Records:
    """None of it is to be called in a workflow: there it would be recorded itself, output and all."""

    async def steps(self, workflow_id: str) -> list[Recorded]:
        """All recorded steps, in order. Not to be called in a workflow: there it would be recorded itself, output and all."""
        return [
            Recorded(
                name=step["function_name"],
                began=(step["started_at_epoch_ms"] or 0) / 1000,
                ended=(step["completed_at_epoch_ms"] or 0) / 1000,
                output=step["output"] if isinstance(step["output"], dict) else {},
            )
            for step in await DBOS.list_workflow_steps_async(workflow_id)
        ]

    async def entries(self, workflow_id: str, after: int = 0, most: int | None = None) -> tuple[list[Entry], int]:
        """The recorded events behind the first `after` steps, of `most` steps, and how many steps that makes: the next `after`."""
        steps = await DBOS.list_workflow_steps_async(workflow_id, limit=most, offset=after)
        found = [
            Entry(
                id=f"{workflow_id}.{step['function_id']}.{k}",
                at=(step["completed_at_epoch_ms"] or 0) / 1000,
                event=EVENT.validate_python(event),
            )
            for step in steps
            if isinstance(step["output"], dict)
            for k, event in enumerate(step["output"].get("events", ()))
        ]
        return found, after + len(steps)

    async def has(self, workflow_id: str) -> bool:
        """Whether there is such a workflow, finished or not, whose log is still there."""
        return bool(await DBOS.list_workflows_async(workflow_ids=[workflow_id], load_input=False, load_output=False))

    async def unfinished(self, *names: str) -> list[str]:
        """Ids of the workflows of these kinds that are not over."""
        found = await DBOS.list_workflows_async(
            name=list(names), status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
        )
        return [workflow.workflow_id for workflow in found]

    async def forget_before(self, at: float) -> int:
        """Remove the logs of all finished workflows that were begun before this moment, in Unix seconds: how many."""
        before, removed = datetime.fromtimestamp(at, UTC).isoformat(), 0
        while True:
            finished = await DBOS.list_workflows_async(
                status=["SUCCESS", "ERROR"], end_time=before, limit=BATCH, load_input=False, load_output=False
            )
            if not finished:
                return removed
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in finished])
            removed += len(finished)
