"""A GitHub that does not show at once what it has taken."""

import pytest

from app.core.errors import Transient
from app.core.task import CodeRequest, Repository
from app.github.client import GitHub
from app.publish.commit import Work, publish_tree
from tests.github.conftest import Fake, Reply, app, fake, github, make_app, waits

__all__ = ["app", "fake", "github", "make_app", "waits"]

REQUEST = CodeRequest(
    key="t-2", repository=Repository(id=7, full_name="o/r"), instruction="x", asked_at="", caller="ci", branch="ours"
)


def commit(sha: str, task: str) -> Reply:
    return Reply(body={"sha": sha, "tree": {"sha": "t0"}, "parents": [], "message": f"Work\n\nBackspace-Task: {task}"})


async def test_a_branch_that_does_not_show_the_new_commit_yet_is_asked_again_and_no_other_is_made(
    fake: Fake, github: GitHub
) -> None:
    """FL-G21: taken for somebody else's, it would be published a second time, as `ours-2`."""
    head = [Reply(body={"object": {"sha": "base"}}), commit("base", "t-1")]
    made = [commit("base", "t-1"), Reply(201, {"sha": "t1"}), Reply(201, {"sha": "new"}), Reply(200, {})]
    fake.replies.extend([*head, *made, *head])
    with pytest.raises(Transient, match="does not show the new commit"):
        await publish_tree(github, base_sha="base", work=Work("t1", (), {}, "Work"), request=REQUEST)
    assert [seen.method for seen in fake.asked()] == ["GET", "GET", "GET", "POST", "POST", "PATCH", "GET", "GET"]
