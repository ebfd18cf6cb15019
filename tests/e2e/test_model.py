"""A whole run whose model has a bad day. llmock judges how it was asked again."""

from collections.abc import Iterator

import httpx
import pytest
from llmock.pytest_plugin import LLMock

from tests.e2e.lab import FIX, Lab, Repo, Server, bash, until

WAIT = bash("touch began; until [ -e go ]; do sleep 0.1; done; rm began go")
EFFECT = bash("echo made >> effects")


@pytest.fixture
def shaky(lab: Lab, llmock: LLMock) -> Iterator[Server]:
    server = lab.server("llmock", ANTHROPIC_BASE_URL=llmock.base_url("anthropic"))
    yield server
    server.stop()


def test_the_model_is_asked_again_as_it_wants_and_never_believed_by_half(shaky: Server, llmock: LLMock) -> None:
    """FL-A01, FL-A02, FL-A04: the first wait is longer than a request waits, so the run does."""
    llmock.rate_limit(retry_after=3).fail(529).call_tool(WAIT["name"], WAIT["input"])
    repo = shaky.lab.repository(shaky)
    issue = repo.issue()
    repo.comment(issue)
    until(lambda: shaky.has_made("began"), what="the first turn")

    llmock.truncate(after_chunks=4).disconnect(after_chunks=4)
    llmock.call_tool(EFFECT["name"], EFFECT["input"], times=3)  # of which two are lost
    llmock.call_tool(FIX["name"], FIX["input"]).reply("Greet with a comma")
    for box in shaky.sandboxes():
        for home in ("home", "home/user"):
            if (repository := box / home / "repo").exists():
                (repository / "go").touch()

    repo.finished(issue)
    llmock.assert_resilient(strict=True)
    assert [len(call.attempts) for call in llmock.verdict().calls] == [3, 3, 1, 1]
    (pull,) = repo.pulls()
    assert repo.file("effects", pull["head"]) == "made\n"


def test_a_run_that_waits_for_the_model_says_so_and_a_stop_ends_it(repo: Repo) -> None:
    """FL-A01, FL-A09: the work so far is kept, and the model is left alone."""
    repo.script(
        {"tools": [FIX], "fault": {"kind": "error_event"}},
        {"text": "never said", "fault": {"kind": "status", "status": 429, "retry_after": 900, "times": 99}},
    )
    issue = repo.issue()
    said = repo.comment(issue)
    until(lambda: repo.ours(issue), what="the task")
    with httpx.stream("GET", f"{repo.server.url}/code/c-{repo.id}-{said['id']}", timeout=60) as log:
        waiting = next(line for line in log.iter_lines() if '"Waiting"' in line)
    assert '"seconds": 900.0' in waiting
    repo.comment(issue, "/backspace stop")
    assert "Stopped" in repo.finished(issue, 20)
    assert [pull["draft"] for pull in repo.pulls()] == [True]
    assert len(repo.asked()) == 3


def test_a_model_that_stays_away_ends_the_run_with_a_draft_that_says_how_to_go_on(repo: Repo) -> None:
    """FL-A01"""
    issue = repo.ask(
        {"tools": [FIX]},
        {"text": "never said", "fault": {"kind": "status", "status": 429, "retry_after": 4000, "times": 99}},
    )
    comment = repo.finished(issue)
    (pull,) = repo.pulls()
    assert pull["draft"]
    for told in (comment, pull["body"]):
        assert "The model gave no whole reply (429: This error is in the script.)" in told
        assert "ask again" in told
    assert "1 turn ·" in comment


def test_minutes_that_are_over_end_a_running_command_and_keep_the_work(lab: Lab) -> None:
    """RT-D02, RT-S07"""
    server = lab.server(BACKSPACE_TASK_MINUTES="0.15")
    try:
        repo = lab.repository(server)
        issue = repo.ask({"tools": [FIX, bash("sleep 500", seconds=600)]}, {"text": "never asked"})
        comment = repo.finished(issue)
        (pull,) = repo.pulls()
        assert pull["draft"]
        for told in (comment, pull["body"]):
            assert "15 minutes of work are over." in told
        assert len(repo.asked()) == 1
    finally:
        server.stop()
