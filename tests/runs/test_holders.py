"""What an execution of a workflow keeps beside its record, once another has taken the work up."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import sqlalchemy as sa

from app.core.fence import LeaseLost
from app.runs import artifacts
from app.runs.database import Database
from app.runs.holders import Execution

T = TypeVar("T")


async def test_what_a_late_execution_would_keep_is_refused(tmp_path: Path) -> None:
    """FL-K11: it would take the place of what its successor has kept since."""
    database = Database(f"sqlite:///{tmp_path / 'holders.db'}")
    database.open()

    async def transact(work: Callable[[sa.Connection], T], /) -> T:
        return await asyncio.to_thread(database.transaction, work)

    late, successor = Execution(transact, "c-1-1.1", "one"), Execution(transact, "c-1-1.1", "two")
    await late.take_up()
    await transact(late.fenced(artifacts.keep("c-1-1", "checkpoint", b"turn 3")))
    await successor.take_up()
    await transact(successor.fenced(artifacts.keep("c-1-1", "checkpoint", b"turn 4")))
    with pytest.raises(LeaseLost):
        await transact(late.fenced(artifacts.keep("c-1-1", "checkpoint", b"turn 3")))
    assert await transact(artifacts.kept("c-1-1", "checkpoint")) == b"turn 4"
