"""Who may use `/code`, over real HTTP: a key, this machine, or a signed link; and no page of another site."""

import json

import pytest
from pydantic import SecretStr

from app.core.api_keys import ApiKey
from app.core.events import Done
from app.web.keys import signature
from tests.web.desk import ASK, BEARER, GITHUB, KEYS, LIMITED, LINK_SECRET, OTHER, WORD, Desk, said, served


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


async def test_two_keys_in_one_request_are_none() -> None:
    """RT-A01: who reads the first and who reads the last would not agree on who asks."""
    async with served(Desk(), keys=KEYS) as edge, edge.client() as http:
        headers = [*BEARER.items(), *LIMITED.items()]
        reply = await http.post("/code", json=ASK, headers=headers)
    assert (reply.status_code, edge.desk.asked) == (401, [])


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


async def test_a_key_that_is_for_others_now_does_not_see_what_it_began_before() -> None:
    """RT-A01: not by its idempotency key either."""
    desk, once = Desk(), {"Idempotency-Key": "once"}
    before = ApiKey(name="docs", key=SecretStr(OTHER))
    async with served(desk, keys=(before,)) as edge, edge.client(**LIMITED) as http:
        assert (await http.post("/code", json=ASK, headers=once)).status_code == 200
    async with served(desk, keys=KEYS) as edge, edge.client(**LIMITED) as http:
        docs = ASK | {"repo_url": f"{GITHUB}/octo-org/docs"}
        assert (await http.post("/code", json=docs, headers=once)).status_code == 404


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
