"""The runs of a task: the first, in which a model works, and one more for each approval that was taken and each run that was salvaged.

The id of a run is that of its workflow: `<task>.1`, `<task>.2`…
"""

from collections.abc import Callable, Collection

import sqlalchemy as sa

from app.core.task import Outcome
from app.runs import tables
from app.runs.tables import inbox

APPROVE, SALVAGE = "approve", "salvage"
"""In a task's inbox."""
_MAKES_A_RUN = inbox.c.word.in_((APPROVE, SALVAGE))


def run_id(task: str, number: int) -> str:
    return f"{task}.{number}"


def task_of(workflow_id: str) -> str:
    """Of a run, or of any other workflow of the task, such as `<task>.intake`."""
    return workflow_id.rpartition(".")[0]


def newest(tasks: Collection[str]) -> Callable[[sa.Connection], dict[str, int]]:
    """The number of each task's newest run, whether it has begun or not."""
    query = (
        sa.select(inbox.c.task, sa.func.count().label("more"))
        .where(inbox.c.task.in_(tasks), _MAKES_A_RUN)
        .group_by(inbox.c.task)
    )

    def read(connection: sa.Connection) -> dict[str, int]:
        more = {row.task: row.more for row in connection.execute(query)} if tasks else {}
        return {task: 1 + more.get(task, 0) for task in tasks}

    return read


def newest_ids(tasks: Collection[str]) -> Callable[[sa.Connection], dict[str, str]]:
    """As `newest`, the run's id."""
    return lambda c: {task: run_id(task, number) for task, number in newest(tasks)(c).items()}


def of(connection: sa.Connection, task: str, key: str) -> int:
    """The number of the run that the word under this key has made."""
    seq = sa.select(inbox.c.seq).where(inbox.c.key == key).scalar_subquery()
    words = sa.select(sa.func.count()).where(inbox.c.task == task, _MAKES_A_RUN, inbox.c.seq <= seq)
    return 1 + int(connection.execute(words).scalar_one())


def is_newest(run: str) -> Callable[[sa.Connection], bool]:
    task = task_of(run)
    return lambda c: newest_ids([task])(c)[task] == run


def close(run: str, outcome: Outcome) -> Callable[[sa.Connection], bool]:
    """The task of this run is over, unless a newer run of it has opened it again: whether it is."""

    def write(connection: sa.Connection) -> bool:
        tables.hold(task_of(run))(connection)
        if not is_newest(run)(connection):
            return False
        tables.set_outcome(task_of(run), outcome)(connection)
        return True

    return write
