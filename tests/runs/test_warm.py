"""Which sandboxes begin with what was kept of another one, and what is kept of them."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from app.core.redact import Redactor
from app.core.task import Request
from app.runs import warm_states
from app.runs.engine import Engine
from app.runs.ground import Ground
from app.runs.warm import FRESH, Warm
from app.sandbox.base import Call, Result, Stream, WarmGone
from tests.runs.test_pipeline import REQUEST

REPOSITORY = REQUEST.repository.id
RUN = f"{REQUEST.key}.1"
GROUND = Ground(run=RUN, request=REQUEST, branch="main", start="main", sandbox="s", base="b" * 40)


@dataclass
class Cloud:
    """Sandboxes, checks and kept states. `states`: in each what was noted in its sandbox. `set_up`: commands, as they were run."""

    states: dict[str, bytes] = field(default_factory=dict)
    set_ups: list[str] = field(default_factory=list)
    problem: str | None = None

    async def create(self, run: str, warm: str | None = None) -> "Box":
        if warm and warm not in self.states:
            raise WarmGone
        return Box(self, self.states[warm] if warm else b"")

    async def set_up(self, sandbox: "Box", request: Request, command: str) -> tuple[str, str | None]:
        self.set_ups.append(command)
        return "exit 0", self.problem


@dataclass
class Box:
    """A sandbox. `locks`: what git says of the files that name what is to be installed."""

    cloud: Cloud
    note: bytes
    locks: bytes = b"1"
    home = repo = "/"

    async def run(self, call: Call) -> Result:
        if call.key == "warm/note":
            self.note = " ".join(call.argv[-2:]).encode() + b"\n"
        said = self.note if call.key == "warm/noted" else self.locks
        return Result("exited", 0, Stream(said, b"", len(said), ""), Stream(b"", b"", 0, ""), 0.1)

    async def keep(self, name: str) -> str:
        self.cloud.states[name] = self.note
        return name


@dataclass
class World:
    engine: Engine
    cloud: Cloud = field(default_factory=Cloud)
    template: str = "base"

    @property
    def warm(self) -> Warm:
        cloud = cast(Any, self.cloud)
        return Warm(engine=self.engine, sandboxes=cloud, checking=cloud, template=self.template)

    async def run(
        self, command: str = "make", *, locks: bytes = b"1", start: str = "main", keep: bool = True
    ) -> tuple[bool, bool]:
        """A run up to its set-up: whether it began with a kept state, and whether it was spared the set-up."""
        before = len(self.cloud.set_ups)
        box = cast(Box, await self.warm.create(RUN, REQUEST))
        warm = bool(box.note)
        box.locks = locks
        ground = GROUND.model_copy(update={"start": start})
        await self.warm.set_up(cast(Any, box), ground, command, ("uv.lock",), keep=keep)
        return warm, len(self.cloud.set_ups) == before

    async def kept(self) -> bool:
        return await self.engine.db(warm_states.kept(REPOSITORY)) is not None


@pytest.fixture
def world(address: str) -> Iterator[World]:
    engine = Engine(address, Redactor(()), max_runs=1)
    engine._database.open()
    yield World(engine)
    engine._database.engine.dispose()


async def test_the_next_run_begins_with_the_set_up_of_the_last_one(world: World) -> None:
    assert await world.run() == (False, False)
    assert await world.run() == (True, True)


@pytest.mark.parametrize("other", [{"command": "make all"}, {"locks": b"2"}], ids=["command", "lockfiles"])
async def test_another_set_up_is_run_and_the_state_not_used_again(world: World, other: Any) -> None:
    """It would hold what is left of the first one, so it is not kept either."""
    await world.run()
    assert await world.run(**other) == (True, False)
    assert await world.run(**other) == (False, False)
    assert await world.run(**other) == (True, True)


async def test_of_another_branch_nothing_is_kept(world: World) -> None:
    """Whoever may write to that branch would prepare the sandboxes of all."""
    await world.run(start="backspace/greet")
    assert not await world.kept()


async def test_nothing_is_kept_once_the_model_has_run_commands(world: World) -> None:
    await world.run(keep=False)
    assert not await world.kept()


async def test_a_set_up_that_failed_is_not_kept(world: World) -> None:
    world.cloud.problem = "It ended with 1."
    await world.run()
    assert not await world.kept()


async def test_a_state_is_of_its_template_and_of_seven_days(world: World) -> None:
    await world.run()
    world.template = "another"
    assert await world.run() == (False, False)
    assert await world.run() == (True, True)
    week_ago = warm_states.states.update().values(at=time.time() - FRESH - 1)
    await world.engine.db(lambda c: c.execute(week_ago).rowcount)
    assert await world.run() == (False, False)


async def test_a_state_that_is_gone_costs_a_set_up_and_no_run(world: World) -> None:
    await world.run()
    world.cloud.states.clear()
    assert await world.run() == (False, False)
    assert await world.run() == (True, True)


async def test_what_is_kept_under_another_name_leaves_the_first_to_be_deleted(world: World) -> None:
    for state in ("first", "second", "first"):
        await world.engine.db(warm_states.keep(REPOSITORY, "base", state))
    assert await world.engine.db(warm_states.unused(0.0)) == ["second"]
    await world.engine.db(warm_states.deleted("second"))
    assert await world.engine.db(warm_states.unused(0.0)) == []
    assert await world.kept()
