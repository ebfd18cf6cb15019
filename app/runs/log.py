"""A task's recorded events, over all its runs, for readers outside of them.

A place in it is one number: the steps behind it, a million for each run that was read to its end.
"""

from app.core.events import Entry
from app.runs import numbers, tables
from app.runs.engine import Engine

STEPS = 20
"""Steps that are in memory at a time for each reader."""
_RUN = 1_000_000


async def read(engine: Engine, task: str, after: int) -> tuple[list[Entry], int] | None:
    """Events behind the place `after`, and the next `after`; it may be a part only.

    None where none will come: there is no such task, or it is over and all was read or has been removed in time.
    """
    found = await behind(engine, task, after, STEPS)
    if found[1] == after and not await engine.db(tables.is_open(task)):
        found = await behind(engine, task, after, STEPS)  # what was recorded in between
        return found if found[1] > after else None
    return found


async def behind(engine: Engine, task: str, after: int, most: int | None = None) -> tuple[list[Entry], int]:
    """Events behind the place `after`, of `most` steps, and the next `after`: all is read where that stays the same."""
    over, steps = divmod(after, _RUN)
    run = over + 1
    found, reached = await engine.entries(numbers.run_id(task, run), steps, most)
    if reached == steps and run < (await engine.db(numbers.newest([task])))[task]:
        return [], run * _RUN  # the next one begins when this one is over
    return found, over * _RUN + reached


async def whole(engine: Engine, task: str) -> list[Entry]:
    """All that is recorded."""
    return (await rest(engine, task, 0))[0]


async def rest(engine: Engine, task: str, after: int) -> tuple[list[Entry], int]:
    """As `behind`, to the end."""
    entries: list[Entry] = []
    while True:
        found, reached = await behind(engine, task, after)
        if reached == after:
            return entries, after
        entries += found
        after = reached
