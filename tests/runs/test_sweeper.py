"""Whose sandboxes are removed, and whose are left alone."""

from pathlib import Path
from typing import Any, cast

import pytest

from app.core.redact import Redactor
from app.core.task import CodeRequest, Repository
from app.runs import artifacts, checkpoints, patch, tables
from app.runs.engine import Engine
from app.runs.sweeper import Sweeper
from app.runs.warm import Warm

NONE = cast(Any, None)


class Kept:
    """Sandboxes of this App: id and run."""

    def __init__(self) -> None:
        self.there = {"s1": "over.1", "s2": "open.1", "s3": "unknown.1", "s4": "over.2"}

    async def runs(self) -> dict[str, str]:
        return dict(self.there)

    async def end(self, sandbox_id: str) -> None:
        del self.there[sandbox_id]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Its database alone: nothing runs."""
    engine = Engine(f"sqlite:///{tmp_path}/backspace.db", Redactor(()), max_runs=1)
    engine._database.open()
    for key in ("over", "open"):
        request = CodeRequest(
            key=key, repository=Repository(id=1, full_name="o/r"), instruction="x", asked_at="", caller="ci"
        )
        engine._database.transaction(tables.add_task(request))
    engine._database.transaction(tables.set_outcome("over", "ready"))
    return engine


def sweeper(engine: Engine, kept: Kept) -> Sweeper:
    warm = Warm(engine=engine, sandboxes=NONE, checking=NONE, template=None)
    return Sweeper(engine=engine, sandboxes=cast(Any, kept), warm=warm)


async def test_a_sandbox_goes_where_its_task_is_over_and_nowhere_else(engine: Engine) -> None:
    """FL-K03: that of a run which goes on is found by its next step, and a task that is not known here is another server's."""
    kept = Kept()
    await sweeper(engine, kept).sweep()
    assert kept.there == {"s2": "open.1", "s3": "unknown.1"}


async def test_a_checkpoint_goes_where_its_task_is_over_and_its_patch_stays(engine: Engine) -> None:
    for task in ("over", "open"):
        for name in (checkpoints.NAME, patch.NAME):
            await engine.db(artifacts.keep(task, name, b"x"))
    await sweeper(engine, Kept()).sweep()
    found = [
        (task, name)
        for task in ("over", "open")
        for name in (checkpoints.NAME, patch.NAME)
        if await engine.db(artifacts.kept(task, name))
    ]
    assert found == [("over", patch.NAME), ("open", checkpoints.NAME), ("open", patch.NAME)]
