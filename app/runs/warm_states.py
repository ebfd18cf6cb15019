"""Which state of a sandbox, kept after set-up, the next sandboxes of a repository begin with."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from app.runs.tables import metadata

states = sa.Table(
    "warm",
    metadata,
    sa.Column("repository", sa.BigInteger, primary_key=True),
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

past = sa.Table("warm_past", metadata, sa.Column("state", sa.Text, primary_key=True))
"""States in whose place others are kept, still to be deleted."""


class State(NamedTuple):
    template: str
    """What the sandbox that it was kept of began with."""
    state: str
    at: float
    """Unix seconds."""


def keep(repository: int, template: str, state: str) -> Callable[[sa.Connection], None]:
    """This state in place of what was kept for the repository, which is left to be deleted."""

    def write(connection: sa.Connection) -> None:
        before = sa.select(states.c.state).where(states.c.repository == repository)
        connection.execute(past.insert().from_select(["state"], before))
        connection.execute(past.delete().where(past.c.state == state))  # kept under its name again, it is another
        drop(repository)(connection)
        values = {"repository": repository, "template": template, "state": state, "at": time.time()}
        connection.execute(states.insert().values(values))

    return write


def kept(repository: int) -> Callable[[sa.Connection], State | None]:
    query = sa.select(states.c.template, states.c.state, states.c.at).where(states.c.repository == repository)
    return lambda c: State(*row) if (row := c.execute(query).one_or_none()) else None


def drop(repository: int) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(states.delete().where(states.c.repository == repository))

    return write


def outdate(repositories: Sequence[int]) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(states.update().where(states.c.repository.in_(repositories)).values(at=0.0))

    return write


def unused(at: float) -> Callable[[sa.Connection], list[str]]:
    """States that were kept before this moment, in Unix seconds, and those in whose place others are."""
    query = sa.union(sa.select(states.c.state).where(states.c.at < at), sa.select(past.c.state))
    return lambda c: list(c.execute(query).scalars())


def deleted(state: str) -> Callable[[sa.Connection], None]:
    def write(connection: sa.Connection) -> None:
        connection.execute(states.delete().where(states.c.state == state))
        connection.execute(past.delete().where(past.c.state == state))

    return write
