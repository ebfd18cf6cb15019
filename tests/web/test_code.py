"""What a request to `/code` may ask for and what it gets, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.core.errors import Refusal, Transient, UserError
from app.core.events import Done, Status
from app.core.task import Asked
from tests.web.desk import ASK, BEARER, GITHUB, KEYS, LIMITED, RUN, Desk, parsed, said, served, wire

PAIR = "\ud83d"


async def test_a_prompt_is_handed_in_and_its_events_come_until_done() -> None:
    async with served(desk := Desk()) as edge, edge.client() as http:
        reply = await http.post("/code", json=ASK)
    ids, events = parsed(reply.text)
    assert (reply.status_code, reply.headers["Location"]) == (200, "/code/t-1")
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert events == wire(RUN)
    assert [next(iter(event)) for event in events] == ["type"] * 7
    assert ids == ["t-1.1.1.0", "t-1.1.2.0", "t-1.1.2.1", "t-1.1.4.0", "t-1.1.4.1", "t-1.1.5.0", "t-1.1.5.1"]
    assert desk.asked == [Asked(repo="octo-org/larder", prompt="Parse quantities.", caller="local")]


async def test_the_address_of_a_task_comes_before_its_first_event() -> None:
    async with (
        served(Desk(run=())) as edge,
        edge.client() as http,
        http.stream("POST", "/code", json=ASK | {"branch": "fix/quantities"}) as reply,
    ):
        assert reply.headers["Location"] == "/code/t-1"
        assert edge.desk.asked[0].branch == "fix/quantities"
        edge.desk.record("t-1", Done(outcome="nothing"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repo_url": "https://github.com.evil.example/o/r"}, "repo_url must be the address of a repository"),
        ({"repo_url": None}, "repo_url must be a string."),
        ({"repo_url": ...}, "repo_url is missing: the address of a repository, https://github.com/owner/name."),
        ({"prompt": ...}, "prompt is missing: 1 to 32,000 characters that say what to do."),
        ({"prompt": " \n"}, "prompt is missing: 1 to 32,000 characters that say what to do."),
        ({"prompt": ["x"]}, "prompt must be a string."),
        ({"prompt": "x" * 32_001}, "prompt has 32,001 characters; at most 32,000 are taken."),
        ({"prompt": "x\x00"}, "prompt must be text: it holds a NUL or half a surrogate pair."),
        ({"prompt": PAIR}, "prompt must be text: it holds a NUL or half a surrogate pair."),
        ({"branch": "--upload-pack=x"}, "branch must be a plain branch name"),
        ({"branch": 7}, "branch must be a string."),
        ({"model": "x"}, "The body has a field that is not known; it takes repo_url, prompt and branch."),
        ({PAIR: "x"}, "The body has a field that is not known; it takes repo_url, prompt and branch."),
    ],
)
async def test_what_is_wrong_in_a_body_is_said(change: dict[str, Any], message: str) -> None:
    """RT-A02, RT-A07, RT-A08"""
    body = {name: value for name, value in (ASK | change).items() if value is not ...}
    async with served(Desk()) as edge, edge.client() as http:
        reply = await http.post("/code", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (reply.status_code, edge.desk.asked) == (400, [])
    assert said(reply).startswith(message)


async def test_the_longest_prompt_and_a_branch_that_is_null_are_taken() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        assert (await http.post("/code", json=ASK | {"prompt": "ж" * 32_000, "branch": None})).status_code == 200
    assert edge.desk.asked[0].branch == ""


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[1]", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b'{"a":' * 100_000, {}, 400),
        (b'{"prompt":"' + b"x" * 5_000_000 + b'"}', {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
        (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 400),
        (json.dumps(ASK).encode(), {"Idempotency-Key": "with space"}, 400),
        (json.dumps(ASK).encode(), {"Idempotency-Key": "x" * 201}, 400),
    ],
)
async def test_what_is_no_request_is_refused_and_starts_nothing(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    """RT-A05, RT-A08"""
    async with served(Desk()) as edge, edge.client(**{"Content-Type": "application/json"} | headers) as http:
        try:
            reply = await http.post("/code", content=body)
        except httpx.WriteError:
            assert status == 413  # the connection was closed on a body that is still coming
        else:
            assert reply.status_code == status
            assert said(reply)
    assert edge.desk.asked == []


async def test_a_body_that_does_not_end_is_given_up() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        reply = await http.post("/code", content=_endless(), headers={"Content-Type": "application/json"})
    assert (reply.status_code, said(reply)) == (408, "the body came too slowly")


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"prompt": "'
    await asyncio.sleep(1.3)
    yield b"x"


@pytest.mark.parametrize(
    ("broken", "status", "message"),
    [
        (Refusal("There is no repository octo-org/larder that we can see.", 404), 404, "There is no repository"),
        (Refusal("octo-org/larder is archived.", 409), 409, "octo-org/larder is archived."),
        (Refusal("The branch is somebody's own.", 422), 422, "The branch is somebody's own."),
        (UserError("The model that is set is not there."), 400, "The model that is set is not there."),
        (Transient("GitHub answered 502", 2.5), 503, "not taken; send it again"),
        (RuntimeError("disk full at /var/secret"), 500, "something went wrong; the server's log has the details"),
    ],
)
async def test_why_a_task_is_not_taken(broken: Exception, status: int, message: str) -> None:
    async with served(Desk(broken=broken)) as edge, edge.client() as http:
        reply = await http.post("/code", json=ASK)
    assert (reply.status_code, said(reply).startswith(message)) == (status, True)
    assert reply.headers.get("Retry-After") == ("3" if status == 503 else None)


async def test_what_began_is_never_said_not_to_have_begun() -> None:
    """The database went away behind the record: the answer tells where the task is."""
    desk = Desk(away=Transient("The database can't be used now."))
    async with served(desk, keys=KEYS) as edge, edge.client(**BEARER) as http:
        reply = await http.post("/code", json=ASK)
        desk.away = None
        assert parsed((await http.get(reply.headers["Location"])).text)[1] == wire(RUN)
    assert (reply.status_code, reply.headers["Retry-After"], len(desk.asked)) == (503, "10", 1)
    assert said(reply) == "The task is there, and its events can't be read now: GET /code/t-1 later."


async def test_a_request_sent_again_under_its_name_is_the_same_task() -> None:
    async with served(Desk(), keys=KEYS) as edge, edge.client(**{"Idempotency-Key": "once"}) as http:
        first, again = [await http.post("/code", json=ASK, headers=BEARER) for _ in range(2)]
        other = await http.post("/code", json=ASK | {"repo_url": f"{GITHUB}/octo-org/docs"}, headers=LIMITED)
    assert (again.headers["Location"], again.text) == (first.headers["Location"], first.text)
    assert other.headers["Location"] != first.headers["Location"]
    assert len(edge.desk.asked) == 2


async def test_a_client_that_posts_again_starts_nothing() -> None:
    """FL-O07: many clients do so whenever a stream ends, each time with the last id they saw."""
    async with served(Desk()) as edge, edge.client() as http:
        ids, events = parsed((await http.post("/code", json=ASK)).text)
        resumed = await http.post("/code", json=ASK, headers={"Last-Event-ID": ids[2]})
        over = await http.post("/code", json=ASK, headers={"Last-Event-ID": ids[-1]})
        unknown = await http.post("/code", json=ASK, headers={"Last-Event-ID": "t-9.1.1.0"})
        nonsense = await http.post("/code", json=ASK, headers={"Last-Event-ID": "17"})
        empty = await http.post("/code", json=ASK, headers={"Last-Event-ID": ""})
    assert parsed(resumed.text) == (ids[3:], events[3:])
    assert resumed.headers["Location"] == "/code/t-1"
    assert (over.status_code, over.content) == (204, b"")
    assert (unknown.status_code, said(unknown)) == (404, "There is no such task.")
    assert (nonsense.status_code, said(nonsense)) == (
        400,
        "Last-Event-ID names no event; leave it out to start a task.",
    )
    assert (empty.headers["Location"], len(edge.desk.asked)) == ("/code/t-2", 2)


async def test_a_task_is_told_to_stop() -> None:
    desk = Desk()
    task = desk.task((Status(message="Cloned"),))
    async with served(desk, keys=KEYS) as edge, edge.client(**BEARER) as http:
        reply = await http.delete(f"/code/{task}")
        unknown = await http.delete("/code/t-9")
    assert (reply.status_code, reply.json(), desk.tasks[task].stopped_by) == (202, {"task": task}, "ci")
    assert (unknown.status_code, said(unknown)) == (404, "There is no such task.")
