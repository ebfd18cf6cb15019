"""What of a thread may be told: by whom, from when, how much, and at what price in requests."""

from typing import Any

import pytest

from app.core.errors import Transient
from app.core.events import NotShown
from app.core.task import Actor, ThreadRequest
from app.github.client import GitHub
from app.github.thread import AUTHORS, CHARACTERS, COMMENTS, LONGEST, PAGES, Thread, before
from app.github.tokens import CHECK, COMMENT
from app.trigger.policy import may_start
from tests.github.conftest import INSTALLATION, REPOSITORY, Fake, Reply
from tests.github.world import World

ASKED_AT = "2026-11-22T12:00:00Z"
BEFORE = "2026-11-22T11:59:59Z"
ALICE, BOB, OURS, COMMAND = 11, 12, 99, 900
STRANGER = 1000


def request(**changed: Any) -> ThreadRequest:
    fields: dict[str, Any] = {
        "key": "c-7-900",
        "delivery": "d",
        "installation": INSTALLATION,
        "repository": REPOSITORY,
        "thread": 3,
        "actor": Actor(id=ALICE, login="alice"),
        "instruction": "Fix it.",
        "comment_id": COMMAND,
        "asked_at": ASKED_AT,
    }
    return ThreadRequest(**{**fields, **changed})


def comment(number: int, author: int = ALICE, body: str = "x", **changed: Any) -> dict[str, Any]:
    user = {"id": author, "login": f"user-{author}", "type": "User"}
    return {
        "id": number,
        "html_url": f"u{number}",
        "user": user,
        "body": body,
        "created_at": BEFORE,
        "updated_at": BEFORE,
        "author_association": "OWNER",
        **changed,
    }


def permission(author: int, level: str) -> Reply:
    return Reply(body={"permission": level, "role_name": level, "user": {"id": author}})


def pages(comments: list[dict[str, Any]]) -> list[Reply]:
    """How GitHub answers who reads from the end: the number, then the last pages."""
    issue = {"state": "open", "locked": False, "labels": [], "comments": len(comments)}
    starts = range((len(comments) - 1) // 100 * 100, -1, -100)
    return [Reply(body=issue), *(Reply(body=comments[start : start + 100]) for start in starts)]


async def read(github: GitHub, asked: ThreadRequest | None = None) -> Thread:
    return await before(asked or request(), github, github, ours=OURS, may_write=may_start)


def told(thread: Thread) -> tuple[list[int], dict[str, int]]:
    return [c.id for c in thread.comments], {kept.why: kept.count for kept in thread.not_shown}


LATER = "2026-11-22T12:00:00Z"
"""GitHub tells whole seconds, so this one may be after the command."""


@pytest.mark.parametrize(
    ("changed", "shown", "not_shown"),
    [
        ({}, [1], {}),
        ({"updated_at": LATER}, [], {"later": 1}),
        ({"created_at": LATER, "updated_at": LATER}, [], {"later": 1}),
        ({"user": None}, [], {"no write access": 1}),
        ({"user": {"id": ALICE, "login": "alice[bot]", "type": "Bot"}}, [], {"bot": 1}),
        ({"user": {"id": ALICE, "login": "acme", "type": "Organization"}}, [], {"bot": 1}),
        ({"user": {"id": OURS, "login": "backspace[bot]", "type": "Bot"}}, [], {}),
        ({"id": COMMAND, "created_at": LATER, "updated_at": LATER}, [], {}),
        ({"body": "x" * LONGEST}, [1], {}),
        ({"body": "x" * (LONGEST + 1)}, [1], {"long": 1}),
    ],
)
async def test_which_comments_of_the_asker_are_shown(
    fake: Fake, github: GitHub, changed: dict[str, Any], shown: list[int], not_shown: dict[str, int]
) -> None:
    """RT-T15: as they stood before the request, whatever they were changed to meanwhile."""
    fake.replies.extend(pages([comment(1, **changed)]))
    thread = await read(github)
    assert told(thread) == (shown, not_shown)
    assert all(len(c.body) <= LONGEST + 1 for c in thread.comments)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (permission(BOB, "write"), [1, 2]),
        (permission(BOB, "triage"), []),
        (permission(BOB, "read"), []),
        (permission(STRANGER, "admin"), []),
        (Reply(404, {"message": "user-12 is not a user"}), []),
    ],
    ids=["write", "triage", "read", "a login that is another account's now", "no such account"],
)
async def test_an_author_is_asked_about_once_and_by_account(
    fake: Fake, github: GitHub, reply: Reply, shown: list[int]
) -> None:
    """Whatever the association says, which is OWNER for all."""
    fake.replies.extend([*pages([comment(1, BOB), comment(2, BOB)]), reply])
    assert told(await read(github)) == (shown, {} if shown else {"no write access": 2})
    assert len(fake.asked("/permission")) == 1


