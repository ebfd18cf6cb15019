"""How requests are sent: what is tried again, where the token goes, when we are silent."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.core.errors import Transient
from app.core.fence import ACTING, LeaseLost
from app.core.task import Repository
from app.github.app import App
from app.github.client import GitHub
from app.github.errors import Conflict, NotFound, Refused, Unauthorized
from app.github.tokens import COMMENT
from tests.github.conftest import INSTALLATION, PEM, Fake, Reply, Waits

ISSUE = Reply(body={"state": "open", "locked": False, "labels": []})


async def test_every_request_names_its_version_and_us(fake: Fake, github: GitHub) -> None:
    fake.replies.append(ISSUE)
    assert (await github.issue(3)).state == "open"
    [asked] = fake.asked()
    assert asked.path == "/api/repos/o/r/issues/3"
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    assert asked.headers["user-agent"] == "backspace-agent"
    assert asked.token == fake.minted[0]


@pytest.mark.parametrize(
    "trouble",
    [Reply(502, "<html>"), Reply(599, "?"), Reply(200, "<html>Sign in</html>"), Reply(drop=True), Reply(500, {})],
)
async def test_a_read_outlasts_trouble(fake: Fake, github: GitHub, waits: Waits, trouble: Reply) -> None:
    """FL-G01"""
    fake.replies.extend([trouble, trouble, ISSUE])
    assert (await github.issue(3)).state == "open"
    assert waits
    assert all(wait <= 2 for wait in waits)


async def test_a_read_gives_up_after_four_tries(fake: Fake, github: GitHub) -> None:
    fake.replies.extend([Reply(503, {})] * 10)
    with pytest.raises(Transient):
        await github.issue(3)
    assert len(fake.asked()) == 4


@pytest.mark.parametrize("trouble", [Reply(502, {}), Reply(drop=True), Reply(201, "<html>")])
async def test_what_creates_is_sent_once(fake: Fake, github: GitHub, trouble: Reply) -> None:
    fake.replies.append(trouble)
    with pytest.raises(Transient):
        await github.create_comment(3, "Hello")
    assert len(fake.asked()) == 1


async def test_an_edit_is_sent_again(fake: Fake, github: GitHub) -> None:
    fake.replies.append(Reply(drop=True))
    await github.edit_comment(3, "Hello")
    assert [asked.body for asked in fake.asked()] == [{"body": "Hello"}] * 2


async def test_a_token_refused_is_replaced_once(fake: Fake, github: GitHub) -> None:
    """FL-G05"""
    fake.replies.extend([Reply(401, {"message": "Bad credentials"}), Reply(201, {"id": 1, "html_url": "u"})])
    await github.create_comment(3, "Hello")
    assert [asked.token for asked in fake.asked()] == fake.minted
    assert len(fake.minted) == 2

    fake.replies.extend([Reply(401, {})] * 9)
    with pytest.raises(Unauthorized):
        await github.issue(3)
    assert len(fake.asked()) == 4


async def test_a_limit_silences_the_installation(fake: Fake, app: App, github: GitHub) -> None:
    """FL-G04. Not only the one who ran into it: GitHub bans those who go on."""
    fake.replies.append(Reply(403, {"message": "You have exceeded a secondary rate limit"}, {"retry-after": "120"}))
    with pytest.raises(Transient) as limit:
        await github.issue(3)
    assert limit.value.retry_after == 120
    neighbour = app.repository("run-2", INSTALLATION, Repository(id=8, full_name="o/other"), COMMENT)
    with pytest.raises(Transient) as silence:
        await neighbour.edit_comment(1, "Hello")
    assert 100 < (silence.value.retry_after or 0) <= 120
    with pytest.raises(Transient):
        await neighbour.issue(1)
    assert len(fake.asked()) == 1

    stranger = app.repository("run-3", 100, Repository(id=9, full_name="p/q"), COMMENT)
    await stranger.edit_comment(1, "Hello")
    assert len(fake.asked()) == 2


async def test_a_limit_without_a_time_silences_for_longer_until_a_write_is_taken(
    fake: Fake, app: App, github: GitHub
) -> None:
    """FL-G04"""
    limit = Reply(403, {"message": "You have exceeded a secondary rate limit"})
    silences = []
    for between in ([ISSUE], [ISSUE], [ISSUE, Reply(body={})]):
        fake.replies.extend([*between, limit])
        await github.issue(3)
        for _ in between[1:]:
            await github.react_to_comment(1, "eyes")
        with pytest.raises(Transient) as said:
            await github.create_comment(3, "Hello")
        silences.append(said.value.retry_after)
        app._pace.lane(INSTALLATION)._silent_until = 0.0  # as if that time had passed
    assert silences == [60, 120, 60]


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_renamed_repository_is_followed(fake: Fake, github: GitHub, status: int) -> None:
    """FL-G10"""
    moved = Reply(status, {"message": "Moved"}, {"location": f"{fake.url}/repositories/7/issues/3/comments"})
    fake.replies.extend([moved, Reply(201, {"id": 1, "html_url": "u"})])
    await github.create_comment(3, "Hello")
    asked = fake.asked("issues/3")
    assert [(a.method, a.path, a.body) for a in asked] == [
        ("POST", "/api/repos/o/r/issues/3/comments", {"body": "Hello"}),
        ("POST", "/api/repositories/7/issues/3/comments", {"body": "Hello"}),
    ]


async def test_the_token_goes_to_no_other_host(fake: Fake, github: GitHub) -> None:
    """RT-A03"""

    async def other(request: web.Request) -> web.Response:
        got.append(dict(request.headers))
        return web.json_response({})

    got: list[dict[str, str]] = []
    site = web.Application()
    site.router.add_route("*", "/{path:.*}", other)
    async with TestServer(site) as server:
        fake.replies.append(Reply(301, None, {"location": str(server.make_url("/x"))}))
        with pytest.raises(Refused):
            await github.issue(3)
    assert got == []


async def test_a_redirect_that_never_ends(fake: Fake, github: GitHub) -> None:
    fake.replies.extend([Reply(301, None, {"location": f"{fake.url}/repositories/7"})] * 9)
    with pytest.raises(Refused):
        await github.issue(3)


async def test_a_host_that_is_down(fake: Fake, github: GitHub, app: App) -> None:
    down = App(app.tokens._session, "http://127.0.0.1:9/api", 1, PEM, sleep=app._sleep)
    with pytest.raises(Transient) as reason:
        await down.tokens.revoke_token("ghs_secret")
    assert "ghs_" not in str(reason.value)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("backspace/12-a", "/git/ref/heads/backspace/12-a"),
        ("fe{at}", "/git/ref/heads/fe%7Bat%7D"),
        ("a?b#c%2F", "/git/ref/heads/a%3Fb%23c%252F"),
        ("ünï", "/git/ref/heads/%C3%BCn%C3%AF"),
    ],
)
async def test_a_name_stays_one_part_of_the_address(fake: Fake, github: GitHub, name: str, path: str) -> None:
    fake.replies.append(Reply(404, {"message": "Not Found"}))
    assert await github.branch(name) is None
    assert fake.asked()[0].path == f"/api/repos/o/r{path}"


async def test_missing_is_told_from_refused(fake: Fake, github: GitHub) -> None:
    fake.replies.extend([Reply(404, {}), Reply(422, {"message": "Validation Failed"}), Reply(410, {})])
    with pytest.raises(NotFound):
        await github.issue(3)
    with pytest.raises(Conflict):
        await github.create_branch("a", "b")
    with pytest.raises(NotFound):
        await github.edit_comment(1, "x")


def comment(number: int, author: int = 5, body: str = "x") -> dict[str, object]:
    return {"id": number, "html_url": f"u{number}", "user": {"id": author}, "body": body}


async def test_our_comment_is_found_on_the_second_page(fake: Fake, github: GitHub) -> None:
    """By its author too: anybody can copy a marker."""
    first = [comment(n, author=6, body="<!-- m -->") for n in range(99)]
    first.append(comment(98, 5, "<!-- of another task --> <!-- m -->"))
    fake.replies.extend([Reply(body=first), Reply(body=[comment(99), comment(100, 5, "<!-- m --> hello")])])
    assert await github.find_comment(3, "<!-- m -->", 5) == 100
    assert [a.path.partition("?")[2] for a in fake.asked()] == ["per_page=100&page=1", "per_page=100&page=2"]


async def test_no_comment_is_listed_twice(fake: Fake, github: GitHub) -> None:
    """FL-G27. A page shifts when something is added while we read."""
    pages = [
        [comment(n) for n in range(100)],
        [comment(99), comment(100), {**comment(101), "user": None, "body": None}],
    ]
    fake.replies.extend(Reply(body=page) for page in pages)
    listed = [c async for c in github.comments(3)]
    assert [c.id for c in listed] == list(range(102))
    assert listed[-1].author_id is None


@pytest.mark.parametrize(
    ("reply", "level"),
    [
        ({"permission": "admin", "role_name": "admin"}, "admin"),
        ({"permission": "write", "role_name": "maintain"}, "maintain"),
        ({"permission": "read", "role_name": "triage"}, "triage"),
        ({"permission": "write", "role_name": "release-crew"}, "write"),
        ({"permission": "none", "role_name": ""}, "none"),
        ({"permission": "something new", "role_name": "new"}, "none"),
    ],
)
async def test_a_permission_is_one_of_six(fake: Fake, github: GitHub, reply: dict[str, str], level: str) -> None:
    fake.replies.append(Reply(body={**reply, "user": {"id": 5}}))
    permission = await github.permission("alice")
    assert (permission.user_id, permission.level) == (5, level)


async def test_nobody_may_do_nothing(fake: Fake, github: GitHub) -> None:
    fake.replies.append(Reply(404, {"message": "alice is not a user"}))
    assert (await github.permission("alice")).level == "none"


async def test_every_write_takes_a_turn_of_the_installation(fake: Fake, github: GitHub) -> None:
    """So that edits which newer ones replace anyway are left out before GitHub's limit is near."""
    for _ in range(47):
        await github.edit_comment(1, "must land")
    assert await github.try_edit_comment(1, "may be left out")
    assert not await github.try_edit_comment(1, "may be left out")
    await github.react_to_comment(1, "eyes")
    assert len(fake.asked()) == 49


