"""Bytes of a task that are too large for a step's output: its patch, its checkpoints."""

import time
from collections.abc import Callable, Collection

import sqlalchemy as sa

from app.runs.tables import OVER, metadata, over_before

table = sa.Table(
    "artifact",
    metadata,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
"""The newest under each name."""


def keep(task: str, name: str, content: bytes) -> Callable[[sa.Connection], None]:
    """Keep these bytes under the name, in place of what was there."""

    def write(connection: sa.Connection) -> None:
        drop(task, name)(connection)
        connection.execute(table.insert().values(task=task, name=name, at=time.time(), content=content))

    return write


def drop(task: str, name: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(table.delete().where(table.c.task == task, table.c.name == name))

    return write


def kept(task: str, name: str, most: int | None = None) -> Callable[[sa.Connection], bytes | None]:
    """`most`: so many bytes of its beginning."""
    content = table.c.content
    what = content if most is None else sa.func.substr(content, 1, most, type_=content.type)
    query = sa.select(what).where(table.c.task == task, table.c.name == name)
    return lambda c: c.execute(query).scalar_one_or_none()


def forget_before(at: float) -> Callable[[sa.Connection], None]:
    """Those of tasks that are over and were asked for before this moment, in Unix seconds."""

    def write(connection: sa.Connection) -> None:
        connection.execute(table.delete().where(table.c.task.in_(over_before(at))))

    return write


def drop_of_what_is_over(names: Collection[str]) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(table.delete().where(table.c.name.in_(names), table.c.task.in_(OVER)))

    return write
