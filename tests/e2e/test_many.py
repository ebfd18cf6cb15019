"""Two servers on one PostgreSQL: what one of them leaves, the other finishes."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from app.runs.engine import TO_END
from app.web.server import SECONDS_TO_END
from tests.chaos.log import Log
from tests.e2e.lab import FIX, Lab, Server, bash, free_port, until
from tests.runs.postgres import database, postgres

__all__ = ["database", "postgres"]


@pytest.fixture
def pair(lab: Lab, database: str) -> Iterator[tuple[Server, Server]]:
    """The first is started and gets the deliveries."""
    first = lab.server("first", BACKSPACE_DATABASE_URL=database)
    port = str(free_port())
    second = replace(first, home=lab.home / f"second-{port}", settings={**first.settings, "PORT": port}, process=None)
    second.home.mkdir()
    yield first, second
    for server in (first, second):
        if server.process and server.process.poll() is None:
            server.kill()


@pytest.mark.many
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
    assert '"ERROR"' not in first.log


@pytest.mark.many
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


@pytest.mark.many
def test_a_server_that_comes_back_asks_the_model_nothing_more(lab: Lab, pair: tuple[Server, Server]) -> None:
    """FL-A04, FL-K11: its reply broke off while it was stopped, and the other has asked the same meanwhile."""
    first, second = pair
    repo = lab.repository(first)
    issue = repo.ask({"text": "There is nothing to do.", "hold": True, "fault": {"kind": "close"}})
    until(repo.asked, what="the reply that is held")
    assert first.process
    first.process.send_signal(signal.SIGSTOP)
    second.start()
    until(lambda: len(repo.asked()) == 2, what="the same question by the other")
    repo.let_go()
    repo.finished(issue)
    first.process.send_signal(signal.SIGCONT)
    time.sleep(3)  # it would ask again after one
    assert len(repo.asked()) == 2


def test_told_to_end_a_server_takes_nothing_more_and_hears_the_model_out(lab: Lab, pair: tuple[Server, Server]) -> None:
    """FL-K10: the other goes on behind the reply, which is not asked for again."""
    first, second = pair
    repo = lab.repository(first)
    issue = repo.ask({"tools": [FIX, bash("echo x >> effects")]}, {"text": "Greet with a comma", "hold": True})
    until(lambda: len(repo.asked()) == 2, what="the reply that is held")
    second.start()
    assert first.process
    first.process.terminate()
    until(lambda: httpx.get(f"{first.url}/healthz").status_code == 503, 10, "readiness to go")
    other = lab.repository(first)  # what was not taken is found by the other server, and asks the model too
    assert other.comment(other.issue(), "/backspace and this")["delivery"]["status"] == 503
    repo.let_go()
    assert first.process.wait(10) == 0
    assert "✅" in repo.finished(issue)
    assert len(repo.asked()) == 2


@pytest.mark.many
def test_told_to_end_a_server_waits_twenty_seconds_at_most(lab: Lab, pair: tuple[Server, Server]) -> None:
    """FL-K10: what the model had not said by then is asked again by the other, and counted."""
    first, second = pair
    repo = lab.repository(first)
    issue = repo.ask({"text": "There is nothing to do.", "hold": True})
    until(repo.asked, what="the reply that is held")
    second.start()
    assert first.process
    told = time.monotonic()
    first.process.terminate()
    assert first.process.wait(TO_END + SECONDS_TO_END + 5) == 0
    assert time.monotonic() - told > TO_END
    until(lambda: len(repo.asked()) == 2, what="the same question by the other")
    repo.let_go()
    repo.finished(issue)


@pytest.mark.many
def test_a_stop_said_to_one_server_ends_a_command_that_the_other_waits_for(
    lab: Lab, pair: tuple[Server, Server], database: str
) -> None:
    """FL-K10: within two seconds; the command was begun by the server that hears it, and was not begun again by the other."""
    first, second = pair
    repo = lab.repository(first)
    beat = "echo x >> effects; while date +%s.%N >> beats; do sleep 0.05; done"
    issue = repo.ask({"tools": [FIX, bash(beat, seconds=600)]}, {"text": "never asked"})
    until(lambda: first.has_made("beats"), what="the command")
    log = Log(database)
    (before,) = log.executors().values()
    second.start()
    first.stop()
    until(lambda: [*log.executors().values()] != [before], what="the second server to have the run")
    log.close()
    first.start()
    repo.comment(issue, "/backspace stop")
    said = time.time()
    until(lambda: "confused" in repo.reactions(issue), what="the stop")
    (pull,) = repo.pulls()
    assert repo.file("effects", pull["head"]) == "x\n"
    last = float((repo.file("beats", pull["head"]) or "").split()[-1])
    assert last < said + 2


@pytest.mark.many
def test_a_stream_goes_on_at_another_server_without_gap_or_repeat(lab: Lab, pair: tuple[Server, Server]) -> None:
    """FL-O06: the one that it was asked of still runs the task, and the other reads what is yet to come."""
    first, second = pair
    second.start()
    repo = lab.repository(first)
    repo.script({"tools": [FIX]}, {"text": "Greet with a comma", "hold": True})
    body = {"repo_url": f"{lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    with httpx.stream("POST", f"{first.url}/code", json=body, timeout=60) as reply:
        task = reply.headers["Location"]
        seen = _ids(reply, '"Tool: Edit"')
    with httpx.stream("GET", second.url + task, headers={"Last-Event-ID": seen[-1]}, timeout=60) as reply:
        repo.let_go()
        seen += _ids(reply, '"Done"')
    with httpx.stream("GET", first.url + task, timeout=60) as reply:
        assert seen == _ids(reply, '"Done"')
    assert len(repo.pulls()) == 1


def _ids(reply: httpx.Response, last: str) -> list[str]:
    """Those of the events up to the one with these words."""
    ids = []
    for line in reply.iter_lines():
        if line.startswith("id: "):
            ids.append(line.removeprefix("id: "))
        elif last in line:
            return ids
    raise AssertionError(f"no {last} in {ids}")