async def test_three_thousand_comments_by_strangers_cost_a_few_requests(fake: Fake, github: GitHub) -> None:
    """RT-T17: and what people of the repository said among the last of them is found."""
    thread = [comment(n, STRANGER + n) for n in range(3000)]
    thread[2750] = comment(2750, ALICE)
    fake.replies.extend(pages(thread)[: 1 + 1])
    fake.replies.extend(permission(STRANGER + n, "read") for n in range(2999, 2999 - AUTHORS, -1))
    fake.replies.extend(pages(thread)[2 : 1 + PAGES])
    assert told(await read(github)) == (
        [2750],
        {"no write access": AUTHORS, "not asked": 299 - AUTHORS, "older": 2700},
    )
    assert len(fake.asked()) == 1 + PAGES + AUTHORS


async def test_the_oldest_give_way(fake: Fake, github: GitHub) -> None:
    """RT-T17: first by number, then by length."""
    thread = [comment(n) for n in range(COMMENTS + 5)]
    fake.replies.extend(pages(thread))
    assert told(await read(github)) == (list(range(5, COMMENTS + 5)), {"older": 5})
    whole = CHARACTERS // LONGEST
    fake.replies.extend(pages([comment(n, body="x" * LONGEST) for n in range(whole + 1)]))
    assert told(await read(github)) == (list(range(1, whole + 1)), {"older": 1})


async def test_a_thread_without_comments_is_one_request(fake: Fake, github: GitHub) -> None:
    fake.replies.extend(pages([])[:1])
    assert await read(github) == Thread()
    assert len(fake.asked()) == 1


async def test_a_page_that_shifts_tells_nothing_twice(fake: Fake, github: GitHub) -> None:
    """FL-G27: something old was deleted between two pages."""
    thread = [comment(n, body="" if n < 80 else "x") for n in range(110)]
    replies = pages(thread)
    replies[2] = Reply(body=thread[1:101])
    fake.replies.extend(replies)
    shown, _ = told(await read(github))
    assert shown == list(range(80, 110))


async def test_where_it_is_unknown_who_wrote_nothing_is_told(fake: Fake, github: GitHub) -> None:
    """RT-T08: the step is tried again."""
    fake.replies.extend([*pages([comment(1, BOB)]), *[Reply(503, {})] * 4])
    with pytest.raises(Transient):
        await read(github)


async def test_on_github(world: World) -> None:
    """Held to GitHub's description: a member, a stranger, and the App itself."""
    path = f"/repos/{world.repository.full_name}"
    for login in ("alice", "stranger"):
        await world.control("POST", "/users", {"login": login})
    await world.control("PUT", f"{path}/collaborators/alice", {"role": "write"})
    issue = int((await world.control("POST", f"{path}/issues", {"user": "alice", "title": "T", "body": ""}))["number"])
    for login in ("alice", "stranger"):
        await world.control("POST", f"{path}/issues/{issue}/comments", {"user": login, "body": f"by {login}"})
    comments = world.github(COMMENT)
    await comments.create_comment(issue, "Working.")
    asked = request(repository=world.repository, thread=issue, comment_id=1, asked_at="2099-01-01T00:00:00Z")
    ours = (await world.app.identity(comments)).bot_id
    thread = await before(asked, comments, world.github(CHECK), ours=ours, may_write=may_start)
    assert [(c.login, c.body) for c in thread.comments] == [("alice", "by alice")]
    assert thread.not_shown == (NotShown(count=1, why="no write access"),)
