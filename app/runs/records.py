"""The log of a workflow: the steps that were recorded, and the events in them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbos import DBOS
from pydantic import ValidationError

from app.core.events import EVENT, Entry, Event

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


@dataclass(frozen=True)
class Broken:
    """A workflow that can't go on: its code raised, or what was recorded of it does not fit its code or can't be read."""

    id: str
    kind: str
    spec: Json | None
    """None where it can't be read."""
    why: str
    """For the server's log."""


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
                event=event,
            )
            for step in steps
            if isinstance(step["output"], dict)
            for k, recorded in enumerate(step["output"].get("events", ()))
            if (event := _event(recorded))
        ]
        return found, after + len(steps)

    async def has(self, workflow_id: str) -> bool:
        """Whether there is such a workflow, finished or not, whose log is still there."""
        return bool(await DBOS.list_workflows_async(workflow_ids=[workflow_id], load_input=False, load_output=False))

    async def spec(self, workflow_id: str) -> Json | None:
        """What this workflow was started with; None where that is not known."""
        found = await DBOS.list_workflows_async(workflow_ids=[workflow_id], load_output=False)
        return _spec(found[0].input) if found else None

    async def unfinished(self, *names: str) -> list[str]:
        """Ids of the workflows of these kinds that are not over."""
        found = await DBOS.list_workflows_async(
            name=list(names), status=["ENQUEUED", "PENDING"], load_input=False, load_output=False
        )
        return [workflow.workflow_id for workflow in found]

    async def broken(self, known: Collection[str]) -> list[Broken]:
        """All but those that are `known`."""
        listed = await DBOS.list_workflows_async(status="ERROR", load_input=False, load_output=False)
        new = [workflow.workflow_id for workflow in listed if workflow.workflow_id not in known]
        found = await DBOS.list_workflows_async(workflow_ids=new) if new else []
        return [
            Broken(
                id=workflow.workflow_id,
                kind=workflow.name,
                spec=_spec(workflow.input),
                why=f"{getattr(workflow.error, 'name', '')}: {workflow.error}",
            )
            for workflow in found
        ]

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


def _spec(given: Any) -> Json | None:
    match given:
        case {"args": (dict() as spec,)}:
            return spec
    return None


def _event(recorded: Any) -> Event | None:
    """None for one that this version does not know: another one wrote it."""
    try:
        return EVENT.validate_python(recorded)
    except ValidationError:
        return None
