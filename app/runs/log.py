"""A task's recorded events, for readers outside of its run."""

from app.core.events import Entry
from app.runs import tables
from app.runs.engine import Engine


async def read(engine: Engine, task: str, after: int) -> tuple[list[Entry], int] | None:
    """The events behind the first `after` steps, and the next `after`; None where there is no such task."""
    if not await engine.db(tables.is_task(task)):
        return None
    return await engine.entries(f"{task}.1", after)
