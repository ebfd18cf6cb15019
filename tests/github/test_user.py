"""An account by its own token, and the App where nobody has told its installation yet."""

import asyncio
from dataclasses import dataclass

import pytest

from app.core.task import Repository
from app.github.errors import Empty, Unauthorized
from app.github.user import User
from tests.github.world import World


@dataclass
class Mona:
    """A stranger to the repository, with a token."""

    login: str
    user: User


@pytest.fixture
async def mona(world: World) -> Mona:
    login = f"mona-{world.repository.name}"
    token = (await world.control("POST", "/tokens", {"user": login}))["token"]
    return Mona(login, User(world.session, f"{world.url}/api/v3", token))


async def test_the_rights_are_the_persons(world: World, mona: Mona) -> None:
    facts = await mona.user.find(world.repository.full_name)
    assert facts
    assert (facts.repository, facts.may_push, facts.may_fork) == (world.repository, False, True)
    assert (await mona.user.account()).login == mona.login
    await world.control("PUT", f"/repos/{world.repository.full_name}/collaborators/{mona.login}", {"role": "write"})
    facts = await mona.user.find(world.repository.full_name)
    assert facts
    assert facts.may_push
    assert await mona.user.find("octo/nowhere") is None


async def test_a_token_that_github_does_not_know(world: World) -> None:
    stranger = User(world.session, f"{world.url}/api/v3", "github_pat_gone")
    with pytest.raises(Unauthorized, match="GITHUB_TOKEN"):
        await stranger.find(world.repository.full_name)


async def test_a_fork_is_found_by_what_it_is_a_fork_of(world: World, mona: Mona) -> None:
    """Not by its name: that can be another repository's."""
    await world.control("POST", "/repos", {"owner": mona.login, "name": world.repository.name, "files": {"a": "a"}})
    assert await mona.user.fork_of(world.repository) is None
    fork = await mona.user.repository(world.repository).fork()
    assert fork.full_name == f"{mona.login}/{world.repository.name}-1"
    with pytest.raises(Empty):
        await mona.user.repository(fork).commit(world.head)
    assert await mona.user.repository(world.repository).fork() == fork
    await asyncio.sleep(0.6)
    assert (await mona.user.repository(fork).commit(world.head)).sha == world.head


async def test_a_fork_of_the_same_name_is_found_without_a_write(world: World, mona: Mona) -> None:
    fork = await mona.user.repository(world.repository).fork()
    assert await mona.user.fork_of(world.repository) == fork


async def test_the_app_finds_its_installation_under_an_old_name_too(world: World) -> None:
    """RT-A03: the new name is followed by the repository's id, within the API."""
    name = world.repository.name
    await world.control("PATCH", f"/repos/octo/{name}", {"name": f"{name}-new"})
    found = await world.app.find("run-1", f"octo/{name}")
    assert found
    assert (found[0].id, found[0].permissions["contents"]) == (world.installation, "write")
    assert found[1].repository == Repository(id=world.repository.id, full_name=f"octo/{name}-new")


async def test_where_the_app_is_not_installed(world: World) -> None:
    await world.control(
        "POST", "/repos", {"owner": "octo", "name": f"{world.repository.name}-other", "files": {"a": "a"}}
    )
    assert await world.app.find("run-1", f"octo/{world.repository.name}-other") is None
    assert await world.app.find("run-1", "octo/nowhere") is None
