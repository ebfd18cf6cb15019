"""The calls on a repository, against the simulated GitHub that refuses what GitHub's description does not know."""

import pytest

from app.github.errors import NotFound, Refused
from app.github.tokens import CHECK, CLONE, COMMENT, PUBLISH
from tests.github.world import World


@pytest.fixture
async def issue(world: World) -> int:
    await world.control("POST", "/users", {"login": "alice"})
    path = f"/repos/{world.repository.full_name}/issues"
    opened = await world.control("POST", path, {"user": "alice", "title": "T", "body": "B"})
    return int(opened["number"])


async def test_the_facts_of_a_repository(world: World) -> None:
    facts = await world.github(CHECK).repository()
    assert (facts.id, facts.full_name) == (world.repository.id, world.repository.full_name)
    assert (facts.default_branch, facts.archived) == ("main", False)


@pytest.mark.parametrize("role", ["admin", "maintain", "write", "triage", "read"])
async def test_what_a_collaborator_may_do(world: World, role: str) -> None:
    made = await world.control("POST", "/users", {"login": f"{role}er"})
    path = f"/repos/{world.repository.full_name}/collaborators/{role}er"
    await world.control("PUT", path, {"role": role})
    permission = await world.github(CHECK).permission(f"{role}er")
    assert (permission.level, permission.user_id) == (role, made["id"])


async def test_what_strangers_may_do(world: World) -> None:
    await world.control("POST", "/users", {"login": "stranger"})
    github = world.github(CHECK)
    assert (await github.permission("stranger")).level in ("read", "none")
    assert (await github.permission("no-such-account")).level == "none"


async def test_a_comment_is_made_found_and_edited(world: World, issue: int) -> None:
    github = world.github(COMMENT)
    bot = (await world.app.identity(github)).bot_id
    await world.control(
        "POST", f"/repos/{world.repository.full_name}/issues/{issue}/comments", {"user": "alice", "body": "<!-- m -->"}
    )
    assert await github.find_comment(issue, "<!-- m -->", bot) is None
    made = await github.create_comment(issue, "<!-- m --> one")
    assert await github.find_comment(issue, "<!-- m -->", bot) == made
    assert await github.find_comment(issue, "<!-- m -->", bot, since="2026-01-01T00:00:00Z") == made
    await github.edit_comment(made, "<!-- m --> two")
    assert await github.try_edit_comment(made, "<!-- m --> three")
    assert [c.body for c in [c async for c in github.comments(issue)]] == ["<!-- m -->", "<!-- m --> three"]


async def test_a_reaction_twice_is_one(world: World, issue: int) -> None:
    github = world.github(COMMENT)
    made = await github.create_comment(issue, "x")
    for _ in range(2):
        await github.react_to_issue(issue, "eyes")
        await github.react_to_comment(made, "rocket")
    assert str(await world.state()).count("'eyes'") == 1


async def test_an_issue_and_a_pull_request_are_told_apart(world: World, issue: int) -> None:
    github = world.github(COMMENT)
    facts = await github.issue(issue)
    assert (facts.state, facts.locked, facts.is_pull_request) == ("open", False, False)
    path = f"/repos/{world.repository.full_name}/issues/{issue}"
    await world.control("PATCH", path, {"state": "closed", "locked": True})
    facts = await github.issue(issue)
    assert (facts.state, facts.locked) == ("closed", True)


async def test_a_token_does_no_other_stages_work(world: World, issue: int) -> None:
    with pytest.raises(Refused, match="lacks a permission"):
        await world.github(CLONE).create_comment(issue, "x")
    with pytest.raises(Refused, match="lacks a permission"):
        await world.github(COMMENT).create_blob(b"x")


async def test_a_revoked_run_mints_anew(world: World, issue: int) -> None:
    """What a run left behind is revoked; who comes later (a step that runs again) is not locked out."""
    github = world.github(COMMENT)
    await github.issue(issue)
    await world.app.tokens.revoke("run-1")
    tokens = (await world.state())["tokens"]
    assert [t["revoked"] for t in tokens] == [True]
    assert (await github.issue(issue)).state == "open"


async def test_an_archived_repository_is_said(world: World, issue: int) -> None:
    await world.control("PATCH", f"/repos/{world.repository.full_name}", {"archived": True})
    with pytest.raises(Refused, match="archived"):
        await world.github(COMMENT).create_comment(issue, "x")


async def test_a_branch_and_its_commit(world: World) -> None:
    github = world.github(PUBLISH)
    main = await github.branch("main")
    assert main
    assert main.sha == world.head
    assert await github.commit(world.head) == main
    assert await github.branch("mai") is None
    assert await github.branch("main/x") is None
    with pytest.raises(NotFound):
        await github.commit("0" * 40)
