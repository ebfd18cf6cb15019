"""A task's recorded events, for readers outside of its run."""

from app.core.events import Entry
from app.runs import tables
from app.runs.engine import Engine

STEPS = 20
"""Steps that are in memory at a time for each reader."""


async def read(engine: Engine, task: str, after: int) -> tuple[list[Entry], int] | None:
    """Events behind the first `after` steps, and the next `after`; it may be a part only.

    None where none will come: there is no such task, or it is over and all was read or has been removed in time.
    """
    found = await engine.entries(f"{task}.1", after, STEPS)
    if found[1] == after and not await engine.db(tables.is_open(task)):
        found = await engine.entries(f"{task}.1", after, STEPS)  # what was recorded in between
        return found if found[1] > after else None
    return found
