"""Whose sandboxes are removed, and whose are left alone."""

from pathlib import Path
from typing import Any, cast

import pytest

from app.core.errors import Transient
from app.core.redact import Redactor
from app.core.task import CodeRequest, Repository
from app.runs import artifacts, checkpoints, patch, tables, warm_states
from app.runs.engine import Engine
from app.runs.sweeper import Sweeper
from app.runs.warm import Warm
from tests.e2b_cloud.lab import E2B
from tests.sandbox.conftest import cloud, e2b, in_e2b

__all__ = ["cloud", "e2b"]
NONE = cast(Any, None)


class Kept:
    """Sandboxes of this App: id and run. Those in `stuck` can't be ended."""

    def __init__(self, *stuck: str) -> None:
        self.stuck = stuck
        self.there = {"s1": "over.1", "s2": "open.1", "s3": "unknown.1", "s4": "over.2"}

    async def runs(self) -> dict[str, str]:
        return dict(self.there)

    async def end(self, sandbox_id: str) -> None:
        if sandbox_id in self.stuck:
            raise Transient("E2B is away.")
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


async def test_a_sandbox_that_can_not_be_ended_holds_no_other_up(engine: Engine) -> None:
    """FL-E05: nor the checkpoints."""
    await engine.db(artifacts.keep("over", checkpoints.NAME, b"x"))
    kept = Kept("s1")
    await sweeper(engine, kept).sweep()
    assert kept.there == {"s1": "over.1", "s2": "open.1", "s3": "unknown.1"}
    assert await engine.db(artifacts.kept("over", checkpoints.NAME)) is None


class Away(Kept):
    async def runs(self) -> dict[str, str]:
        raise Transient("E2B is away.")


async def test_where_no_sandbox_can_be_looked_for_the_rest_is_swept(engine: Engine) -> None:
    await engine.db(artifacts.keep("over", checkpoints.NAME, b"x"))
    await sweeper(engine, Away()).sweep()
    assert await engine.db(artifacts.kept("over", checkpoints.NAME)) is None


async def test_a_kept_state_is_deleted_when_it_is_not_used_any_more(engine: Engine, cloud: E2B) -> None:
    """The App was taken from the first two repositories, and a sandbox that sleeps needs the first: that one is deleted later."""
    there = in_e2b(cloud)
    states = []
    for repository in (1, 2, 3):
        states.append(await (await there.create(f"kept-{repository}.1")).keep(f"r{repository}"))
        await engine.db(warm_states.keep(repository, "base", states[-1] or ""))
    asleep = await there.create("open.2", states[0])
    cloud.order("pause", asleep.id)
    warm = Warm(engine=engine, sandboxes=there, checking=NONE, template="base")
    sweeping = Sweeper(engine=engine, sandboxes=there, warm=warm)
    await warm.outdate([1, 2])

    def there_are() -> list[str]:
        return sorted(str(t["name"])[-2:] for t in cloud.ask("GET", "templates") if str(t["name"])[-3:-1] == "-r")

    await sweeping.sweep()
    assert there_are() == ["r1", "r3"]
    await asleep.kill()
    await sweeping.sweep()
    assert there_are() == ["r3"]
    assert [await engine.db(warm_states.kept(repository)) is not None for repository in (1, 2, 3)] == [
        False,
        False,
        True,
    ]


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
