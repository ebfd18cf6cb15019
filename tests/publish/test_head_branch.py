"""A head branch that was asked for by name: new, or ours to go on with; nobody else's."""

import pytest

from app.core.errors import Refusal
from app.core.task import Request
from app.github.tokens import PUBLISH
from app.publish.commit import Commit
from app.publish.head_branch import on_top, start
from tests.github.world import World
from tests.publish.conftest import Work
from tests.publish.test_commit import edit, publish


@pytest.fixture
async def ours(world: World, work: Work, request_: Request) -> Commit:
    edit(work)
    return await publish(world, work, request_)


async def asked(world: World, wanted: str) -> str:
    github = world.github(PUBLISH)
    return await start(wanted, "main", github, github)


async def test_a_name_that_is_free_starts_from_the_default_branch(world: World) -> None:
    assert [await asked(world, wanted) for wanted in ("", "a/new-one")] == ["main", "main"]


async def test_ours_goes_on(world: World, ours: Commit) -> None:
    assert await asked(world, ours.branch) == ours.branch
    await world.github(PUBLISH).create_pull(title="T", body="", head=ours.branch, base="main", draft=False)
    assert await asked(world, ours.branch) == ours.branch


async def test_the_default_branch_and_those_of_others_are_left_alone(world: World, ours: Commit) -> None:
    """RT-G08, RT-G12: also ours, once a person went on with it."""
    github = world.github(PUBLISH)
    with pytest.raises(Refusal, match="default branch"):
        await asked(world, "main")
    await github.create_branch("theirs", world.head)
    with pytest.raises(Refusal, match="not Backspace's: name another"):
        await asked(world, "theirs")
    await github.move_branch(ours.branch, await github.create_commit("A person's", ours.tree, ours.sha))
    with pytest.raises(Refusal, match="not Backspace's"):
        await asked(world, ours.branch)


async def test_a_protected_one_is_left_alone(world: World, ours: Commit) -> None:
    await world.control("PATCH", f"/repos/{world.repository.full_name}", {"protected": [ours.branch]})
    with pytest.raises(Refusal, match="protected"):
        await asked(world, ours.branch)


async def test_one_whose_pull_request_is_over_is_left_alone(world: World, ours: Commit) -> None:
    """FL-G20: also by an approval."""
    pull = await world.github(PUBLISH).create_pull(title="T", body="", head=ours.branch, base="main", draft=False)
    await world.control("PATCH", f"/repos/{world.repository.full_name}/issues/{pull.number}", {"state": "closed"})
    with pytest.raises(Refusal, match="closed or merged"):
        await asked(world, ours.branch)
    with pytest.raises(Refusal, match="closed or merged"):
        await on_top(ours.branch, world.github(PUBLISH))
