"""Installation tokens: narrow, shared, renewed in time, revoked, never shown."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from app.core.errors import Transient
from app.github.app import App
from app.github.client import GitHub
from app.github.errors import Refused, Unauthorized
from app.github.tokens import CLONE, COMMENT
from tests.github.conftest import Fake, Reply


async def test_a_token_is_for_one_repository_and_one_stage(fake: Fake, app: App) -> None:
    """RT-S06, RT-L05"""
    assert await app.tokens.get("run-1", 99, 7, CLONE) == fake.minted[0]
    [asked] = fake.asked("access_tokens")
    assert asked.path == "/api/app/installations/99/access_tokens"
    assert asked.body == {"repository_ids": [7], "permissions": {"contents": "read"}}


async def test_callers_at_the_same_time_share_one(fake: Fake, app: App) -> None:
    got = await asyncio.gather(*[app.tokens.get("run-1", 99, 7, CLONE) for _ in range(20)])
    assert set(got) == {fake.minted[0]}
    assert len(fake.minted) == 1


async def test_nothing_is_shared_across_runs_repositories_or_permissions(app: App) -> None:
    get = app.tokens.get
    got = [await get("a", 99, 7, CLONE), await get("b", 99, 7, CLONE), await get("a", 99, 8, CLONE)]
    assert len({*got, await get("a", 99, 7, COMMENT)}) == 4


@pytest.mark.parametrize("ahead", [-7200, 7200])
async def test_it_is_renewed_five_minutes_early_by_githubs_clock(fake: Fake, app: App, ahead: float) -> None:
    """FL-G05, FL-O04"""
    fake.ahead = ahead
    fake.token_life = 298
    await app.tokens.get("run-1", 99, 7, CLONE)
    await app.tokens.get("run-1", 99, 7, CLONE)
    assert len(fake.minted) == 2
    fake.token_life = 330
    await app.tokens.get("run-1", 99, 7, CLONE)
    await app.tokens.get("run-1", 99, 7, CLONE)
    assert len(fake.minted) == 3


@pytest.mark.parametrize("ahead", [-90, 90, 86_400])
async def test_a_wrong_clock_of_ours_is_mended(
    fake: Fake, app: App, ahead: float, caplog: pytest.LogCaptureFixture
) -> None:
    """FL-G06"""
    fake.ahead = ahead
    await app.tokens.get("run-1", 99, 7, CLONE)
    assert len(fake.asked("access_tokens")) <= 2
    assert "clock" in caplog.text


async def test_a_key_that_is_not_the_apps_is_said_at_once(fake: Fake, app: App) -> None:
    fake.mint_replies.extend([Reply(401, {"message": "A JSON web token could not be decoded"})] * 9)
    with pytest.raises(Unauthorized, match="GITHUB_APP_ID"):
        await app.tokens.get("run-1", 99, 7, CLONE)
    assert len(fake.asked("access_tokens")) == 2


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(404, {"message": "Not Found"}), "not installed"),
        (Reply(403, {"message": "This installation has been suspended"}), "suspended"),
        (Reply(422, {"message": "The permissions requested are not granted to this installation."}), "review"),
    ],
)
async def test_an_installation_that_gives_none_is_explained(fake: Fake, app: App, reply: Reply, says: str) -> None:
    fake.mint_replies.append(reply)
    with pytest.raises(Refused, match=says):
        await app.tokens.get("run-1", 99, 7, CLONE)
    assert len(fake.asked("access_tokens")) == 1


async def test_minting_outlasts_trouble(fake: Fake, app: App) -> None:
    fake.mint_replies.extend([Reply(502, "<html>"), Reply(drop=True)])
    assert await app.tokens.get("run-1", 99, 7, CLONE) == "ghs_1"


async def test_trouble_with_minting_is_not_multiplied(fake: Fake, github: GitHub) -> None:
    fake.mint_replies.extend([Reply(502, {})] * 99)
    with pytest.raises(Transient):
        await github.issue(3)
    assert len(fake.asked("access_tokens")) == 4


async def test_the_end_of_a_run_revokes_its_tokens_and_no_others(fake: Fake, app: App) -> None:
    """RT-L05"""
    for run, permissions in (("a", CLONE), ("a", COMMENT), ("b", CLONE)):
        await app.tokens.get(run, 99, 7, permissions)
    await app.tokens.revoke("a")
    revoked = fake.asked("/installation/token")
    assert {(s.method, s.token) for s in revoked} == {("DELETE", "ghs_1"), ("DELETE", "ghs_2")}
    await app.tokens.revoke("a")
    assert len(fake.asked("/installation/token")) == 2
    assert await app.tokens.get("b", 99, 7, CLONE) == "ghs_3"


async def test_revoking_never_stands_in_the_way(fake: Fake, app: App, caplog: pytest.LogCaptureFixture) -> None:
    await app.tokens.get("a", 99, 7, CLONE)
    fake.replies.extend([Reply(503, {})] * 9)
    await app.tokens.revoke("a")
    assert "could not be revoked" in caplog.text
    assert "ghs_" not in caplog.text


async def test_one_token_revoked_is_not_handed_out_again(fake: Fake, app: App) -> None:
    token = await app.tokens.get("a", 99, 7, CLONE)
    await app.tokens.revoke_token(token)
    fake.replies.append(Reply(401, {"message": "Bad credentials"}))
    await app.tokens.revoke_token(token)
    assert await app.tokens.get("a", 99, 7, CLONE) != token


async def test_a_token_that_could_not_be_revoked_is_still_known(fake: Fake, app: App) -> None:
    """So that the next try ends this one, instead of minting another."""
    token = await app.tokens.get("a", 99, 7, CLONE)
    fake.replies.extend([Reply(503, {})] * 4)
    with pytest.raises(Transient):
        await app.tokens.revoke_token(token)
    assert await app.tokens.get("a", 99, 7, CLONE) == token


async def test_no_token_in_logs_or_words(
    fake: Fake, github: GitHub, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """RT-O07"""
    caplog.set_level(logging.DEBUG)
    fake.replies.extend([Reply(502, {}), Reply(401, {"message": "no"}), Reply(401, {"message": "no"})])
    with pytest.raises(Unauthorized) as error:
        await github.issue(3)
    await app.tokens.revoke("run-1")
    assert fake.minted
    await app.tokens.get("run-1", 99, 7, CLONE)
    shown = caplog.text + repr(error.value) + repr(vars(app.tokens)) + repr(list(app.tokens._cache.values()))
    assert "ghs_" not in shown
    assert "eyJ" not in shown


async def test_who_we_are_is_asked_once(fake: Fake, github: GitHub, make_app: Callable[[], App]) -> None:
    app = make_app()
    fake.replies.append(Reply(body={"id": 4242}))
    for _ in range(2):
        who = await app.identity(github)
        assert (who.app_id, who.slug, who.bot_id) == (1, "backspace", 4242)
    assert [s.path for s in fake.asked("/users/")] == ["/api/users/backspace%5Bbot%5D"]
