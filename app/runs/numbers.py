"""The runs of a task: the first, in which a model works, and one more for each approval that was taken and each run that was salvaged."""

from collections.abc import Callable, Collection

import sqlalchemy as sa

from app.runs.tables import inbox

WORD, SALVAGE = "approve", "salvage"
"""In a task's inbox."""


def newest(tasks: Collection[str]) -> Callable[[sa.Connection], dict[str, int]]:
    """The number of each task's newest run, whether it has begun or not."""
    query = (
        sa.select(inbox.c.task, sa.func.count().label("more"))
        .where(inbox.c.task.in_(tasks), inbox.c.word.in_((WORD, SALVAGE)))
        .group_by(inbox.c.task)
    )

    def read(connection: sa.Connection) -> dict[str, int]:
        more = {row.task: row.more for row in connection.execute(query)} if tasks else {}
        return {task: 1 + more.get(task, 0) for task in tasks}

    return read


def of(connection: sa.Connection, task: str, key: str) -> int:
    """The number of the run that the word under this key has made."""
    seq = sa.select(inbox.c.seq).where(inbox.c.key == key).scalar_subquery()
    words = sa.select(sa.func.count()).where(
        inbox.c.task == task, inbox.c.word.in_((WORD, SALVAGE)), inbox.c.seq <= seq
    )
    return 1 + int(connection.execute(words).scalar_one())
