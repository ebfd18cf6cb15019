"""A pull request that somebody closed while the work went on gets no commit, whichever way leads to it."""

import pytest

from app.core.errors import Refusal
from app.core.task import Actor, Approval, CodeRequest
from app.github.tokens import PUBLISH
from app.github.user import User
from app.publish.commit import Work
from app.runs.by_app import ByApp
from app.runs.by_token import ByToken
from app.runs.ground import Ground
from app.runs.place import Place
from tests.github.world import World, simulator, world

__all__ = ["simulator", "world"]
BRANCH = "backspace/greet"


async def owner(world: World) -> tuple[Actor, User]:
    token = (await world.control("POST", "/tokens", {"user": "octo"}))["token"]
    user = User(world.session, f"{world.url}/api/v3", token)
    return await user.account(), user


async def closed_pull(world: World) -> None:
    github = world.github(PUBLISH)
    tree = (await github.commit(world.head)).tree
    await github.create_branch(BRANCH, await github.create_commit("Greet", tree, world.head))
    pull = await github.create_pull(title="Greet", body="", head=BRANCH, base="main", draft=False)
    await world.control("PATCH", f"/repos/{world.repository.full_name}/issues/{pull.number}", {"state": "closed"})


@pytest.mark.parametrize("way", ["by the App", "by the App, after an approval", "by a token"])
async def test_what_was_closed_meanwhile_gets_no_commit(world: World, way: str) -> None:
    """FL-G20"""
    await closed_pull(world)
    actor, user = await owner(world)
    place: Place = (
        ByToken(user=user, server_url=world.url) if way == "by a token" else ByApp(app=world.app, server_url=world.url)
    )
    approval = Approval(content="f" * 32, actor=actor, comment_id=1, branch=BRANCH) if "approval" in way else None
    request = CodeRequest(
        key="t-1", repository=world.repository, installation=world.installation, instruction="Greet.", branch=BRANCH,
        caller="ci", asked_at="2026-11-20T10:05:00Z", approved=approval,
    )  # fmt: skip
    ground = Ground(run="t-1.1", request=request, branch="main", start=BRANCH, sandbox="s", base=world.head)
    before = (await world.state())["branches"]
    with pytest.raises(Refusal, match="closed or merged"):
        await place.commit(ground, Work(tree="0" * 40, changes=(), contents={}, summary="Greet"))
    assert (await world.state())["branches"] == before
