"""Two servers on one PostgreSQL: what one of them leaves, the other finishes."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.lab import FIX, Lab, Server, bash, free_port, until
from tests.runs.postgres import database, postgres

__all__ = ["database", "postgres"]
pytestmark = pytest.mark.many


@pytest.fixture
def pair(lab: Lab, database: str) -> Iterator[tuple[Server, Server]]:
    """The first is started and gets the deliveries."""
    first = lab.server("first", BACKSPACE_DATABASE_URL=database)
    port = str(free_port())
    second = replace(first, home=lab.home / f"second-{port}", settings={**first.settings, "PORT": port}, process=None)
    second.home.mkdir()
    yield first, second
    for server in (first, second):
        if server.process:
            server.kill()


def test_a_server_that_comes_back_finds_its_work_done(lab: Lab, pair: tuple[Server, Server]) -> None:
    """FL-K11: it was stopped while GitHub held its request for a branch, which then arrives although the other has made it."""
    first, second = pair
    repo = lab.repository(first)
    held = repo.fault(r"/git/refs$", method="POST", hold=True)
    issue = repo.ask({"tools": [FIX, bash("echo x >> effects")]}, {"text": "Greet with a comma"})
    until(lambda: repo.hit(held), what="the request for a branch")
    assert first.process
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    comment = repo.finished(issue)
    first.process.send_signal(signal.SIGCONT)
    repo.release(held)
    branches = ("POST", f"/api/v3/repos/{repo.full_name}/git/refs")
    until(lambda: [(r["method"], r["path"]) for r in repo.requests()].count(branches) == 2, what="the held request")
    asked = len(repo.requests())
    time.sleep(3)
    assert "✅" in comment
    assert repo.status(issue) == comment
    (pull,) = repo.pulls()
    assert sorted(repo.branches()) == sorted(["main", pull["head"]])
    assert repo.file("effects", pull["head"]) == "x\n"
    assert len(repo.asked()) == 2
    assert [r["path"] for r in repo.requests()[asked:] if r["method"] != "GET"] == []


def test_an_edit_that_comes_too_late_is_mended(lab: Lab, pair: tuple[Server, Server]) -> None:
    """The process slept while its edit of the comment was on the way, and woke when the other had written the end."""
    first, second = pair
    repo = lab.repository(first)
    held = repo.fault(r"/issues/comments/\d+$", method="PATCH", hold=True)
    issue = repo.ask({"tools": [FIX, bash("sleep 3")]}, {"text": "Greet with a comma"})
    until(lambda: repo.hit(held), what="the first edit")
    assert first.process
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    comment = repo.finished(issue)
    repo.release(held)
    until(lambda: repo.status(issue) != comment, what="the late edit")
    first.process.send_signal(signal.SIGCONT)
    until(lambda: repo.status(issue) == comment, what="the last state once more")
