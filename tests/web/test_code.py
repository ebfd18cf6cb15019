"""Every answer that a request to `/code` can get, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.core.api_keys import ApiKey
from app.core.errors import Refusal, Transient, UserError
from app.core.events import Done, Status
from app.web.code import Asked
from app.web.keys import signature
from tests.web.desk import ASK, GITHUB, LINK_SECRET, RUN, Desk, parsed, served, wire

WORD, OTHER = "a key of sixteen".replace(" ", "-"), "another-key-of-ours"
KEYS = (
    ApiKey(name="ci", key=SecretStr(WORD)),
    ApiKey(name="docs", key=SecretStr(OTHER), repositories=frozenset({"octo-org/docs"})),
)
BEARER = {"Authorization": f"Bearer {WORD}"}
LIMITED = {"Authorization": f"Bearer {OTHER}"}
PAIR = "\ud83d"


def said(reply: httpx.Response) -> str:
    assert list(reply.json()) == ["error"]
    return str(reply.json()["error"])


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
        ({"repo_url": ...}, "repo_url must be the address of a repository"),
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
    await asyncio.sleep(0.8)
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


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        WORD,
        "Bearer",
        f"Bearer {WORD[:-1]}",
        f"Bearer {WORD}x",
        f"Bearer {WORD} x",
        f"Basic {WORD}",
        "Bearer \xe9" * 3,
        f"Bearer ci:{WORD}",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_without_a_key_of_ours_nothing_is_done(authorization: str | None, method: str) -> None:
    """RT-A01"""
    desk = Desk()
    task = desk.task((Done(outcome="nothing"),))
    headers = {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}
    async with served(desk, keys=KEYS) as edge, edge.client() as http:
        path = "/code" if method == "POST" else f"/code/{task}"
        reply = await http.request(method, path, headers=headers, content=json.dumps(ASK))
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert said(reply) == "Send `Authorization: Bearer KEY` with one of the server's keys."
    assert (desk.asked, desk.tasks[task].stopped_by) == ([], "")


async def test_each_key_asks_under_its_name() -> None:
    async with served(Desk(), keys=KEYS) as edge, edge.client() as http:
        assert (await http.post("/code", json=ASK, headers=BEARER)).status_code == 200
        docs = ASK | {"repo_url": f"{GITHUB}/Octo-Org/docs"}
        assert (await http.post("/code", json=docs, headers=LIMITED)).status_code == 200
    assert [asked.caller for asked in edge.desk.asked] == ["ci", "docs"]


async def test_a_key_for_some_repositories_neither_starts_nor_sees_others() -> None:
    """RT-A01: to such a key another repository's task is not there, under no address."""
    desk = Desk()
    hidden = desk.task((Done(outcome="nothing"),))
    desk.tasks[hidden].patch = b"diff"
    async with served(desk, keys=KEYS) as edge, edge.client(**LIMITED) as http:
        started = await http.post("/code", json=ASK)
        replies = [
            await http.get(f"/code/{hidden}"),
            await http.delete(f"/code/{hidden}"),
            await http.get(f"/code/{hidden}/patch"),
            await http.post("/code", json=ASK, headers={"Last-Event-ID": f"{hidden}.1.0.0"}),
            await http.get("/code/unknown"),
        ]
    assert (started.status_code, said(started)) == (403, "This key is not for octo-org/larder.")
    assert [(reply.status_code, said(reply)) for reply in replies] == [(404, "There is no such task.")] * 5
    assert (desk.asked, desk.tasks[hidden].stopped_by) == ([], "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebind.evil"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "localhost@evil.example"},
        {"Host": ""},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"Via": "1.1 proxy"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_without_keys_only_programs_on_this_machine_are_served(headers: dict[str, str], method: str) -> None:
    """RT-A05, RT-A06"""
    desk = Desk()
    task = desk.task((Done(outcome="nothing"),))
    async with served(desk) as edge, edge.client(**headers) as http:
        reply = await http.request(method, "/code" if method == "POST" else f"/code/{task}", content=json.dumps(ASK))
    assert (reply.status_code, bool(said(reply))) == (403, True)
    assert (desk.asked, desk.tasks[task].stopped_by) == ([], "")


async def test_a_key_in_the_hands_of_another_sites_page_does_nothing() -> None:
    """RT-A05"""
    async with served(Desk(), keys=KEYS) as edge, edge.client(**BEARER) as http:
        assert (await http.post("/code", json=ASK, headers={"Origin": "https://evil.example"})).status_code == 403
        assert (await http.post("/code", json=ASK, headers={"Origin": "https://code.example"})).status_code == 200
        assert (await http.post("/code", json=ASK, headers={"Origin": edge.url})).status_code == 200
    assert len(edge.desk.asked) == 2


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
async def test_every_name_of_this_machine_will_do(host: str) -> None:
    async with served(Desk()) as edge, edge.client(Host=host) as http:
        assert (await http.post("/code", json=ASK)).status_code == 200


async def test_where_others_reach_the_server_and_no_key_is_set_there_is_no_code() -> None:
    """RT-A01"""
    desk = Desk()
    task = desk.task((Done(outcome="nothing"),))
    async with served(desk, loopback_only=False) as edge, edge.client() as http:
        replies = [
            await http.post("/code", json=ASK),
            await http.get(f"/code/{task}"),
            await http.delete(f"/code/{task}"),
        ]
    assert [(reply.status_code, said(reply)) for reply in replies] == [(404, "404: Not Found")] * 3


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


async def test_the_patch_of_a_task_is_for_keys_and_for_signed_links() -> None:
    desk = Desk()
    task, empty = desk.task(), desk.task()
    desk.tasks[task].patch = b"diff --git a/x b/x\n+\xff<script>\n"
    good, bad = signature(LINK_SECRET, task), signature(LINK_SECRET, empty)
    async with served(desk, keys=KEYS) as edge, edge.client() as http:
        by_key = await http.get(f"/code/{task}/patch", headers=BEARER)
        by_link = await http.get(f"/code/{task}/patch?sig={good}")
        refused = [
            (await http.get(f"/code/{task}/patch{query}")).status_code
            for query in ("", f"?sig={bad}", "?sig=", "?sig=%C3%A9", f"?sig={good}x", f"?sig=x&sig={good}")
        ]
        none = await http.get(f"/code/{empty}/patch", headers=BEARER)
        stream = await http.get(f"/code/{task}?sig={good}")
    assert by_key.content == by_link.content == desk.tasks[task].patch
    assert by_link.headers["Content-Type"] == "text/x-diff"
    assert by_link.headers["Content-Disposition"] == f'attachment; filename="{task}.patch"'
    assert by_link.headers["X-Content-Type-Options"] == "nosniff"
    assert refused == [401] * 6
    assert (none.status_code, said(none)) == (404, "There is no patch of this task.")
    assert stream.status_code == 401


async def test_a_signed_link_works_where_there_is_no_code_at_all() -> None:
    """A comment of a server without keys links to it."""
    desk = Desk()
    task = desk.task()
    desk.tasks[task].patch = b"diff"
    async with served(desk, loopback_only=False) as edge, edge.client() as http:
        assert (await http.get(f"/code/{task}/patch?sig={signature(LINK_SECRET, task)}")).content == b"diff"
        assert (await http.get(f"/code/{task}/patch?sig=x")).status_code == 404
