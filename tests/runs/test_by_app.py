"""What GitHub is asked before something approved comes on top of earlier work."""

import pytest

from app.core.errors import Refusal, UserError
from app.core.task import Actor, Approval, CodeRequest
from app.publish import head_branch
from app.runs.by_app import ByApp
from tests.github.world import World, simulator, world

__all__ = ["simulator", "world"]
BRANCH = "backspace/greet"


async def approved(world: World, role: str, branch: str = BRANCH) -> CodeRequest:
    """By bob, who has this role."""
    login = f"bob-{world.repository.id}"
    made = await world.control("POST", "/users", {"login": login})
    await world.control("PUT", f"/repos/{world.repository.full_name}/collaborators/{login}", {"role": role})
    approval = Approval(content="f" * 32, actor=Actor(id=made["id"], login=login), comment_id=1, branch=branch)
    return CodeRequest(
        key="t-1", repository=world.repository, installation=world.installation, instruction="Greet.", branch=branch, caller="ci",
        asked_at="2026-11-20T10:05:00Z", approved=approval,
    )  # fmt: skip


async def test_whoever_approved_must_still_be_able_to_write(world: World) -> None:
    """Whoever asked need not: a key did."""
    with pytest.raises(UserError, match="no longer has write access"):
        await ByApp(app=world.app, server_url=world.url).begin("run-1", await approved(world, "triage"))


async def test_it_starts_from_the_branch_that_the_work_is_on(world: World) -> None:
    place, request = ByApp(app=world.app, server_url=world.url), await approved(world, "write")
    with pytest.raises(Refusal, match="is gone: restore it"):
        await place.begin("run-1", request)
    github = world.app.repository("run-1", world.installation, world.repository, {"contents": "write"})
    await github.create_branch(BRANCH, world.head)
    begun = await place.begin("run-1", request)
    assert (begun.start, begun.rules) == (BRANCH, world.head)


async def test_instructions_and_commands_are_of_the_default_branch_at_one_commit(world: World) -> None:
    """RT-R01: that of the branch alone where the work starts there, for then it is the commit that is cloned."""
    place = ByApp(app=world.app, server_url=world.url)
    fresh = (await approved(world, "write")).model_copy(update={"approved": None})
    begun = await place.begin("run-1", fresh)
    assert (begun.start, begun.rules) == ("main", "")
    github = world.app.repository("run-1", world.installation, world.repository, {"contents": "write"})
    with pytest.raises(UserError, match="default branch gone is gone"):
        await head_branch.rules(BRANCH, "gone", github)


async def test_an_issue_that_is_not_there_any_more_is_said_to_be_that(world: World) -> None:
    """RT-T12, FL-G12: one that was transferred leads to where this token sees nothing."""
    issue = (
        await world.control("POST", f"/repos/{world.repository.full_name}/issues", {"user": "octo", "title": "T"})
    )["number"]
    request = (await approved(world, "write", "")).model_copy(update={"thread": issue})
    place = ByApp(app=world.app, server_url=world.url)
    await place.begin("run-1", request)
    moved = {"status": 301, "headers": {"location": f"{world.url}/api/v3/repositories/99/issues/1"}}
    for gone in (moved, {"status": 410}):
        await world.fault("GET", f"/issues/{issue}$", **gone)
        with pytest.raises(UserError, match="deleted or moved to another repository: ask again where it is now"):
            await place.begin("run-2", request)


async def test_what_was_archived_meanwhile_is_not_begun(world: World) -> None:
    place, request = ByApp(app=world.app, server_url=world.url), await approved(world, "write", "")
    await place.begin("run-1", request)
    await world.control("PATCH", f"/repos/{world.repository.full_name}", {"archived": True})
    with pytest.raises(UserError, match="archived: unarchive it"):
        await place.begin("run-2", request)
