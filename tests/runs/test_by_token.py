"""What GitHub is asked by a person's token before work begins."""

import pytest

from app.core.errors import Refusal, UserError
from app.core.task import CodeRequest
from app.github.facts import RepositoryFacts
from app.github.user import User
from app.runs.by_token import ByToken, check
from tests.github.world import World, simulator, world

__all__ = ["simulator", "world"]


async def test_another_repository_of_the_same_name_is_not_worked_on(world: World) -> None:
    """RT-A03"""
    token = (await world.control("POST", "/tokens", {"user": "octo"}))["token"]
    place = ByToken(user=User(world.session, f"{world.url}/api/v3", token), server_url=world.url)
    request = CodeRequest(
        key="t-1", repository=world.repository, instruction="Greet.", caller="ci", asked_at="2026-11-20T10:05:00Z"
    )
    assert (await place.begin("run-1", request)).start == "main"
    name = world.repository.name
    await world.control("PATCH", f"/repos/octo/{name}", {"name": f"{name}-old"})
    assert (await place.begin("run-1", request)).start == "main", "it is found by its new name"
    await world.control("POST", "/repos", {"owner": "octo", "name": name, "files": {"a": "a"}})
    with pytest.raises(UserError, match="is gone"):
        await place.begin("run-1", request)


@pytest.mark.parametrize(
    ("archived", "may_push", "may_fork", "refused"),
    [
        (False, True, False, ""),
        (False, False, True, ""),
        (True, True, True, "is archived"),
        (False, False, False, "may neither push to o/r nor fork it"),
    ],
)
def test_where_nothing_can_be_written_nothing_begins(
    archived: bool, may_push: bool, may_fork: bool, refused: str
) -> None:
    facts = RepositoryFacts(
        id=7, full_name="o/r", default_branch="main", archived=archived, private=False, may_push=may_push,
        may_fork=may_fork, parent_id=None,
    )  # fmt: skip
    if not refused:
        check(facts)
        return
    with pytest.raises(Refusal, match=refused):
        check(facts)
