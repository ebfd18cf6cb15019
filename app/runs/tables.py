"""Our own tables, beside the engine's, in the same database: what a task is, and what was said to it.

A `task` row stays when its log is gone, so an old delivery can't run again. Step outputs hold everything else.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.core.task import REQUEST, CodeRequest, Outcome, Request, ThreadRequest

metadata = sa.MetaData()

tasks = sa.Table(
    "task",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("thread", sa.Text, nullable=False, index=True),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("comment_id", sa.BigInteger, nullable=True),
    sa.Column("outcome", sa.Text, nullable=True, index=True),
    sa.Column("created_at", sa.Float, nullable=False),
)

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task", sa.Text, nullable=False, index=True),
    sa.Column("word", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False, unique=True),
)

asking = sa.Table(
    "asking",
    metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("turn", sa.Integer, nullable=False),
    sa.Column("spent", sa.JSON, nullable=False),
)
"""What a task has used if the request that it sent last is never answered."""

mends = sa.Table("mend", metadata, sa.Column("task", sa.Text, primary_key=True))
"""Tasks whose status comment was edited by a process that was late: others had gone on with the work."""

OVER = sa.select(tasks.c.key).where(tasks.c.outcome.is_not(None))
"""Keys of tasks that are over."""


def thread_of(request: Request) -> str:
    """What a queue goes by: runs of one thread go one after the other. By repository id, so a rename changes nothing.

    Work that was asked for directly waits only for other work on the branch that it names.
    """
    if request.thread:
        return f"{request.repository.id}#{request.thread}"
    return f"{request.repository.id}@{request.branch or request.key}"


def create(connection: sa.Connection) -> None:
    metadata.create_all(connection)


def _add_once(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> None:
    """Also where two transactions add it at once, as the asker and the workflow do."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).values(**values).on_conflict_do_nothing(index_elements=[table.c.key]))


def add_task(request: Request) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        values = {
            "key": request.key,
            "thread": thread_of(request),
            "request": request.model_dump(),
            "created_at": time.time(),
        }
        _add_once(connection, tasks, values)

    return write


def set_comment(key: str, comment_id: int) -> Callable[[sa.Connection], None]:
    return lambda c: _done(c.execute(tasks.update().where(tasks.c.key == key).values(comment_id=comment_id)))


def hold(key: str) -> Callable[[sa.Connection], None]:
    """What others are about to do to this task waits for the end of the transaction."""
    return lambda c: _done(c.execute(sa.select(tasks.c.seq).where(tasks.c.key == key).with_for_update()))


def set_outcome(key: str, outcome: Outcome) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(tasks.update().where(tasks.c.key == key).values(outcome=outcome))
        connection.execute(asking.delete().where(asking.c.task == key))

    return write


def _done(_: object) -> None:
    return None


def comment_of(key: str) -> Callable[[sa.Connection], int | None]:
    return lambda c: c.execute(sa.select(tasks.c.comment_id).where(tasks.c.key == key)).scalar_one_or_none()


def is_task(key: str) -> Callable[[sa.Connection], bool]:
    return lambda c: c.execute(sa.select(tasks.c.seq).where(tasks.c.key == key)).first() is not None


def is_open(key: str) -> Callable[[sa.Connection], bool]:
    """There is such a task, and it has no outcome yet."""
    query = sa.select(tasks.c.seq).where(tasks.c.key == key, tasks.c.outcome.is_(None))
    return lambda c: c.execute(query).first() is not None


def is_over(key: str) -> Callable[[sa.Connection], bool]:
    """There is such a task, and it has its outcome."""
    query = sa.select(tasks.c.seq).where(tasks.c.key == key, tasks.c.outcome.is_not(None))
    return lambda c: c.execute(query).first() is not None


def open_tasks(
    thread: str | None = None,
) -> Callable[[sa.Connection], list[tuple[ThreadRequest | CodeRequest, int | None]]]:
    """Tasks without an outcome, oldest first, each with the id of its status comment: of one thread, or of all."""

    def read(connection: sa.Connection) -> list[tuple[ThreadRequest | CodeRequest, int | None]]:
        query = sa.select(tasks.c.request, tasks.c.comment_id).where(tasks.c.outcome.is_(None)).order_by(tasks.c.seq)
        if thread is not None:
            query = query.where(tasks.c.thread == thread)
        return [(REQUEST.validate_python(row.request), row.comment_id) for row in connection.execute(query)]

    return read


