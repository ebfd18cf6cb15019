"""The event stream of a task, read as a program on this machine reads it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from app.core.events import Done, Entry, Status
from app.web import sse
from tests.e2e.lab import FIX, Lab, Repo, Server, bash, free_port, until


@dataclass(frozen=True)
class Read:
    """What a reader got: ids and events in their order."""

    ids: list[str]
    events: list[dict[str, Any]]


@contextmanager
def stream(url: str, last: str = "", **headers: str) -> Iterator[httpx.Response]:
    sent = headers | ({"Last-Event-ID": last} if last else {})
    with httpx.stream("GET", url, headers=sent, timeout=60) as reply:
        yield reply


def parsed(text: str) -> Read:
    """Every block is one id line and one data line, nothing else."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    assert all(len(block) == 2 for block in blocks)
    assert all(block[0].startswith("id: ") and block[1].startswith("data: ") for block in blocks)
    return Read([block[0][4:] for block in blocks], [json.loads(block[1][6:]) for block in blocks])


def read(url: str, last: str = "") -> Read:
    """All of it, to the end of the reply."""
    with stream(url, last) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/event-stream"
        return parsed(reply.read().decode())


@pytest.fixture(scope="module")
def repository(lab: Lab, server: Server) -> Repo:
    return lab.repository(server)


def task(repo: Repo, *turns: dict[str, Any]) -> str:
    """Ask for work: the address of its stream, once the server knows it."""
    repo.script(*turns)
    asked = repo.comment(repo.issue())
    url = f"{repo.server.url}/code/c-{repo.id}-{asked['id']}"

    def known() -> bool:
        with stream(url) as reply:
            return reply.status_code == 200

    until(known, what="the task")
    return url


@pytest.fixture(scope="module")
def followed(repository: Repo) -> tuple[str, Read, int]:
    """A run read while it goes on: the address, what was read, and how many events came before the last command ended."""
    url = task(repository, {"text": "Näxt:\nlook", "tools": [FIX, bash("sleep 3")]}, {"text": "Greet with a comma"})
    text, early = "", 0
    with stream(url) as reply:
        for chunk in reply.iter_text():
            text += chunk
            if '"Tool: Bash"' not in text:
                early = text.count("\nid: ")
    return url, parsed(text), early


def test_a_run_is_told_while_it_goes_on_and_the_stream_ends_with_it(followed: tuple[str, Read, int]) -> None:
    _, seen, early = followed
    types = [event["type"] for event in seen.events]
    assert early >= 3
    assert types.index("AI Message") < types.index("Tool: Edit") < types.index("Tool: Bash") < types.index("PR Created")
    assert types.count("Done") == 1
    assert seen.events[-1]["type"] == "Done"
    assert seen.events[-1]["outcome"] == "ready"


def test_type_comes_first_and_text_stays_on_its_line(followed: tuple[str, Read, int]) -> None:
    _, seen, _ = followed
    assert {next(iter(event)) for event in seen.events} == {"type"}
    assert {"type": "AI Message", "message": "Näxt:\nlook"} in seen.events


def test_ids_name_the_task_and_rise(followed: tuple[str, Read, int]) -> None:
    url, seen, _ = followed
    key = url.rpartition("/")[2]
    assert all(found.startswith(f"{key}.1.") for found in seen.ids)
    places = [tuple(int(part) for part in found.rsplit(".", 2)[1:]) for found in seen.ids]
    assert places == sorted(set(places))


def test_any_last_id_resumes_without_gap_or_repeat(followed: tuple[str, Read, int]) -> None:
    url, seen, _ = followed
    for n in (0, len(seen.ids) // 2, len(seen.ids) - 2):
        assert read(url, seen.ids[n]) == Read(seen.ids[n + 1 :], seen.events[n + 1 :])


def test_nothing_is_left_to_say_after_the_last_id(followed: tuple[str, Read, int]) -> None:
    """204 tells an EventSource not to come back."""
    url, seen, _ = followed
    with stream(url, seen.ids[-1]) as reply:
        assert reply.status_code == 204
        assert reply.read() == b""


@pytest.mark.parametrize("unknown", ["x", "c-1-2.1.3.0", "-1", "c-1.999.999.0"])
def test_an_unknown_last_id_gets_all(followed: tuple[str, Read, int], unknown: str) -> None:
    url, seen, _ = followed
    assert read(url, unknown) == seen


@pytest.mark.parametrize("name", ["c-1-2", "x", "..%2fhealthz"])
def test_an_unknown_task_is_404_in_json(server: Server, name: str) -> None:
    reply = httpx.get(f"{server.url}/code/{name}")
    assert reply.status_code == 404
    assert reply.json() == {"error": "There is no such task."}


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "localhost@evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": ""},
    ],
)
def test_pages_of_other_sites_may_not_read(followed: tuple[str, Read, int], header: dict[str, str]) -> None:
    reply = httpx.get(followed[0], headers=header)
    assert reply.status_code == 403
    assert reply.json() == {"error": "Only programs on this machine may read this."}


def test_both_names_of_this_machine_may(followed: tuple[str, Read, int]) -> None:
    url, seen, _ = followed
    for host in ("localhost", "127.0.0.1", "LOCALHOST:1"):
        with stream(url, seen.ids[-2], Host=host) as reply:
            assert reply.status_code == 200


def test_a_reader_that_goes_away_disturbs_nobody(repository: Repo) -> None:
    url = task(repository, {"tools": [bash("sleep 1")]}, {"text": "There is nothing to do."})
    with stream(url) as reply:
        next(reply.iter_bytes())
    seen = read(url)
    assert seen.events[-1] == {
        "type": "Done",
        "outcome": "nothing",
        "pr_url": None,
        "message": "There is nothing to do.",
    }
    key = url.rpartition("/")[2]
    assert not [line for line in repository.server.log.splitlines() if key in line and "ERROR" in line]


def test_away_from_loopback_there_is_no_stream(lab: Lab) -> None:
    server = lab.server(HOST="0.0.0.0", PORT=str(free_port()), BACKSPACE_SANDBOX="local")
    try:
        port = server.settings["PORT"]
        assert httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
        assert httpx.get(f"http://127.0.0.1:{port}/code/c-1-2").json() == {"error": "404: Not Found"}
    finally:
        server.stop()


def test_an_open_stream_does_not_hold_up_the_end_of_the_server(lab: Lab) -> None:
    server = lab.server("stopped")
    url = task(lab.repository(server), {"tools": [bash("sleep 60", seconds=100)]})
    assert server.process
    with stream(url) as reply:
        next(parts := reply.iter_bytes())
        server.process.terminate()
        server.process.wait(timeout=10)
        with pytest.raises(httpx.RemoteProtocolError):
            list(parts)


async def test_silence_is_filled_with_comments_that_no_client_takes_for_an_event() -> None:
    """A log of the test's own, silent for a while, and a server that looks at it more often."""
    said = [Entry(id="t.1.1.0", at=0, event=Status(message="one"))]
    end = [Entry(id="t.1.2.0", at=0, event=Done(outcome="nothing"))]
    looks = iter([(said, 1), *[([], 1)] * 5, (end, 2)])

    async def log(task: str, after: int) -> tuple[list[Entry], int] | None:
        return next(looks)

    app = web.Application()
    app.add_routes(sse.routes(log, look=0.01, ping=0.02))
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{runner.addresses[0][1]}/code/t") as r,
    ):
        text = await r.text()
    await runner.cleanup()
    assert text.count(": ping\n") >= 2
    assert "ping\n\n" not in text
    assert parsed(text.replace(": ping\n", "")).ids == ["t.1.1.0", "t.1.2.0"]
