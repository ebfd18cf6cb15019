"""The event stream of a whole run, read as a program on this machine reads it. What the edge alone decides: see `test_streams.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.e2e.lab import FIX, Lab, Repo, Server, bash, free_port, until
from tests.web.desk import parsed


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


def read(url: str, last: str = "") -> Read:
    """All of it, to the end of the reply."""
    with stream(url, last) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        return Read(*parsed(reply.read().decode()))


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
    return url, Read(*parsed(text)), early


def test_a_run_is_told_while_it_goes_on_and_the_stream_ends_with_it(followed: tuple[str, Read, int]) -> None:
    _, seen, early = followed
    types = [event["type"] for event in seen.events]
    assert early >= 3
    assert types.index("AI Message") < types.index("Tool: Edit") < types.index("Tool: Bash") < types.index("PR Created")
    assert types.count("Done") == 1
    assert seen.events[-1]["type"] == "Done"
    assert seen.events[-1]["outcome"] == "ready"


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
