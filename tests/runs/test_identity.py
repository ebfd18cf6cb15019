"""A login can change hands between what somebody said and the question what they may do: an account is known by its id."""

from typing import Any, cast

import pytest

from app.core.errors import UserError
from app.core.redact import Redactor
from app.core.task import Actor, Repository, ThreadRequest
from app.github.app import App
from app.publish.commit import Work
from app.runs.by_app import ByApp
from app.runs.ground import Ground
from app.runs.intake import Intake
from tests.github.conftest import Fake, Reply, app, fake, make_app, waits

__all__ = ["app", "fake", "make_app", "waits"]
NONE = cast(Any, None)
ALICE = 5
REQUEST = ThreadRequest(
    key="c-7-1", delivery="d", installation=99, repository=Repository(id=7, full_name="o/r"), thread=1,
    actor=Actor(id=ALICE, login="alice"), instruction="Do it.", comment_id=1, asked_at="2026-11-20T10:05:00Z",
)  # fmt: skip
GROUND = Ground(run="c-7-1.1", request=REQUEST, branch="main", start="main", sandbox="s", base="b")


def writes(account: int | None) -> Reply:
    """Whoever is called alice now may write."""
    return Reply(body={"permission": "write", "role_name": "write", "user": account and {"id": account}})


@pytest.mark.parametrize(("account", "allowed"), [(ALICE, True), (666, False), (None, False)])
async def test_who_has_the_login_of_the_asker_now_is_not_the_asker(
    app: App, fake: Fake, account: int | None, allowed: bool
) -> None:
    """RT-T04"""
    fake.replies.append(writes(account))
    intake = Intake(engine=NONE, app=app, comments=NONE, redactor=Redactor(()), label="backspace")
    assert (await intake._check(REQUEST))["allowed"] is allowed


@pytest.mark.parametrize("account", [666, None])
async def test_nor_is_work_begun_or_published_for_them(app: App, fake: Fake, account: int | None) -> None:
    """RT-T04"""
    place = ByApp(app=app, server_url="https://github.com")
    fake.replies.extend([writes(account)] * 2)
    with pytest.raises(UserError, match="no longer has write access"):
        await place.begin(GROUND.run, REQUEST)
    with pytest.raises(UserError, match="lost write access"):
        await place.commit(GROUND, Work("t", (), {}, "x"))
    assert {seen.method for seen in fake.asked()} == {"GET"}
