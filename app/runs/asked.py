"""What the gate left out and a person may let in: kept on the server under the hash that stands for exactly its content."""

from collections.abc import Callable

import sqlalchemy as sa

from app.core.events import LeftOutPath
from app.core.task import REQUEST, AnyRequest, Words
from app.runs import artifacts
from app.runs.engine import Engine
from app.runs.tables import tasks
from app.sandbox.repo import Change

_NAME = "asked/"
_LET_IN = b""


class Asked(Words):
    changes: tuple[Change, ...]
    paths: tuple[str, ...]
    """Of the changes, as people are shown them."""
    rest: tuple[LeftOutPath, ...]
    """What was left out beside them, which nobody can let in."""
    rest_diff: str


class Kept(Words):
    asked: Asked
    pack: bytes
    """The new blobs."""


async def keep(engine: Engine, task: str, approval: str, kept: Kept) -> None:
    """In place of what an earlier gate of the task had to ask about, which is not there any more."""
    content = kept.asked.model_dump_json().encode() + b"\n" + kept.pack

    def write(connection: sa.Connection) -> None:
        drop(task)(connection)
        artifacts.keep(task, _NAME + approval, content)(connection)

    await engine.keep(write)


def drop(task: str) -> Callable[[sa.Connection], None]:
    """What was let in stays known as such."""
    of = artifacts.table.c
    old = of.task == task, of.name.startswith(_NAME), of.content != _LET_IN

    def write(connection: sa.Connection) -> None:
        connection.execute(artifacts.table.delete().where(*old))

    return write


async def kept(engine: Engine, task: str, approval: str) -> Kept | None:
    """None where it is not kept any more, or let in already."""
    content = await engine.db(artifacts.kept(task, _NAME + approval))
    if not content:
        return None
    asked, _, pack = content.partition(b"\n")
    return Kept(asked=Asked.model_validate_json(asked), pack=pack)


async def is_let_in(engine: Engine, task: str, approval: str) -> bool:
    return await engine.db(artifacts.kept(task, _NAME + approval)) == _LET_IN


async def note_let_in(engine: Engine, task: str, approval: str) -> None:
    """Its content is on the branch now, and of no use here."""
    await engine.keep(artifacts.keep(task, _NAME + approval, _LET_IN))


def tasks_that_ask(approval: str) -> Callable[[sa.Connection], list[AnyRequest]]:
    """Tasks of any repository that left this content out, the newest first."""
    query = (
        sa.select(tasks.c.request)
        .join(artifacts.table, artifacts.table.c.task == tasks.c.key)
        .where(artifacts.table.c.name == _NAME + approval)
        .order_by(tasks.c.seq.desc())
    )
    return lambda c: [REQUEST.validate_python(request) for request in c.execute(query).scalars()]