async def test_a_pull_request_of_another_branch_or_a_fork_is_not_ours(fake: Fake, github: GitHub) -> None:
    """GitHub ignores a filter that it can't read, and forks have branches of the same name."""

    def pull(number: int, ref: str, repo: int | None) -> dict[str, object]:
        head = {"ref": ref, "repo": {"id": repo} if repo else None}
        return {"number": number, "html_url": "u", "state": "open", "head": head, "base": {"ref": "main"}}

    theirs = [pull(1, "other", 7), pull(2, "ours", 8), pull(3, "ours", None)]
    fake.replies.extend([Reply(body=theirs), Reply(body=[*theirs, pull(4, "ours", 7)])])
    assert await github.pulls_of("ours") == []
    (found,) = await github.pulls_of("ours")
    assert found.number == 4
    assert "head=o:ours&state=all" in fake.asked()[0].path


class Elsewhere:
    async def holds(self) -> bool:
        return False


async def test_what_goes_on_elsewhere_is_not_written_here(fake: Fake, github: GitHub) -> None:
    fake.replies.append(ISSUE)
    acting = ACTING.set(Elsewhere())
    await github.issue(3)
    with pytest.raises(LeaseLost):
        await github.edit_comment(7, "words of yesterday")
    ACTING.reset(acting)
    assert [seen.method for seen in fake.asked()] == ["GET"]