def say(task: str, word: str, actor: str, key: str) -> Callable[[sa.Connection], None]:
    """Put a word into a task's inbox; the same `key` is put there once."""
    return lambda c: _add_once(c, inbox, {"task": task, "word": word, "actor": actor, "key": key})


def say_once(task: str, word: str, actor: str, key: str) -> Callable[[sa.Connection], str]:
    """As `say`: who said it first."""

    def write(connection: sa.Connection) -> str:
        say(task, word, actor, key)(connection)
        return str(connection.execute(sa.select(inbox.c.actor).where(inbox.c.key == key)).scalar_one())

    return write


def stopped(among: Sequence[str]) -> Callable[[sa.Connection], list[str]]:
    """Those of these tasks to which somebody has said stop."""
    query = sa.select(inbox.c.task).distinct().where(inbox.c.task.in_(among), inbox.c.word == "stop")
    return lambda c: list(c.execute(query).scalars()) if among else []


def who_stopped(task: str) -> Callable[[sa.Connection], str | None]:
    """Who said stop to this task first, in words for people: "@alice"."""
    query = sa.select(inbox.c.actor).where(inbox.c.task == task, inbox.c.word == "stop").order_by(inbox.c.seq).limit(1)
    return lambda c: c.execute(query).scalar_one_or_none()


def note_asking(task: str, run: str, turn: int, spent: dict[str, Any]) -> Callable[[sa.Connection], None]:
    """In place of what was noted before."""

    def write(connection: sa.Connection) -> None:
        connection.execute(asking.delete().where(asking.c.task == task))
        connection.execute(asking.insert().values(task=task, run=run, turn=turn, spent=spent))

    return write


def asking_of(task: str, run: str, turn: int) -> Callable[[sa.Connection], dict[str, Any] | None]:
    """What was noted for this turn; None where a request for it was never sent."""
    query = sa.select(asking.c.spent).where(asking.c.task == task, asking.c.run == run, asking.c.turn == turn)
    return lambda c: c.execute(query).scalar_one_or_none()


def mend(task: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        if connection.execute(sa.select(mends).where(mends.c.task == task)).first() is None:
            connection.execute(mends.insert().values(task=task))

    return write


def mend_stopped(actor: str, installation: int) -> Callable[[sa.Connection], None]:
    """The comments of tasks of this installation that `actor` stopped: one write for each, however often this is called."""

    def write(connection: sa.Connection) -> None:
        stopped_by = sa.select(inbox.c.task).where(inbox.c.word == "stop", inbox.c.actor == actor)
        found = connection.execute(
            sa.select(tasks.c.key, tasks.c.request).where(tasks.c.key.in_(stopped_by), tasks.c.outcome.is_not(None))
        )
        for key, request in found.all():
            if request["installation"] == installation:
                mend(key)(connection)
                connection.execute(inbox.delete().where(inbox.c.task == key, inbox.c.actor == actor))

    return write


def mended(task: str) -> Callable[[sa.Connection], None]:
    return lambda c: _done(c.execute(mends.delete().where(mends.c.task == task)))


def to_mend(connection: sa.Connection) -> list[tuple[ThreadRequest | CodeRequest, int | None]]:
    """Each with the id of its status comment."""
    query = sa.select(tasks.c.request, tasks.c.comment_id).join(mends, mends.c.task == tasks.c.key)
    return [(REQUEST.validate_python(row.request), row.comment_id) for row in connection.execute(query)]


def over_before(at: float) -> sa.Select[tuple[str]]:
    """Keys of tasks that are over and were asked for before this moment, in Unix seconds."""
    return OVER.where(tasks.c.created_at < at)


def forget_words(at: float) -> Callable[[sa.Connection], None]:
    """What was said to tasks that are over and were asked for before this moment, in Unix seconds."""
    return lambda c: _done(c.execute(inbox.delete().where(inbox.c.task.in_(over_before(at)))))


def request_of(key: str) -> Callable[[sa.Connection], Request | None]:
    """What was asked in this task; None where there is no such task."""

    def read(connection: sa.Connection) -> Request | None:
        found = connection.execute(sa.select(tasks.c.request).where(tasks.c.key == key)).scalar_one_or_none()
        return REQUEST.validate_python(found) if found else None

    return read
